/// What the request line says: `method SP request-target SP HTTP-version` (RFC 9112 §3), checked.
struct RequestLine: Hashable, Sendable {
  var method: String
  var target: String
  var path: String
  var query: [QueryParameter]
  var minorVersion: Int

  init(_ line: ArraySlice<UInt8>) throws(HTTPFault) {
    let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw HTTPFault(400, "invalid request line") }
    guard isToken(parts[0]) else { throw HTTPFault(400, "invalid method") }
    minorVersion = try RequestLine.minorVersion(parts[2])
    let target = parts[1]
    guard !target.isEmpty, target.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x23 }) else {
      throw HTTPFault(400, "invalid request target")
    }
    method = String(decoding: parts[0], as: UTF8.self)
    self.target = String(decoding: target, as: UTF8.self)
    if target.elementsEqual([0x2a]) && method == "OPTIONS" {
      path = "*"
      query = []
    } else {
      let origin = try RequestLine.originForm(of: target)
      let question = origin.firstIndex(of: 0x3f)
      path = try RequestLine.path(origin[..<(question ?? origin.endIndex)])
      let rawQuery = question.map { origin[($0 + 1)...] } ?? []
      guard let query = parseForm(rawQuery) else { throw HTTPFault(400, "invalid query") }
      self.query = query
    }
  }

  /// `HTTP/1.0` and `HTTP/1.1`; a later 1.x is read as 1.1 (RFC 9110 §2.5), everything else that has the shape of a version is 505: HTTP/2's
  /// preface, `PRI * HTTP/2.0`, among it.
  private static func minorVersion(_ version: ArraySlice<UInt8>) throws(HTTPFault) -> Int {
    let octets = Array(version)
    guard octets.count == 8, octets.starts(with: "HTTP/".utf8), isDigit(octets[5]), octets[6] == 0x2e,
      isDigit(octets[7])
    else { throw HTTPFault(400, "invalid HTTP version") }
    guard octets[5] == 0x31 else { throw HTTPFault(505, "only HTTP/1.1 is spoken") }
    return octets[7] == 0x30 ? 0 : 1
  }

  /// The target from its path on. An absolute-form target must be accepted (RFC 9112 §3.2.2); its authority is checked and dropped, since one server
  /// serves one name here.
  private static func originForm(of target: ArraySlice<UInt8>) throws(HTTPFault) -> ArraySlice<UInt8> {
    if target.first == 0x2f { return target }
    let lowered = target.prefix(8).map(lowercase)
    let schemes = ["http://", "https://"]
    guard let scheme = schemes.first(where: { lowered.starts(with: $0.utf8) }) else {
      throw HTTPFault(400, "invalid request target")
    }
    let rest = target.dropFirst(scheme.utf8.count)
    let end = rest.firstIndex { $0 == 0x2f || $0 == 0x3f } ?? rest.endIndex
    guard end > rest.startIndex, isAuthority(rest[..<end]) else { throw HTTPFault(400, "invalid request target") }
    return rest[end...]
  }

  /// A decoded `/` would make two paths one, so it is refused.
  private static func path(_ raw: ArraySlice<UInt8>) throws(HTTPFault) -> String {
    guard let path = percentDecoded(raw),
      path.utf8.lazy.filter({ $0 == 0x2f }).count == raw.lazy.filter({ $0 == 0x2f }).count
    else { throw HTTPFault(400, "invalid path") }
    return path.isEmpty ? "/" : path
  }
}
