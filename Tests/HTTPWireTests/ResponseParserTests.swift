import HTTPWire
import Testing

@Suite struct ResponseParserTests {
  static func created(_ body: String = "", _ headers: HeaderFields, reusable: Bool = true) -> ResponseEvent {
    .response(HTTPResponse(status: 201, headers: headers, body: Array(body.utf8)), connectionReusable: reusable)
  }

  @Test func wholeResponseIsRead() {
    for size in [nil, 1, 3] {
      #expect(
        responseEvent("HTTP/1.1 201 Created\r\nContent-Length: 0\r\nServer: x\r\n\r\n", size: size)
          == Self.created("", ["Content-Length": "0", "Server": "x"]))
      #expect(
        responseEvent("HTTP/1.1 201 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", size: size)
          == Self.created("ab", ["Transfer-Encoding": "chunked"]))
      #expect(
        responseEvent(
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 1\r\n\r\nz",
          size: size)
          == Self.created("z", ["Content-Length": "1"]))
    }
  }

  @Test func bodyWithoutLengthEndsWithACleanClose() {
    let text = "HTTP/1.1 201 Created\r\n\r\nab"
    #expect(responseEvent(text) == .needMore)
    #expect(responseEvent(text, ending: true) == Self.created("ab", [:], reusable: false))
    #expect(responseEvent(text, ending: false) == .fault("connection closed before the response was whole"))
  }

  /// F17: whatever stops before its end is no response.
  @Test func truncatedResponseIsNeverBelieved() {
    let whole = Array("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n".utf8)
    for length in whole.indices {
      for cleanly in [true, false] {
        let text = String(decoding: whole[..<length], as: UTF8.self)
        #expect(responseEvent(text, ending: cleanly) == .fault("connection closed before the response was whole"))
      }
    }
  }

  @Test(arguments: [
    ("HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n", "POST", true),
    ("HTTP/1.1 201 C\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "POST", false),
    ("HTTP/1.0 201 C\r\nContent-Length: 0\r\n\r\n", "POST", false),
    ("HTTP/1.0 201 C\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", "POST", true),
    ("HTTP/1.1 204 N\r\n\r\n", "POST", true), ("HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n", "GET", true),
    ("HTTP/1.1 200 N\r\nContent-Length: 9\r\n\r\n", "HEAD", true),
    ("HTTP/1.1 200 N\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", true),
  ]) func reuseFollowsVersionFieldAndFraming(text: String, method: String, isReusable: Bool) {
    guard case .response(_, let reusable) = responseEvent(text, to: method) else {
      Issue.record("no response")
      return
    }
    #expect(reusable == isReusable)
  }

  @Test func doubtfulResponseIsAFault() {
    for (text, reason) in faultyResponses {
      for size in [nil, 1, 5] {
        #expect(responseEvent(text, size: size) == .fault(reason), "\(text.prefix(99).debugDescription)")
      }
    }
  }

  @Test func octetsAfterTheResponseForbidReuse() {
    var parser = ResponseParser(to: "POST")
    parser.receive(Array("HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n".utf8))
    #expect(parser.next() == Self.created("", ["Content-Length": "0"]))
    #expect(parser.next() == .needMore)
    parser.receive(Array("HTTP".utf8))
    #expect(parser.next() == .fault("octets after the response"))
  }

  @Test func closingAfterAWholeResponseIsNoFault() {
    var parser = ResponseParser(to: "POST")
    parser.receive(Array("HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n".utf8))
    parser.connectionClosed()
    #expect(parser.next() == Self.created("", ["Content-Length": "0"], reusable: false))
    #expect(parser.next() == .needMore)
  }

  @Test func mutatedResponsesNeverCrashAndEndInOneWay() {
    let seed = Array("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2;e\r\nab\r\n0\r\nT: x\r\n\r\n".utf8)
    var generator = SeededGenerator(state: 2)
    for _ in 0..<3000 {
      var octets = seed
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        octets[Int.random(in: 0..<octets.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      var whole = ResponseParser(to: "POST")
      whole.receive(octets)
      whole.connectionClosed()
      let expected = whole.next()
      #expect(expected != .needMore)
      if case .response(let response, _) = expected { #expect(response.body.count <= octets.count) }
    }
  }
}

private let faultyResponses: [(String, String)] = [
  ("HTTP/1.1 201 C\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", "more than one Content-Length"),
  ("HTTP/1.1 201 C\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", "different Content-Length fields"),
  (
    "HTTP/1.1 201 C\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both Content-Length and Transfer-Encoding"
  ),
  ("HTTP/1.0 201 C\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding in HTTP/1.0"),
  ("HTTP/1.1 201 C\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown transfer coding"),
  ("HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\nHTTP/1.1 201 C\r\n", "octets after the response"),
  ("HTTP/1.1 204 C\r\nContent-Length: 2\r\n\r\nab", "a body length in a 204 response"),
  ("HTTP/1.1 204 C\r\n\r\nab", "octets after the response"),
  ("HTTP/1.1 101 Up\r\n\r\n", "upgrade that was not asked for"),
  ("HTTP/1.1 100 C\r\nContent-Length: 2\r\n\r\n", "a body length in a 1xx response"),
  (String(repeating: "HTTP/1.1 100 C\r\n\r\n", count: 9), "more than 8 informational responses"),
  ("HTTP/1.1 201\r\n", "invalid status line"), ("HTTP/2 201 C\r\n", "invalid status line"),
  ("HTTP/1.1 2010 C\r\n", "invalid status line"), ("HTTP/1.1  201 C\r\n", "invalid status line"),
  ("HTTP/1.1 099 C\r\n", "invalid status"), ("HTTP/1.1 600 C\r\n", "invalid status"),
  ("\r\nHTTP/1.1 201 C\r\n", "invalid status line"), ("HTTP/1.1 201 C\n", "line feed without carriage return"),
  ("SSH-2.0-x\r\n", "invalid status line"),
  ("HTTP/1.1 201 C\r\nX : y\r\n", "white space before the colon of a header field"),
  ("HTTP/1.1 201 C\r\nContent-Length: 65537\r\n\r\n", "body over 65536 bytes"),
  ("HTTP/1.1 201 C\r\n\r\n" + String(repeating: "a", count: 65537), "body over 65536 bytes"),
]
