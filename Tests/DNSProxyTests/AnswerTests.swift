import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@Suite struct AnswerTests {
  @Test func chainOfAliasesLeadsToItsAddresses() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let lease = try stage.respond(
      query,
      [
        .a("e2.cdn.test", "198.51.100.30"), .alias("E1.cdn.test", "e2.cdn.test"),
        .alias("www.acme.test", "e1.cdn.test"),
      ]
    ).onlyLease()
    #expect(lease.name == DomainName("www.acme.test"))
    let (reply, facts) = try stage.settle(lease).onlyReply()
    #expect(reply.records.map(\.type) == [.cname, .cname, .a])
    #expect(facts?.canonicalName == DomainName("e2.cdn.test"))
    var text: [UInt8] = []
    facts?.appendResponseName(to: &text)
    #expect(String(decoding: text, as: UTF8.self) == "e2.cdn.test;198.51.100.30")
  }

  struct Case: CustomTestStringConvertible {
    var testDescription: String
    var answers: [Record] = []
    var authority: [Record] = []
    var additional: [Record] = []
    var code = 0
  }

  static let faulty: [Case] = [
    Case(
      testDescription: "a stray address in the answer",
      answers: [.a("www.acme.test", "198.51.100.1"), .a("victim.test", "198.51.100.2")]),
    Case(
      testDescription: "a stray address in the authority section", answers: [.a("www.acme.test", "198.51.100.1")],
      authority: [.a("victim.test", "198.51.100.2")]),
    Case(
      testDescription: "a stray address in the additional section", answers: [.a("www.acme.test", "198.51.100.1")],
      additional: [.aaaa("victim.test", "2001:db8::2")]),
    Case(testDescription: "only an address of another name", answers: [.a("victim.test", "198.51.100.2")]),
    Case(
      testDescription: "an address beside an alias",
      answers: [.alias("www.acme.test", "e.test"), .a("www.acme.test", "198.51.100.1"), .a("e.test", "198.51.100.2")]),
    Case(testDescription: "an alias of itself", answers: [.alias("www.acme.test", "WWW.acme.test")]),
    Case(
      testDescription: "a loop of two", answers: [.alias("www.acme.test", "e.test"), .alias("e.test", "www.acme.test")]),
    Case(
      testDescription: "two aliases of one name",
      answers: [.alias("www.acme.test", "e.test"), .alias("www.acme.test", "f.test"), .a("e.test", "198.51.100.1")]),
    Case(
      testDescription: "an alias aside of the chain",
      answers: [.a("www.acme.test", "198.51.100.1"), .alias("e.test", "f.test")]),
    Case(
      testDescription: "seventeen aliases",
      answers: [.alias("www.acme.test", "n0.test")] + (0..<16).map { .alias("n\($0).test", "n\($0 + 1).test") }
        + [.a("n16.test", "198.51.100.1")]),
    Case(
      testDescription: "an address of a name that does not exist", answers: [.a("www.acme.test", "198.51.100.1")],
      code: 3),
    Case(
      testDescription: "more addresses than one answer may have",
      answers: (0...DNSProxySettings.answerAddressesMax).map { .a("www.acme.test", "198.51.\($0 / 256).\($0 % 256)") }),
  ]

  @Test(arguments: faulty) func faultyAnswerIsRefusedWhole(_ faulty: Case) throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let (reply, facts) = try stage.respond(
      query, code: faulty.code, faulty.answers, authority: faulty.authority, additional: faulty.additional
    ).onlyReply()
    #expect(reply.responseCode == .serverFailure && reply.records.isEmpty && facts?.reason == "INVALID_ANSWER")
    #expect(stage.proxy.counters.invalidAnswers == 1)
  }

  @Test func sixteenAliasesAreFollowed() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let chain = [Record.alias("www.acme.test", "n0.test")] + (0..<15).map { .alias("n\($0).test", "n\($0 + 1).test") }
    _ = try stage.respond(query, chain + [.a("n15.test", "198.51.100.1")]).onlyLease()
  }

  @Test func otherSectionsAreDropped() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let ns = Record(owner: "acme.test", type: .ns, ttl: 9, data: wire("ns.other.test"))
    let lease = try stage.respond(
      query,
      [.a("www.acme.test", "198.51.100.1"), Record(owner: "www.acme.test", type: .txt, ttl: 1, data: [1, 0x61])],
      authority: [ns], additional: [.a("ns.other.test", "198.51.100.9")]
    ).onlyLease()
    #expect(lease.addresses.count == 1)
    let (reply, _) = try stage.settle(lease).onlyReply()
    #expect(reply.records.map(\.type) == [.a])
  }

  @Test(arguments: [
    "127.0.0.1", "169.254.169.254", "168.63.129.16", "10.96.0.1", "100.64.0.1", "0.0.0.0", "fd00::1", "fe80::1", "::1",
    "64:ff9b::a9fe:a9fe", "::ffff:198.51.100.1",
  ])
  func privateAnswerIsWithheldWhole(_ address: String) throws {
    let type = address.contains(":") ? RecordType.aaaa : .a
    let make = address.contains(":") ? Record.aaaa : Record.a
    var stage = Stage()
    let query = try stage.ask("cb.acme.test", type).onlyUpstream()
    let good = type == .a ? "198.51.100.40" : "2001:db8::40"
    let (reply, facts) = try stage.respond(
      query, [make("cb.acme.test", good, 300), make("cb.acme.test", address, 300)]
    ).onlyReply()
    #expect(reply.responseCode == .serverFailure && reply.records.isEmpty)
    #expect(reply.edns?.extendedError?.code == .filtered && reply.errorText.contains(address))
    #expect(facts?.reason == "PRIVATE_ANSWER" && facts?.isAllowed == false)
    #expect(facts?.addresses.map(\.address.description) == [address])
  }

  @Test func addressRuleLetsAPrivateAnswerPass() throws {
    var stage = Stage([(.allow, "10.96.0.0/16"), (.allow, "*.acme.test")])
    let query = try stage.ask("cb.acme.test").onlyUpstream()
    let lease = try stage.respond(query, [.a("cb.acme.test", "10.96.0.1")]).onlyLease()
    #expect(lease.addresses.count == 1)
  }

  @Test func addressDeniedByRuleIsWithheld() throws {
    var stage = Stage([(.deny, "198.51.100.0/24"), (.allow, "*.acme.test")])
    let query = try stage.ask("cb.acme.test").onlyUpstream()
    let (reply, facts) = try stage.respond(query, [.a("cb.acme.test", "198.51.100.1")]).onlyReply()
    #expect(reply.responseCode == .serverFailure)
    #expect(facts?.reason == "RULE_DENY" && facts?.rule?.text == "deny 198.51.100.0/24")
  }

  @Test func noDataStaysNoData() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test", .aaaa).onlyUpstream()
    let (reply, facts) = try stage.respond(query, authority: [.soa("acme.test", ttl: 900, minimum: 60)]).onlyReply()
    #expect(reply.responseCode == .noError && reply.records.map(\.type) == [.soa] && reply.records[0].ttl == 60)
    #expect(facts?.isAllowed == true && facts?.responseCode == .noError)
  }

  @Test func nameErrorStaysNameError() throws {
    var stage = Stage()
    let query = try stage.ask("gone.acme.test").onlyUpstream()
    let (reply, facts) = try stage.respond(query, code: 3, authority: [.soa("other.test", ttl: 9, minimum: 9)])
      .onlyReply()
    #expect(reply.responseCode == .nameError && reply.records.isEmpty, "a SOA of another zone says nothing")
    #expect(facts?.isAllowed == true && facts?.rule != nil)
  }

  @Test func otherTypesPassForAllowedNames() throws {
    let cases: [(RecordType, [UInt8])] = [
      (.txt, [3, 0x61, 0x62, 0x63]), (.mx, word(10) + wire("mail.acme.test")),
      (.srv, word(1) + word(1) + word(443) + wire("a.b")),
      (RecordType(rawValue: 65_280), [1, 2, 3]),
    ]
    for (type, data) in cases {
      var stage = Stage()
      let query = try stage.ask("www.acme.test", type).onlyUpstream()
      let (reply, facts) = try stage.respond(
        query, [Record(owner: "www.acme.test", type: type, ttl: 7, data: data)],
        additional: type == .mx ? [.a("mail.acme.test", "198.51.100.4")] : []
      ).onlyReply()
      #expect(reply.records.map(\.type) == [type] && reply.records.first?.ttl == 7)
      #expect(facts?.isAllowed == true && facts?.addresses.isEmpty == true)
    }
  }

  @Test func serviceBindingLosesEncryptedHelloAndHints() throws {
    var stage = Stage()
    let query = try stage.ask("ech.acme.test", .https).onlyUpstream()
    let alpn = word(1) + word(3) + [2] + Array("h3".utf8)
    let hint = word(4) + word(4) + [198, 51, 100, 66]
    let hello = word(5) + word(2) + [1, 2]
    let (reply, _) = try stage.respond(
      query, flags: 0x81a0,
      [Record(owner: "ech.acme.test", type: .https, ttl: 7, data: word(1) + [0] + alpn + hint + hello)]
    ).onlyReply()
    #expect(Array(reply.bytes[reply.records[0].rdata]) == word(1) + [0] + alpn)
    #expect(!reply.header.isAuthenticData)
  }

  @Test func signaturesPassOnlyToWhoWantsThem() throws {
    let signature = Record(owner: "www.acme.test", type: .rrsig, ttl: 9, data: [UInt8](repeating: 0, count: 19))
    let stray = Record(owner: "other.test", type: .rrsig, ttl: 9, data: [UInt8](repeating: 0, count: 19))
    for isWanted in [true, false] {
      var stage = Stage()
      let edns = EDNS(payloadSize: 1232, isDNSSECWanted: isWanted)
      let query = try stage.receive(Stage.query("www.acme.test", edns: edns)).onlyUpstream()
      let lease = try stage.respond(
        query, [.alias("www.acme.test", "e.test"), signature, .a("e.test", "198.51.100.1"), stray]
      ).onlyLease()
      let (reply, _) = try stage.settle(lease).onlyReply()
      #expect(reply.records.map(\.type) == (isWanted ? [.cname, .rrsig, .a] : [.cname, .a]))
    }
  }

  @Test func authenticDataReachesOnlyWhoAsked() throws {
    for (flags, isWanted, expected) in [(UInt16(0x0100), false, false), (0x0120, false, true), (0x0100, true, true)] {
      var stage = Stage()
      let edns = EDNS(payloadSize: 1232, isDNSSECWanted: isWanted)
      let query = try stage.receive(Stage.query("www.acme.test", flags: flags, edns: edns)).onlyUpstream()
      let lease = try stage.respond(query, flags: 0x81a0, [.a("www.acme.test", "198.51.100.1")]).onlyLease()
      let (reply, _) = try stage.settle(lease).onlyReply()
      #expect(reply.header.isAuthenticData == expected && reply.edns?.isDNSSECWanted == isWanted)
    }
  }

  @Test func mutatedRepliesNeverCrashNorLeaseAnotherName() throws {
    var generator = SeededGenerator(state: 8)
    var stage = Stage()
    for _ in 0..<4_000 {
      let query = try stage.ask("www.acme.test").onlyUpstream()
      var bytes = Stage.reply(
        to: query, [.alias("www.acme.test", "e.test"), .a("e.test", "198.51.100.1")],
        [.soa("acme.test", ttl: 9, minimum: 9)])
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes[Int.random(in: 2..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      for action in stage.respond(query, bytes) {
        switch action {
        case .lease(let lease): for case .reply(let reply) in stage.settle(lease) { _ = try Message.parse(reply.bytes) }
        case .reply(let reply): #expect(try Message.parse(reply.bytes).addresses.isEmpty)
        default: break
        }
      }
      _ = stage.wait(milliseconds: 10_000)
      _ = stage.wait(milliseconds: 10_000)
      _ = stage.wait(milliseconds: 10_000)
      #expect(stage.proxy.pendingCount == 0)
    }
  }
}
