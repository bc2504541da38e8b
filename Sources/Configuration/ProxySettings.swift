import Addressing
import EgressPolicy

/// `HTTPS_PROXY`: an HTTP proxy that is asked by CONNECT.
package struct ProxyAddress: Hashable, Sendable, CustomStringConvertible {
  /// A host name, or an address without brackets.
  package var host: String
  package var port: UInt16
  /// `USER:PASSWORD`, decoded; nil without.
  package var credential: Secret?

  /// Without the credential.
  package var description: String { "http://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}

/// `NO_PROXY`: which servers are reached directly. As curl and Go read it: `*` is every one; a name stands for itself and what is below it, one with a dot in front
/// only for the latter; an address or block for itself; a port narrows any of them.
package struct ProxyExemptions: Hashable, Sendable, CustomStringConvertible {
  private struct Entry: Hashable, Sendable {
    enum Place: Hashable, Sendable {
      case all
      /// Lower case; `isBelow`: not the name itself.
      case name(String, isBelow: Bool)
      case block(CIDRBlock)
    }
    var place: Place
    var port: UInt16?
  }

  private var entries: [Entry] = []
  package private(set) var description = ""

  package init() {}

  init(_ text: String) throws(Refusal) {
    description = text
    for item in text.split(separator: ",") {
      let item = trimmed(item).lowercased()
      if item.isEmpty { continue }
      if item == "*" {
        entries.append(Entry(place: .all))
      } else if let block = CIDRBlock(item) {
        entries.append(Entry(place: .block(block)))
      } else if let endpoint = Endpoint(item) {
        entries.append(Entry(place: .block(CIDRBlock(endpoint.address)), port: endpoint.port))
      } else {
        let parts = item.split(separator: ":", omittingEmptySubsequences: false)
        let isBelow = item.hasPrefix(".") || item.hasPrefix("*.")
        let name = String((parts.first ?? "").drop { $0 == "*" }.drop { $0 == "." })
        guard parts.count <= 2, isHostName(name) else {
          throw Refusal("'\(item)' is not a name, an address, a block or *")
        }
        guard let last = parts.dropFirst().first else {
          entries.append(Entry(place: .name(name, isBelow: isBelow)))
          continue
        }
        guard let port = portNumber(last), port != 0 else { throw Refusal("'\(last)' is not a port") }
        entries.append(Entry(place: .name(name, isBelow: isBelow), port: port))
      }
    }
  }

  package func contains(_ host: String, port: UInt16) -> Bool {
    let host = host.lowercased()
    let address = IPAddress(host)
    return entries.contains { entry in
      guard entry.port == nil || entry.port == port else { return false }
      switch entry.place {
      case .all: return true
      case .block(let block): return address.map(block.contains) ?? false
      case .name(let name, let isBelow):
        return address == nil && (host.hasSuffix("." + name) || !isBelow && host == name)
      }
    }
  }
}

extension Configuration {
  /// The proxy that leads to a server; nil: it is reached directly.
  package func proxy(to host: String, port: UInt16) -> ProxyAddress? {
    proxyExemptions.contains(host, port: port) ? nil : proxy
  }

  mutating func readProxy(from reader: inout SettingReader) {
    // A secret, since it may hold a password.
    if let text = reader.readSecret("HTTPS_PROXY") {
      do throws(Refusal) {
        proxy = try SettingParsing.proxy(text.text)
      } catch {
        reader.refuse(
          SettingProblem(variable: "HTTPS_PROXY", value: nil, reason: error.reason, source: "environment"))
      }
    }
    proxyExemptions = reader.read("NO_PROXY", default: ProxyExemptions(), show: \.description) {
      given throws(Refusal) in
      try ProxyExemptions(given.value)
    }
  }
}

extension SettingParsing {
  /// `http://[USER:PASSWORD@]HOST[:PORT]`, with or without a slash behind; `http://` may be left out.
  static func proxy(_ value: String) throws(Refusal) -> ProxyAddress {
    var rest = value[...]
    if let scheme = rest.range(ofFirst: "://") {
      guard rest[..<scheme.lowerBound].lowercased() == "http" else {
        throw Refusal("only http:// proxies are known: the connection inside is TLS in any case")
      }
      rest = rest[scheme.upperBound...]
    }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    var credential: Secret?
    if let at = rest.lastIndex(of: "@") {
      let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard let user = percentDecoded(parts.first ?? ""), let password = percentDecoded(parts.dropFirst().first ?? "")
      else { throw Refusal("user or password is not percent-encoded UTF-8") }
      credential = Secret("\(user):\(password)")
      rest = rest[rest.index(after: at)...]
    }
    let authority = String(rest)
    if let endpoint = Endpoint(authority, defaultPort: 80), endpoint.port != 0 {
      return ProxyAddress(host: endpoint.address.description, port: endpoint.port, credential: credential)
    }
    let pieces = authority.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(pieces.count), isHostName(String(pieces[0])) else {
      throw Refusal("not http://HOST:PORT")
    }
    guard let port = pieces.count == 2 ? portNumber(pieces[1]) : 80, port != 0 else {
      throw Refusal("not http://HOST:PORT")
    }
    return ProxyAddress(host: String(pieces[0]), port: port, credential: credential)
  }

  /// Nil for what is no UTF-8 or no whole escape.
  static func percentDecoded(_ text: Substring) -> String? {
    var octets: [UInt8] = []
    var left = Array(text.utf8)[...]
    while let octet = left.popFirst() {
      guard octet == 0x25 else {
        octets.append(octet)
        continue
      }
      guard left.count >= 2, let value = UInt8(String(decoding: left.prefix(2), as: UTF8.self), radix: 16) else {
        return nil
      }
      octets.append(value)
      left = left.dropFirst(2)
    }
    return String(validating: octets, as: UTF8.self)
  }
}

extension Substring {
  fileprivate func range(ofFirst separator: String) -> Range<Index>? {
    var at = startIndex
    while at < endIndex {
      if self[at...].hasPrefix(separator) { return at..<index(at, offsetBy: separator.count) }
      formIndex(after: &at)
    }
    return nil
  }
}
