import Addressing
import DNSWire
import EgressPolicy
import HTTPWire
import PolicyAPI
import Testing
import Timekeeping

@Suite struct StateRouteTests {
  static func explain(_ query: [QueryParameter]) -> Routed {
    World().api.route(request("GET", "/policy/explain", query: query))
  }

  @Test func explainTakesNamesAndAddresses() throws {
    let name = try #require(DomainName("api.test"))
    #expect(
      Self.explain([.init("target", "API.test."), .init("port", "443"), .init("protocol", "udp")])
        == .call(.explain(.name(name), port: 443, transport: .udp), form: .text))
    let address = try #require(IPAddress("2001:db8::1"))
    #expect(
      Self.explain([.init("target", "2001:db8::1")])
        == .call(.explain(.address(address), port: nil, transport: nil), form: .text))
  }

  @Test(
    arguments: [
      [], [.init("target", "")], [.init("target", "a.test"), .init("target", "b.test")], [.init("target", "*.a.test")],
      [.init("target", "10.0.0.0/8")], [.init("target", "256.1.1.1")], [.init("target", "0x7f.1")],
      [.init("target", "http://a.test/")], [.init("target", "é.test")], [.init("target", ".")],
      [.init("target", "a..b")], [.init("target", "a.test"), .init("port", "0")],
      [.init("target", "a.test"), .init("port", "65536")], [.init("target", "a.test"), .init("port", "+1")],
      [.init("target", "a.test"), .init("port", "")], [.init("target", "a.test"), .init("protocol", "sctp")],
    ] as [[QueryParameter]]) func badExplainIsRefused(query: [QueryParameter])
  {
    guard case .respond(let response) = Self.explain(query) else {
      Issue.record("not refused")
      return
    }
    #expect(response.status == 400)
  }

  @Test func explanationNamesTheRuleAndWhatItBeat() throws {
    let name = try #require(DomainName("a.test"))
    let rule = RuleReference(place: .rule(2), action: .allow, text: "allow a.test")
    let explanation = Explanation(
      question: "a.test 443/tcp", isAllowed: true, rule: rule,
      beaten: [.init(place: .defaultAction, action: .deny, text: "default deny")],
      reason: "because")
    #expect(
      HTTPResponse.explanation(explanation, of: .name(name), port: 443, transport: nil).bodyText
        == "{\"target\":\"a.test\",\"port\":443,\"protocol\":\"tcp\",\"allowed\":true,\"reason\":\"because\","
        + "\"rule\":{\"action\":\"allow\",\"text\":\"allow a.test\",\"source\":\"egress\",\"index\":2},"
        + "\"beaten\":[{\"action\":\"deny\",\"text\":\"default deny\",\"source\":\"defaultAction\"}]}\n")
  }

  @Test func ownerTokenIsTakenFromItsFrameAlone() {
    let api = World().api
    #expect(
      api.route(request("PUT", "/owner", "{\"token\":\"a.b.c\"}")) == .call(.bindOwner(token: "a.b.c"), form: .text))
    let rehearsal = request("PUT", "/owner", "{\"token\":\"a.b.c\"}", query: [.init("dryRun", "true")])
    #expect(api.route(rehearsal) == .respond(.text(400, "an owner is bound without dryRun\n")))
    for body in ["", "{}", "[]", "{\"token\":7}", "{\"token\":\"\"}", "{\"token\":\"a\",\"x\":1}", "a.b.c"] {
      guard case .respond(let response) = api.route(request("PUT", "/owner", body)) else {
        Issue.record("\(body) was taken")
        continue
      }
      #expect(response.status == 400)
    }
  }

  @Test(arguments: [
    ("/readyz", PolicyAPICall.ready), ("/metrics", .metrics), ("/owner", .readOwner), ("/flows", .readFlows),
    ("/audit", .readAudit), ("/policy", .readPolicy(withStatistics: false)), ("/policy/suggested", .suggest),
    ("/openapi.json", .readDescription),
  ]) func readsBecomeCalls(path: String, call: PolicyAPICall) {
    #expect(World().api.route(request("GET", path)) == .call(call, form: .text))
  }

  @Test func readinessNamesEverythingMissing() {
    #expect(HTTPResponse.ready(reasons: []).bodyText == "{\"ready\":true,\"reasons\":[]}\n")
    let response = HTTPResponse.ready(reasons: ["a", "b"])
    #expect(response.status == 503)
    #expect(response.bodyText == "{\"ready\":false,\"reasons\":[\"a\",\"b\"]}\n")
    #expect(HTTPResponse.health(reasons: ["a", "b"]) == .text(503, "a\n"))
  }

  @Test func stateIsShownAsOneObject() {
    #expect(
      HTTPResponse.owner(OwnerView(binding: nil, isRequired: true)).bodyText
        == "{\"state\":\"unbound\",\"required\":true}\n")
    let binding = OwnerView.Binding(
      tenant: "t", object: "o", identifier: "i", source: "static", boundAt: WallTime(microseconds: 0))
    #expect(
      HTTPResponse.owner(OwnerView(binding: binding, isRequired: false)).bodyText
        == "{\"state\":\"bound\",\"required\":false,\"tenantId\":\"t\",\"objectId\":\"o\",\"bindingId\":\"i\",\"source\":\"static\",\"boundAt\":\"1970-01-01T00:00:00.000000Z\"}\n"
    )
    let flow = FlowView(
      session: "b-f1", name: "a.test", names: ["a.test", "b.test"],
      source: Endpoint(.v4(IPv4Address(10, 0, 0, 2)), 40_000), destination: .v4(IPv4Address(192, 0, 2, 1)), port: 443,
      transport: .tcp, bytesSent: 1, bytesReceived: 2, packetsSent: 3, packetsReceived: 4, rule: "allow a.test",
      startedAt: WallTime(microseconds: 0), age: .seconds(3))
    let denials = [
      DenialView(
        name: nil, destination: Endpoint(.v4(IPv4Address(192, 0, 2, 9)), 22), transport: .tcp, reason: "DEFAULT_DENY",
        rule: "default", count: 7, age: .seconds(1)),
      DenialView(
        name: "evil.test", destination: nil, transport: nil, reason: "RULE_DENY", rule: nil, count: 1,
        age: .seconds(2)),
    ]
    #expect(
      HTTPResponse.flows([flow], denied: denials).bodyText
        == "{\"flows\":[{\"session\":\"b-f1\",\"direction\":\"outbound\",\"verdict\":\"allow\",\"name\":\"a.test\","
        + "\"names\":[\"a.test\",\"b.test\"],\"source\":\"10.0.0.2\",\"sourcePort\":40000,\"address\":\"192.0.2.1\",\"port\":443,"
        + "\"protocol\":\"tcp\",\"bytesSent\":1,\"bytesReceived\":2,\"packetsSent\":3,\"packetsReceived\":4,"
        + "\"rule\":\"allow a.test\",\"startedAt\":\"1970-01-01T00:00:00.000000Z\",\"ageSeconds\":3}],\"denied\":["
        + "{\"verdict\":\"deny\",\"address\":\"192.0.2.9\",\"port\":22,\"protocol\":\"tcp\",\"reason\":\"DEFAULT_DENY\","
        + "\"rule\":\"default\",\"count\":7,\"ageSeconds\":1},{\"verdict\":\"deny\",\"name\":\"evil.test\",\"protocol\":\"dns\","
        + "\"reason\":\"RULE_DENY\",\"count\":1,\"ageSeconds\":2}]}\n")
    var audit = AuditView(
      bootIdentifier: "b", sequence: 9, spoolRecords: 2, spoolBytes: 800, oldestUnacknowledged: nil,
      droppedRecords: 0, delivery: "delivering")
    audit.retries = [("throttled", 3)]
    audit.auditFile = AuditView.FileView(missingRecords: 7, error: "full")
    audit.leaseLeft = .milliseconds(2_500)
    #expect(
      HTTPResponse.audit(audit).bodyText
        == "{\"bootId\":\"b\",\"sequence\":9,\"spoolRecords\":2,\"spoolBytes\":800,\"oldestUnacknowledgedSeconds\":null,"
        + "\"droppedRecords\":0,\"delivery\":\"delivering\",\"acknowledgedSequence\":null,\"quarantinedRecords\":0,"
        + "\"batches\":0,\"batchBytes\":0,\"retries\":{\"throttled\":3},\"gate\":\"open\",\"leaseSecondsLeft\":2,"
        + "\"overrideSecondsLeft\":null,\"auditFile\":{\"missingRecords\":7,\"error\":\"full\"}}\n")
  }

  @Test func mutatedBodiesNeverCrash() {
    let seeds = [
      "{\"egress\":[{\"action\":\"allow\",\"target\":\"a.test\",\"ports\":[\"443/tcp\"]}]}", "[\"a.test\"]", "null",
    ]
    var state: UInt64 = 7
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var world = World()
    for _ in 0..<2000 {
      var octets = Array(seeds[random(seeds.count)].utf8)
      for _ in 0...random(3) { octets[random(octets.count)] = UInt8(random(256)) }
      for method in ["POST", "PATCH", "DELETE"] {
        var mutated = request(method, "/policy")
        mutated.body = octets
        #expect([200, 400].contains(world.answer(mutated).status))
      }
    }
  }
}
