import Addressing

/// `OPENSANDBOX_EGRESS_DENY_WEBHOOK`: where denied names are told, `http[s]://[USER:PASSWORD@]HOST[:PORT][/PATH][?QUERY]`.
package struct WebhookAddress: Hashable, Sendable {
  package var isTLS: Bool
  /// A host name, or an address without brackets; what the certificate must be for.
  package var host: String
  package var port: UInt16
  /// Path and query, as the request line has them. Secret: webhooks carry their tokens there.
  package var target: Secret
  /// `USER:PASSWORD`, decoded; nil without.
  package var credential: Secret?

  /// What the `Host` field says (RFC 9110 §7.2).
  package var authority: String {
    let host = host.contains(":") ? "[\(host)]" : host
    return port == (isTLS ? 443 : 80) ? host : "\(host):\(port)"
  }
}

extension SettingParsing {
  /// Nothing of the value is in a refusal, since any part may be secret.
  static func webhook(_ value: String) throws(Refusal) -> WebhookAddress {
    let scheme = value.prefix { $0 != ":" }.lowercased()
    guard scheme == "http" || scheme == "https", value.dropFirst(scheme.count).hasPrefix("://") else {
      throw Refusal("does not begin with http:// or https://")
    }
    var rest = value.dropFirst(scheme.count + 3)
    guard !rest.contains("#") else { throw Refusal("has a fragment, which no request carries") }
    let place = rest.prefix { $0 != "/" && $0 != "?" }
    rest = rest.dropFirst(place.count)
    var authority = place
    var credential: Secret?
    if let at = place.lastIndex(of: "@") {
      let parts = place[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard let user = percentDecoded(parts.first ?? ""), let password = percentDecoded(parts.dropFirst().first ?? "")
      else { throw Refusal("user or password is not percent-encoded UTF-8") }
      credential = Secret("\(user):\(password)")
      authority = place[place.index(after: at)...]
    }
    let isTLS = scheme == "https"
    let (host, port) = try server(String(authority), defaultPort: isTLS ? 443 : 80)
    return WebhookAddress(
      isTLS: isTLS, host: host, port: port, target: Secret(rest.hasPrefix("/") ? String(rest) : "/\(rest)"),
      credential: credential)
  }

  private static func server(_ authority: String, defaultPort: UInt16) throws(Refusal) -> (String, UInt16) {
    if let endpoint = Endpoint(authority, defaultPort: defaultPort), endpoint.port != 0 {
      return (endpoint.address.description, endpoint.port)
    }
    let pieces = authority.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(pieces.count), isHostName(String(pieces[0])),
      let port = pieces.count == 2 ? portNumber(pieces[1]) : defaultPort, port != 0
    else { throw Refusal("its server is not a host name or address with or without port") }
    return (String(pieces[0]), port)
  }
}
