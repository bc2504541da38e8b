/// A response, whole.
package struct HTTPResponse: Hashable, Sendable {
  /// 100 to 599.
  package var status: Int
  package var headers: HeaderFields
  package var body: [UInt8]

  package init(status: Int, headers: HeaderFields = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// Plain text that no browser takes for anything else.
  package static func text(_ status: Int, _ text: String) -> HTTPResponse {
    HTTPResponse(
      status: status,
      headers: ["Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"],
      body: Array(text.utf8))
  }

  /// The octets of the answer to `request`; nil when there is no whole request to answer, after a fault. The version, the absence of a body after HEAD
  /// and whether the connection stays open follow from the request. Content-Length is always told where a body may be.
  ///
  /// - Parameter closing: the server wants to close although the client does not.
  package func compose(for request: HTTPRequest?, closing: Bool = false) -> [UInt8] {
    compose(
      keepsAlive: request.map { $0.keepsAlive && !closing } ?? false, isHead: request?.method == "HEAD",
      minorVersion: request?.minorVersion ?? 1)
  }

  /// The octets, with everything that depends on the request told.
  package func compose(keepsAlive: Bool, isHead: Bool = false, minorVersion: Int = 1) -> [UInt8] {
    var octets: [UInt8] = []
    octets.reserveCapacity(256 + headers.count * 64 + body.count)
    octets += "HTTP/1.1 \(status) \(reasonPhrase(status))\r\n".utf8
    for field in headers.fields where !isFraming(field.name) { appendField(field.name, field.value, to: &octets) }
    // RFC 9110 §8.6: no Content-Length in 1xx and 204; in 304 it would speak of the representation, which nobody asked for.
    let hasContent = !(100...199).contains(status) && status != 204 && status != 304
    if hasContent { appendField("Content-Length", Array(String(body.count).utf8), to: &octets) }
    if !keepsAlive {
      octets += "Connection: close\r\n".utf8
    } else if minorVersion == 0 {
      octets += "Connection: keep-alive\r\n".utf8
    }
    octets += "\r\n".utf8
    if hasContent && !isHead { octets += body }
    return octets
  }
}

/// Fields that `compose` alone decides.
private func isFraming(_ name: String) -> Bool {
  equalIgnoringCase(name, "Content-Length") || equalIgnoringCase(name, "Transfer-Encoding")
    || equalIgnoringCase(name, "Connection")
}

/// The reason phrase of RFC 9110 §15 and RFC 6585; empty for a status that has none here, which is legal (RFC 9112 §4).
package func reasonPhrase(_ status: Int) -> String {
  switch status {
  case 100: "Continue"
  case 200: "OK"
  case 201: "Created"
  case 202: "Accepted"
  case 204: "No Content"
  case 301: "Moved Permanently"
  case 302: "Found"
  case 304: "Not Modified"
  case 307: "Temporary Redirect"
  case 308: "Permanent Redirect"
  case 400: "Bad Request"
  case 401: "Unauthorized"
  case 403: "Forbidden"
  case 404: "Not Found"
  case 405: "Method Not Allowed"
  case 406: "Not Acceptable"
  case 408: "Request Timeout"
  case 409: "Conflict"
  case 410: "Gone"
  case 411: "Length Required"
  case 412: "Precondition Failed"
  case 413: "Content Too Large"
  case 414: "URI Too Long"
  case 415: "Unsupported Media Type"
  case 417: "Expectation Failed"
  case 422: "Unprocessable Content"
  case 428: "Precondition Required"
  case 429: "Too Many Requests"
  case 431: "Request Header Fields Too Large"
  case 500: "Internal Server Error"
  case 501: "Not Implemented"
  case 502: "Bad Gateway"
  case 503: "Service Unavailable"
  case 504: "Gateway Timeout"
  case 505: "HTTP Version Not Supported"
  case 507: "Insufficient Storage"
  default: ""
  }
}
