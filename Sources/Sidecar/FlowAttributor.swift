import Addressing
import DNSWire
import EgressPolicy
import Firewall
import FlowAudit
import Timekeeping

/// Reads a flow's mark: the kernel wrote into it which grant let the flow out, or why it was refused.
struct FlowAttributor {
  var firewall: Firewall
  var gate: EgressGate
  var policy: RuleSet
  var seen: SeenTraffic

  /// Who let this flow out, or why it was refused: the kernel wrote it into the mark.
  func attribute(_ event: ConntrackEvent, at now: Moment) -> FlowAttribution {
    let destination = event.original.destination.address
    switch event.mark {
    case 0, FlowMark.steeredDNS: return FlowAttribution(.local)
    case FlowMark.own: return FlowAttribution(.own, rule: "the sidecar's own traffic")
    case FlowMark.ingress: return FlowAttribution(.inbound)
    case FlowMark.deniedAPI:
      return FlowAttribution(.deny(.ruleDeny), rule: "the control API is closed to the workload", isTampering: true)
    case FlowMark.deniedSource:
      return FlowAttribution(
        .deny(.ruleDeny), name: firewall.names(leasing: destination, at: now.instant).first?.description,
        rule: "the source is no address of the pod")
    case FlowMark.deniedByGate:
      return FlowAttribution(
        .deny(gate.denialReason),
        name: firewall.names(leasing: destination, at: now.instant).first?.description)
    case FlowMark.deniedByDefault: return attributeDenial(of: event.original, at: now)
    case let mark where FlowMark.isDenyRule(mark):
      return FlowAttribution(.deny(.ruleDeny), rule: firewall.attribution(mark: mark)?.rule.text)
    case let mark where FlowMark.isGrant(mark):
      guard let grant = firewall.attribution(mark: mark) else { return FlowAttribution(.allow) }
      return FlowAttribution(
        .allow, name: grant.name?.description,
        names: firewall.names(leasing: destination, at: now.instant).map(\.description), rule: grant.rule.text,
        querySession: firewall.querySession(mark: mark, address: destination)
          ?? (grant.session == 0 ? nil : grant.session),
        isSkipped: policy.skipsLog(grant.name, destination))
    default: return FlowAttribution(.local)
    }
  }

  /// Packets of which the kernel kept no mark.
  func attribute(_ packets: DroppedPackets, _ tuple: FlowTuple, at now: Moment) -> FlowAttribution {
    guard packets.place == .out else { return FlowAttribution(.deny(.defaultDeny)) }
    let names = firewall.names(leasing: packets.destination, at: now.instant)
    if let reason = gate.closedBy { return FlowAttribution(.deny(reason), name: names.first?.description) }
    let hasPorts = packets.transport == .tcp || packets.transport == .udp
    let rule = policy.decide(
      names.first, packets.destination, port: 0, transport: packets.transport, at: now.wall)
    return FlowAttribution(
      .deny(hasPorts ? .defaultDeny : .protocol), name: names.first?.description, names: names.map(\.description),
      rule: hasPorts || rule.action == .allow ? nil : rule.text)
  }

  private func attributeDenial(of tuple: FlowTuple, at now: Moment) -> FlowAttribution {
    let names = firewall.names(leasing: tuple.destination.address, at: now.instant)
    if names.isEmpty, let last = firewall.lastLease(of: tuple.destination.address),
      policy.decide(last.name, at: now.wall).isAllowed
    {
      return FlowAttribution(.deny(.leaseExpired), name: last.name.description)
    }
    // Where nothing is blocked, a name that no rule allows leads there too.
    let name = names.first ?? seen.name(leadingTo: tuple.destination.address)
    let rule = policy.decide(
      name, tuple.destination.address, port: tuple.destination.port, transport: tuple.transport, at: now.wall)
    var reason = rule.place == .defaultAction ? DenialReason.defaultDeny : .ruleDeny
    if names.isEmpty, let name, reason == .defaultDeny, policy.decide(name, at: now.wall).isAllowed,
      SpecialPurpose.range(of: tuple.destination.address) != nil
    {
      reason = .privateAnswer
    }
    return FlowAttribution(
      .deny(reason), name: name?.description, names: names.map(\.description), rule: rule.text)
  }
}
