import HTTPWire
import Testing

@Suite struct ComposeTests {
  static func request(_ method: String, minorVersion: Int = 1, keepsAlive: Bool = true) -> HTTPRequest {
    HTTPRequest(method: method, target: "/", path: "/", keepsAlive: keepsAlive, minorVersion: minorVersion)
  }

  @Test(arguments: [
    (200, "GET", 1, true, "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nab"),
    (200, "GET", 1, false, "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab"),
    (200, "GET", 0, true, "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab"),
    (200, "HEAD", 1, true, "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\n"),
    (204, "GET", 1, true, "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
    (304, "GET", 1, true, "HTTP/1.1 304 Not Modified\r\nX: y\r\n\r\n"),
    (299, "GET", 1, true, "HTTP/1.1 299 \r\nX: y\r\nContent-Length: 2\r\n\r\nab"),
  ]) func responseFollowsItsRequest(status: Int, method: String, minorVersion: Int, keepsAlive: Bool, text: String) {
    let response = HTTPResponse(
      status: status, headers: ["X": "y", "Content-Length": "9", "Connection": "x"], body: Array("ab".utf8))
    let request = Self.request(method, minorVersion: minorVersion, keepsAlive: keepsAlive)
    #expect(String(decoding: response.compose(for: request), as: UTF8.self) == text)
  }

  @Test func answerToNoRequestClosesTheConnection() {
    let octets = HTTPFault(400, "bad").response.compose(for: nil)
    #expect(
      String(decoding: octets, as: UTF8.self)
        == "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        + "Content-Length: 4\r\nConnection: close\r\n\r\nbad\n")
    #expect(
      String(decoding: HTTPResponse(status: 200).compose(for: Self.request("GET"), closing: true), as: UTF8.self)
        .contains("close"))
  }

  @Test func noValueCanAddALine() {
    let octets = composeRequest(
      method: "POST", target: "/a b\r\nX: y", host: "h\r\nEvil: 1",
      headers: ["A": "b\r\nEvil: 2\u{00}", "host": "evil"],
      body: [0x61])
    let text = String(decoding: octets, as: UTF8.self)
    #expect(
      text == "POST /a%20b%0D%0AX:%20y HTTP/1.1\r\nHost: h  Evil: 1\r\nA: b  Evil: 2 \r\nContent-Length: 1\r\n\r\na")
  }

  @Test func composedMessagesAreReadBack() {
    var parser = RequestParser()
    parser.receive(
      composeRequest(method: "POST", target: "/hub/messages?a=b", host: "ns", headers: ["X": "y"], body: [1, 2]))
    parser.receive(composeRequest(method: "GET", target: "/", host: "ns", headers: [:], body: []))
    let requests = drain(&parser).requests
    #expect(requests.map(\.target) == ["/hub/messages?a=b", "/"])
    #expect(requests.first?.body == [1, 2])
    let response = HTTPResponse.text(503, "later\n")
    var client = ResponseParser(to: "POST")
    client.receive(response.compose(for: requests.first))
    guard case .response(let read, connectionReusable: true) = client.next() else {
      Issue.record("no response")
      return
    }
    #expect(read.status == 503 && read.body == response.body)
  }

  @Test func formsSurviveBothWays() {
    let parameters = [QueryParameter("client assertion", "a+b/c=&%é"), QueryParameter("x", "")]
    let octets = composeForm(parameters)
    #expect(String(decoding: octets, as: UTF8.self) == "client%20assertion=a%2Bb%2Fc%3D%26%25%C3%A9&x=")
    #expect(parseForm(octets) == parameters)
    #expect(parseForm(Array("&&a&b=1=2&".utf8)) == [.init("a", ""), .init("b", "1=2")])
  }

  @Test(arguments: ["%", "%1", "%1g", "a%00", "%ff", "%c3", "%+1"]) func badEncodingIsRefused(text: String) {
    #expect(percentDecoded(text.utf8) == nil)
    #expect(parseForm(Array("x=\(text)".utf8)) == nil)
  }

  @Test func settingAFieldLeavesOneLine() {
    var headers: HeaderFields = ["A": "1", "B": "2", "a": "3"]
    headers.set("A", "4")
    #expect(headers.fields.map(\.name) == ["A", "B"])
    headers.set("C", "5")
    #expect(headers["c"] == "5" && headers["a"] == "4" && headers["d"] == nil)
  }
}
