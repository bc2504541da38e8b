import DNSProxy
import DNSWire
import EgressPolicy
import Testing

@Suite struct DenialTests {
  @Test func deniedNameNeverReachesUpstream() throws {
    var stage = Stage()
    let (reply, facts) = try stage.ask("FILES.Example.com").onlyReply()
    #expect(reply.responseCode == .nameError)
    #expect(reply.records.isEmpty)
    #expect(reply.header.id == 77 && reply.header.isResponse && reply.header.isRecursionAvailable)
    #expect(!reply.header.isAuthoritative && reply.header.isRecursionDesired)
    #expect(reply.name(at: 12).wire == wire("FILES.Example.com"))
    #expect(reply.edns?.extendedError?.code == .blocked)
    #expect(reply.errorText == "blocked by policy: no rule allows files.example.com")
    #expect(facts?.isAllowed == false && facts?.reason == "DEFAULT_DENY" && facts?.source == Stage.client)
    #expect(stage.proxy.counters.forwarded == 0 && stage.proxy.counters.denied == 1)
    #expect(stage.proxy.nextDeadline == nil)
  }

  @Test func denyRuleIsNamed() throws {
    var stage = Stage([(.deny, "*.bad.acme.test"), (.allow, "*.acme.test")])
    let (reply, facts) = try stage.ask("x.bad.acme.test").onlyReply()
    #expect(reply.errorText == "blocked by policy: deny *.bad.acme.test covers x.bad.acme.test")
    #expect(facts?.reason == "RULE_DENY" && facts?.rule?.text == "deny *.bad.acme.test")
  }

  @Test func clientWithoutEDNSGetsNoOPT() throws {
    var stage = Stage()
    let (reply, _) = try stage.receive(Stage.query("example.com", edns: nil)).onlyReply()
    #expect(reply.responseCode == .nameError && reply.edns == nil)
  }

  @Test func reasonIsCutToTheClientsSize() throws {
    var stage = Stage()
    let name = Array(repeating: String(repeating: "a", count: 61), count: 4).joined(separator: ".")
    guard case .reply(let reply)? = stage.receive(Stage.query(name, edns: EDNS(payloadSize: 0))).first else {
      throw Missing()
    }
    #expect(reply.bytes.count <= 512)
    #expect(try Message.parse(reply.bytes).edns?.extendedError?.code == .blocked)
  }

  @Test func closedGateAnswersEveryNameWithItsReason() throws {
    var stage = Stage()
    stage.gate = .closed(reason: "OWNER_UNBOUND", text: "no owner is bound yet")
    let (reply, facts) = try stage.ask("www.acme.test").onlyReply()
    #expect(reply.responseCode == .nameError && reply.errorText == "no owner is bound yet")
    #expect(facts?.reason == "OWNER_UNBOUND" && facts?.isAllowed == false)
  }

  @Test func observingADeniedNameKeepsTheReasonOfTheNameWhateverItsAddressIs() throws {
    for address in ["10.0.0.5", "192.0.2.5"] {
      var stage = Stage(isObserving: true)
      let query = try stage.ask("nobody.allows.test").onlyUpstream()
      let lease = try stage.respond(query, [.a("nobody.allows.test", address)]).onlyLease()
      let (reply, facts) = try stage.settle(lease).onlyReply()
      #expect(reply.addresses == [address])
      #expect(facts?.isAllowed == false && facts?.reason == "DEFAULT_DENY")
    }
  }

  @Test func observingGivesAWithheldAnswerAndSaysSo() throws {
    var stage = Stage(isObserving: true)
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let lease = try stage.respond(query, [.a("www.acme.test", "10.0.0.5")]).onlyLease()
    let (reply, facts) = try stage.settle(lease).onlyReply()
    #expect(reply.addresses == ["10.0.0.5"])
    #expect(facts?.isAllowed == false && facts?.reason == "PRIVATE_ANSWER")
  }

  @Test(arguments: [
    (RecordType.any, RecordClass.in), (.axfr, .in), (.ixfr, .in), (.null, .in), (.a, .chaos), (.a, .any), (.opt, .in),
  ])
  func typesAndClassesThatAreNeverServedAreRefused(_ type: RecordType, _ recordClass: RecordClass) throws {
    var stage = Stage()
    let (reply, facts) = try stage.receive(Stage.query("www.acme.test", type, recordClass: recordClass)).onlyReply()
    #expect(reply.responseCode == .refused && reply.edns?.extendedError?.code == .notSupported)
    #expect(facts?.isAllowed == false && facts?.type == type && facts?.reason == "PROTOCOL")
  }

  @Test func bytesThatAreNoQueryAreDropped() {
    var stage = Stage()
    #expect(stage.receive([]).isEmpty)
    #expect(stage.receive([UInt8](repeating: 0, count: 11)).isEmpty)
    #expect(stage.receive(Stage.query("www.acme.test", flags: 0x8180)).isEmpty)
    #expect(stage.proxy.counters.dropped == 3)
  }

  @Test func queriesThatCannotBeReadAreAnsweredByTheirHeader() throws {
    let good = Stage.query("www.acme.test", edns: nil)
    var status = good
    status[2] = 0x10
    var noQuestion = Array(good[..<12])
    noQuestion[5] = 0
    var two = good
    two[5] = 2
    var version = EDNS(payloadSize: 1232)
    version.version = 1
    let cases: [(String, [UInt8], ResponseCode)] = [
      ("opcode STATUS", status, .notImplemented), ("no question", noQuestion, .formatError),
      ("two questions", two, .formatError), ("cut", Array(good.dropLast()), .formatError),
      ("trailing", good + [0], .formatError),
      ("EDNS version 1", Stage.query("www.acme.test", edns: version), .badVersion),
    ]
    var stage = Stage()
    for (what, bytes, code) in cases {
      let (reply, facts) = try stage.receive(bytes).onlyReply()
      #expect(reply.responseCode == code, "\(what)")
      #expect(reply.header.id == 77 && reply.question == nil && facts == nil, "\(what)")
    }
    #expect(stage.proxy.counters.malformed == UInt64(cases.count))
  }
}
