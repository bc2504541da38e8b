import JSONText
import Testing

/// Texts and whether RFC 8259, read strictly, takes them.
let acceptance: [(text: String, isAccepted: Bool)] = [
  ("null", true), ("true", true), (" false\r\n\t", true), ("0", true), ("-0", true), ("-1.5e+10", true), ("1E9", true),
  ("\"\"", true), (#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, true), (#""\u0000""#, true), ("\"é😀\u{7f}\"", true),
  ("[]", true), ("[ ]", true), ("{}", true), ("{ }", true), ("[1,[2,[3]]]", true), (#"{"a":1,"A":2,"":3}"#, true),
  (#"{"a":{"a":1},"b":{"a":1}}"#, true), ("\"\u{ffff}\u{fffd}\"", true),
  ("", false), (" ", false), ("nul", false), ("nulL", false), ("True", false), ("nullx", false), ("null null", false),
  ("01", false), ("-01", false), ("-", false), ("+1", false), (".5", false), ("1.", false), ("1.e1", false),
  ("1e", false),
  ("1e+", false), ("0x10", false), ("NaN", false), ("Infinity", false), ("1_000", false), ("--1", false),
  ("\"", false), ("\"\\", false), ("\"\\x\"", false), ("'a'", false), ("\"\n\"", false), ("\"\u{1f}\"", false),
  (#""\u12""#, false), (#""\u12g4""#, false), (#""\ud800""#, false), (#""\udc00""#, false), (#""\ud800\u0041""#, false),
  (#""\ud800\ud800""#, false), (#""\ud800x""#, false), ("[1,]", false), ("[,1]", false), ("[1 2]", false),
  ("[1", false),
  ("]", false), ("[}", false), ("{]", false), (#"{"a":1,}"#, false), (#"{,"a":1}"#, false), (#"{"a" 1}"#, false),
  (#"{"a":}"#, false), (#"{"a"}"#, false), ("{a:1}", false), ("{1:1}", false), (#"{"a":1 "b":2}"#, false), ("{", false),
  (#"{"a":1,"a":1}"#, false), (#"{"a":1,"\u0061":2}"#, false), ("// c\n1", false), ("/**/1", false), ("1#", false),
  ("\u{feff}1", false), ("1\u{a0}", false), ("[1];", false), ("\u{0}", false), ("1\u{0}", false), (#"{"a":1}}"#, false),
]

@Test(arguments: acceptance)
func onlyStrictTextsAreRead(text: String, isAccepted: Bool) {
  let value = try? JSONValue.parse(Array(text.utf8))
  #expect((value != nil) == isAccepted)
}

@Test(
  arguments: [
    [0x80], [0xc0, 0x80], [0xc1, 0xbf], [0xc3], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82],
    [0xf0, 0x80, 0x80, 0x80],
    [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff], [0xc3, 0x28], [0xe2, 0x28, 0xa1],
    [0xf0, 0x90, 0x28, 0xbc],
  ] as [[UInt8]])
func octetsThatAreNoUTF8AreRefused(octets: [UInt8]) {
  let error = #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + octets + [0x22]) }
  #expect(error?.reason.contains("UTF-8") == true)
}

@Test func anErrorNamesPlaceAndPath() throws {
  let text = "{\"egress\": [\n  {\"é\": 1},\n  {\"target\": \"a\",\n   \"target\": \"b\"}]}"
  let error = try #require(throws: JSONError.self) { try JSONValue.parse(Array(text.utf8)) }
  #expect(error.path == "$.egress[1].target")
  #expect(error.line == 4)
  #expect(error.column == 4)
  #expect(error.offset == Array(text.utf8).count - "\"target\": \"b\"}]}".utf8.count)
  #expect(error.reason == "the member is repeated")
  #expect(error.description == "$.egress[1].target: the member is repeated (line 4, column 4)")
}

@Test(arguments: [
  (#"{"a b":x"#, #"$["a b"]"#), (#"{"1":x"#, #"$["1"]"#), ("[[1,2,[x", "$[0][2][0]"), (#"{"a":[],"b":x"#, "$.b"),
  (#"[{"a":1},x"#, "$[1]"), ("x", "$"), (#"{"":x"#, #"$[""]"#), (#"{"\u0007":x"#, #"$["\u0007"]"#),
])
func pathsNameWhereTheFaultIs(text: String, path: String) {
  let error = #expect(throws: JSONError.self) { try JSONValue.parse(Array(text.utf8)) }
  #expect(error?.path == path)
}

@Test func depthAndSizeAreLimited() throws {
  func nested(_ depth: Int) -> [UInt8] {
    Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
  }
  #expect(throws: Never.self) { try JSONValue.parse(nested(32)) }
  let error = #expect(throws: JSONError.self) { try JSONValue.parse(nested(33)) }
  #expect(error?.reason == "nested deeper than 32")
  #expect(throws: JSONError.self) { try JSONValue.parse(Array(repeating: 0x5b, count: 100_000)) }
  #expect(throws: JSONError.self) { try JSONValue.parse(Array("[1,2]".utf8), limits: JSONLimits(sizeMax: 4)) }
  #expect(throws: Never.self) { try JSONValue.parse(Array("[1,2]".utf8), limits: JSONLimits(sizeMax: 5)) }
}

@Test func repeatedKeysAreFoundAmongMany() throws {
  let members = (0..<1000).map { "\"k\($0)\":\($0)" }
  let value = try JSONValue.parse(Array("{\(members.joined(separator: ","))}".utf8))
  #expect(value["k999"]?.integer == 999)
  for repeated in [0, 11, 12, 13, 999] {
    let text = "{\((members + ["\"k\(repeated)\":0"]).joined(separator: ","))}"
    #expect(throws: JSONError.self) { try JSONValue.parse(Array(text.utf8)) }
  }
}

let document =
  #"{"egress":[{"action":"allow","target":"é.example\u00e9\ud83d\ude00","ports":["443/tcp",-1.5e3]},null,true,{}],"x":""}"#

@Test func everyTruncationIsRefused() {
  let bytes = Array(document.utf8)
  #expect(throws: Never.self) { try JSONValue.parse(bytes) }
  for length in bytes.indices {
    #expect(throws: JSONError.self, "at \(length)") { try JSONValue.parse(Array(bytes[..<length])) }
  }
}

@Test func whatSurvivesMutationReadsBackTheSame() {
  var generator = SplitMix(state: 8259)
  let alphabet = Array("{}[]\",:\\u0e-.tfn \n\u{0}é".utf8) + [0x80, 0xff]
  var accepted = 0
  for _ in 0..<20_000 {
    var bytes = Array(document.utf8)
    for _ in 0...Int.random(in: 0...2, using: &generator) {
      let at = Int.random(in: 0..<bytes.count, using: &generator)
      let octet = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
      switch Int.random(in: 0...2, using: &generator) {
      case 0: bytes[at] = octet
      case 1: bytes.insert(octet, at: at)
      default: bytes.remove(at: at)
      }
    }
    guard let value = try? JSONValue.parse(bytes) else { continue }
    accepted += 1
    #expect((try? JSONValue.parse(value.json())) == value)
  }
  #expect(accepted > 100)
}

@Test func tokensComeOneByOneAndAnErrorStays() throws {
  var reader = JSONReader(Array(#"{"a":[1,{"b":[]}],"c":x}"#.utf8))
  #expect(try reader.next() == .beginObject)
  #expect(try reader.next() == .key)
  #expect(reader.string == "a")
  let token = try reader.next()
  #expect(reader.path == "$.a")
  try reader.skip(token)
  #expect(try reader.next() == .key)
  #expect(reader.path == "$.c")
  let error = #expect(throws: JSONError.self) { try reader.next() }
  #expect(#expect(throws: JSONError.self) { try reader.next() } == error)
}

/// A small generator with a seed (Steele, Lea, Flood: SplitMix64).
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
