import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@Suite struct SeenTrafficTests {
  private let now = WallTime(microseconds: 1_900_000_000_000_000)
  private let address = IPAddress.v4(IPv4Address(198, 51, 100, 7))

  private func policy(_ text: String = "{}", deny: String = "") throws -> RuleSet {
    let always = AlwaysRules(deny: try AlwaysRules.parse(Array(deny.utf8), file: "deny.always", action: .deny))
    return RuleSet(try PolicyDocument.parse(Array(text.utf8)), always: always, revision: 1)
  }

  private func name(_ text: String) throws -> DomainName { try #require(DomainName(text)) }

  private func seen(_ names: [String], ports: [UInt16] = [443]) throws -> SeenTraffic {
    var seen = SeenTraffic()
    for text in names {
      seen.see(try name(text), exists: true)
      for port in ports { seen.see(address, port: port, .tcp, name: try name(text)) }
    }
    return seen
  }

  private func targets(_ seen: SeenTraffic, beside policy: RuleSet) -> [String] {
    seen.suggestion(beside: policy, at: now).egress.map { rule in
      ([rule.targetText] + (rule.portTexts ?? ["*"])).joined(separator: " ")
    }
  }

  @Test func eachNameGetsThePortsThatItsFlowsUsed() throws {
    var seen = try seen(["b.example.com", "A.example.com"], ports: [443, 80])
    seen.see(address, port: 53_000, .udp, name: try name("b.example.com"))
    seen.see(try name("only.example.com"), exists: true)
    #expect(
      targets(seen, beside: try policy()) == [
        "a.example.com 80/tcp 443/tcp", "b.example.com 80/tcp 443/tcp 53000/udp", "only.example.com 443/tcp",
      ])
  }

  @Test func namesSideBySideWithTheSamePortsBecomeOneWildcard() throws {
    let seen = try seen(["a.cdn.example.com", "b.cdn.example.com", "c.cdn.example.com", "d.cdn.example.com"])
    #expect(targets(seen, beside: try policy()) == ["*.cdn.example.com 443/tcp"])
  }

  @Test(arguments: [
    "example.com", "co.uk", "github.io", "blob.core.windows.net", "core.windows.net", "windows.net", "amazonaws.com",
    "openai.azure.com",
  ])
  func aParentBelowWhichOthersHaveNamesIsNotMadeAWildcard(_ parent: String) throws {
    let names = ["a", "b", "c", "d"].map { "\($0).\(parent)" }
    let made = targets(try seen(names), beside: try policy())
    #expect(made == (parent == "example.com" ? ["*.example.com 443/tcp"] : names.map { "\($0) 443/tcp" }))
  }

  @Test func aWildcardIsNotMadeOverANameThatIsDeniedByIntent() throws {
    let names = ["a.x.example.com", "b.x.example.com", "c.x.example.com", "d.x.example.com", "no.x.example.com"]
    let set = try policy(deny: "no.x.example.com")
    #expect(targets(try seen(names), beside: set) == names.dropLast().map { "\($0) 443/tcp" })
  }

  @Test func whatARuleDeniesByIntentIsNotSuggestedAndADenialOfEverythingIsNone() throws {
    let names = ["a.test", "b.test"]
    #expect(
      targets(try seen(names), beside: try policy(#"{"egress":[{"target":"a.test"},{"target":"*"}]}"#)) == [
        "b.test 443/tcp"
      ])
  }

  @Test func aNameThatDoesNotExistNeedsNoRule() throws {
    var seen = SeenTraffic()
    seen.see(try name("api.test.svc.cluster.local"), exists: false)
    seen.see(try name("api.test"), exists: false)
    seen.see(try name("api.test"), exists: true)
    #expect(targets(seen, beside: try policy()) == ["api.test 443/tcp"])
  }

  @Test func anAddressGetsARuleOfItsOwnWhereNoNameLedOrMay() throws {
    var seen = SeenTraffic()
    seen.see(address, port: 7, .udp, name: nil)
    seen.see(address, port: 0, .icmp, name: nil)
    seen.see(.v4(IPv4Address(10, 0, 0, 1)), port: 5432, .tcp, name: try name("db.test"))
    let suggestion = seen.suggestion(beside: try policy(), at: now)
    #expect(suggestion.egress.map(\.targetText) == ["10.0.0.1", "198.51.100.7"])
    #expect(suggestion.egress[0].reason == "seen; private 10.0.0.0/8: look twice")
    #expect(suggestion.egress[1].portTexts == nil)
  }

  @Test func aSuggestionIsADocumentThatIsTakenAndAllowsWhatWasSeen() throws {
    let names = (0..<40).map { "n\($0).p\($0 % 7).example.com" } + ["_x.example.com", "db.test"]
    let made = try seen(names, ports: [1, 65_535]).suggestion(beside: try policy(), at: now)
    let taken = RuleSet(try PolicyDocument.parse(made.json()), revision: 1)
    for text in names {
      let name = try name(text)
      #expect(taken.decide(name, address, port: 65_535, transport: .tcp, at: now).action == .allow)
      #expect(taken.decide(name, address, port: 2, transport: .tcp, at: now).action == .deny)
    }
    #expect(made.egress.count < names.count)
  }

  @Test func aChangeNamesThoseOfTheSeenThatItTouches() throws {
    let seen = try seen(["a.test", "b.test", "c.test"])
    let changes = seen.changes(
      from: try policy(#"{"egress":[{"action":"allow","target":"a.test"},{"action":"allow","target":"b.test"}]}"#),
      to: try policy(#"{"egress":[{"action":"allow","target":"b.test"},{"action":"allow","target":"c.test"}]}"#),
      at: now)
    #expect(changes.allowed.map(\.description) == ["c.test"])
    #expect(changes.denied.map(\.description) == ["a.test"])
  }

  @Test func memoryIsBoundedAndSaysWhatItForgot() throws {
    var seen = SeenTraffic()
    for number in 0..<SeenTraffic.namesMax + 5 { seen.see(try name("n\(number).test"), exists: true) }
    for port in 0..<SeenTraffic.destinationsMax + 7 {
      seen.see(.v4(IPv4Address(bits: UInt32(port) << 8)), port: 1, .tcp, name: nil)
    }
    #expect(seen.names.count == SeenTraffic.namesMax)
    #expect(seen.destinations.count == SeenTraffic.destinationsMax)
    #expect(seen.forgotten == 12)
  }
}

@Suite struct RuleUseTests {
  @Test func rulesAreCountedByTheirTextAndForgottenWithTheirPolicy() throws {
    let early = WallTime(microseconds: 1)
    let late = WallTime(microseconds: 2)
    var use = RuleUse()
    for text in ["allow a.test", "allow a.test", "allow b.test", "default deny"] { use.count(text, at: early) }
    use.count("allow a.test", at: late)
    #expect(use["allow a.test"]?.hits == 3)
    #expect(use["allow a.test"]?.lastUsed == late)
    use.keep(
      only: RuleSet(
        try PolicyDocument.parse(Array(#"{"egress":[{"action":"allow","target":"b.test"}]}"#.utf8)), revision: 2))
    #expect(use["allow a.test"] == nil)
    #expect(use["allow b.test"]?.hits == 1)
    #expect(use["default deny"]?.hits == 1)
  }
}
