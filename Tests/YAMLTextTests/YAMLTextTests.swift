import JSONText
import Testing
import YAMLText

/// What a text is read as, as JSON; several documents one a line.
private func read(_ text: String) throws -> String {
  try YAMLDocument.parse(Array(text.utf8)).map { String(decoding: $0.value.json(), as: UTF8.self) }.joined(
    separator: "\n")
}

@Suite("YAML of manifests")
struct YAMLTextTests {
  @Test(
    "is read as PyYAML and Kubernetes read it",
    arguments: [
      ("a: 1\nb: [x, 'y', \"z\"]\n", #"{"a":1,"b":["x","y","z"]}"#),
      ("a:\n- b: 1\n  c: 2\n- d\n", #"{"a":[{"b":1,"c":2},"d"]}"#),
      ("a:\n  - - 1\n    - 2\n  -\n    b: ~\n  -\n", #"{"a":[[1,2],{"b":null},null]}"#),
      ("a: {b: {c: [1, {d: e}]}, \"f\": , g: x y}\n", #"{"a":{"b":{"c":[1,{"d":"e"}]},"f":null,"g":"x y"}}"#),
      ("a: {b: 1,\n  c: [2,\n    3], # three\n  d: 4}\ne: 5\n", #"{"a":{"b":1,"c":[2,3],"d":4},"e":5}"#),
      ("a: |\n  x\n   y\n\n  z\n\n\nb: 1\n", #"{"a":"x\n y\n\nz\n","b":1}"#),
      ("a: |-\n  x\nb: |+\n  y\n\nc: 1\n", #"{"a":"x","b":"y\n\n","c":1}"#),
      ("a: >\n  x\n  y\n\n  z\n   w\n  v\n", #"{"a":"x y\nz\n w\nv\n"}"#),
      ("a: |2\n    x\n   y\n", #"{"a":"  x\n y\n"}"#),
      ("- |\n  x\n- >-\n  y\n  z\n", #"["x\n","y z"]"#),
      ("a: x\n  y\n\n  z # no\nb: 'it''s\n\n  so'\n", #"{"a":"x y\nz","b":"it's\nso"}"#),
      ("a: \"x\\n\\u00e9\\ud83d\\ude00 \\\n   y\"\n", "{\"a\":\"x\\n\u{e9}\u{1f600} y\"}"),
      (
        "a: 0400\nb: 0x1f\nc: 1e3\nd: -.5\ne: +3\nf: 1.\ng: 0\nh: 0o17\n",
        #"{"a":256,"b":31,"c":1e3,"d":-0.5,"e":3,"f":1,"g":0,"h":15}"#
      ),
      (
        "a: true\nb: False\nc: null\nd: ~\ne: 'true'\nf: 1.2.3\ng: 10m\nh: 1:30\n",
        #"{"a":true,"b":false,"c":null,"d":null,"e":"true","f":"1.2.3","g":"10m","h":"1:30"}"#
      ),
      ("a: x#y # z\nb: http://x:80/\n\"c d\": e\n8080: f\n", #"{"a":"x#y","b":"http://x:80/","c d":"e","8080":"f"}"#),
      ("# first\n---\na: 1\n--- # second\nb: 2\n...\n---\n# nothing\n", "{\"a\":1}\n{\"b\":2}"),
      ("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n", #"{"a":1,"b":"x\ny\n"}"#),
      ("- a\n- b: c\n  d:\n  - e\n  f: g\n", #"["a",{"b":"c","d":["e"],"f":"g"}]"#),
      ("just text\n", #""just text""#), ("", ""), ("# only a comment\n", ""),
    ])
  func readAs(text: String, json: String) throws {
    #expect(try read(text) == json)
  }

  @Test(
    "that two readers could read differently, or that no manifest needs, is refused where it stands",
    arguments: [
      ("a: &x 1\n", "line 1, column 4: anchors and aliases are not supported; write the value out"),
      ("a: *x\n", "line 1, column 4: anchors and aliases are not supported; write the value out"),
      ("a: !!str 1\n", "line 1, column 4: tags are not supported"),
      ("a:\n  <<: {}\n", "line 2, column 3: merge keys are not supported"),
      ("a: 1\na: 2\n", "line 2, column 1: the key 'a' is repeated"),
      ("a: {b: 1, b: 2}\n", "line 1, column 11: the key 'b' is repeated"),
      ("a: yes\n", "line 1, column 4: 'yes' is a boolean to some readers and a text to others; put it in quotes"),
      ("a: 1_000\n", "line 1, column 4: '1_000' is a number to some readers and a text to others; put it in quotes"),
      (
        "a: 0899\n",
        "line 1, column 4: '0899' begins with a zero and is no octal number; put it in quotes if it is a text"
      ),
      ("a: .inf\n", "line 1, column 4: '.inf' is no number that JSON has; put it in quotes if it is a text"),
      ("a:\n\tb: 1\n", "line 2, column 1: a tab cannot indent; use spaces"),
      ("a: 1\n  b: 2\n", "line 2, column 4: a text that holds \": \" needs quotes"),
      ("a:\n    b: 1\n  c: 2\n", "line 3, column 3: indented more than what stands beside it"),
      ("a: b: c\n", "line 1, column 5: a text that holds \": \" needs quotes"),
      ("a: 'x\n", "line 1, column 4: a quote that is not closed"),
      ("a: [1, 2\n", "line 1, column 4: a bracket that is not closed"),
      ("a: \"\\q\"\n", "line 1, column 5: an unknown escape"),
      ("a: 'x' y\n", "line 1, column 8: text behind the value"),
      ("%YAML 1.2\n---\na: 1\n", "line 1, column 1: directives are not supported"),
      ("--- a\n", "line 1, column 4: text behind the document's mark; begin on a line of its own"),
      ("? a\n: b\n", "line 1, column 1: complex keys are not supported"),
      ("a: 1\nb\n", "line 2, column 1: expected \"key: value\""),
      ("a: @x\n", "line 1, column 4: a text cannot begin with this character; put it in quotes"),
      (": x\n", "line 1, column 1: a key is missing before the colon"),
    ])
  func refused(text: String, reason: String) {
    do {
      Issue.record("read as \(try read(text))")
    } catch {
      #expect("\(error)" == reason)
    }
  }

  @Test("as deep as the limit is read, and deeper is refused instead of exhausting the stack")
  func depth() throws {
    let deep = String(repeating: "- ", count: YAMLError.depthMax - 1) + "x\n"
    #expect(try read(deep).hasPrefix("[["))
    for open in ["- ", "["] {
      let bytes = Array(String(repeating: open, count: 100_000).utf8)
      #expect(throws: YAMLError.self) { try YAMLDocument.parse(bytes) }
    }
  }

  @Test("of octets that are no UTF-8 names the line")
  func encoding() {
    #expect(throws: YAMLError(line: 2, column: 1, reason: "not valid UTF-8")) {
      try YAMLDocument.parse(Array("a: 1\nb: ".utf8) + [0xff, 0x0a])
    }
  }

  @Test(
    "that was written is read as the same value",
    arguments: [
      #"{"a":1,"b":[{"c":"d","e":[]},[1,[2]],{}],"f":{"g":null,"h":true}}"#,
      ##"{"texts":["","yes","1","0400","a: b","a #b"," x","x ","- x","x:","null","2026-01-01","1:30","*","&x","é","\u0001","a\tb","#","true","~","=","<<"]}"##,
      #"{"lines":["a\nb","a\nb\n","a\n\nb\n\n"," a\nb","a \nb","\n","a\r\nb","{\n  \"x\": 1\n}\n"],"yes":1,"8080":2,"a b":3}"#,
      #"[[],{},[[]],"x"]"#, #""text""#,
    ])
  func written(json: String) throws {
    let value = try JSONValue.parse(Array(json.utf8))
    var writer = YAMLWriter()
    writer.document(value)
    writer.document(value)
    #expect(try YAMLDocument.parse(Array(writer.text.utf8)).map(\.value) == [value, value], "\(writer.text)")
  }

  @Test("cut and changed at random never crashes the reader")
  func hostile() {
    let seed = Array(
      "a: {b: [1, 'x\\ty', \"\\u00e9\"]}\nc: |2-\n  x\n- - d: >+\n\n    e\n---\n%f: &g *h !i\n? j\n".utf8)
    var state: UInt64 = 7
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for _ in 0..<20_000 {
      var bytes = seed
      for _ in 0...next(6) {
        let place = next(bytes.count)
        switch next(3) {
        case 0: bytes[place] = UInt8(next(256))
        case 1: bytes.remove(at: place)
        default: bytes.insert(seed[next(seed.count)], at: place)
        }
      }
      _ = try? YAMLDocument.parse(Array(bytes.prefix(next(bytes.count) + 1)))
    }
  }
}
