import HTTPWire
import Testing

@Suite struct RequestParserTests {
  @Test func wholeRequestIsRead() throws {
    let events = requestEvents(
      "PATCH /policy%20x?dryRun=true&a=b+c%2Fd&e HTTP/1.1\r\nHost: pod:18080\r\nX-A:  one \r\nx-a: two\r\n"
        + "Content-Length: 5\r\n\r\nhello")
    let request = try #require(events.requests.first)
    #expect(events.count == 1)
    #expect(request.method == "PATCH")
    #expect(request.target == "/policy%20x?dryRun=true&a=b+c%2Fd&e")
    #expect(request.path == "/policy x")
    #expect(request.query == [.init("dryRun", "true"), .init("a", "b c/d"), .init("e", "")])
    #expect(request.headers["x-A"] == "one")
    #expect(request.headers.values("X-A") == [Array("one".utf8), Array("two".utf8)])
    #expect(request.body == Array("hello".utf8))
    #expect(request.keepsAlive)
    #expect(request.minorVersion == 1)
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, 1),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false, 1),
    ("GET / HTTP/1.0\r\n\r\n", false, 0), ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, 0),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n", false, 1),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false, 1),
    ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, 0),
    ("GET / HTTP/1.7\r\nHost: a\r\n\r\n", true, 1),
  ]) func keepingTheConnectionFollowsVersionAndField(text: String, keepsAlive: Bool, minorVersion: Int) throws {
    let request = try #require(requestEvents(text).requests.first)
    #expect(request.keepsAlive == keepsAlive)
    #expect(request.minorVersion == minorVersion)
  }

  @Test(arguments: [
    ("/", "/"), ("/a/b", "/a/b"), ("http://pod:1/a", "/a"), ("HTTPS://pod", "/"), ("http://[::1]:80?x=1", "/"),
    ("/a/../b", "/a/../b"), ("//a", "//a"), ("/%c3%a9", "/é"),
  ]) func everyTargetFormOfAServerIsRead(target: String, path: String) {
    #expect(requestEvents("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n").requests.first?.path == path)
  }

  @Test func asteriskIsForOptionsAlone() {
    #expect(requestEvents("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").requests.first?.path == "*")
    #expect(requestEvents("GET * HTTP/1.1\r\nHost: a\r\n\r\n").fault?.status == 400)
  }

  /// A loop, so that no test log holds the octets of the cases as they are.
  @Test func doubtfulRequestIsRefusedHoweverItIsCut() {
    for (text, status, reason) in faultyRequests {
      for size in [nil, 1, 2, 7] {
        let events = requestEvents(text, size: size)
        #expect(events == [.fault(HTTPFault(status, reason))], "\(text.debugDescription) in pieces of \(size ?? 0)")
      }
    }
  }

  @Test func everyCutGivesEqualEvents() {
    let stream =
      "\r\nPOST /policy HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"
      + "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;n=\"v\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nT: x\r\n\r\n"
      + "GET /y HTTP/1.1\r\nHost: a\r\n\r\nDELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    let whole = requestEvents(stream)
    #expect(whole.count == 5)
    #expect(whole.first == .continueExpected)
    #expect(whole.requests.map(\.method) == ["POST", "PUT", "GET", "DELETE"])
    #expect(whole.requests.map { String(decoding: $0.body, as: UTF8.self) } == ["abc", "abc0123456789", "", ""])
    for size in 1...40 { #expect(requestEvents(stream, size: size) == whole, "in pieces of \(size)") }
    let octets = Array(stream.utf8)
    for cut in octets.indices {
      var parser = RequestParser()
      parser.receive(Array(octets[..<cut]))
      var events = drain(&parser)
      parser.receive(Array(octets[cut...]))
      events += drain(&parser)
      #expect(events == whole, "cut at \(cut)")
      #expect(parser.isIdle)
    }
  }

  @Test func trailersAreDropped() {
    let request = requestEvents(
      "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\n\r\n"
    ).requests.first
    #expect(request?.headers.contains("Authorization") == false)
  }

  @Test func declaredLengthOverTheLimitIsRefusedBeforeTheBody() {
    var parser = RequestParser(limits: HTTPLimits(bodyBytesMax: 10))
    parser.receive(Array("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n".utf8))
    #expect(parser.next() == .fault(HTTPFault(413, "body over 10 bytes")))
    parser.receive([0x61])
    #expect(parser.next() == .fault(HTTPFault(413, "body over 10 bytes")))
    #expect(parser.bufferedByteCount == 0)
  }

  @Test func chunksAreCountedTogether() {
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    let limits = HTTPLimits(bodyBytesMax: 10)
    #expect(requestEvents(head + "5\r\naaaaa\r\n5\r\naaaaa\r\n0\r\n\r\n", limits: limits).requests.count == 1)
    #expect(requestEvents(head + "5\r\naaaaa\r\n6\r\n", limits: limits).fault?.status == 413)
    #expect(requestEvents(head + "ffffffff\r\n", limits: limits).fault?.status == 413)
  }

  @Test func everyLimitHoldsAtItsEdge() {
    func head(_ fields: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }
    let line = "GET /"
    let fill = String(repeating: "a", count: 8 * 1024 - "GET / HTTP/1.1".utf8.count)
    #expect(requestEvents("\(line)\(fill) HTTP/1.1\r\nHost: a\r\n\r\n").requests.count == 1)
    #expect(requestEvents("\(line)\(fill)a HTTP/1.1\r\nHost: a\r\n\r\n").fault?.status == 414)
    let value = String(repeating: "v", count: 16 * 1024 - "Host: a\r\nX: \r\n".utf8.count)
    #expect(requestEvents(head("X: \(value)\r\n")).requests.count == 1)
    #expect(requestEvents(head("X: \(value)v\r\nY: z\r\n")).fault?.status == 431)
    #expect(requestEvents(head(String(repeating: "X: y\r\n", count: 99))).requests.count == 1)
    #expect(requestEvents(head(String(repeating: "X: y\r\n", count: 100))).fault?.status == 431)
    let extensions = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    let chunk = "1;" + String(repeating: "e", count: 1023) + "\r\na\r\n"
    #expect(requestEvents(extensions + String(repeating: chunk, count: 4) + "0\r\n\r\n").requests.count == 1)
    #expect(requestEvents(extensions + String(repeating: chunk, count: 5) + "0\r\n\r\n").fault?.status == 400)
  }

  @Test func endlessLineIsRefusedWithoutItsEnd() {
    var parser = RequestParser()
    parser.receive(Array(repeating: 0x61, count: 8 * 1024 + 1))
    #expect(parser.next() == .fault(HTTPFault(414, "request line over 8192 bytes")))
  }

  @Test func headOfAnUnfinishedRequestIsShown() {
    var parser = RequestParser()
    #expect(parser.isIdle)
    parser.receive(Array("POST /policy HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx".utf8))
    #expect(parser.next() == .needMore)
    #expect(parser.unfinished?.path == "/policy")
    #expect(!parser.isIdle)
    parser.receive([0x78])
    #expect(drain(&parser).count == 1)
    #expect(parser.unfinished == nil)
    #expect(parser.isIdle)
  }

  @Test(arguments: [
    "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
  ]) func nobodyIsToldToContinueWithoutNeed(text: String) {
    let events = requestEvents(text)
    #expect(events.count == 1)
    #expect(events.requests.count == 1)
  }

  @Test func mutatedRequestsNeverCrashAndEndInOneWay() {
    let seeds = [
      "POST /policy?x=%41 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;n=v\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
    ]
    var generator = SeededGenerator(state: 1)
    for _ in 0..<3000 {
      var octets = Array(seeds[Int.random(in: 0..<seeds.count, using: &generator)].utf8)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let at = Int.random(in: 0..<octets.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: octets[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: octets.remove(at: at)
        default: octets.insert(UInt8.random(in: 0...127, using: &generator), at: at)
        }
      }
      var whole = RequestParser()
      whole.receive(octets)
      let expected = drain(&whole)
      var parser = RequestParser()
      var events: [RequestEvent] = []
      for octet in octets {
        parser.receive([octet])
        events += drain(&parser)
      }
      #expect(events.firstFaultLast == expected, "\(octets)")
    }
  }
}

