import Addressing
import DNSProxy
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import LinuxIO
import Netfilter
import Sidecar
import Spool
import Timekeeping

/// Performs effects: one case, one call. An outcome that is at hand goes back as an event before the next effect is taken.
final class EffectRunner {
  /// How much sooner the worker's time ends than the machine's: 0.5 s, so that the outcome tells what was waited for.
  private static let outcomeMargin = TimeSpan.milliseconds(500)

  private let kernel: NftablesSocket
  private let ruleset: Ruleset
  private let conntrack: ConntrackTable
  let names: DNSServer
  let upstreams: UpstreamSockets
  let api: APIServer
  let storage: Storage
  let delivery: DeliveryWorker
  let ownerFiles: OwnerFiles
  /// Appends to the audit file beside the hub.
  let secondSink: SecondSinkWorker?
  /// Tells the webhook of denied names.
  let webhook: NoticeWorker?
  /// Nil without workload identity.
  let tokens: TokenWorker?
  private var credentials: HubCredentials?
  private let log: Log
  private var logRate = LogRate()
  private let attemptTimeout: TimeSpan
  /// The flows could not be read: to be asked for again.
  var owesFlows = false

  /// The last word of the machine: the exit code, once there is one.
  private(set) var end: ProcessEnd?

  enum ProcessEnd: Equatable {
    case stopped
    case failed(String)
  }

  init(
    kernel: NftablesSocket, ruleset: Ruleset, conntrack: ConntrackTable, names: DNSServer, upstreams: UpstreamSockets,
    api: APIServer, storage: Storage, delivery: DeliveryWorker, ownerFiles: OwnerFiles, secondSink: SecondSinkWorker?,
    webhook: NoticeWorker?, tokens: TokenWorker?, credentials: HubCredentials?, attemptTimeout: TimeSpan, log: Log
  ) {
    self.kernel = kernel
    self.ruleset = ruleset
    self.conntrack = conntrack
    self.names = names
    self.upstreams = upstreams
    self.api = api
    self.storage = storage
    self.delivery = delivery
    self.ownerFiles = ownerFiles
    self.secondSink = secondSink
    self.webhook = webhook
    self.tokens = tokens
    self.credentials = credentials
    self.attemptTimeout = attemptTimeout
    self.log = log
  }

  /// The token goes no further than here.
  func takeTokens(_ body: (SidecarEvent) -> Void) {
    for result in tokens?.worker.takeOutputs() ?? [] {
      switch result.answer {
      case .token(let token, let lifetime):
        credentials?.take(token)
        body(.tokenExchanged(result.id, .issued(lifetime: lifetime)))
      case .refused(let reason, let retryAfter):
        body(.tokenExchanged(result.id, .failed(reason: reason, retryAfter: retryAfter)))
      }
    }
  }

