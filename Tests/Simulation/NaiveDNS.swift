import Addressing

/// DNS messages (RFC 1035 §4) written and read once more, as simply as can be.
enum NaiveDNS {
  static let typeA: UInt16 = 1
  static let typeAAAA: UInt16 = 28
  static let typeCNAME: UInt16 = 5

  struct Question: Hashable {
    var id: UInt16
    /// In lower case, without the final dot.
    var name: String
    var type: UInt16
    /// Header and question as they came.
    var bytes: [UInt8]
  }

  struct Record {
    var owner: String
    var type: UInt16
    var ttl: UInt32
    /// An address's octets, or the octets of a name.
    var data: [UInt8]
  }

  struct Reply: Hashable {
    var id: UInt16
    var code: UInt8
    var isTruncated: Bool
    var name: String
    /// Every address in the message, with the smallest TTL seen on it.
    var addresses: [IPAddress]
    var ttl: UInt32
  }

  static func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

  static func encode(_ name: String) -> [UInt8] {
    name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  static func query(id: UInt16, name: String, type: UInt16, hasEDNS: Bool) -> [UInt8] {
    let counts: [UInt8] = [0, 1, 0, 0, 0, 0, 0, hasEDNS ? 1 : 0]
    let edns: [UInt8] = hasEDNS ? [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] : []
    return word(id) + [1, 0] + counts + encode(name) + word(type) + [0, 1] + edns
  }

  static func question(_ bytes: [UInt8]) -> Question? {
    guard bytes.count >= 12, let (name, end) = self.name(bytes, at: 12), end + 4 <= bytes.count else { return nil }
    return Question(
      id: UInt16(bytes[0]) << 8 | UInt16(bytes[1]), name: name, type: UInt16(bytes[end]) << 8 | UInt16(bytes[end + 1]),
      bytes: Array(bytes[..<(end + 4)]))
  }

  static func response(
    to question: Question, code: UInt8 = 0, isTruncated: Bool = false, answers: [Record] = []
  ) -> [UInt8] {
    var bytes = question.bytes
    bytes[2] = 0x81 | (isTruncated ? 2 : 0)
    bytes[3] = 0x80 | code
    for index in 4..<12 { bytes[index] = 0 }
    bytes[5] = 1
    bytes[7] = UInt8(answers.count)
    for record in answers {
      bytes += encode(record.owner) + word(record.type) + [0, 1]
      bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: record.ttl >> $0) }
      bytes += word(UInt16(record.data.count)) + record.data
    }
    return bytes
  }

  static func reply(_ bytes: [UInt8]) -> Reply? {
    guard let question = question(bytes), bytes[2] & 0x80 != 0 else { return nil }
    var reply = Reply(
      id: question.id, code: bytes[3] & 15, isTruncated: bytes[2] & 2 != 0, name: question.name, addresses: [],
      ttl: .max)
    var at = question.bytes.count
    let count = [6, 8, 10].reduce(0) { $0 + Int(bytes[$1]) << 8 + Int(bytes[$1 + 1]) }
    for _ in 0..<count {
      guard let (_, end) = name(bytes, at: at), end + 10 <= bytes.count else { return nil }
      let type = UInt16(bytes[end]) << 8 | UInt16(bytes[end + 1])
      let ttl = bytes[(end + 4)..<(end + 8)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      let length = Int(bytes[end + 8]) << 8 + Int(bytes[end + 9])
      guard end + 10 + length <= bytes.count else { return nil }
      if type == typeA || type == typeAAAA, let address = IPAddress(bytes: bytes[(end + 10)..<(end + 10 + length)]) {
        reply.addresses.append(address)
        reply.ttl = min(reply.ttl, ttl)
      }
      at = end + 10 + length
    }
    return reply
  }

  /// The name at an offset, pointers followed, and where what follows it begins.
  private static func name(_ bytes: [UInt8], at start: Int) -> (String, Int)? {
    var labels: [String] = []
    var at = start
    var end: Int?
    for _ in 0..<128 {
      guard at < bytes.count else { return nil }
      let length = Int(bytes[at])
      if length == 0 { return (labels.joined(separator: ".").lowercased(), end ?? at + 1) }
      if length >= 0xc0 {
        guard at + 1 < bytes.count else { return nil }
        end = end ?? at + 2
        at = (length & 0x3f) << 8 | Int(bytes[at + 1])
      } else {
        guard at + 1 + length <= bytes.count else { return nil }
        labels.append(String(decoding: bytes[(at + 1)..<(at + 1 + length)], as: UTF8.self))
        at += 1 + length
      }
    }
    return nil
  }
}

/// A query as a stub resolver sends it, with EDNS.
package func queryBytes(id: UInt16, name: String, type: UInt16 = 1) -> [UInt8] {
  NaiveDNS.query(id: id, name: name, type: type, hasEDNS: true)
}

/// An answer to a query, its question repeated octet for octet.
package func answerBytes(to query: [UInt8], _ addresses: [IPAddress], ttl: UInt32) -> [UInt8] {
  guard let question = NaiveDNS.question(query) else { return [] }
  let records = addresses.filter { $0.isIPv4 == (question.type == NaiveDNS.typeA) }.map {
    NaiveDNS.Record(owner: question.name, type: question.type, ttl: ttl, data: $0.bytes)
  }
  return NaiveDNS.response(to: question, answers: records)
}

/// The addresses that a reply names, and its response code; nil when it cannot be read.
package func replyContents(_ bytes: [UInt8]) -> (code: UInt8, addresses: [IPAddress])? {
  NaiveDNS.reply(bytes).map { ($0.code, $0.addresses) }
}
