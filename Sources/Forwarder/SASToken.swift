/// A shared access signature, for namespaces that allow local authentication (Microsoft Learn,
/// event-hubs/authenticate-shared-access-signature).
///
/// string-to-sign = urlencode(uri) LF expiry; the key is its text in UTF-8, not what base64 would make of it.
package enum SASToken {
  /// The value of `Authorization`.
  /// - Parameter uri: `https://NAMESPACE/HUB`.
  /// - Parameter expiry: seconds since 1970.
  /// - Parameter hmac: HMAC-SHA-256 of (key, message).
  package static func compose(
    uri: String, keyName: String, key: String, expiry: Int64, hmac: ([UInt8], [UInt8]) -> [UInt8]
  ) -> String {
    let resource = percentEncode(uri)
    let signature = hmac(Array(key.utf8), Array("\(resource)\n\(expiry)".utf8))
    return "SharedAccessSignature sr=\(resource)&sig=\(percentEncode(base64(signature)))&se=\(expiry)"
      + "&skn=\(percentEncode(keyName))"
  }

  /// RFC 3986 §2.1: all but unreserved characters (§2.3).
  static func percentEncode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for octet in text.utf8 {
      switch octet {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: bytes.append(octet)
      default: bytes += [0x25, digits[Int(octet >> 4)], digits[Int(octet & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// RFC 4648 §4.
  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
      for index in 0..<4 {
        text.append(index <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * index) & 63)] : 0x3d)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
