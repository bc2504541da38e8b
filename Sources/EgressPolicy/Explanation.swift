import Addressing
import DNSWire
import Timekeeping

/// What `explain` is asked about.
package enum ExplainedTarget: Hashable, Sendable {
  case name(DomainName)
  case address(IPAddress)
}

/// A decision with everything that led to it.
package struct Explanation: Hashable, Sendable {
  package var isAllowed: Bool
  /// The rule that made the decision.
  package var rule: RuleReference
  /// Rules that match too and came too late, in order, the default last.
  package var beaten: [RuleReference]
  /// The decision in one sentence.
  package var reason: String

  /// Some lines for people.
  package var text: String { reason }

  package init(isAllowed: Bool, rule: RuleReference, beaten: [RuleReference], reason: String) {
    self.isAllowed = isAllowed
    self.rule = rule
    self.beaten = beaten
    self.reason = reason
  }
}

extension RuleSet {
  /// Explains the decision about a name or an address, about one port of it when `port` is given (nil `transport`: TCP).
  package func explain(
    _ target: ExplainedTarget, port: UInt16? = nil, transport: TransportProtocol? = nil, at now: WallTime
  ) -> Explanation {
    switch target {
    case .name(let name):
      let decision = decide(name, at: now)
      return Explanation(isAllowed: decision.isAllowed, rule: decision.rule, beaten: [], reason: decision.rule.text)
    case .address(let address):
      let rule = decide(nil, address, port: port ?? 0, transport: transport ?? .tcp, at: now)
      return Explanation(isAllowed: rule.action == .allow, rule: rule, beaten: [], reason: rule.text)
    }
  }
}
