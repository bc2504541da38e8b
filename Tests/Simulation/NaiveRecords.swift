/// Records as the audit contract describes them, found by searching for text.
struct NaiveRecord {
  var sequence: UInt64
  var bytes: [UInt8]

  /// The value of a member that stands once, without its quotes.
  func member(_ name: String) -> String? {
    let key = Array("\"\(name)\":".utf8)
    guard let start = find(key, in: bytes) else { return nil }
    var at = start + key.count
    guard at < bytes.count else { return nil }
    let isText = bytes[at] == 0x22
    if isText { at += 1 }
    var end = at
    while end < bytes.count {
      let octet = bytes[end]
      if isText ? octet == 0x22 && bytes[end - 1] != 0x5c : octet == 0x2c || octet == 0x7d { break }
      end += 1
    }
    return String(decoding: bytes[at..<end], as: UTF8.self)
  }

  var kind: String { member("SbxRecordKind") ?? "" }
  var boot: String { member("SbxBootId") ?? "" }
}

/// Where `needle` first stands.
func find(_ needle: [UInt8], in hay: [UInt8], from start: Int = 0) -> Int? {
  guard let first = needle.first, hay.count >= needle.count else { return nil }
  var at = start
  while at <= hay.count - needle.count {
    if hay[at] == first {
      var same = 1
      while same < needle.count, hay[at + same] == needle[same] { same += 1 }
      if same == needle.count { return at }
    }
    at += 1
  }
  return nil
}

/// The records in the octets of a write to a segment: a header of forty octets in front of a new file, then length, checksum, number and record.
func recordsWritten(_ bytes: [UInt8], isNewFile: Bool) -> [NaiveRecord] {
  var records: [NaiveRecord] = []
  var at = isNewFile ? 40 : 0
  while at + 16 < bytes.count {
    let length = (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << ($1 * 8) }
    let sequence = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[at + 8 + $1]) << UInt64($1 * 8) }
    guard length > 0, at + 16 + length <= bytes.count else { break }
    let payload = Array(bytes[(at + 16)..<(at + 16 + length)])
    records.append(NaiveRecord(sequence: sequence, bytes: payload))
    at += 16 + length
  }
  return records
}

/// The records in a body `[{"Body":"…"},…]`: each JSON string taken out of its escapes.
func recordsDelivered(_ body: [UInt8]) -> [[UInt8]] {
  var records: [[UInt8]] = []
  let opening = Array(#"{"Body":""#.utf8)
  var at = 0
  while let start = find(opening, in: body, from: at) {
    var record: [UInt8] = []
    at = start + opening.count
    while at < body.count, body[at] != 0x22 {
      if body[at] == 0x5c, at + 1 < body.count {
        at += 1
        switch body[at] {
        case 0x6e: record.append(0x0a)
        case 0x72: record.append(0x0d)
        case 0x74: record.append(0x09)
        case 0x62: record.append(0x08)
        case 0x66: record.append(0x0c)
        case 0x75:
          let digits = String(decoding: body[(at + 1)..<min(at + 5, body.count)], as: UTF8.self)
          if let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) {
            record += Array(String(scalar).utf8)
          }
          at += 4
        default: record.append(body[at])
        }
      } else {
        record.append(body[at])
      }
      at += 1
    }
    records.append(record)
  }
  return records
}

/// RFC 4648 §5 without padding.
func base64URLText(_ octets: [UInt8]) -> String {
  let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
  var text = ""
  var index = 0
  while index * 6 < octets.count * 8 {
    var value = 0
    for bit in 0..<6 {
      let place = index * 6 + bit
      let set = place < octets.count * 8 ? Int(octets[place / 8] >> UInt8(7 - place % 8)) & 1 : 0
      value = value << 1 | set
    }
    text.append(digits[value])
    index += 1
  }
  return text
}
