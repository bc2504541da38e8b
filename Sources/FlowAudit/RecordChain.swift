/// The link between a record and the one before it (audit.md, `SbxChain`): the first 16 octets of SHA-256 over the text of the previous link and this
/// record's octets without its `SbxChain` member, in base64url without padding.
package enum RecordChain {
  /// A link's text, in octets.
  package static let linkOctets = 22

  /// How every record begins.
  static let opening = Array("{\"SbxChain\":\"".utf8)

  /// The link over `octets`: the text of the previous link (of the first record: of its `SbxBootId`), then the record without its own.
  package static func link(over octets: [UInt8], hash: AuditLog.Hash) -> [UInt8] {
    base64URL(hash(octets).prefix(16))
  }

  /// A record taken apart: its link, and itself without the member; nil when it does not begin with one.
  package static func split(_ record: [UInt8]) -> (link: [UInt8], rest: [UInt8])? {
    let end = opening.count + linkOctets
    guard record.count > end + 2, record.starts(with: opening), record[end] == 0x22, record[end + 1] == 0x2c else {
      return nil
    }
    return (Array(record[opening.count..<end]), [0x7b] + record[(end + 2)...])
  }
}

/// RFC 4648 §5, without padding.
package func base64URL(_ octets: some Collection<UInt8>) -> [UInt8] {
  var text: [UInt8] = []
  text.reserveCapacity((octets.count * 4 + 2) / 3)
  var pending: UInt32 = 0
  var bits: UInt32 = 0
  for octet in octets {
    pending = pending << 8 | UInt32(octet)
    bits += 8
    while bits >= 6 {
      bits -= 6
      text.append(base64URLDigit(pending >> bits & 63))
    }
    pending &= 0xff
  }
  if bits > 0 { text.append(base64URLDigit(pending << (6 - bits) & 63)) }
  return text
}

private func base64URLDigit(_ value: UInt32) -> UInt8 {
  let value = UInt8(truncatingIfNeeded: value)
  switch value {
  case ..<26: return 0x41 + value
  case ..<52: return 0x61 + value - 26
  case ..<62: return 0x30 + value - 52
  case 62: return 0x2d
  default: return 0x5f
  }
}
