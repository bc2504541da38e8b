import Testing

@testable import EgressPolicy

/// A document of many rules: composed in pieces, decided by labels made on demand.
@Suite struct ManyRulesTests {
  private func document(_ count: Int) throws -> PolicyDocument {
    let rules = (0..<count).map { index in
      let ports = index % 3 == 0 ? ",\"ports\":[\"443/tcp\"]" : ""
      return "{\"action\":\"\(index % 2 == 0 ? "allow" : "deny")\",\"target\":\"n\(index).example.com\"\(ports)}"
    }
    return try PolicyDocument.parse(Array("{\"egress\":[\(rules.joined(separator: ","))]}".utf8), limits: .files)
  }

  @Test func thePiecesOfADocumentAreTheDocument() throws {
    for count in [0, 1, 5_000] {
      let document = try document(count)
      var pieces: [[UInt8]] = []
      document.forEachPieceOfJSON { pieces.append($0) }
      #expect(Array(pieces.joined()) == document.json())
      #expect(pieces.count > count / 5_000 && pieces.allSatisfy { $0.count < 66 << 10 })
    }
  }

  @Test func aRuleIsCalledTheSameInALongPolicyAsInAShortOne() throws {
    let long = try document(5_000)
    let short = try document(100)
    #expect(RuleSet(long, revision: 1).labels.isEmpty && RuleSet(short, revision: 1).labels.count == 100)
    for index in [0, 1, 2, 3, 99] as [UInt32] {
      #expect(RuleSet(long, revision: 1).reference(index) == RuleSet(short, revision: 1).reference(index))
    }
  }

  @Test func aReferenceKnowsItsPlace() {
    for place in [RulePlace.denyAlways(0), .allowAlways(7), .rule(0), .rule(1_000_000), .defaultAction] {
      #expect(RuleReference(place: place, action: .deny, text: "deny a.test").place == place)
    }
  }
}
