import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@Test func aListGivesBackTheRulesItTook() throws {
  let rules = [
    PolicyRule(action: .allow, target: .name(try named("A.test")), targetText: "A.test."),
    PolicyRule(
      action: .deny, target: .wildcard(try named("b.test")), targetText: "*.b.test", portTexts: ["53/udp"],
      ports: PortSet(tcp: [], udp: [53...53], otherProtocols: false), expiresAt: WallTime(microseconds: 5), reason: "r"),
    PolicyRule(action: .deny, target: .everything, targetText: "*"),
    PolicyRule(action: .allow, target: .block(try #require(CIDRBlock("10.0.0.0/8"))), targetText: "10.0.0.0/8"),
  ]
  let list = RuleList(rules)
  #expect(Array(list) == rules)
  #expect(list == RuleList(rules))
  #expect(list != RuleList(rules.reversed()))
  #expect(Set([list, RuleList(rules)]).count == 1)
  var other = rules
  other[1].reason = nil
  #expect(list != RuleList(other))
}

@Test func aTextThatDoesNotSayItsTargetIsReplaced() throws {
  let rule = PolicyRule(action: .deny, target: .name(try named("A.test")), targetText: "b.test")
  #expect(RuleList([rule])[0].targetText == "a.test")
}
