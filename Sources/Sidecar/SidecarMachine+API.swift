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
    case .call(.override(let override), _): receive(override, on: connection, at: now, using: &generator)
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
    case .readFlows: .flows(tracker.liveFlows().map { view(of: $0, at: now) })
    case .readAudit: .audit(auditView(at: now))
    case .change, .override, .bindOwner: .refusal(500, "a change was routed as a reading", form: form)
    }
  }

  private func view(of flow: LiveFlow, at now: Moment) -> FlowView {
    FlowView(
      name: flow.attribution.name, destination: flow.tuple.destination.address, port: flow.tuple.destination.port,
      transport: flow.tuple.transport, bytesSent: flow.counters?.sentBytes ?? 0,
      bytesReceived: flow.counters?.receivedBytes ?? 0, rule: flow.attribution.rule ?? "",
      age: now.instant - flow.startedAt.instant)
  }

  private func auditView(at now: Moment) -> AuditView {
    let status = forwarder.status
    var view = AuditView(
      bootIdentifier: audit.bootID, sequence: audit.lastSequence, spoolRecords: UInt64(spool.unacknowledgedCount),
      spoolBytes: UInt64(spool.storedBytes),
      oldestUnacknowledged: spool.oldestUnacknowledged.map { now.instant - $0.appendedAt.instant },
      droppedRecords: evidence.droppedTotal, delivery: status.consecutiveFailures == 0 ? "delivering" : "waiting",
      deliveryReason: status.consecutiveFailures == 0 ? nil : status.lastError)
    view.acknowledgedSequence = evidence.lastAcknowledged
    view.quarantinedRecords = evidence.quarantinedTotal
    view.batches = UInt64(status.batches)
    view.batchBytes = UInt64(status.octets)
    view.retries = RetryCause.allCases.map { ($0.rawValue, UInt64(status.retries[$0] ?? 0)) }
    view.gateClosedBy = gate.closedBy?.rawValue
    view.leaseLeft = gate.leaseEnds.map { max($0 - now.instant, .zero) }
    view.overrideLeft = gate.overriddenUntil.map { max($0 - now.instant, .zero) }
    if settings.audit.hasSecondSink {
      view.auditFile = AuditView.FileView(missingRecords: secondSink.missing, error: secondSink.error)
    }
    return view
  }
}
