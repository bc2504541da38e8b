import Foundation
import JSONText
import Testing

private func text(_ build: (inout JSONWriter) -> Void) -> String {
  var writer = JSONWriter()
  build(&writer)
  return String(decoding: writer.bytes, as: UTF8.self)
}

@Test func commasComeByThemselves() {
  let written = text { writer in
    writer.beginObject()
    writer.key("a")
    writer.integer(1)
    writer.key(JSONKey("b\""))
    writer.beginArray()
    writer.bool(true)
    writer.null()
    writer.beginObject()
    writer.endObject()
    writer.beginArray()
    writer.endArray()
    writer.string("x")
    writer.raw(Array("[0]".utf8))
    writer.endArray()
    writer.key(JSONKey("c"))
    writer.bool(false)
    writer.endObject()
  }
  #expect(written == #"{"a":1,"b\"":[true,null,{},[],"x",[0]],"c":false}"#)
}

@Test func integersAreWrittenWhole() {
  let written = text { writer in
    writer.beginArray()
    writer.integer(Int.min)
    writer.integer(UInt64.max)
    writer.integer(0)
    writer.integer(UInt16(65535))
    writer.integer(Int32(-10))
    writer.integer(Int64(9_999_999_999))
    writer.endArray()
  }
  #expect(written == "[-9223372036854775808,18446744073709551615,0,65535,-10,9999999999]")
}

@Test(arguments: [
  ("plain", #""plain""#), ("", #""""#), ("a\"b\\c/", #""a\"b\\c/""#), ("\n\r\t\u{8}\u{c}", #""\n\r\t\b\f""#),
  ("\u{0}\u{1f}\u{7f}", "\"\\u0000\\u001f\u{7f}\""), ("é😀\u{2028}", "\"é😀\u{2028}\""),
])
func onlyWhatMustBeIsEscaped(value: String, written: String) {
  #expect(text { $0.string(value) } == written)
  #expect(text { $0.string(Array(value.utf8)) } == written)
  #expect(text { $0.string(Array("x\(value)y".utf8)[1..<(1 + value.utf8.count)]) } == written)
}

@Test(
  arguments: [
    [0xff], [0x61, 0xc3], [0xe2, 0x82, 0x62], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0xc0, 0xaf, 0xc3, 0xa9],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe2, 0xe2, 0x82, 0xac], [0xf0, 0x80], [0xf1, 0x80, 0x80, 0x22],
  ] as [[UInt8]])
func octetsThatAreNoUTF8BecomeReplacementCharacters(octets: [UInt8]) throws {
  var writer = JSONWriter()
  writer.string(octets)
  #expect(try JSONValue.parse(writer.bytes) == .string(String(decoding: octets, as: UTF8.self)))
}

@Test func randomOctetsReadBackAsFoundationReadsThem() throws {
  var generator = SplitMix(state: 40)
  for _ in 0..<2_000 {
    let octets = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
      Bool.random(using: &generator)
        ? UInt8.random(in: 0...255, using: &generator)
        : [0x22, 0x5c, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x41][Int.random(in: 0...7, using: &generator)]
    }
    var writer = JSONWriter()
    writer.string(octets)
    let expected = String(decoding: octets, as: UTF8.self)
    #expect(try JSONValue.parse(writer.bytes) == .string(expected))
    #expect(try JSONDecoder().decode(String.self, from: Data(writer.bytes)) == expected)
  }
}

@Test func aRecordInsideARecordReadsBack() throws {
  var inner = JSONWriter()
  inner.beginObject()
  inner.key("DstFQDN")
  inner.string("a\"b\\é\n")
  inner.endObject()
  var body = Array("{\"Body\":\"".utf8)
  appendEscaped(inner.bytes, to: &body)
  body += Array("\"}".utf8)
  let text = try #require(try JSONValue.parse(body)["Body"]?.string)
  #expect(Array(text.utf8) == inner.bytes)
  #expect(try JSONValue.parse(Array(text.utf8))["DstFQDN"]?.string == "a\"b\\é\n")
}

@Test func treesAreWrittenInTheirOrder() throws {
  let text = #"{"b":1,"a":[-1.50e3,{"z":"\u0001"},true,null],"":{}}"#
  #expect(String(decoding: try JSONValue.parse(Array(text.utf8)).json(), as: UTF8.self) == text)
}

@Test func aReusedWriterStartsAfresh() {
  var writer = JSONWriter()
  writer.integer(1)
  writer.removeAll()
  writer.integer(2)
  #expect(writer.bytes == Array("2".utf8))
}
