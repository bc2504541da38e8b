import Configuration
import Forwarder
import LinuxIO
import Timekeeping
import Transport

/// The `Authorization` of deliveries. Tokens stay in memory and never reach a log.
struct HubCredentials {
  /// The longest token file that is read: a JWT is 1 to 3 KiB, 64 KiB is beyond doubt.
  private static let tokenBytesMax = 64 << 10
  /// How long a SAS token is valid: an hour, as Microsoft's own clients make them.
  private static let sharedAccessLifetime = TimeSpan.seconds(3_600)
  /// A SAS token is made anew when less than this is left: 5 minutes cover a clock that is off.
  private static let sharedAccessMargin = TimeSpan.seconds(300)

  private let credential: HubCredential
  private let hub: HubAddress
  private var value: String?
  private var expires: WallTime?

  init(_ credential: HubCredential, _ hub: HubAddress) {
    self.credential = credential
    self.hub = hub
  }

  /// The value to send now; nil when none is needed or none is at hand.
  mutating func authorization(at now: WallTime) -> String? {
    if let expires, expires < now + Self.sharedAccessMargin { value = nil }
    if value == nil, case .sharedAccessKey = credential { _ = fetch(at: now) }
    return value
  }

  mutating func forget() { value = nil }

  /// An access token that was exchanged.
  mutating func take(_ token: String) { value = "Bearer \(token)" }

  /// - Returns: why there is no token; nil when there is one.
  mutating func fetch(at now: WallTime) -> String? {
    switch credential {
    case .none: return nil
    // The machine asks for an exchange instead, whose outcome comes by `take`.
    case .workloadIdentity: return value == nil ? "no token was exchanged" : nil
    case .sharedAccessKey(let name, let key):
      let end = now + Self.sharedAccessLifetime
      expires = end
      value = SASToken.compose(
        uri: hub.description, keyName: name, key: key.text, expiry: end.microseconds / 1_000_000,
        hmac: { key, message in hmacSHA256(key: key, message) })
      return nil
    case .tokenFile(let path):
      do throws(Errno) {
        let bytes = try File.readWhole(path, limit: Self.tokenBytesMax)
        let token = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        guard !token.isEmpty else { return "\(path) is empty" }
        value = "Bearer \(token)"
        return nil
      } catch {
        return error.description
      }
    }
  }
}
