/// The link between a record and the one before it (audit.md, `SbxChain`): the first 16 octets of SHA-256 over the text of the previous link and this
/// record's octets without its `SbxChain` member, in base64url without padding.
package enum RecordChain {
  /// A link's text, in octets.
  package static let linkOctets = 22

  /// How every record begins.
  static let opening = Array("{\"SbxChain\":\"".utf8)

  /// The link over `octets`: the text of the previous link (of the first record: of its `SbxBootId`), then the record without its own.
  package static func link(over octets: [UInt8], hash: AuditLog.Hash) -> [UInt8] {
    base64URL(hash(octets), count: 16)
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

/// The first `count` octets, or all of them, in base64url (RFC 4648 §5) without padding.
package func base64URL(_ octets: [UInt8], count: Int = .max) -> [UInt8] {
  let octets = octets.span
  let count = min(count, octets.count)
  let letters = base64URLLetters.span
  var text = [UInt8](repeating: 0, count: (count * 4 + 2) / 3)
  var written = text.mutableSpan
  var pending: UInt32 = 0
  var bits: UInt32 = 0
  var at = 0
  for index in 0..<count {
    pending = pending << 8 | UInt32(octets[index])
    bits += 8
    while bits >= 6 {
      bits -= 6
      written[at] = letters[Int(pending >> bits & 63)]
      at += 1
    }
  }
  if bits > 0 { written[at] = letters[Int(pending << (6 - bits) & 63)] }
  return text
}

private let base64URLLetters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
