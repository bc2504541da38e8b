/// RFC 4648, strictly: no white space, no octet outside the alphabet, no bit set that carries nothing.
package enum Base64 {
  /// §4, with padding.
  package static func encode(_ bytes: [UInt8]) -> String { encode(bytes, standard, padded: true) }

  /// §5, without padding, as JWS has it (RFC 7515 §2).
  package static func encodeURL(_ bytes: [UInt8]) -> String { encode(bytes, urlSafe, padded: false) }

  /// §4; padding is required. Nil for anything else.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    let octets = Array(text.utf8)
    guard octets.count % 4 == 0 else { return nil }
    let padding = octets.suffix(2).reversed().prefix { $0 == 0x3d }.count
    return decode(octets.dropLast(padding), standard)
  }

  /// §5; padding is refused. Nil for anything else.
  package static func decodeURL(_ text: some StringProtocol) -> [UInt8]? { decode(Array(text.utf8)[...], urlSafe) }

  /// §5 from octets; padding is refused. Nil for anything else.
  package static func decodeURL(_ text: ArraySlice<UInt8>) -> [UInt8]? { decode(text, urlSafe) }

  private static let common = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
  private static let standard = common + Array("+/".utf8)
  private static let urlSafe = common + Array("-_".utf8)

  private static func encode(_ bytes: [UInt8], _ alphabet: [UInt8], padded: Bool) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var at = 0
    while at < bytes.count {
      let left = min(3, bytes.count - at)
      let first = UInt32(bytes[at]) << 16
      let second = left > 1 ? UInt32(bytes[at + 1]) << 8 : 0
      let third = left > 2 ? UInt32(bytes[at + 2]) : 0
      let group = first | second | third
      for index in 0..<4 {
        if index <= left {
          text.append(alphabet[Int(group >> UInt32(18 - 6 * index) & 63)])
        } else if padded {
          text.append(0x3d)
        }
      }
      at += 3
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func decode(_ octets: ArraySlice<UInt8>, _ alphabet: [UInt8]) -> [UInt8]? {
    guard octets.count % 4 != 1 else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(octets.count * 3 / 4)
    var bits: UInt32 = 0
    var count = 0
    for octet in octets {
      guard let value = sextet(octet, alphabet) else { return nil }
      bits = bits << 6 | value
      count += 6
      if count >= 8 {
        count -= 8
        result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        bits &= (1 << UInt32(count)) - 1
      }
    }
    return bits == 0 ? result : nil
  }

  private static func sextet(_ octet: UInt8, _ alphabet: [UInt8]) -> UInt32? {
    switch octet {
    case 0x41...0x5a: UInt32(octet) - 0x41
    case 0x61...0x7a: UInt32(octet) - 0x61 + 26
    case 0x30...0x39: UInt32(octet) - 0x30 + 52
    case alphabet[62]: 62
    case alphabet[63]: 63
    default: nil
    }
  }
}