  func perform(_ effect: SidecarEffect, at now: Moment, _ body: (SidecarEvent) -> Void) {
    switch effect {
    case .commit(let id, let transaction): body(.kernelCommitted(id, kernel.commit(transaction)))
    case .rememberRuleset: rememberRuleset(at: now)
    case .findFlows(let marks, let narrowed): body(.flowsFound(find(marks, narrowed, at: now)))
    case .deleteFlows(let flows): body(.flowsCut(flows.filter { delete($0, at: now) }))
    case .readCounters(let tuple, let identifier):
      if let entry = try? conntrack.get(tuple), entry.identifier == identifier || identifier == 0 {
        body(.conntrack(entry))
      } else {
        body(.flowMissing(tuple, identifier: identifier))
      }
    case .dumpFlows:
      do {
        body(.flowsDumped(try conntrack.dump()))
      } catch {
        owesFlows = true
        say("the kernel's flows could not be read; tried again every second", error.description, at: now)
      }

    case .readCounts:
      do {
        body(.countsRead(try kernel.counts(of: ruleset)))
      } catch {
        say("the kernel's counters could not be read; tried again every second", error.description, at: now)
        body(.countsRead(nil))
      }
    case .removeCounts(let taken):
      if case .refused(let refusal) = kernel.commit(DroppedPackets.removal(of: taken)) {
        say("counted packets could not be taken out of the kernel and may be on record twice", refusal.reason, at: now)
      }
      body(.countsRemoved)

    case .sendUpstream(let query):
      if !upstreams.send(query, at: now.instant) {
        body(.upstreamFailed(query.upstream, socket: query.socket, isTCP: query.isTCP))
      }
    case .forgetResolvers(let kept): upstreams.forget(besides: kept)
    case .reply(let reply): names.send(reply, at: now.instant)

    case .spool(let effect): if let event = storage.perform(effect) { body(event) }
    case .readSpool(let read): body(.spoolRead(read, storage.read(read)))
    case .keep(let id, let file, let bytes): storage.keep(id, file, bytes)

    case .deliver(let batch, let endpoint, let connects):
      delivery.submit(
        DeliveryWorker.Job(
          delivery: batch, endpoint: endpoint, connects: connects,
          authorization: credentials?.authorization(at: now.wall),
          deadline: now.instant + attemptTimeout - Self.outcomeMargin))
    case .abandonDelivery: delivery.interrupt()
    case .fetchToken:
      if let reason = credentials?.fetch(at: now.wall) {
        body(.tokenUnavailable(reason: reason))
      } else {
        body(.tokenReady)
      }
    case .exchangeToken(let id, let endpoint):
      tokens?.submit(TokenWorker.Job(id: id, endpoint: endpoint, deadline: now.instant + TokenWorker.patience))
    case .forgetToken: credentials?.forget()
    case .copy(let id, let lines): secondSink?.submit((id, lines))
    case .notify(let id, let body, let endpoint): webhook?.submit((id, body, endpoint))

    case .checkSignature(let id, let check): body(.signatureChecked(id, ownerFiles.judge(check)))

    case .respond(let connection, let response):
      api.respond(connection, response, at: now.instant)

    case .log(let entry): if let entry = logRate.admit(entry, at: now.instant) { log.write(entry) }
    case .ready: log.info("enforcing")
    case .fail(let reason): end = .failed(reason)
    case .stop: end = .stopped
    }
  }

  private func rememberRuleset(at now: Moment) {
    do {
      try storage.remember(RulesetMemory(try kernel.structure()))
    } catch {
      say("what the rules are could not be kept for the next start", "\(error)", at: now)
    }
  }

  /// Base chains of others that translate what leaves; nil when they cannot be read.
  func interceptors(at now: Moment) -> [String]? {
    do {
      return try kernel.foreignOutputNat().map(\.description)
    } catch {
      say("nat chains of others cannot be read", error.description, at: now)
      return nil
    }
  }

  func say(_ message: String, _ reason: String, at now: Moment) {
    let entry = LogEntry(.error, message, [("reason", reason)])
    if let entry = logRate.admit(entry, at: now.instant) { log.write(entry) }
  }

  private func find(_ marks: [UInt32], _ narrowed: [NarrowedGrant], at now: Moment) -> [ConntrackEvent] {
    do {
      let revoked = Set(marks)
      var found = revoked.isEmpty ? [] : try conntrack.dump().filter { revoked.contains($0.mark) }
      for part in narrowed {
        found += try conntrack.dump(mark: part.mark).filter { entry in
          let destination = entry.original.destination
          return part.first <= destination.address && destination.address <= part.last
            && !part.allowed.contains(port: destination.port, of: entry.original.transport)
        }
      }
      return found
    } catch {
      let message = "flows that lost their grant could not be read; the kernel stops them all the same"
      say(message, error.description, at: now)
      return []
    }
  }

  /// False: it was gone by itself.
  private func delete(_ flow: ConntrackEvent, at now: Moment) -> Bool {
    do {
      return try conntrack.delete(flow.original, identifier: flow.identifier)
    } catch {
      let message = "a flow that lost its grant could not be deleted; the kernel stops it all the same"
      say(message, error.description, at: now)
      return false
    }
  }
}
