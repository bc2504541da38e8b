/// The header of a message (RFC 1035 §4.1.1; AD and CD: RFC 4035 §3.1.6, §3.2.2).
///
///      0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
///    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
///    |                      ID                       |
///    |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
///    |                    QDCOUNT                    |
///    |                    ANCOUNT                    |
///    |                    NSCOUNT                    |
///    |                    ARCOUNT                    |
///    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
package struct Header: Hashable, Sendable {
  /// Octets of a header.
  package static let length = 12

  package var id: UInt16
  /// The second word as it stands: see the accessors.
  package var flags: UInt16
  package var questionCount: UInt16
  package var answerCount: UInt16
  package var authorityCount: UInt16
  package var additionalCount: UInt16

  /// A query of opcode 0 with no flag and no question yet.
  package init(id: UInt16, flags: UInt16 = 0) {
    self.id = id
    self.flags = flags
    questionCount = 0
    answerCount = 0
    authorityCount = 0
    additionalCount = 0
  }

  /// Throws when there are fewer than 12 octets; the counts are not checked.
  package static func parse(_ bytes: [UInt8]) throws(WireError) -> Header {
    guard bytes.count >= length else { throw WireError(.endsEarly, at: bytes.count) }
    var header = Header(id: word(bytes, 0), flags: word(bytes, 2))
    header.questionCount = word(bytes, 4)
    header.answerCount = word(bytes, 6)
    header.authorityCount = word(bytes, 8)
    header.additionalCount = word(bytes, 10)
    return header
  }

  package var isResponse: Bool {
    get { bit(15) }
    set { setBit(15, newValue) }
  }
  package var opcode: Opcode {
    get { Opcode(rawValue: UInt8(truncatingIfNeeded: flags >> 11)) }
    set { flags = flags & ~0x7800 | UInt16(newValue.rawValue) << 11 }
  }
  package var isAuthoritative: Bool {
    get { bit(10) }
    set { setBit(10, newValue) }
  }
  package var isTruncated: Bool {
    get { bit(9) }
    set { setBit(9, newValue) }
  }
  package var isRecursionDesired: Bool {
    get { bit(8) }
    set { setBit(8, newValue) }
  }
  package var isRecursionAvailable: Bool {
    get { bit(7) }
    set { setBit(7, newValue) }
  }
  package var isAuthenticData: Bool {
    get { bit(5) }
    set { setBit(5, newValue) }
  }
  package var isCheckingDisabled: Bool {
    get { bit(4) }
    set { setBit(4, newValue) }
  }
  /// The low four bits; the rest is in OPT.
  package var responseCode: ResponseCode {
    get { ResponseCode(rawValue: flags & 0x000f) }
    set { flags = flags & ~0x000f | newValue.rawValue & 0x000f }
  }

  private func bit(_ index: UInt16) -> Bool { flags >> index & 1 == 1 }
  private mutating func setBit(_ index: UInt16, _ value: Bool) {
    flags = value ? flags | 1 << index : flags & ~(1 << index)
  }
}

/// Two octets in network order; the caller checked that they are there.
@inline(__always)
package func word(_ bytes: [UInt8], _ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }

/// Four octets in network order; the caller checked that they are there.
@inline(__always)
package func doubleWord(_ bytes: [UInt8], _ at: Int) -> UInt32 {
  UInt32(word(bytes, at)) << 16 | UInt32(word(bytes, at + 2))
}
