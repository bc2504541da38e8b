import Addressing
import DNSWire
import EgressPolicy
import Foundation
import JSONText
import Testing
import Timekeeping

private let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../policies").standardized

private func read(_ file: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appending(path: file))) }

/// What each example is for: questions and whether they are answered with yes.
private let examples: [(file: String, questions: [(String, UInt16, Bool)])] = [
  ("default-deny.json", [("example.com", 443, false), ("10.20.0.5", 5432, false)]),
  (
    "package-registry.json",
    [
      ("registry.example.com", 443, true), ("registry.example.com", 80, false),
      ("a.b.artifacts.example.com", 443, true),
      ("artifacts.example.com", 443, false), ("telemetry.artifacts.example.com", 443, false),
    ]
  ),
  (
    "internal-database.json",
    [
      ("10.20.3.4", 5432, true), ("10.20.3.4", 8050, true), ("10.20.3.4", 22, false), ("10.20.0.1", 5432, false),
      ("fd00:20::5", 5432, true), ("database.example.com", 5432, true), ("169.254.169.254", 80, false),
    ]
  ),
  (
    "ticketed-access.json",
    [("api.example.com", 443, true), ("status.example.com", 80, true), ("api.example.com", 80, false)]
  ),
]

@Test(arguments: examples.map(\.file))
func examplesDoWhatTheirNamesSay(file: String) throws {
  let set = RuleSet(try PolicyDocument.parse(try read(file)), revision: 1)
  let questions = try #require(examples.first { $0.file == file }).questions
  for (target, port, isAllowed) in questions {
    let explained = set.explain(try #require(ExplainedTarget(target)), port: port, at: noon)
    #expect(explained.isAllowed == isAllowed, "\(explained.text)")
  }
}

@Test func aTicketEnds() throws {
  let set = RuleSet(try PolicyDocument.parse(try read("ticketed-access.json")), revision: 1)
  let end = try #require(WallTime("2026-12-01T00:00:00Z"))
  #expect(set.nextExpiry(after: noon) == end)
  #expect(!set.decide(try named("api.example.com"), at: end).isAllowed)
}

/// What each of the others opens and closes is asked of the running daemon (Tests/EndToEnd/test_policies.py).
@Test func everyPolicyFileIsRead() throws {
  let files = try FileManager.default.contentsOfDirectory(atPath: folder.path())
    .filter { $0.hasSuffix(".json") && $0 != "policy.schema.json" }
  #expect(Set(files).isSuperset(of: examples.map(\.file)))
  for file in files {
    let set = RuleSet(try PolicyDocument.parse(try read(file)), revision: 1)
    #expect(!set.decide(try named("nobody.allows.test"), at: noon).isAllowed, "\(file)")
  }
}

@Test func theSchemaKnowsTheMembersThatTheReaderKnows() throws {
  let schema = try JSONValue.parse(try read("policy.schema.json"))
  #expect(schema["properties"]?.object?.map(\.key).sorted() == ["defaultAction", "egress"])
  let rule = try #require(schema["$defs"]?["rule"])
  #expect(rule["properties"]?.object?.map(\.key).sorted() == ["action", "expiresAt", "ports", "reason", "target"])
  #expect(schema["additionalProperties"] == .bool(false))
  #expect(rule["additionalProperties"] == .bool(false))
  #expect(rule["properties"]?["reason"]?["maxLength"]?.integer == Int64(PolicyLimits.reasonMax))
}

@Test func theSchemaTakesTheTargetsThatTheReaderTakes() throws {
  let definitions = try #require(try JSONValue.parse(try read("policy.schema.json"))["$defs"])
  let patterns = try ["name", "ipv4", "ipv6"].map { try Regex(#require(definitions[$0]?["pattern"]?.string)) }
  func isTaken(_ text: String) -> Bool {
    text == "*" || (1...254).contains(text.unicodeScalars.count) && patterns.contains { text.firstMatch(of: $0) != nil }
  }
  for (text, _) in acceptedTargets { #expect(isTaken(text), "\(text)") }
  // What a pattern cannot know: the suffix list, host bits, how long a name is without its trailing dot.
  let beyond = ["public suffix \"co.uk\"", "public suffix", "is the block", "more than", "no name fits"]
  for (text, reason) in refusedTargets where !beyond.contains(where: { reason.hasSuffix($0) }) {
    #expect(!isTaken(text), "\(text)")
  }
}
