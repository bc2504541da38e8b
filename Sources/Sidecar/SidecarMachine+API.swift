import Addressing
import DNSProxy
import EgressPolicy
import FlowAudit
import Forwarder
import HTTPWire
import PolicyAPI
import Spool
import Timekeeping

/// The control API: requests in, answers out.
extension SidecarMachine {
  /// What is really installed, in OpenSandbox's words.
  var enforcementMode: String {
    switch phase {
    case .starting: "none"
    case .enforcing, .draining, .ended: settings.dns.isObserving ? "observe" : "dns+nft"
    }
  }

  /// Why the daemon is not ready; empty when it is.
  var unreadiness: [String] { phase == .starting ? ["the ruleset is not installed yet"] : [] }

  mutating func receive(
    _ request: HTTPRequest, on connection: UInt64, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    switch api.route(request) {
    case .respond(let response): emit(.respond(connection, response))
    case .call(.change(let change), _): receive(change, on: connection, at: now, using: &generator)
    case .call(.bindOwner(let token), let form):
      receive(ownerToken: token, on: connection, form, at: now, using: &generator)
    case .call(let call, let form): emit(.respond(connection, answer(call, form, at: now)))
    }
  }

  private mutating func answer(_ call: PolicyAPICall, _ form: ErrorForm, at now: Moment) -> HTTPResponse {
    switch call {
    case .health: .health(reasons: unreadiness)
    case .ready: .ready(reasons: unreadiness + tamperReasons)
    case .metrics: .metrics(metrics(at: now))
    case .readPolicy: .policy(view(of: policyInForce))
    case .explain(let target, let port, let transport):
      .explanation(
        policyInForce.explain(target, port: port, transport: transport, at: now.wall), of: target, port: port,
        transport: transport)
    case .readOwner: .owner(ownerView)
    case .readFlows: readFlows(at: now)
    case .readAudit: .audit(auditView(at: now))
    case .change, .bindOwner: .refusal(500, "a change was routed as a reading", form: form)
    }
  }

  /// As last read; the kernel is asked for the next look, so that whoever looks each second sees counters a second old.
  private mutating func readFlows(at now: Moment) -> HTTPResponse {
    for case .readCounters(let tuple, let identifier) in tracker.countersToRead() {
      emit(.readCounters(tuple, identifier: identifier))
    }
    let denied = recentDenials.lines.reversed().map {
      DenialView(
        name: $0.name, destination: $0.destination, transport: $0.transport, reason: $0.reason, rule: $0.rule,
        count: $0.count, age: now.instant - $0.lastAt.instant)
    }
    return .flows(tracker.liveFlows().map { view(of: $0, at: now) }, denied: denied)
  }

  private func view(of flow: LiveFlow, at now: Moment) -> FlowView {
    FlowView(
      session: "\(audit.bootID)-f\(flow.session)", isInbound: flow.attribution.verdict == .inbound,
      name: flow.attribution.name, names: flow.attribution.names, source: flow.tuple.source,
      destination: flow.tuple.destination.address, port: flow.tuple.destination.port, transport: flow.tuple.transport,
      bytesSent: flow.counters?.sentBytes ?? 0, bytesReceived: flow.counters?.receivedBytes ?? 0,
      packetsSent: flow.counters?.sentPackets ?? 0, packetsReceived: flow.counters?.receivedPackets ?? 0,
      rule: flow.attribution.rule ?? "", startedAt: flow.startedAt.wall, age: now.instant - flow.startedAt.instant)
  }

  private func auditView(at now: Moment) -> AuditView {
    let status = forwarder.status
    return AuditView(
      bootIdentifier: audit.bootID, sequence: audit.lastSequence, spoolRecords: UInt64(spool.unacknowledgedCount),
      spoolBytes: UInt64(spool.storedBytes),
      oldestUnacknowledged: spool.oldestUnacknowledged.map { now.instant - $0.appendedAt.instant },
      droppedRecords: evidence.droppedTotal, delivery: status.consecutiveFailures == 0 ? "delivering" : "waiting",
      deliveryReason: status.consecutiveFailures == 0 ? nil : status.lastError)
  }
}
