import EgressPolicy
import Testing

private func document(_ rules: String) throws -> PolicyDocument {
  try PolicyDocument.parse(Array(#"{"defaultAction":"allow","egress":[\#(rules)]}"#.utf8))
}

private func rule(_ action: String, _ target: String, _ rest: String = "") -> String {
  #"{"action":"\#(action)","target":"\#(target)"\#(rest)}"#
}

private func shown(_ document: PolicyDocument) -> [String] { document.egress.map { "\($0.action) \($0.targetText)" } }

@Test func patchedRulesGoInFrontAndReplaceTheirTargets() throws {
  let base = try document(
    [rule("allow", "a.test"), rule("deny", "b.test"), rule("allow", "10.0.0.0/8")].joined(separator: ","))
  let patch = try PolicyDocument.parseRules(
    Array(
      "[\(rule("deny", "C.test")),\(rule("deny", "A.TEST.")),\(rule("allow", "a.test")),\(rule("deny", "10.0.0.0/8", #","ports":["1"]"#))]"
        .utf8))
  let merged = base.merging(patch)
  #expect(shown(merged) == ["deny C.test", "deny A.TEST.", "deny 10.0.0.0/8", "deny b.test"])
  #expect(merged.egress[2].portTexts == ["1"])
  #expect(merged.defaultAction == .allow)
  #expect(merged.problem(exceeding: PolicyLimits(rulesMax: 3))?.reason == "egress rule total count 4 exceeds limit 3")
  #expect(merged.problem(exceeding: PolicyLimits(rulesMax: 4)) == nil)
}

@Test func portsDoNotPartTargetsInAPatch() throws {
  let base = try document("\(rule("allow", "a.test", #","ports":["443"]"#)),\(rule("deny", "a.test"))")
  let patch = try PolicyDocument.parseRules(Array("[\(rule("allow", "a.test", #","ports":["80"]"#))]".utf8))
  #expect(base.merging(patch).egress.map(\.portTexts) == [["80"]])
}

@Test(arguments: [
  ("[]", "$: empty array"), ("null", "$: empty array"), ("{}", "$: expected an array of rules"),
  ("[{}]", "$[0].target: egress target cannot be empty"),
  (#"[{"action":"drop","target":"a.test"}]"#, #"$[0].action: unsupported action "drop""#),
])
func patchesAreCheckedWithTheirPath(text: String, expected: String) {
  let error = #expect(throws: PolicyProblems.self) { try PolicyDocument.parseRules(Array(text.utf8)) }
  #expect(error?.description == expected)
}

@Test func deletedTargetsAreComparedInTheirCanonicalForm() throws {
  let base = try document(
    [
      rule("allow", "a.test"), rule("deny", "a.test."), rule("deny", "*.b.test"), rule("deny", "2001:db8::/32"),
      rule("deny", "c.test"),
    ]
    .joined(separator: ","))
  #expect(base.egress.count == 4)
  let targets = try PolicyDocument.parseTargets(
    Array(#"[" A.Test. ","*.B.TEST","2001:DB8:0::/32","unknown.test","not a target",""]"#.utf8))
  let (left, removed) = base.removing(targets: targets)
  #expect(shown(left) == ["deny c.test"])
  #expect(removed == 3)
  #expect(left.removing(targets: ["", " "]).removed == 0)
}

@Test(arguments: [
  ("[]", "$: empty array"), ("null", "$: empty array"), ("{}", "$: expected an array of targets"),
  (#"["a",1]"#, "$[1]: expected a string, not a number"),
])
func deletedTargetsAreStrings(text: String, expected: String) {
  let error = #expect(throws: PolicyProblems.self) { try PolicyDocument.parseTargets(Array(text.utf8)) }
  #expect(error?.description == expected)
}

@Test func alwaysListsAreReadLineByLine() throws {
  let text = Array(
    "# platform\n\n 169.254.169.254 # metadata\r\n*.Evil.test\n\t*\nevil.TEST\nevil.test.\n10.0.0.0/8".utf8)
  let rules = try AlwaysRules.parse(text, file: "deny.always", action: .deny)
  #expect(rules.map(\.targetText) == ["169.254.169.254", "*.Evil.test", "*", "evil.TEST", "10.0.0.0/8"])
  #expect(rules.allSatisfy { $0.action == .deny && $0.ports == .everything })
}

@Test func alwaysListsNameTheLineOfAProblem() {
  let text = Array("a.test\n*.com\n# x\n*\n10.0.0.1/8\n".utf8)
  let error = #expect(throws: PolicyProblems.self) { try AlwaysRules.parse(text, file: "allow.always", action: .allow) }
  #expect(error?.problems.map(\.path) == ["allow.always:2", "allow.always:4", "allow.always:5"])
  let skipped = #expect(throws: PolicyProblems.self) {
    try AlwaysRules.parseTargets(Array("*".utf8), file: "log_skip.always")
  }
  #expect(skipped?.problems.map(\.path) == ["log_skip.always:1"])
}
