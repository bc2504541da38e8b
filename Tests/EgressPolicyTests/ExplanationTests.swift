import Addressing
import DNSWire
import EgressPolicy
import Testing

@Test func anExplanationNamesTheRuleAndWhatItBeat() throws {
  let set = try ruleSet(
    rule("deny a.test 22"), rule("allow *.b.test 443/tcp"), rule("allow a.test"), rule("deny *"), deny: "", allow: "")
  let target = try #require(ExplainedTarget("A.test."))
  let explained = set.explain(target, port: 443, at: noon)
  #expect(explained.isAllowed)
  #expect(explained.rule.text == "allow a.test")
  #expect(explained.beaten.map(\.text) == ["deny *", "default deny"])
  #expect(
    explained.text == """
      a.test 443/tcp: allowed
        by    allow a.test (egress[2])
        over  deny * (egress[3])
        over  default deny
        the first rule that matches allows it; addresses inside special-purpose ranges need a rule of their own
      """)
  let denied = set.explain(target, port: 22, transport: .udp, at: noon)
  #expect(denied.rule.text == "deny a.test 22")
  #expect(denied.beaten.map(\.text) == ["allow a.test", "deny *", "default deny"])
  #expect(denied.question == "a.test 22/udp")
  #expect(set.explain(target, at: noon).rule.text == "allow a.test")
}

@Test func anAddressIsExplainedByTheRulesAboutAddresses() throws {
  let set = try ruleSet(rule("allow 10.0.0.0/8 5432/tcp"), rule("allow a.test"), deny: "10.0.0.1")
  let target = try #require(ExplainedTarget("10.0.0.2"))
  #expect(set.explain(target, port: 5432, at: noon).isAllowed)
  #expect(set.explain(target, at: noon).isAllowed)
  let other = set.explain(target, port: 80, at: noon)
  #expect(!other.isAllowed)
  #expect(other.rule.text == "default deny")
  #expect(other.beaten.isEmpty)
  #expect(other.text == "10.0.0.2 80/tcp: denied\n  by    default deny\n  no rule matches")
  let always = set.explain(try #require(ExplainedTarget("10.0.0.1")), port: 5432, at: noon)
  #expect(always.rule.text == "deny.always 10.0.0.1")
  #expect(always.beaten.map(\.text) == ["allow 10.0.0.0/8 5432/tcp", "default deny"])
}

@Test(arguments: ["*.a.test", "10.0.0.0/8", "a b", "", "*", "127.1"])
func onlyANameOrAnAddressIsExplained(text: String) {
  #expect(ExplainedTarget(text) == nil)
}

@Test func anExplanationAgreesWithTheDecision() throws {
  var maker = PolicyMaker(generator: SplitMix(state: 77))
  for _ in 0..<60 {
    let naive = try maker.policy()
    let set = RuleSet(naive.document, always: naive.always, revision: 1)
    for _ in 0..<6 {
      let name = try named(maker.name())
      let address = maker.address()
      #expect(set.explain(.name(name), at: noon).isAllowed == set.decide(name, at: noon).isAllowed)
      for (port, transport) in PolicyMaker.probes {
        let byName = set.explain(.name(name), port: port, transport: transport, at: noon)
        #expect(byName.rule.place == naive.decide(name, nil, port: port, transport: transport, at: noon).place)
        let byAddress = set.explain(.address(address), port: port, transport: transport, at: noon)
        #expect(byAddress.rule.place == naive.decide(nil, address, port: port, transport: transport, at: noon).place)
        #expect(byAddress.beaten.allSatisfy { $0.place > byAddress.rule.place })
      }
    }
  }
}
