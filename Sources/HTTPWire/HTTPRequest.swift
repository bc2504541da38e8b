/// One `name=value` of a query or a form, decoded.
package struct QueryParameter: Hashable, Sendable {
  package var name: String
  /// Empty when there was no `=`.
  package var value: String

  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// A request as a server sees it, whole.
package struct HTTPRequest: Hashable, Sendable {
  /// A token, as written: methods are case-sensitive (RFC 9110 §9.1).
  package var method: String
  /// The request target as written: origin-form, absolute-form or `*` (RFC 9112 §3.2).
  package var target: String
  /// The path, percent-decoded; `*` for the asterisk-form. Begins with `/` otherwise and holds no decoded `/` or NUL.
  package var path: String
  /// The query's parameters in order, decoded; empty without a query.
  package var query: [QueryParameter]
  package var headers: HeaderFields
  /// Chunks joined; empty without a body.
  package var body: [UInt8]
  /// Whether the client wants the connection kept (RFC 9112 §9.3).
  package var keepsAlive: Bool
  /// 0 or 1, of HTTP/1.x; a higher one counts as 1.
  package var minorVersion: Int

  package init(
    method: String, target: String, path: String, query: [QueryParameter] = [], headers: HeaderFields = [:],
    body: [UInt8] = [], keepsAlive: Bool = true, minorVersion: Int = 1
  ) {
    self.method = method
    self.target = target
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.keepsAlive = keepsAlive
    self.minorVersion = minorVersion
  }

  /// The values of every parameter of that name, in order.
  package func parameters(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }

  /// What a client sends first when the server asks for it with `.continueExpected`.
  package static let continueOctets = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
}

/// A request of a client, ready for the wire. Host comes first, and Content-Length is set from `body` (always for a method that carries one).
/// Octets that a target or value must not hold are encoded or become spaces, so that no argument can add a line.
///
/// - Parameter headers: without Host, Content-Length and Transfer-Encoding, which are left out when given.
package func composeRequest(
  method: String, target: String, host: String, headers: HeaderFields, body: [UInt8]
) -> [UInt8] {
  var octets: [UInt8] = []
  octets.reserveCapacity(256 + headers.count * 64 + body.count)
  precondition(isToken(method.utf8), "a method is a token")
  octets += method.utf8
  octets.append(0x20)
  for octet in target.utf8 {
    if (0x21...0x7e).contains(octet) { octets.append(octet) } else { appendEncoded(octet, to: &octets) }
  }
  octets += " HTTP/1.1\r\n".utf8
  appendField("Host", Array(host.utf8), to: &octets)
  let framing = ["Host", "Content-Length", "Transfer-Encoding"]
  for field in headers.fields where !framing.contains(where: { equalIgnoringCase($0, field.name) }) {
    appendField(field.name, field.value, to: &octets)
  }
  if !body.isEmpty || ["POST", "PUT", "PATCH"].contains(method) {
    appendField("Content-Length", Array(String(body.count).utf8), to: &octets)
  }
  octets += "\r\n".utf8
  octets += body
  return octets
}

/// One field line. Octets that a value cannot hold become spaces (RFC 9110 §5.5).
func appendField(_ name: String, _ value: [UInt8], to octets: inout [UInt8]) {
  octets += name.utf8
  octets += [0x3a, 0x20]
  for octet in value { octets.append(isFieldValueOctet(octet) ? octet : 0x20) }
  octets += [0x0d, 0x0a]
}
