import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

let noon = WallTime(microseconds: 1_767_312_000_000_000)  // 2026-01-02T00:00:00Z

func ruleSet(_ rules: String..., action: String = "deny", deny: String = "", allow: String = "") throws -> RuleSet {
  let document = try PolicyDocument.parse(
    Array(#"{"defaultAction":"\#(action)","egress":[\#(rules.map { "{\($0)}" }.joined(separator: ","))]}"#.utf8))
  let always = AlwaysRules(
    deny: try AlwaysRules.parse(Array(deny.utf8), file: "deny.always", action: .deny),
    allow: try AlwaysRules.parse(Array(allow.utf8), file: "allow.always", action: .allow))
  return RuleSet(document, always: always, revision: 7)
}

/// `allow a.test 443/tcp` as the inside of a JSON object.
func rule(_ text: String) -> String {
  let words = text.split(separator: " ")
  let ports =
    words.count > 2 ? #","ports":[\#(words[2].split(separator: ",").map { "\"\($0)\"" }.joined(separator: ","))]"# : ""
  return #""action":"\#(words[0])","target":"\#(words[1])"\#(ports)"#
}

@Test(
  arguments: [
    (["allow a.test"], "a.test", true, "allow a.test"), (["allow a.test"], "A.TEST", true, "allow a.test"),
    (["allow A.test."], "a.test", true, "allow A.test."), (["allow a.test"], "b.a.test", false, "default deny"),
    (["allow *.a.test"], "a.test", false, "default deny"), (["allow *.a.test"], "b.a.test", true, "allow *.a.test"),
    (["allow *.a.test"], "d.c.b.a.test", true, "allow *.a.test"),
    (["allow *.a.test"], "ba.test", false, "default deny"),
    (["allow *.a.test", "deny n1.a.test"], "n1.a.test", true, "allow *.a.test"),
    (["deny n1.a.test", "allow *.a.test"], "n1.a.test", false, "deny n1.a.test"),
    (["allow n1.a.test", "deny *.a.test"], "n1.a.test", true, "allow n1.a.test"),
    (["deny *", "allow a.test"], "a.test", false, "deny *"),
    (["allow a.test", "deny *"], "a.test", true, "allow a.test"),
    (["allow a.test", "deny *"], "b.test", false, "deny *"),
    (["deny a.test 443/tcp", "allow a.test"], "a.test", true, "allow a.test"),
    (["deny a.test", "allow a.test 443/tcp"], "a.test", false, "deny a.test"),
    (["deny a.test 443", "allow a.test 443/tcp"], "a.test", false, "default deny"),
    (["deny a.test 443", "allow *.test.x 1", "allow a.test 443/tcp,80"], "a.test", true, "allow a.test 443/tcp,80"),
    (["deny * 1-65535", "allow a.test 443"], "a.test", false, "default deny"),
    (["deny * 1-65535", "allow a.test"], "a.test", true, "allow a.test"),
    (["allow 0.0.0.0/0", "allow ::/0"], "a.test", false, "default deny"),
    (["deny 0.0.0.0/0", "allow a.test"], "a.test", true, "allow a.test"),
    ([], "a.test", false, "default deny"),
  ] as [([String], String, Bool, String)])
func namesAreDecidedByTheFirstRule(rules: [String], name: String, isAllowed: Bool, text: String) throws {
  let document = try PolicyDocument.parse(
    Array(#"{"egress":[\#(rules.map { "{\(rule($0))}" }.joined(separator: ","))]}"#.utf8))
  let decision = RuleSet(document, revision: 1).decide(try named(name), at: noon)
  #expect(decision.isAllowed == isAllowed)
  #expect(decision.rule.text == text)
}

@Test func thePlatformsListsWin() throws {
  let set = try ruleSet(rule("deny b.test"), rule("allow a.test"), deny: "*.x.test\na.test", allow: "n.x.test\nb.test")
  func decision(_ name: String) throws -> String { set.decide(try named(name), at: noon).rule.text }
  #expect(try decision("a.test") == "deny.always a.test")
  #expect(try decision("b.test") == "allow.always b.test")
  #expect(try decision("n.x.test") == "deny.always *.x.test")
  #expect(set.decide(try named("b.test"), at: noon).rule.place == .allowAlways(1))
  #expect(set.revision == PolicyRevision(number: 7))
}

@Test func defaultAllowLetsNamesThrough() throws {
  let set = try ruleSet(rule("deny a.test"), rule("deny b.test 443"), action: "allow")
  #expect(try set.decide(named("a.test"), at: noon).isAllowed == false)
  #expect(try set.decide(named("b.test"), at: noon).rule.text == "default allow")
  #expect(try set.decide(named("b.test"), at: noon).isAllowed)
}

@Test func aDotInsideALabelIsNoSeparator() throws {
  let set = try ruleSet(rule("allow a.b.test"), rule("allow *.b.test"))
  #expect(set.decide(try named("a\\.b.test"), at: noon).isAllowed == false)
  #expect(set.decide(try named("x.a\\.b.test"), at: noon).isAllowed == false)
  #expect(set.decide(.root, at: noon).isAllowed == false)
}

@Test func namesNeverOpenSpecialPurposeAddresses() throws {
  let set = try ruleSet(rule("allow *.a.test"), rule("allow 10.0.0.0/30 443"), deny: "", allow: "always.test")
  func text(_ name: String?, _ address: String, _ port: UInt16) throws -> String {
    set.decide(
      try name.map { try named($0) }, try addressed(address), port: port, transport: .tcp, at: noon
    ).text
  }
  #expect(try text("n.a.test", "192.0.2.1", 80) == "allow *.a.test")
  for address in [
    "127.0.0.1", "169.254.169.254", "168.63.129.16", "10.96.0.1", "100.64.0.1", "fd00::1", "::1", "64:ff9b::a9fe:a9fe",
  ] {
    #expect(try text("n.a.test", address, 80) == "default deny")
    #expect(try text("always.test", address, 80) == "default deny")
  }
  #expect(try text("n.a.test", "10.0.0.1", 443) == "allow 10.0.0.0/30 443")
  #expect(try text("n.a.test", "10.0.0.1", 80) == "default deny")
  #expect(try text(nil, "192.0.2.1", 80) == "default deny")
}

@Test func namesThatDenyHoldForSpecialPurposeAddresses() throws {
  let set = try ruleSet(rule("deny a.test"), rule("allow 10.0.0.0/8"))
  let address = try addressed("10.0.0.1")
  #expect(set.decide(try named("a.test"), address, port: 1, transport: .tcp, at: noon).text == "deny a.test")
  #expect(set.decide(nil, address, port: 1, transport: .tcp, at: noon).text == "allow 10.0.0.0/8")
}

@Test func verdictsPartitionThePorts() throws {
  let set = try ruleSet(rule("deny 192.0.2.1 22"), rule("allow a.test 20-30/tcp"), rule("allow 192.0.2.0/24 443"))
  let verdicts = set.verdicts(try named("a.test"), try addressed("192.0.2.1"), at: noon)
  #expect(
    verdicts.map(\.rule.text) == [
      "deny 192.0.2.1 22", "allow a.test 20-30/tcp", "allow 192.0.2.0/24 443", "default deny",
    ])
  #expect(verdicts.map(\.isByName) == [false, true, false, false])
  #expect(verdicts[1].ports == PortSet(tcp: [20...21, 23...30], udp: [], otherProtocols: false))
  #expect(verdicts.map(\.ports).reduce(PortSet.nothing) { $0.union($1) } == .everything)
}

@Test func expiredRulesDoNotMatch() throws {
  let until = WallTime(microseconds: noon.microseconds + 1)
  let set = try ruleSet(#""action":"allow","target":"a.test","expiresAt":"\#(until)""#, rule("deny a.test"))
  let name = try named("a.test")
  #expect(set.decide(name, at: noon).rule.expiresAt == until)
  #expect(set.decide(name, at: noon).isAllowed)
  #expect(!set.decide(name, at: until).isAllowed)
  #expect(set.nextExpiry(after: noon) == until)
  #expect(set.nextExpiry(after: until) == nil)
}

@Test func decisionsAgreeWithTheNaiveReading() throws {
  var maker = PolicyMaker(generator: SplitMix(state: 1918))
  for _ in 0..<120 {
    let naive = try maker.policy()
    let set = RuleSet(naive.document, always: naive.always, revision: 1)
    for _ in 0..<12 {
      let name = try named(maker.name())
      let address = maker.address()
      let asked = Bool.random(using: &maker.generator) ? name : nil
      let verdicts = set.verdicts(asked, address, at: noon)
      #expect(verdicts.map(\.ports).reduce(PortSet.nothing) { $0.union($1) } == .everything)
      var anyPortAllowed = false
      for (port, transport) in PolicyMaker.probes {
        let expected = naive.decide(asked, address, port: port, transport: transport, at: noon)
        let decided = set.decide(asked, address, port: port, transport: transport, at: noon)
        #expect(decided.place == expected.place)
        #expect(decided.action == expected.action)
        #expect(verdicts.count { $0.ports.contains(port: port, of: transport) } == 1)
        if naive.decide(name, nil, port: port, transport: transport, at: noon).action == .allow {
          anyPortAllowed = true
        }
      }
      #expect(set.decide(name, at: noon).isAllowed == anyPortAllowed)
    }
  }
}

@Test func manyNamesAreFoundAmongMany() throws {
  let text = (0..<20_000).map { $0 % 3 == 0 ? "*.n\($0).example.test" : "n\($0).example.test" }.joined(separator: "\n")
  let set = RuleSet(
    .denyAll, always: AlwaysRules(allow: try AlwaysRules.parse(Array(text.utf8), file: "allow.always", action: .allow)),
    revision: 1)
  for number in stride(from: 0, to: 20_000, by: 7) {
    let isWildcard = number % 3 == 0
    let decision = set.decide(try named("n\(number).example.test"), at: noon)
    #expect(decision.isAllowed == !isWildcard)
    let below = set.decide(try named("x.y.N\(number).example.test"), at: noon)
    #expect(below.isAllowed == isWildcard)
    if isWildcard { #expect(below.rule.text == "allow.always *.n\(number).example.test") }
  }
}

@Test func skippedTargetsAreNotLogged() throws {
  let targets = try AlwaysRules.parseTargets(
    Array("noise.test\n*.noise.test\n192.0.2.0/24".utf8), file: "log_skip.always")
  let set = RuleSet(.denyAll, always: AlwaysRules(skipLog: targets), revision: 1)
  #expect(set.skipsLog(try named("noise.test"), nil))
  #expect(set.skipsLog(try named("a.noise.test"), nil))
  #expect(set.skipsLog(nil, try addressed("192.0.2.9")))
  #expect(!set.skipsLog(try named("test"), try addressed("192.0.3.9")))
}
