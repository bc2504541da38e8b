import EgressPolicy
import JSONText
import Testing
import Timekeeping

private func parse(_ text: String, _ limits: PolicyLimits = .standard) throws(PolicyProblems) -> PolicyDocument {
  try PolicyDocument.parse(Array(text.utf8), limits: limits)
}

/// `PATH: REASON` of each problem.
private func problems(_ text: String, _ limits: PolicyLimits = .standard) -> [String] {
  do throws(PolicyProblems) {
    _ = try parse(text, limits)
    return []
  } catch {
    return error.problems.map(\.description)
  }
}

@Test(arguments: [
  ("{}", #"{"egress":[],"defaultAction":"deny"}"#), ("null", #"{"egress":[],"defaultAction":"deny"}"#),
  (#"{"egress":null,"defaultAction":null}"#, #"{"egress":[],"defaultAction":"deny"}"#),
  (#"{"defaultAction":" ALLOW\n"}"#, #"{"egress":[],"defaultAction":"allow"}"#),
  (#"{"defaultAction":""}"#, #"{"egress":[],"defaultAction":"deny"}"#),
  (#"{"egress":[{"target":"A.Test."}]}"#, #"{"egress":[{"action":"deny","target":"A.Test."}],"defaultAction":"deny"}"#),
  (
    #"{"egress":[{"action":" Allow ","target":"a.test"},{"action":"","target":"10.0.0.0/8"}]}"#,
    #"{"egress":[{"action":"allow","target":"a.test"},{"action":"deny","target":"10.0.0.0/8"}],"defaultAction":"deny"}"#
  ),
  (
    #"{"egress":[{"reason":"é","expiresAt":"2026-12-01T01:00:00+01:00","ports":["443/tcp","8000-8100"],"target":"a.test","action":"allow"}]}"#,
    #"{"egress":[{"action":"allow","target":"a.test","ports":["443/tcp","8000-8100"],"expiresAt":"2026-12-01T00:00:00.000000Z","reason":"é"}],"defaultAction":"deny"}"#
  ),
])
func documentsAreNormalized(text: String, written: String) throws {
  let document = try parse(text)
  #expect(String(decoding: document.json(), as: UTF8.self) == written)
  #expect(try parse(written) == document)
}

@Test(arguments: [
  ("[]", ["$: expected an object, not an array"]),
  ("", ["$: the text is empty (line 1, column 1)"]),
  (#"{"defaultAction":"block"}"#, [#"$.defaultAction: unsupported defaultAction "block""#]),
  (#"{"defaultAction":true}"#, ["$.defaultAction: expected a string, not a boolean"]),
  (#"{"default":"deny"}"#, ["$.default: unknown member, known are defaultAction, egress"]),
  (#"{"egress":{}}"#, ["$.egress: expected an array of rules, not an object"]),
  (
    #"{"egress":["a.test",[{}]]}"#,
    ["$.egress[0]: expected a rule: an object, not a string", "$.egress[1]: expected a rule: an object, not an array"]
  ),
  (#"{"egress":[{"action":"Drop","target":"a.test"}]}"#, [#"$.egress[0].action: unsupported action "drop""#]),
  (
    #"{"egress":[{"action":"allow"},{"action":"allow","target":""}]}"#,
    ["$.egress[0].target: egress target cannot be empty", "$.egress[1].target: egress target cannot be empty"]
  ),
  (#"{"egress":[{"target":7}]}"#, ["$.egress[0].target: expected a string, not a number"]),
  (#"{"egress":[{"target":"a.test","port":["443"]}]}"#, [#"$.egress[0].port: unknown member: is "ports" meant?"#]),
  (
    #"{"egress":[{"target":"a.test","target":"b.test"}]}"#,
    ["$.egress[0].target: the member is repeated (line 1, column 31)"]
  ),
  (
    #"{"egress":[{"target":"a.test","ports":[]}]}"#,
    [#"$.egress[0].ports: an empty list allows and denies nothing: leave "ports" out for every port"#]
  ),
  (#"{"egress":[{"target":"a.test","ports":"443"}]}"#, ["$.egress[0].ports: expected an array of ports, not a string"]),
  (#"{"egress":[{"target":"a.test","ports":null}]}"#, ["$.egress[0].ports: expected an array of ports, not null"]),
  (
    #"{"egress":[{"target":"a.test","ports":["443",443]}]}"#,
    [#"$.egress[0].ports[1]: a port is a string: "443" or "443/tcp""#]
  ),
  (#"{"egress":[{"target":"a.test","ports":["0"]}]}"#, ["$.egress[0].ports[0]: there is no port 0"]),
  (#"{"egress":[{"target":"a.test","ports":["0-10"]}]}"#, ["$.egress[0].ports[0]: there is no port 0"]),
  (
    #"{"egress":[{"target":"a.test","ports":["9-8"]}]}"#,
    ["$.egress[0].ports[0]: the range is the wrong way round: 8-9"]
  ),
  (
    #"{"egress":[{"target":"a.test","ports":["443/sctp"]}]}"#,
    ["$.egress[0].ports[0]: the protocol of a port is tcp or udp"]
  ),
  (
    #"{"egress":[{"target":"a.test","expiresAt":"tomorrow"}]}"#,
    ["$.egress[0].expiresAt: not a time of RFC 3339, for instance 2026-12-01T00:00:00Z"]
  ),
  (#"{"egress":[{"target":"a.test","expiresAt":1}]}"#, ["$.egress[0].expiresAt: expected a string, not a number"]),
  (#"{"egress":[{"target":"a.test","reason":["x"]}]}"#, ["$.egress[0].reason: expected a string, not an array"]),
  (#"{"egress":[]} {}"#, ["$: text after the value, not \"{\" (line 1, column 15)"]),
  (
    #"{"egress":[{"action":"x","target":"*.com"},{"target":"127.1"}],"mode":1}"#,
    [
      #"$.egress[0].action: unsupported action "x""#,
      #"$.egress[0].target: a wildcard directly below the public suffix "com""#,
      "$.egress[1].target: an address has four decimal parts without leading zeros",
      "$.mode: unknown member, known are defaultAction, egress",
    ]
  ),
])
func everyProblemIsNamedByItsPath(text: String, expected: [String]) {
  #expect(problems(text) == expected)
}

@Test(arguments: [
  "", "-", "1-", "-1", "443/", "443/TCP", "0443", "65536", "1-65536", "443 ", "+443", "443/tcp/udp", "4.3", "http",
  "1-2-3", "٤٤٣",
])
func portsAreReadStrictly(port: String) {
  #expect(
    problems(#"{"egress":[{"target":"a.test","ports":["\#(port)"]}]}"#).first?.hasPrefix("$.egress[0].ports[0]: ")
      == true)
}

@Test func portsWithoutProtocolAreTCPAndUDP() throws {
  let rule = try parse(#"{"egress":[{"target":"a.test","ports":["443","53/udp","8000-8001/tcp"]}]}"#).egress[0]
  #expect(rule.ports == PortSet(tcp: [443...443, 8000...8001], udp: [53...53, 443...443], otherProtocols: false))
  #expect(rule.portTexts == ["443", "53/udp", "8000-8001/tcp"])
}

@Test func aLongReasonIsRefused() {
  let fits = String(repeating: "é", count: 128)
  #expect(problems(#"{"egress":[{"target":"a.test","reason":"\#(fits)"}]}"#) == [])
  #expect(
    problems(#"{"egress":[{"target":"a.test","reason":"\#(fits)x"}]}"#) == [
      "$.egress[0].reason: longer than 256 octets"
    ])
}

@Test func tooManyRulesAreRefusedWholeAndCounted() throws {
  func document(_ count: Int) -> String {
    "{\"egress\":[" + (0..<count).map { "{\"target\":\"n\($0 / 2).test\"}" }.joined(separator: ",") + "]}"
  }
  #expect(try parse(document(4096)).egress.count == 2048)
  let error = #expect(throws: PolicyProblems.self) { try parse(document(4097)) }
  #expect(error?.problems.map(\.description) == ["$.egress: egress rule total count 4097 exceeds limit 4096"])
  #expect(error?.isLimit == true)
  #expect(try parse(document(4097), PolicyLimits(rulesMax: 0)).egress.count == 2049)
  let large = #expect(throws: PolicyProblems.self) { try parse(document(3), PolicyLimits(bodyMax: 10)) }
  #expect(large?.isLimit == true)
}

@Test func problemsAreBounded() {
  let text = "{\"egress\":[" + (0..<1000).map { _ in "{}" }.joined(separator: ",") + "]}"
  #expect(problems(text).count == PolicyProblems.countMax)
}

@Test func aRuleThatCanNeverMatchIsNotStored() throws {
  let text = #"""
    {"egress":[
    {"action":"allow","target":"d.test"},{"action":"deny","target":"D.test."},
    {"target":"e.test","ports":["443"]},{"action":"allow","target":"e.test","ports":["443/tcp","443/udp"]},{"action":"allow","target":"e.test"},
    {"target":"10.0.0.1"},{"action":"allow","target":"10.0.0.1/32"},{"target":"2001:db8::"},{"target":"2001:DB8:0::0/128"},
    {"target":"f.test","expiresAt":"2026-12-01T00:00:00Z"},{"action":"allow","target":"f.test"},{"target":"f.test","expiresAt":"2026-11-01T00:00:00Z"},
    {"target":"*.g.test"},{"target":"g.test"},{"target":"*"},{"target":"*"}]}
    """#
  let kept = try parse(text).egress.map { "\($0.action) \($0.targetText)" }
  #expect(
    kept == [
      "allow d.test", "deny e.test", "allow e.test", "deny 10.0.0.1", "deny 2001:db8::", "deny f.test", "allow f.test",
      "deny *.g.test",
      "deny g.test", "deny *",
    ])
}

@Test func hostileDocumentsNeverCrash() throws {
  let bytes = Array(
    #"{"defaultAction":"allow","egress":[{"action":"deny","target":"*.a.test","ports":["1-2/udp"],"expiresAt":"2026-12-01T00:00:00Z"},{"target":"10.0.0.0/8"},{"target":"::/0"}]}"#
      .utf8)
  for length in bytes.indices {
    #expect(throws: PolicyProblems.self) { try PolicyDocument.parse(Array(bytes[..<length])) }
  }
  var generator = SplitMix(state: 3)
  for _ in 0..<5_000 {
    var mutated = bytes
    for _ in 0...Int.random(in: 0...3, using: &generator) {
      mutated[Int.random(in: 0..<bytes.count, using: &generator)] =
        Bool.random(using: &generator)
        ? UInt8.random(in: 0...255, using: &generator)
        : Array("*./:-\"[]{},0x".utf8)[Int.random(in: 0..<13, using: &generator)]
    }
    guard let document = try? PolicyDocument.parse(mutated) else { continue }
    #expect(try PolicyDocument.parse(document.json()) == document)
  }
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}
