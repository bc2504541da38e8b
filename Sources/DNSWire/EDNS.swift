/// The OPT pseudo-record (RFC 6891 §6.1.2): class is a payload size, TTL is flags.
///
///                   +0 (MSB)                            +1 (LSB)
///         +---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
///      0: |         EXTENDED-RCODE        |            VERSION            |
///         +---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
///      2: | DO|                           Z                               |
///         +---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
package struct EDNS: Hashable, Sendable {
  /// The option that carries an Extended DNS Error (RFC 8914 §2).
  static let extendedErrorOption: UInt16 = 15

  /// The largest UDP payload its sender takes, octets, as it stands (below 512 means 512, RFC 6891 §6.2.3).
  package var payloadSize: UInt16
  /// The upper eight bits of the response code.
  package var extendedResponseCode: UInt8
  package var version: UInt8
  /// DO (RFC 3225): the sender wants DNSSEC records.
  package var isDNSSECWanted: Bool
  /// The first Extended DNS Error, if any.
  package var extendedError: ExtendedError?

  package init(payloadSize: UInt16, isDNSSECWanted: Bool = false, extendedError: ExtendedError? = nil) {
    self.payloadSize = payloadSize
    self.isDNSSECWanted = isDNSSECWanted
    self.extendedError = extendedError
    extendedResponseCode = 0
    version = 0
  }

  /// Every option must lie inside the data; options we do not know are passed over.
  static func parse(_ bytes: [UInt8], _ record: ResourceRecord) throws(WireError) -> EDNS {
    guard record.section == .additional, bytes[record.ownerOffset] == 0 else {
      throw WireError(.misplacedOPT, at: record.ownerOffset)
    }
    var edns = EDNS(payloadSize: record.recordClass.rawValue, isDNSSECWanted: record.rawTTL & 0x8000 != 0)
    edns.extendedResponseCode = UInt8(truncatingIfNeeded: record.rawTTL >> 24)
    edns.version = UInt8(truncatingIfNeeded: record.rawTTL >> 16)
    var at = record.rdata.lowerBound
    let end = record.rdata.upperBound
    while at < end {
      guard at + 4 <= end else { throw WireError(.dataLength, at: at) }
      let code = word(bytes, at)
      let next = at + 4 + Int(word(bytes, at + 2))
      guard next <= end else { throw WireError(.dataLength, at: at) }
      if code == extendedErrorOption, edns.extendedError == nil {
        guard next - at >= 6 else { throw WireError(.dataLength, at: at) }
        edns.extendedError = ExtendedError(
          ExtendedErrorCode(rawValue: word(bytes, at + 4)), Array(bytes[at + 6..<next]))
      }
      at = next
    }
    return edns
  }
}
