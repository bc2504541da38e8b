import Addressing
import DNSProxy
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import OwnerIdentity
import PolicyAPI
import Spool
import Timekeeping

/// The whole sidecar as one value: `handle` an event, take its effects, come back at `nextDeadline`.
package struct SidecarMachine: Sendable {
  /// SHA-256 of a policy's JSON.
  package typealias PolicyHash = @Sendable (PolicyDocument) -> [UInt8]

  enum Phase: Hashable, Sendable {
    /// The ruleset is not committed yet.
    case starting
    case enforcing
    /// Asked to stop; ends when everything is delivered or at the deadline.
    case draining(until: Instant)
    case ended
  }

  let settings: SidecarSettings
  let hash: AuditLog.Hash
  let policyHash: PolicyHash
  var phase = Phase.starting
  var startedAt = Moment(instant: Instant(nanoseconds: 0), wall: WallTime(microseconds: 0))

  /// The policy that decides now; while a change is under way already the new one, so that nothing is granted under the old.
  var policy: RuleSet
  var ownership: Ownership
  var gate: EgressGate

  var proxy: DNSProxy
  var firewall: Firewall
  var tracker = FlowTracker()
  var queries = QueryRollup()
  var recentDenials = RecentDenials()
  var audit: AuditLog
  var spool: Spool
  var forwarder: Forwarder
  let api: PolicyAPI

  var seen = SeenTraffic()
  var use = RuleUse()
  var evidence = Evidence()
  var secondSink = SecondSink()
  var resolution = Resolution()
  var delivery = DeliveryState()
  var notices = DenialNotices()
  var token = TokenState()
  var change = ChangeState()
  var proofs: ProofState
  var life = LifeState()
  var tamper = TamperState()
  var files = PolicyFileState()
  var counts = CountState()

  /// Nil where it was taken: moved out, since copying one counts a dozen references.
  private var effects: [SidecarEffect?] = []
  private var effectsTaken = 0

  /// `policyHash`: for whoever can hash a policy's JSON in pieces; nil: by `hash`, whole.
  package init(
    _ settings: SidecarSettings, hash: @escaping AuditLog.Hash, policyHash: PolicyHash? = nil,
    checksum: SpoolChecksum? = nil
  ) {
    self.settings = settings
    self.hash = hash
    self.policyHash = policyHash ?? { hash($0.json()) }
    policy = RuleSet(settings.policy, always: settings.always, revision: settings.firstRevision)
    proofs = ProofState(keys: settings.ownerKeys)
    ownership = Ownership(state: settings.owner, isRequired: settings.ownerIsRequired)
    gate = EgressGate(lease: settings.audit.lease)
    proxy = DNSProxy(settings.dns)
    firewall = Firewall(settings.firewall, lease: settings.lease)
    audit = AuditLog(
      bootID: bootText(settings.boot), identity: settings.identity,
      context: RecordContext(
        owner: settings.owner, policyRevision: String(settings.firstRevision),
        enforcement: settings.dns.isObserving ? .observe : .enforce),
      hash: hash)
    var limits = settings.spool
    limits.keptBytesMax = min(SidecarSettings.flowMemoryBytes, limits.bytesMax / 8)
    spool = Spool(limits: limits, boot: settings.boot, checksum: checksum)
    forwarder = Forwarder(settings.forwarder)
    api = PolicyAPI(settings.api)
  }

  /// Applies one event. Never blocks, never fails: a failure in the world arrives as an event.
  package mutating func handle(
    _ event: SidecarEvent, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    compareClocks(at: now)
    switch event {
    case .started(let listing, let leases, let grants, let flowMarks, let tampering):
      start(
        listing, leases: leases, grants: grants, flowMarks: flowMarks, tampering: tampering, at: now, using: &generator)
    case .turnEnded: endTurn(at: now, using: &generator)
    case .deadlineReached: deadlineReached(at: now, using: &generator)
    case .shutdownRequested: beginDraining(at: now, using: &generator)

    case .queryReceived(let query):
      proxy.receive(query, policy: policy, gate: gate.forNames, at: now, using: &generator)
    case .upstreamAnswered(let bytes, let upstream, let socket, let isTCP):
      proxy.receiveUpstream(
        bytes, from: upstream, socket: socket, isTCP: isTCP, policy: policy, gate: gate.forNames, at: now,
        using: &generator)
    case .upstreamFailed(let upstream, let socket, let isTCP):
      proxy.upstreamFailed(
        upstream, socket: socket, isTCP: isTCP, policy: policy, gate: gate.forNames, at: now, using: &generator)
    case .clientClosed: break

    case .kernelCommitted(let id, let outcome): committed(id, outcome, at: now, using: &generator)
    case .rulesetChanged(let change): rulesetChanged(change, at: now)
    case .interceptorsFound(let chains): interceptorsFound(chains, at: now, using: &generator)
    case .flowsFound(let events): flowsFound(events, at: now, using: &generator)
    case .flowsCut(let events): flowsCut(events, at: now, using: &generator)
    case .conntrack(let event): observe(event, at: now, using: &generator)
    case .flowMissing(let tuple, let identifier): tracker.missing(tuple, identifier: identifier, at: now)
    case .conntrackOverflowed: emit(beginReconciling(at: now))
    case .conntrackFailed(let code):
      emit(.log(LogEntry(.error, "the kernel's flow events cannot be read", [("errno", String(code))])))
    case .flowsDumped(let events): reconcile(events, at: now, using: &generator)
    case .sourcesFound(let addresses): firewall.setSources(addresses, at: now)
    case .countsRead(let counts): countsRead(counts, at: now, using: &generator)
    case .countsRemoved: countsRemoved(at: now)

    case .cursorRead(let bytes): perform(spool.cursorRead(bytes, at: now), at: now, using: &generator)
    case .segmentRead(let name, let bytes):
      perform(spool.segmentRead(name, bytes, at: now), at: now, using: &generator)
    case .spoolWritten(let ticket, let outcome):
      perform(spool.written(ticket, outcome, at: now), at: now, using: &generator)
    case .spoolSynced(let ticket, let outcome):
      perform(spool.synced(ticket, outcome, at: now), at: now, using: &generator)
    case .cursorWritten(let generation, let outcome):
      perform(spool.cursorWritten(generation, outcome, at: now), at: now, using: &generator)
    case .spoolRead(let read, let bytes): spoolRead(read, bytes, at: now, using: &generator)
    case .kept(let id, let outcome):
      if !ownerKept(id, outcome, at: now, using: &generator) { kept(id, outcome, at: now, using: &generator) }
    case .policyRead(let reading): policyRead(reading, at: now, using: &generator)

    case .storageFailed(let reason):
      emit(.log(LogEntry(.warning, "a file of the spool could not be tidied up", [("reason", reason)])))

    case .delivered(let id, let outcome): delivered(id, outcome, at: now, using: &generator)
    case .deliveryUnconnected(let id): deliveryUnconnected(id, at: now, using: &generator)
    case .copied(let id, let outcome): copied(id, outcome)
    case .noticeSent(let id, let outcome): noticeSent(id, outcome, at: now)
    case .tokenReady: perform(forwarder.tokenReady(at: now), at: now, using: &generator)
    case .tokenUnavailable(let reason): tokenUnavailable(reason)
    case .tokenExchanged(let id, let outcome): tokenExchanged(id, outcome, at: now, using: &generator)

    case .signatureChecked(let id, let outcome): signatureChecked(id, outcome, at: now, using: &generator)
    case .ownerTokenRead(let contents): ownerTokenRead(contents, at: now, using: &generator)
    case .ownerKeysRead(let contents): ownerKeysRead(contents, at: now, using: &generator)

    case .requestReceived(let connection, let request):
      receive(request, on: connection, at: now, using: &generator)
    }
  }

  /// The oldest effect not yet taken. Effects are performed in this order; an outcome that is at hand may be given to `handle` before the next is taken.
  package mutating func nextEffect() -> SidecarEffect? {
    guard effectsTaken < effects.count else {
      effects.removeAll(keepingCapacity: true)
      effectsTaken = 0
      return nil
    }
    defer { effectsTaken += 1 }
    return effects[effectsTaken].take()
  }

  /// When `deadlineReached` must next be given.
  package var nextDeadline: Instant? {
    mutating get {
      var earliest: Instant?
      for deadline in [
        proxy.nextDeadline, firewall.nextDeadline, tracker.nextDeadline, queries.nextDeadline, spool.nextDeadline,
        forwarder.nextDeadline, token.schedule.nextDeadline, life.nextHeartbeat, counts.nextReading, policyDeadline,
        undoDeadline, gate.nextDeadline, drainDeadline, tamper.nextDeadline, notices.nextDeadline,
      ] {
        guard let deadline else { continue }
        earliest = earliest.map { min($0, deadline) } ?? deadline
      }
      return earliest
    }
  }

  /// `SALLYPORT_MODE=observe`: nothing is blocked.
  var isObserving: Bool { settings.dns.isObserving }

  private var undoDeadline: Instant? { change.underWay?.retryAt }

  /// A change under way has its own policy's end noted when it is done; until then nothing is to be done at the old one's.
  private var policyDeadline: Instant? { change.underWay == nil ? life.policyExpiry : nil }

  private var drainDeadline: Instant? { if case .draining(let until) = phase { until } else { nil } }

  mutating func emit(_ effect: SidecarEffect) { effects.append(effect) }

  mutating func emit(_ more: [SidecarEffect]) { for effect in more { effects.append(effect) } }
}

/// `SbxBootId`: the sixteen octets in lower-case hexadecimal.
func bootText(_ boot: SpoolBoot) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: boot.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
