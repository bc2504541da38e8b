import Addressing
import EgressPolicy
import HTTPWire
import PolicyAPI
import Testing
import Timekeeping

@Suite struct ConditionalChangeTests {
  static let rules = "[{\"action\":\"allow\",\"target\":\"a.test\",\"ports\":[\"443/tcp\"],\"reason\":\"r\"}]"

  @Test(arguments: [
    ("\"1\"", 200), ("*", 200), ("\"0\", \"1\"", 200), ("\"2\"", 412), ("W/\"1\"", 412), ("1", 412), ("", 412),
    ("\"1", 412), ("*, \"2\"", 412),
  ]) func changeForAnotherRevisionIs412(ifMatch: String, status: Int) {
    for (method, body) in [("POST", "{}"), ("PUT", ""), ("PATCH", Self.rules), ("DELETE", "[\"x\"]")] {
      var world = World()
      let before = world.view
      let response = world.answer(
        request(method, "/policy", body, headers: ["OPENSANDBOX-EGRESS-AUTH": token, "If-Match": ifMatch]))
      #expect(response.status == status)
      if status == 412 {
        #expect(response.bodyText == "the policy is at revision 1\n")
        #expect(response.headers["ETag"] == "\"1\"")
        #expect(world.view == before)
      }
    }
  }

  @Test func tagMovesWithEachChange() {
    var world = World()
    let first = world.answer(request("PATCH", "/policy", Self.rules))
    #expect(first.headers["ETag"] == "\"2\"")
    let headers: HeaderFields = ["OPENSANDBOX-EGRESS-AUTH": token, "If-Match": "\"1\""]
    #expect(world.answer(request("DELETE", "/policy", "[\"a.test\"]", headers: headers)).status == 412)
  }

  @Test func dryRunShowsTheDifferenceAndChangesNothing() throws {
    var world = World(
      document: try document(
        "{\"egress\":[{\"action\":\"deny\",\"target\":\"a.test\"},{\"action\":\"allow\",\"target\":\"b.test\"}]}"))
    world.impact = ChangeImpact(
      namesAllowed: ["a.test"], namesDenied: ["b.test"],
      flowsCut: [
        FlowView(
          session: "b-f1", name: "b.test", source: Endpoint(.v4(IPv4Address(10, 0, 0, 2)), 40_000),
          destination: .v4(IPv4Address(192, 0, 2, 1)), port: 443, transport: .tcp, bytesSent: 1, bytesReceived: 2,
          rule: "allow b.test", startedAt: WallTime(microseconds: 0), age: .seconds(3))
      ])
    let before = world.view
    let answer = world.text(request("PATCH", "/policy", Self.rules, query: [.init("dryRun", "true")]))
    #expect(
      answer == "200 {\"status\":\"ok\",\"mode\":\"enforcing\",\"enforcementMode\":\"dns+nft\",\"dryRun\":true,"
        + "\"defaultAction\":\"deny\",\"rulesAdded\":[{\"action\":\"allow\",\"target\":\"a.test\",\"ports\":[\"443/tcp\"],\"reason\":\"r\"}],"
        + "\"rulesRemoved\":[{\"action\":\"deny\",\"target\":\"a.test\"}],\"reordered\":false,"
        + "\"namesAllowed\":[\"a.test\"],\"namesDenied\":[\"b.test\"],\"flowsCut\":[{\"session\":\"b-f1\",\"direction\":\"outbound\",\"verdict\":\"allow\",\"name\":\"b.test\","
        + "\"names\":[],\"source\":\"10.0.0.2\",\"sourcePort\":40000,\"address\":\"192.0.2.1\",\"port\":443,\"protocol\":\"tcp\","
        + "\"bytesSent\":1,\"bytesReceived\":2,\"packetsSent\":0,\"packetsReceived\":0,\"rule\":\"allow b.test\","
        + "\"startedAt\":\"1970-01-01T00:00:00.000000Z\",\"ageSeconds\":3}]}\n"
    )
    #expect(world.view == before)
  }

  @Test func dryRunIsRefusedLikeTheChange() {
    var world = World(limits: PolicyLimits(rulesMax: 1))
    let query = [QueryParameter("dryRun", "true")]
    let two = "{\"egress\":[{\"target\":\"a.test\"},{\"target\":\"b.test\"}]}"
    #expect(world.answer(request("POST", "/policy", two, query: query)).status == 413)
    #expect(world.answer(request("POST", "/policy", "{nope", query: query)).status == 400)
  }

  @Test(arguments: [["yes"], ["1"], [""], ["TRUE"], ["true", "false"], ["true", "true"]])
  func doubtfulDryRunIsNeverAChange(values: [String]) {
    var world = World()
    let query = values.map { QueryParameter("dryRun", $0) }
    #expect(world.text(request("POST", "/policy", "{}", query: query)) == "400 dryRun is either true or false\n")
    #expect(world.view.revision.number == 1)
  }

  @Test func orderAloneIsADifference() throws {
    let target = try #require(PolicyTarget("a.test"))
    let other = try #require(PolicyTarget("b.test"))
    let a = PolicyRule(action: .allow, target: target, targetText: "a.test")
    let b = PolicyRule(action: .allow, target: other, targetText: "b.test")
    func difference(_ old: RuleList, _ new: RuleList) -> RuleDifference {
      RuleDifference(
        from: PolicyDocument(defaultAction: .deny, egress: old), to: PolicyDocument(defaultAction: .deny, egress: new))
    }
    #expect(!difference([a, b, a], [a, b, a]).isReordered)
    #expect(difference([a, b], [b, a]).isReordered)
    #expect(difference([a, b], [b, a]).added.isEmpty)
    #expect(difference([a, b, a], [a, b]).removed == [a])
    #expect(!difference([a, b], [a]).isReordered)
    #expect(difference([a], [b]).added == [b])
  }

  @Test func failureOfKernelOrStoreIs500WithTheReason() {
    #expect(
      HTTPResponse.changeRefused(.kernel("no room"), form: .text).bodyText
        == "failed to apply nftables policy: no room\n")
    let stored = HTTPResponse.changeRefused(.store("disk\nfull"), form: .text)
    #expect(stored.status == 500)
    #expect(stored.bodyText == "failed to persist policy: disk; full\n")
  }

  @Test func problemDetailsNameEveryPath() {
    var world = World()
    let response = world.answer(
      request(
        "POST", "/policy",
        "{\"egress\":[{\"action\":\"drop\",\"target\":\"a.test\"},{\"action\":\"allow\",\"target\":\"*\"}]}",
        headers: ["OPENSANDBOX-EGRESS-AUTH": token, "Accept": "application/problem+json"]))
    #expect(response.status == 400)
    #expect(response.bodyText.hasPrefix("{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"invalid policy: "))
    #expect(response.bodyText.contains("\"errors\":[{\"path\":\"$.egress[0].action\",\"reason\":"))
    #expect(response.bodyText.contains("{\"path\":\"$.egress[1].target\",\"reason\":"))
  }
}
