import HTTPWire
import JSONText
import LinuxIO
import Timekeeping
import Transport

/// Who may send.
enum Authorization: Sendable {
  case none
  case bearer([UInt8])
  /// The token stands in this file, which is read for each request.
  case bearerFile(String)
  /// A shared access policy: its name, and its key as text (it is never base64-decoded).
  case sharedAccess(name: String, key: [UInt8])

  func check(_ request: HTTPRequest, at now: WallTime) throws(Refusal) {
    if case .none = self { return }
    let lines = request.headers.values("Authorization")
    guard lines.count == 1, let line = lines.first else {
      throw Refusal(401, "40102: there must be one Authorization header, and there are \(lines.count)")
    }
    switch self {
    case .none: return
    case .bearer(let token): try checkBearer(line, token)
    case .bearerFile(let path):
      let token = (try? File.readWhole(path, limit: 64 << 10)) ?? []
      try checkBearer(line, Array(token.reversed().drop { $0 <= 0x20 }.reversed()))
    case .sharedAccess(let name, let key): try checkSignature(line, request, name, key, now)
    }
  }

  private func checkBearer(_ line: [UInt8], _ token: [UInt8]) throws(Refusal) {
    let scheme = Array("Bearer ".utf8)
    guard !token.isEmpty, line.starts(with: scheme), constantTimeEqual(Array(line.dropFirst(scheme.count)), token)
    else {
      throw Refusal(401, "40103: another bearer token is expected")
    }
  }

  /// `SharedAccessSignature sr=URI&sig=SIGNATURE&se=EXPIRY&skn=NAME`, signed over `URI LF EXPIRY` with both as they are
  /// written.
  private func checkSignature(
    _ line: [UInt8], _ request: HTTPRequest, _ name: String, _ key: [UInt8], _ now: WallTime
  ) throws(Refusal) {
    let scheme = Array("SharedAccessSignature ".utf8)
    guard line.starts(with: scheme) else { throw Refusal(401, "40105: not a shared access signature") }
    var fields: [String: String] = [:]
    for part in line.dropFirst(scheme.count).split(separator: 0x26, omittingEmptySubsequences: false) {
      let pair = part.split(separator: 0x3d, maxSplits: 1, omittingEmptySubsequences: false)
      let field = pair.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
      guard pair.count == 2, ["sr", "sig", "se", "skn"].contains(field), fields[field] == nil else {
        throw Refusal(401, "40105: the token's fields are sr, sig, se and skn, each once")
      }
      fields[field] = String(decoding: pair[1], as: UTF8.self)
    }
    guard let resource = fields["sr"], let signature = fields["sig"], let expiry = fields["se"], fields["skn"] == name
    else { throw Refusal(401, "40105: a field is missing, or skn is not \(name)") }
    guard let seconds = Int64(expiry), seconds < 1 << 40 else { throw Refusal(401, "40108: se is no time") }
    guard seconds * 1_000_000 > now.microseconds else { throw Refusal(401, "40106: the token expired at \(seconds)") }
    let expected = Base64.encode(hmacSHA256(key: key, Array("\(resource)\n\(expiry)".utf8)))
    guard let given = percentDecoded(signature.utf8), constantTimeEqual(Array(given.utf8), Array(expected.utf8)) else {
      throw Refusal(401, "40103: the signature is not this key's")
    }
    guard let uri = percentDecoded(resource.utf8), covers(uri, request) else {
      throw Refusal(401, "40104: the token is for \(resource)")
    }
  }

  /// A token holds for its resource and everything below; scheme and port are not compared.
  private func covers(_ uri: String, _ request: HTTPRequest) -> Bool {
    guard let start = uri.range(of: "://") else { return false }
    let rest = uri[start...]
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    let host = request.headers["Host"] ?? ""
    guard bare(rest[..<slash]) == bare(host[...]) else { return false }
    var prefix = String(rest[slash...])
    while prefix.hasSuffix("/") { prefix.removeLast() }
    return request.path == prefix || request.path.hasPrefix(prefix + "/")
  }

  private func bare(_ authority: Substring) -> String {
    authority.hasPrefix("[")
      ? authority.lowercased() : (authority.split(separator: ":").first ?? "").lowercased()
  }
}

extension String {
  /// Where what follows the first `separator` begins.
  fileprivate func range(of separator: String) -> String.Index? {
    var at = startIndex
    while at < endIndex {
      if self[at...].hasPrefix(separator) { return index(at, offsetBy: separator.count) }
      formIndex(after: &at)
    }
    return nil
  }
}
