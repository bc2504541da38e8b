import Addressing
import DNSWire
import EgressPolicy
import JSONText
import Testing
import Timekeeping

/// Rules as a document writes them: `allow a.test 443/tcp`.
private func rules(_ texts: [String]) throws -> RuleList {
  try PolicyDocument.parseRules(Array("[\(texts.map { "{\(rule($0))}" }.joined(separator: ","))]".utf8))
}

@Test func aPolicyMadeAfterAnotherDecidesAsOneMadeAlone() throws {
  var generator = SystemRandomNumberGenerator()
  let targets =
    (0..<24).map { "n\($0 % 12).a\($0 % 2).test" } + ["10.1.0.0/16", "10.1.2.3", "*.a0.test", "2001:db8::/32"]
  let ports = ["", " 443/tcp", " 80", " 8000-8100/udp"]
  func some() -> String {
    let target = targets.randomElement(using: &generator) ?? "x.test"
    let action = Bool.random(using: &generator) ? "allow" : "deny"
    return "\(action) \(target)\(ports.randomElement(using: &generator) ?? "")"
  }
  for _ in 0..<60 {
    var document = PolicyDocument(defaultAction: .deny, egress: try rules((0..<20).map { _ in some() }))
    var set = RuleSet(document, revision: 1)
    for revision in 2..<12 {
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: document = document.removing(targets: [targets.randomElement(using: &generator) ?? ""]).0
      case 1: document = PolicyDocument(defaultAction: .deny, egress: try rules((0..<20).map { _ in some() }))
      default:
        document = document.merging(try rules((0..<Int.random(in: 1...3, using: &generator)).map { _ in some() }))
      }
      set = RuleSet(document, revision: UInt64(revision), after: set)
      let alone = RuleSet(document, revision: UInt64(revision))
      #expect(set.addressPlan(at: noon) == alone.addressPlan(at: noon))
      for index in 0..<12 {
        let name = try named("n\(index).a\(index % 2).test")
        #expect(set.decide(name, at: noon) == alone.decide(name, at: noon))
      }
      let again = try PolicyDocument.parse(document.json())
      #expect(again.json() == document.json())
    }
  }
}

@Test func aDocumentIsWrittenAsItsReaderWouldHaveIt() throws {
  let text =
    #"{"egress":[{"action":"allow","target":"A.test."},{"action":"deny","target":"10.0.0.0/8","ports":["443/tcp","80"]},{"action":"allow","target":"b.test","expiresAt":"2030-12-01T00:00:00.000000Z","reason":"ticket \"42\"\n"},{"action":"allow","target":"c.test","ports":["443/tcp","80"],"reason":"ticket \"42\"\n"}],"defaultAction":"deny"}"#
  #expect(String(decoding: try PolicyDocument.parse(Array(text.utf8)).json(), as: UTF8.self) == text)
  #expect(String(decoding: PolicyDocument.denyAll.json(), as: UTF8.self) == #"{"egress":[],"defaultAction":"deny"}"#)
}
