import Addressing

/// The sections that hold records, in the order of the message.
package enum RecordSection: UInt8, CaseIterable, Hashable, Sendable {
  case answer, authority, additional
}

extension Header {
  /// How many records of `section` are announced.
  package func count(of section: RecordSection) -> Int {
    switch section {
    case .answer: Int(answerCount)
    case .authority: Int(authorityCount)
    case .additional: Int(additionalCount)
    }
  }
}

/// A resource record (RFC 1035 §4.1.3), as offsets into its message.
///
///    /                      NAME                     /
///    |                      TYPE                     |
///    |                     CLASS                     |
///    |                      TTL                      |
///    |                                               |
///    |                   RDLENGTH                    |
///    /                     RDATA                     /
package struct ResourceRecord: Hashable, Sendable {
  /// The fewest octets of a record: the root as owner and no data.
  package static let lengthMin = 11

  package let section: RecordSection
  /// Where the owner's name begins; checked.
  package let ownerOffset: Int
  package let type: RecordType
  package let recordClass: RecordClass
  /// As it stands: of OPT it is not a time.
  package let rawTTL: UInt32
  package let rdata: Range<Int>

  /// Seconds. A value with the top bit set counts as zero (RFC 2181 §8).
  package var ttl: UInt32 { rawTTL > 0x7fff_ffff ? 0 : rawTTL }

  /// The record at `start`: owner, bounds of the data, and the data's form where it is an address or an alias.
  static func parse(_ bytes: [UInt8], at start: Int, in section: RecordSection) throws(WireError) -> ResourceRecord {
    let fixed = try endOfName(bytes, at: start)
    guard fixed + 10 <= bytes.count else { throw WireError(.endsEarly, at: bytes.count) }
    let data = fixed + 10
    let end = data + Int(word(bytes, fixed + 8))
    guard end <= bytes.count else { throw WireError(.endsEarly, at: bytes.count) }
    let record = ResourceRecord(
      section: section, ownerOffset: start, type: RecordType(rawValue: word(bytes, fixed)),
      recordClass: RecordClass(rawValue: word(bytes, fixed + 2)), rawTTL: doubleWord(bytes, fixed + 4),
      rdata: data..<end)
    switch record.type {
    case .a: guard end - data == 4 else { throw WireError(.dataLength, at: data) }
    case .aaaa: guard end - data == 16 else { throw WireError(.dataLength, at: data) }
    case .cname: guard try endOfName(bytes, at: data) == end else { throw WireError(.dataLength, at: data) }
    default: break
    }
    return record
  }
}