/// What request smuggling is made of, and other faults: text, status, reason.
private let faultyRequests: [(String, Int, String)] = {
  func get(_ fields: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n" }
  func put(_ fields: String, _ body: String) -> String { "PUT / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n\(body)" }
  func chunks(_ body: String) -> String { put("Transfer-Encoding: chunked", body) }
  return [
    (
      put("Content-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400,
      "both Content-Length and Transfer-Encoding"
    ),
    (
      put("Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n"), 400,
      "both Content-Length and Transfer-Encoding"
    ),
    (put("Content-Length: 3\r\nContent-Length: 4", "abcd"), 400, "different Content-Length fields"),
    (put("Content-Length: 3\r\nContent-Length: 03", "abcd"), 400, "different Content-Length fields"),
    (put("Content-Length: 3, 3", "abc"), 400, "invalid Content-Length"),
    (put("Content-Length: +3", "abc"), 400, "invalid Content-Length"),
    (put("Content-Length: -1", ""), 400, "invalid Content-Length"),
    (put("Content-Length: 0x3", "abc"), 400, "invalid Content-Length"),
    (put("Content-Length: 3 4", "abc"), 400, "invalid Content-Length"),
    (put("Content-Length:", ""), 400, "invalid Content-Length"),
    (put("Content-Length: 99999999999999999999999", ""), 413, "body over 8388608 bytes"),
    (put("Content-Length: 8388609", ""), 413, "body over 8388608 bytes"),
    (put("Transfer-Encoding: gzip, chunked", ""), 400, "more than one transfer coding"),
    (put("Transfer-Encoding: chunked, chunked", ""), 400, "more than one transfer coding"),
    (put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", ""), 400, "more than one transfer coding"),
    (put("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", ""), 400, "more than one transfer coding"),
    (put("Transfer-Encoding:", ""), 400, "more than one transfer coding"),
    (put("Transfer-Encoding: xchunked", ""), 501, "unknown transfer coding"),
    (put("Transfer-Encoding: \u{0b}chunked", ""), 400, "invalid octet in a header field value"),
    ("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Transfer-Encoding in HTTP/1.0"),
    (put("Transfer-Encoding : chunked", ""), 400, "white space before the colon of a header field"),
    (put("Content-Length\t: 3", ""), 400, "white space before the colon of a header field"),
    (get("X: a\r\n folded"), 400, "folded header field"),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folded header field"),
    (get("no colon"), 400, "header field without colon"),
    (get(": empty"), 400, "invalid header field name"),
    (get("X Y: a"), 400, "invalid header field name"),
    (get("X\u{00}: a"), 400, "invalid header field name"),
    (get("X: a\u{00}b"), 400, "invalid octet in a header field value"),
    (get("X: a\u{7f}b"), 400, "invalid octet in a header field value"),
    (get("X: a\rb"), 400, "carriage return without line feed"),
    (get("X: a\nY: b"), 400, "line feed without carriage return"),
    ("GET / HTTP/1.1\nHost: a\n\n", 400, "line feed without carriage return"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "line feed without carriage return"),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid request line"),
    ("GET / HTTP/1.1\r\n\r\n", 400, "missing Host"),
    (get("Host: a"), 400, "more than one Host"),
    ("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400, "more than one Host"),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "invalid Host"),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "invalid Host"),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "invalid Host"),
    (get("Expect: 200-ok"), 417, "unknown expectation"),
    (get("Expect: 100-continue, x"), 417, "unknown expectation"),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "only HTTP/1.1 is spoken"),
    ("GET / HTTP/0.9\r\n\r\n", 505, "only HTTP/1.1 is spoken"),
    ("GET / HTTP/1.1 \r\n\r\n", 400, "invalid request line"),
    ("GET  / HTTP/1.1\r\n\r\n", 400, "invalid request line"),
    ("GET\t/\tHTTP/1.1\r\n\r\n", 400, "invalid request line"),
    ("GET /\r\n\r\n", 400, "invalid request line"),
    (" GET / HTTP/1.1\r\n\r\n", 400, "invalid request line"),
    ("G@T / HTTP/1.1\r\n\r\n", 400, "invalid method"),
    ("GET / http/1.1\r\n\r\n", 400, "invalid HTTP version"),
    ("GET / HTTP/1.10\r\n\r\n", 400, "invalid HTTP version"),
    ("GET / HTTP/1,1\r\n\r\n", 400, "invalid HTTP version"),
    ("GET a HTTP/1.1\r\n\r\n", 400, "invalid request target"),
    ("GET /a#b HTTP/1.1\r\n\r\n", 400, "invalid request target"),
    ("GET /\u{e9} HTTP/1.1\r\n\r\n", 400, "invalid request target"),
    ("GET http:///a HTTP/1.1\r\n\r\n", 400, "invalid request target"),
    ("GET http://u@a/ HTTP/1.1\r\n\r\n", 400, "invalid request target"),
    ("GET ftp://a/ HTTP/1.1\r\n\r\n", 400, "invalid request target"),
    ("CONNECT a:443 HTTP/1.1\r\n\r\n", 400, "invalid request target"),
    ("GET /%zz HTTP/1.1\r\n\r\n", 400, "invalid path"), ("GET /%4 HTTP/1.1\r\n\r\n", 400, "invalid path"),
    ("GET /%00 HTTP/1.1\r\n\r\n", 400, "invalid path"), ("GET /%ff HTTP/1.1\r\n\r\n", 400, "invalid path"),
    ("GET /a%2fb HTTP/1.1\r\n\r\n", 400, "invalid path"), ("GET /?a=%g0 HTTP/1.1\r\n\r\n", 400, "invalid query"),
    (chunks("\r\n"), 400, "invalid chunk size"), (chunks("g\r\n"), 400, "invalid chunk size"),
    (chunks("-1\r\n"), 400, "invalid chunk size"), (chunks("0x5\r\n"), 400, "invalid chunk size"),
    (chunks("5 \r\n"), 400, "invalid chunk size"), (chunks("5 ;a\r\n"), 400, "invalid chunk size"),
    (chunks("000000005\r\n"), 400, "invalid chunk size"), (chunks("ffffffffffffffff1\r\n"), 400, "invalid chunk size"),
    (chunks("5;a\u{00}\r\n"), 400, "invalid octet in a chunk extension"),
    (chunks("5\nhello"), 400, "line feed without carriage return"),
    (chunks("5;a\nhello"), 400, "line feed without carriage return"),
    (chunks("2\r\nhello"), 400, "chunk longer than its size"),
    (chunks("5\r\nhello\n0\r\n\r\n"), 400, "line feed without carriage return"),
    (chunks("0\r\nbad trailer\r\n\r\n"), 400, "header field without colon"),
    (chunks("0\r\n folded: x\r\n\r\n"), 400, "folded header field"),
  ]
}()
