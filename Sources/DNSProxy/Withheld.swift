import Addressing
import EgressPolicy
import DNSWire
import Timekeeping

/// Promise E11. An address that the policy keeps from the client, and why.
struct Withheld: Sendable {
  var address: AnsweredAddress
  var rule: RuleReference?
  var reason: String
}

extension DNSProxy {
  /// The first address of which no port may be reached: no rule about the name grants it, none about addresses covers
  /// it. Rules about names never reach into a special-purpose range.
  func firstWithheld(
    _ addresses: [AnsweredAddress], _ name: DomainName, _ policy: RuleSet, at now: Moment
  ) -> Withheld? {
    for address in addresses {
      let verdicts = policy.verdicts(name, address.address, at: now.wall)
      if verdicts.contains(where: { $0.rule.action == .allow }) { continue }
      let isPrivate = SpecialPurpose.range(of: address.address) != nil
      return Withheld(
        address: address, rule: verdicts.first?.rule,
        reason: isPrivate ? DNSReason.privateAnswer : DNSReason.ruleDeny)
    }
    return nil
  }
}
