import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

/// Names as a way out, and too many questions (T15).
@Suite struct BudgetTests {
  static let rules: [(PolicyAction, String)] = [
    (.allow, "*.acme.test"), (.allow, "*.other.test"), (.allow, "one.test"),
  ]

  /// Made-up data as base32 in a label of 52 octets.
  static func encoded(_ generator: inout SeededGenerator) -> String {
    let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567")
    return String((0..<52).map { _ in alphabet[Int.random(in: 0..<32, using: &generator)] })
  }

  @Test func t15TheNameBeyondTheBudgetIsRefusedWithTheEstimateAndOtherNamesAreNot() throws {
    var stage = Stage(Self.rules) { $0.namesPerRule = 3 }
    for name in ["a.acme.test", "b.acme.test", "c.acme.test"] { try stage.resolve(name) }
    let (reply, facts) = try stage.ask("d.acme.test").onlyReply()
    #expect(reply.responseCode == .refused && reply.records.isEmpty)
    #expect(
      reply.edns?.extendedError?.code == .blocked && reply.errorText.hasPrefix("blocked by policy: allow *.acme.test"))
    #expect(facts?.isAllowed == false && facts?.reason == "NAME_BUDGET" && facts?.rule?.text == "allow *.acme.test")
    #expect(facts?.spent?.names == 3 && (facts?.spent?.bits ?? 0) > 0)
    #expect(stage.proxy.counters.limits == ["NAME_BUDGET": 1])
    try stage.resolve("B.acme.TEST")
    try stage.resolve("d.other.test")
    try stage.resolve("one.test")
    stage.milliseconds += 86_400_000
    try stage.resolve("d.acme.test")
  }

  @Test func t15EncodedDataUsesTheBudgetOfOctetsUpAndNumberedNamesDoNot() throws {
    var generator = SeededGenerator(state: 15)
    var stage = Stage(Self.rules) { $0.octetsPerRule = 128 << 10 }
    var passed = 0
    for number in 0..<5_000 {
      let actions = stage.ask("\(Self.encoded(&generator)).acme.test")
      if case .sendUpstream(let query)? = actions.first {
        passed += 1
        _ = stage.respond(query, code: 3)
      } else {
        let facts = try actions.onlyReply().facts
        #expect(facts?.reason == "CHANNEL_BUDGET" && number == passed)
        // The truth is 260 bits a name.
        let bits = facts?.spent?.bits ?? 0
        #expect(bits > UInt64(passed) * 250 && bits < UInt64(passed) * 290)
        break
      }
    }
    #expect(passed > 4_000 && passed < 5_000)
    for number in 0..<20_000 {
      guard case .sendUpstream(let query)? = stage.ask("n\(number).other.test").first else { throw Missing() }
      _ = stage.respond(query, code: 3)
    }
  }

  @Test func c6OneHundredThousandLabelsAreBoundedAndOtherNamesUnaffected() throws {
    var stage = Stage(Self.rules) { $0.namesPerRule = 65_536 }
    var refused = 0
    for number in 0..<100_000 {
      switch stage.ask("l\(number).acme.test").first {
      case .sendUpstream(let query)?: _ = stage.respond(query, code: 3)
      case .reply(let reply)?:
        #expect(reply.facts?.reason == "NAME_BUDGET")
        refused += 1
      default: throw Missing()
      }
    }
    // Names are told apart by 32 bits of a seeded hash: one or two of so many pass for one that was asked before; ten would be one in ten million runs.
    #expect((100_000 - 65_536 - 10...100_000 - 65_536).contains(refused))
    try stage.resolve("x.other.test")
  }

  @Test func namesAskedBeforeCostNothing() throws {
    var stage = Stage(Self.rules) { $0.namesPerRule = 1 }
    for _ in 0..<5 { try stage.resolve("a.acme.test") }
    _ = try stage.ask("a.acme.test", .aaaa).onlyUpstream()
    #expect(try stage.ask("b.acme.test").onlyReply().facts?.reason == "NAME_BUDGET")
  }

  @Test func ratesOfOneClientAndOfAllAreKept() throws {
    func ask(_ stage: inout Stage, _ address: String) throws -> String? {
      let source = Endpoint(try #require(IPAddress(address)), 4_000)
      stage.proxy.receive(
        ClientQuery(client: 1, source: source, isTCP: false, bytes: Stage.query("denied.test")), policy: stage.policy,
        gate: .open, at: stage.now, using: &stage.generator)
      let (reply, facts) = try stage.drain().onlyReply()
      #expect((reply.responseCode == .refused) == (facts?.reason != "DEFAULT_DENY"))
      return facts?.reason
    }
    var stage = Stage {
      $0.clientRate = 10
      $0.totalRate = 15
    }
    let first = try (0..<12).map { _ in try ask(&stage, "10.0.0.1") }
    #expect(first == Array(repeating: "DEFAULT_DENY", count: 10) + ["CLIENT_RATE", "CLIENT_RATE"])
    let second = try (0..<6).map { _ in try ask(&stage, "10.0.0.2") }
    #expect(second == Array(repeating: "DEFAULT_DENY", count: 5) + ["TOTAL_RATE"])
    stage.milliseconds += 100
    #expect(try ask(&stage, "10.0.0.1") == "DEFAULT_DENY")
    #expect(try ask(&stage, "10.0.0.1") == "CLIENT_RATE")
    stage.milliseconds += 3_600_000
    for _ in 0..<10 { #expect(try ask(&stage, "10.0.0.1") == "DEFAULT_DENY") }
    #expect(stage.proxy.counters.limits == ["CLIENT_RATE": 3, "TOTAL_RATE": 1])
  }

  @Test func denialMayBeRefusedInsteadOfNonexistent() throws {
    var stage = Stage { $0.denialCode = .refused }
    let (reply, facts) = try stage.ask("files.example.com").onlyReply()
    #expect(reply.responseCode == .refused && facts?.responseCode == .refused)
    #expect(reply.errorText == "blocked by policy: no rule allows files.example.com")
  }

  @Test func t14ServiceBindingsMayBeRefusedWhole() throws {
    var stage = Stage { $0.refusesServiceBindings = true }
    for type in [RecordType.https, .svcb] {
      let (reply, facts) = try stage.ask("ech.acme.test", type).onlyReply()
      #expect(reply.responseCode == .noError && reply.records.isEmpty && facts?.isAllowed == true)
    }
    _ = try stage.ask("ech.acme.test").onlyUpstream()
    #expect(try stage.ask("denied.test", .https).onlyReply().message.responseCode == .nameError)
  }
}
