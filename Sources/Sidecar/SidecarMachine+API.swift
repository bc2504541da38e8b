import Addressing
import DNSProxy
import DNSWire
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
    case .enforcing, .draining, .ended: isObserving ? "observe" : "dns+nft"
    }
  }

  /// Why nothing is enforced yet; empty when it is.
  var unreadiness: [String] { phase == .starting ? ["the ruleset is not installed yet"] : [] }

  /// Why the sidecar cannot do its work; empty when it can. A sandbox that nobody owns yet is not among the reasons: a warm pool hands out pods that are ready,
  /// and the owner comes with the claim.
  var hindrances: [String] {
    var reasons = unreadiness + tamperReasons
    if gate.closedBy != .ownerUnbound, let closed = gate.reasonText { reasons.append(closed) }
    if case .draining = phase { reasons.append("the sidecar is stopping") }
    return reasons
  }

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
    case .ready: .ready(reasons: hindrances)
    case .readDescription: .openAPI
    case .metrics: .metrics(metrics(at: now))
    case .readPolicy(let withStatistics):
      .policy(view(of: policyInForce), statistics: withStatistics ? statistics : nil)
    case .suggest:
      .suggestion(seen.suggestion(beside: policyInForce, at: now.wall), isPartial: seen.forgotten > 0)
    case .explain(let target, let port, let transport):
      .explanation(
        policyInForce.explain(target, port: port, transport: transport, at: now.wall), of: target, port: port,
        transport: transport, gate: gate.reasonText)
    case .readOwner: .owner(ownerView)
    case .readFlows: readFlows(at: now)
    case .readAudit: .audit(auditView(at: now))
    case .change, .override, .bindOwner: .refusal(500, "a change was routed as a reading", form: form)
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

  private var statistics: PolicyStatistics {
    PolicyStatistics(
      source: change.source ?? settings.policySource, since: startedAt.wall,
      rules: (policyInForce.rules ?? [policyInForce.defaultReference]).map {
        let count = use[$0.text]
        return PolicyStatistics.Rule(rule: $0, hits: count?.hits ?? 0, lastUsed: count?.lastUsed)
      })
  }

  /// What a change would do to names and flows, were it made now.
  func impact(of document: PolicyDocument, at now: Moment) -> ChangeImpact {
    let proposed = RuleSet(document, always: policy.always, revision: policy.revision.number + 1)
    let names = seen.changes(from: policy, to: proposed, at: now.wall)
    let cut =
      isObserving
      ? []
      : tracker.liveFlows().filter { flow in
        guard flow.attribution.verdict == .allow else { return false }
        let destination = flow.tuple.destination
        let rule = proposed.decide(
          flow.attribution.name.flatMap { DomainName($0) }, destination.address, port: destination.port,
          transport: flow.tuple.transport, at: now.wall)
        return rule.action == .deny
      }
    return ChangeImpact(
      namesAllowed: names.allowed.map { $0.description.lowercased() },
      namesDenied: names.denied.map { $0.description.lowercased() }, flowsCut: cut.map { view(of: $0, at: now) })
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
