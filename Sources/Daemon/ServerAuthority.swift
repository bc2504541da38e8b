import Configuration
import JSONText
import Transport

/// `HOST[:PORT]` of an HTTPS server, as `Host` and `CONNECT` name it (RFC 9110 §4.2.2, §7.2, §9.3.6).
struct ServerAuthority {
  /// A name, or an address without brackets.
  var host: String
  var port: UInt16

  private var bracketed: String { host.contains(":") ? "[\(host)]" : host }

  /// Without the port that goes without saying.
  var field: String { port == 443 ? bracketed : "\(bracketed):\(port)" }

  /// How a proxy is asked for a connection to it.
  func tunnel(through proxy: ProxyAddress) -> HTTPTunnel {
    HTTPTunnel(
      authority: "\(bracketed):\(port)",
      authorization: proxy.credential.map { "Basic " + Base64.encode(Array($0.text.utf8)) })
  }
}
