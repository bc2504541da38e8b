import Addressing
import DNSWire
import Timekeeping

/// What `explain` is asked about.
package enum ExplainedTarget: Hashable, Sendable, CustomStringConvertible {
  case name(DomainName)
  case address(IPAddress)

  /// A name or an address as people write them, under the rules for targets; nil for wildcards, blocks and anything else.
  package init?(_ text: some StringProtocol) {
    switch PolicyTarget(text) {
    case .name(let name): self = .name(name)
    case .block(let block) where block.prefixLength == block.first.bitWidth: self = .address(block.first)
    default: return nil
    }
  }

  package var description: String {
    switch self {
    case .name(let name): name.description
    case .address(let address): address.description
    }
  }
}

/// A decision with everything that led to it.
package struct Explanation: Hashable, Sendable {
  /// What was asked: `registry.example.com 443/tcp`.
  package var question: String
  package var isAllowed: Bool
  /// The rule that made the decision.
  package var rule: RuleReference
  /// Rules that match too and came too late, in order, the default last.
  package var beaten: [RuleReference]
  /// The decision in one sentence.
  package var reason: String

  package init(question: String, isAllowed: Bool, rule: RuleReference, beaten: [RuleReference], reason: String) {
    self.question = question
    self.isAllowed = isAllowed
    self.rule = rule
    self.beaten = beaten
    self.reason = reason
  }

  /// Some lines for people, without a line end after the last.
  package var text: String {
    var lines = ["\(question): \(isAllowed ? "allowed" : "denied")", "  by    \(placed(rule))"]
    lines += beaten.map { "  over  \(placed($0))" }
    return (lines + ["  \(reason)"]).joined(separator: "\n")
  }

  private func placed(_ rule: RuleReference) -> String {
    let place: String
    switch rule.place {
    case .rule(let index): place = " (egress[\(index)])"
    case .denyAlways(let index), .allowAlways(let index): place = " (entry \(index + 1))"
    case .defaultAction: place = ""
    }
    return rule.text + place + (rule.expiresAt.map { " until \($0)" } ?? "")
  }
}

extension RuleSet {
  /// Explains the decision about a name or an address: about one port of it when `port` or `transport` is given (nil `transport` with a port: TCP), else about
  /// the best that may happen: allowed when any port is.
  package func explain(
    _ target: ExplainedTarget, port: UInt16? = nil, transport: TransportProtocol? = nil, at now: WallTime
  ) -> Explanation {
    var name: DomainName?
    var address: IPAddress?
    switch target {
    case .name(let asked): name = asked
    case .address(let asked): address = asked
    }
    let transport = transport ?? (port == nil ? nil : .tcp)
    var question = target.description
    if let transport { question += port.map { " \($0)/\(transport)" } ?? " \(transport)" }
    let matching = matching(name, address).filter { rule in
      guard let expiresAt = reference(rule).expiresAt else { return true }
      return expiresAt > now
    }
    let verdicts = verdicts(of: RuleNumbers(matching), ignoringNameAllows: false, at: now)
    let decisive: PortVerdict
    if let transport {
      decisive =
        verdicts.first { $0.ports.contains(port: port ?? 0, of: transport) } ?? verdicts[verdicts.count - 1]
    } else {
      decisive = verdicts.first { $0.rule.action == .allow } ?? verdicts[verdicts.count - 1]
    }
    // Rules behind the decisive one that speak of the same ports.
    let asked = transport.map { onePort(port ?? 0, $0) } ?? decisive.ports
    let later = matching.map { (reference($0), ports($0)) }
      .filter { $0.0.place > decisive.rule.place && !$0.1.intersection(asked).isEmpty }.map(\.0)
    let isDefault = decisive.rule.place == .defaultAction
    return Explanation(
      question: question, isAllowed: decisive.rule.action == .allow, rule: decisive.rule,
      beaten: isDefault ? [] : later + [defaultRule], reason: sentence(decisive, name != nil))
  }

  private func sentence(_ verdict: PortVerdict, _ isName: Bool) -> String {
    guard verdict.rule.place != .defaultAction else { return "no rule matches" }
    guard verdict.rule.action == .allow else { return "the first rule that matches denies it" }
    return isName
      ? "the first rule that matches allows it; addresses inside special-purpose ranges need a rule of their own"
      : "the first rule that matches allows it"
  }

  private func ports(_ rule: UInt32) -> PortSet {
    let (list, at) = index.place(rule)
    return index.lists[list].condition(at)?.ports ?? .everything
  }
}

private func onePort(_ port: UInt16, _ transport: TransportProtocol) -> PortSet {
  PortSet(
    tcp: transport == .tcp ? [port...port] : [], udp: transport == .udp ? [port...port] : [],
    otherProtocols: transport != .tcp && transport != .udp)
}
