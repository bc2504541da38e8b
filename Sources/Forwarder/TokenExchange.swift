import HTTPWire
import JSONText
import Timekeeping

/// The exchange of a projected service-account token for an access token of Microsoft Entra: the request, and what its answer says (Microsoft Learn,
/// entra/identity-platform/v2-oauth2-client-creds-grant-flow, "Access token request with a federated credential").
package enum TokenExchange {
  /// The longest assertion, in octets: a service account's token has 1 to 2 KiB.
  package static let assertionOctetsMax = 16 << 10
  /// The longest access token, in octets: Entra's have 1 to 3 KiB.
  static let tokenOctetsMax = 32 << 10
  /// Of an answer that is read, in octets: a token with its envelope.
  static let answerOctetsMax = 64 << 10
  /// Of the authority's own words, in characters: its first sentence says it.
  private static let reasonMax = 200
  /// The longest life of a token that is believed: a day, the longest that Entra gives.
  static let lifetimeMax = TimeSpan.seconds(86_400)

  /// The path of the authority's token endpoint.
  package static func path(tenant: String) -> String { "/\(formEncode(tenant))/oauth2/v2.0/token" }

  /// The assertion in a file's contents, without white space around it; nil when it is no JWS in compact form, which a file that is being replaced may be.
  package static func assertion(in contents: [UInt8]) -> String? {
    let text = contents.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
    guard text.split(separator: 0x2e, omittingEmptySubsequences: false).count == 3, text.count <= assertionOctetsMax,
      text.allSatisfy(isTokenOctet)
    else { return nil }
    return String(decoding: text, as: UTF8.self)
  }

  /// The body, in the order of the names.
  package static func body(assertion: String, client: String, scope: String) -> [UInt8] {
    let fields = [
      ("client_assertion", assertion),
      ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_id", client),
      ("grant_type", "client_credentials"), ("scope", scope),
    ]
    return Array(fields.map { "\($0)=\(formEncode($1))" }.joined(separator: "&").utf8)
  }

  /// `application/x-www-form-urlencoded` (WHATWG URL §5.2) as Python's `urlencode` writes it, which azure-identity uses: a space is `+`, and `~` stays.
  static func formEncode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var octets: [UInt8] = []
    for octet in text.utf8 {
      switch octet {
      case 0x20: octets.append(0x2b)
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: octets.append(octet)
      default: octets += [0x25, digits[Int(octet >> 4)], digits[Int(octet & 15)]]
      }
    }
    return String(decoding: octets, as: UTF8.self)
  }

  /// What an answer says.
  package enum Answer: Hashable, Sendable {
    case token(String, lifetime: TimeSpan)
    /// With the authority's words, never with a token; `retryAfter` when it named a time.
    case refused(reason: String, retryAfter: TimeSpan?)
  }

  /// Only a whole 200 with a bearer token is one.
  package static func read(_ response: HTTPResponse, at now: WallTime) -> Answer {
    let value = try? JSONValue.parse(response.body, limits: JSONLimits(depthMax: 8, sizeMax: answerOctetsMax))
    guard response.status == 200 else {
      return .refused(
        reason: "the authority answered \(response.status)" + words(value),
        retryAfter: RetryAfter.parse(response.headers["Retry-After"], at: now))
    }
    func bad(_ what: String) -> Answer { .refused(reason: "the authority's answer has \(what)", retryAfter: nil) }
    guard let value else { return bad("no JSON") }
    guard value["token_type"]?.string?.lowercased() == "bearer" else { return bad("no token_type Bearer") }
    guard let token = value["access_token"]?.string, (1...tokenOctetsMax).contains(token.utf8.count),
      token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return bad("no usable access_token") }
    // Some of Microsoft's endpoints write numbers as text.
    let seconds = value["expires_in"].flatMap { $0.integer ?? $0.string.flatMap { Int64($0) } }
    guard let seconds, seconds > 0 else { return bad("no expires_in") }
    return .token(token, lifetime: min(.seconds(min(seconds, 86_400)), lifetimeMax))
  }

  /// `error` and the beginning of `error_description`, on one line.
  private static func words(_ value: JSONValue?) -> String {
    guard let error = value?["error"]?.string else { return "" }
    let text = [error, value?["error_description"]?.string ?? ""].joined(separator: ": ")
    return ", "
      + String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) }.prefix(reasonMax))
  }
}

private func isBlank(_ octet: UInt8) -> Bool { octet == 0x20 || (0x09...0x0d).contains(octet) }

private func isTokenOctet(_ octet: UInt8) -> Bool {
  switch octet {
  case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
  default: false
  }
}
