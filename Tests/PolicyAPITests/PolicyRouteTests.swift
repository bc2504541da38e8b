import EgressPolicy
import HTTPWire
import PolicyAPI
import Testing

/// The table of OpenSandbox's answers, row by row, and where this API departs from it.
@Suite struct PolicyRouteTests {
  static let enforcing = "200 {\"status\":\"ok\",\"mode\":\"enforcing\",\"enforcementMode\":\"dns+nft\"}\n"
  static let denyAll = "200 {\"status\":\"ok\",\"mode\":\"deny_all\",\"enforcementMode\":\"dns+nft\"}\n"
  static let allowAll = "200 {\"status\":\"ok\",\"mode\":\"allow_all\",\"enforcementMode\":\"dns+nft\"}\n"
  static let twoRules =
    "{\"egress\":[{\"action\":\"allow\",\"target\":\"a.test\"},{\"action\":\"deny\",\"target\":\"b.test\"}]}"

  @Test func policyIsShownWithItsTag() throws {
    var world = World(document: try document(Self.twoRules))
    let response = world.answer(request("GET", "/policy"))
    #expect(response.status == 200)
    #expect(response.headers["ETag"] == "\"1\"")
    #expect(response.headers["Content-Type"] == "application/json")
    #expect(
      response.bodyText == "{\"status\":\"ok\",\"mode\":\"enforcing\",\"enforcementMode\":\"dns+nft\",\"policy\":"
        + "{\"egress\":[{\"action\":\"allow\",\"target\":\"a.test\"},{\"action\":\"deny\",\"target\":\"b.test\"}],"
        + "\"defaultAction\":\"deny\"}}\n")
  }

  @Test(arguments: ["", "{}", "{\"egress\":[]}", "{\"defaultAction\":\"deny\"}"])
  func emptyRuleSetIsShownAsAnArray(body: String) {
    var world = World()
    _ = world.answer(request("POST", "/policy", body))
    #expect(world.answer(request("GET", "/policy")).bodyText.contains("\"policy\":{\"egress\":[],"))
  }

  @Test(arguments: ["POST", "PUT"], ["", " ", "\r\n\t "]) func emptyBodyResets(method: String, body: String) throws {
    var world = World(document: try document(Self.twoRules))
    #expect(
      world.text(request(method, "/policy", body))
        == "200 {\"status\":\"ok\",\"mode\":\"deny_all\",\"reason\":\"policy reset to default deny-all\"}\n")
    #expect(world.view.document == .denyAll)
  }

  @Test(arguments: ["POST", "PUT"], ["{}", "{ }", "null", " null\n"])
  func emptyDocumentDeniesAll(method: String, body: String) throws {
    var world = World(document: try document(Self.twoRules))
    #expect(world.text(request(method, "/policy", body)) == Self.denyAll)
    #expect(world.view.document == .denyAll)
  }

  @Test(arguments: [
    (twoRules, enforcing), ("{\"defaultAction\":\"allow\"}", allowAll), ("{\"defaultAction\":\"deny\"}", denyAll),
    ("{\"defaultAction\":\"allow\",\"egress\":[{\"action\":\"deny\",\"target\":\"10.0.0.0/8\"}]}", enforcing),
    ("{\"egress\":[{\"target\":\"a.test\"}]}", enforcing),
    ("{\"egress\":[{\"action\":\"\",\"target\":\"a.test\"}]}", enforcing),
  ]) func validPolicyReplaces(body: String, answer: String) {
    for method in ["POST", "PUT"] {
      var world = World()
      #expect(world.text(request(method, "/policy", body)) == answer)
    }
  }

  @Test func missingActionDenies() {
    var world = World()
    _ = world.answer(request("POST", "/policy", "{\"egress\":[{\"target\":\"a.test\"}]}"))
    #expect(world.view.document.egress.first?.action == .deny)
  }

  @Test(arguments: [
    ("[]", "invalid policy: json: cannot unmarshal array into Go value of type policy.NetworkPolicy\n"),
    ("7", "invalid policy: json: cannot unmarshal number into Go value of type policy.NetworkPolicy\n"),
    ("\"x\"", "invalid policy: json: cannot unmarshal string into Go value of type policy.NetworkPolicy\n"),
    ("true", "invalid policy: json: cannot unmarshal bool into Go value of type policy.NetworkPolicy\n"),
  ]) func documentOfAnotherKindIsNamed(body: String, text: String) {
    var world = World()
    #expect(world.text(request("POST", "/policy", body)) == "400 \(text)")
  }

  @Test(arguments: [
    "{nope", "{\"egress\":[]} {}", "{\"egress\":[],}", "{\"a\":1}", "{\"egress\":[],\"egress\":[]}", "\u{feff}{}",
    "{\"defaultAction\":\"block\"}", "{\"defaultAction\":7}", "{\"egress\":{}}", "{\"egress\":[7]}",
    "{\"egress\":[{\"action\":\"drop\",\"target\":\"a.test\"}]}",
    "{\"egress\":[{\"action\":\"allow\",\"target\":\"\"}]}",
    "{\"egress\":[{\"action\":\"allow\"}]}", "{\"egress\":[{\"action\":\"allow\",\"target\":\"a*b.test\"}]}",
    "{\"egress\":[{\"action\":\"allow\",\"target\":\"a.test\",\"port\":1}]}",
    "{\"egress\":[{\"action\":\"allow\",\"target\":\"*\"}]}",
    "{\"egress\":[{\"action\":\"allow\",\"target\":\"*.com\"}]}",
  ]) func badDocumentIsRefusedWithTheReason(body: String) {
    var world = World()
    let answer = world.text(request("POST", "/policy", body))
    #expect(answer.hasPrefix("400 invalid policy: ") && answer.count > 25 && answer.hasSuffix("\n"), "\(answer)")
    #expect(world.view.revision.number == 1)
  }

  @Test(arguments: [
    ("drop", "a.test", "unsupported action \"drop\""), ("allow", "", "egress target cannot be empty"),
  ]) func wordsOfOpenSandboxComeFirst(action: String, target: String, text: String) {
    let rule = "{\"action\":\"\(action)\",\"target\":\"\(target)\"}"
    var world = World()
    #expect(world.text(request("POST", "/policy", "{\"egress\":[\(rule)]}")).hasPrefix("400 invalid policy: \(text)"))
    #expect(world.text(request("PATCH", "/policy", "[\(rule)]")).hasPrefix("400 invalid merged policy: \(text)"))
  }

  @Test func tooManyRulesAre413() {
    let limits = PolicyLimits(rulesMax: 2)
    func rules(_ range: Range<Int>) -> String {
      "[" + range.map { "{\"action\":\"allow\",\"target\":\"h\($0).test\"}" }.joined(separator: ",") + "]"
    }
    var world = World(limits: limits)
    let text = "413 egress rule total count 3 exceeds limit 2\n"
    #expect(world.text(request("POST", "/policy", "{\"egress\":\(rules(0..<3))}")) == text)
    #expect(world.text(request("POST", "/policy", "{\"egress\":\(rules(0..<2))}")) == Self.enforcing)
    #expect(world.text(request("PATCH", "/policy", rules(2..<3))) == text)
    #expect(world.text(request("PATCH", "/policy", rules(1..<2))) == Self.enforcing)
    #expect(world.view.document.egress.count == 2)
    var open = World(limits: PolicyLimits(rulesMax: 0))
    #expect(open.text(request("POST", "/policy", "{\"egress\":\(rules(0..<5000))}")) == Self.enforcing)
  }

  @Test func standardLimitIs4096RulesDuplicatesIncluded() {
    let rule = "{\"action\":\"allow\",\"target\":\"a.test\"}"
    let body = "{\"egress\":[" + Array(repeating: rule, count: 4097).joined(separator: ",") + "]}"
    var world = World()
    #expect(world.text(request("POST", "/policy", body)) == "413 egress rule total count 4097 exceeds limit 4096\n")
  }

  @Test func bodyOverTheLimitIs413AndNotCut() {
    var world = World(limits: PolicyLimits(bodyMax: 10))
    #expect(
      world.text(request("POST", "/policy", "{}" + String(repeating: " ", count: 9))) == "413 body over 10 bytes\n")
  }

  @Test(arguments: [
    ("PATCH", "", "empty body"), ("PATCH", " \n", "empty body"), ("PATCH", "[]", "invalid patch rules: empty array"),
    ("PATCH", " [ ] ", "invalid patch rules: empty array"), ("PATCH", "null", "invalid patch rules: empty array"),
    ("PATCH", "{}", "invalid patch rules: json: cannot unmarshal object into Go value of type []policy.EgressRule"),
    ("PATCH", "\"x\"", "invalid patch rules: json: cannot unmarshal string into Go value of type []policy.EgressRule"),
    ("DELETE", "", "empty body"), ("DELETE", "[]", "invalid delete targets: empty array"),
    ("DELETE", "null", "invalid delete targets: empty array"),
    ("DELETE", "{}", "invalid delete targets: json: cannot unmarshal object into Go value of type []string"),
  ]) func partialChangeNeedsElements(method: String, body: String, text: String) {
    var world = World()
    #expect(world.text(request(method, "/policy", body)) == "400 \(text)\n")
  }

  @Test(arguments: [
    ("PATCH", "[", "invalid patch rules: "), ("PATCH", "[nope]", "invalid patch rules: "),
    ("PATCH", "[7]", "invalid merged policy: "), ("PATCH", "n ull", "invalid patch rules: "),
    ("DELETE", "[", "invalid delete targets: "), ("DELETE", "[7]", "invalid delete targets: "),
  ]) func badPartialChangeIsRefusedWithTheReason(method: String, body: String, prefix: String) {
    var world = World()
    let answer = world.text(request(method, "/policy", body))
    #expect(answer.hasPrefix("400 \(prefix)") && answer.count > prefix.count + 8, "\(answer)")
  }

  @Test func patchGoesInFrontAndTheFirstOfATargetWins() throws {
    var world = World(document: try document(Self.twoRules))
    let body =
      "[{\"action\":\"allow\",\"target\":\"b.test\"},{\"action\":\"deny\",\"target\":\"B.test.\"},"
      + "{\"action\":\"allow\",\"target\":\"c.test\"}]"
    #expect(world.text(request("PATCH", "/policy", body)) == Self.enforcing)
    #expect(world.view.document.egress.map(\.targetText) == ["b.test", "c.test", "a.test"])
    #expect(world.view.document.egress.first?.action == .allow)
  }

  @Test func deleteRemovesByTarget() throws {
    var world = World(document: try document(Self.twoRules))
    #expect(world.text(request("DELETE", "/policy", "[\" B.TEST \",\"unknown.test\"]")) == Self.enforcing)
    #expect(world.view.document.egress.map(\.targetText) == ["a.test"])
    #expect(world.text(request("DELETE", "/policy", "[\"a.test\"]")) == Self.denyAll)
  }

  @Test(arguments: ["[\"x.test\"]", "[\"\",\" \"]"]) func deleteOfNothingSaysSo(body: String) throws {
    var world = World(document: try document(Self.twoRules))
    #expect(
      world.text(request("DELETE", "/policy", body))
        == "200 {\"status\":\"ok\",\"mode\":\"enforcing\",\"enforcementMode\":\"dns+nft\",\"reason\":\"no matching targets found\"}\n"
    )
    #expect(world.view.revision.number == 1)
  }

  @Test func contentTypeAndForeignQueryAreIgnored() {
    var world = World()
    let odd = request(
      "POST", "/policy", "{}", query: [.init("x", "y")],
      headers: ["OPENSANDBOX-EGRESS-AUTH": token, "Content-Type": "text/csv"])
    #expect(world.text(odd) == Self.denyAll)
  }
}
