/// The bytes of a segment file; see the head of the module.
enum SegmentFormat {
  static let magic = Array("SALLYSEG".utf8)
  static let version: UInt32 = 1
  /// Octets of the header.
  static let headerBytes = 40
  /// Octets before a record's payload.
  static let recordHeaderBytes = 16

  static func composeHeader(boot: SpoolBoot, firstSequence: UInt64) -> [UInt8] {
    var bytes = magic
    LittleEndian.append(version, to: &bytes)
    bytes += boot.bytes
    LittleEndian.append(firstSequence, to: &bytes)
    LittleEndian.append(CRC32C.checksum(bytes, 0..<bytes.count), to: &bytes)
    return bytes
  }

  enum Header: Equatable {
    case intact(boot: SpoolBoot, firstSequence: UInt64)
    /// Whole, but of a version that is not ours.
    case foreign(version: UInt32)
    case damaged
  }

  static func parseHeader(_ bytes: [UInt8]) -> Header {
    guard bytes.count >= headerBytes, bytes[..<8].elementsEqual(magic),
      LittleEndian.word32(bytes, at: 36) == CRC32C.checksum(bytes, 0..<36), let boot = SpoolBoot(bytes[12..<28])
    else { return .damaged }
    let found = LittleEndian.word32(bytes, at: 8)
    guard found == version else { return .foreign(version: found) }
    return .intact(boot: boot, firstSequence: LittleEndian.word64(bytes, at: 28))
  }

  static func composeRecord(
    _ record: SpoolRecord, into bytes: inout [UInt8], _ checksum: SpoolChecksum
  ) {
    let start = bytes.count
    LittleEndian.append(UInt32(truncatingIfNeeded: record.bytes.count), to: &bytes)
    LittleEndian.append(UInt32(0), to: &bytes)
    LittleEndian.append(record.sequence, to: &bytes)
    bytes += record.bytes
    let sum = recordChecksum(bytes, at: start, end: bytes.count, checksum)
    for index in 0..<4 { bytes[start + 4 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) }
  }

  struct Found {
    var sequence: UInt64
    var payload: Range<Int>
  }

  /// The valid record at `offset`, wholly before `end`, its sequence number greater than `last`. Nil when there is
  /// none. `trialBytes` counts what was checksummed.
  static func parseRecord(
    _ bytes: [UInt8], at offset: Int, end: Int, after last: UInt64?, trialBytes: inout Int, span: UInt64 = .max,
    _ checksum: SpoolChecksum
  ) -> Found? {
    guard offset + recordHeaderBytes < end else { return nil }
    let length = Int(LittleEndian.word32(bytes, at: offset))
    guard length >= 1, length <= SpoolLimits.recordBytesMax, length <= end - offset - recordHeaderBytes else {
      return nil
    }
    let sequence = LittleEndian.word64(bytes, at: offset + 8)
    if let last, sequence <= last || sequence - last > span { return nil }
    let payload = offset + recordHeaderBytes..<offset + recordHeaderBytes + length
    trialBytes += length
    guard
      LittleEndian.word32(bytes, at: offset + 4) == recordChecksum(bytes, at: offset, end: payload.upperBound, checksum)
    else { return nil }
    return Found(sequence: sequence, payload: payload)
  }

  /// Over length, sequence number and payload: all but the checksum itself.
  private static func recordChecksum(
    _ bytes: [UInt8], at start: Int, end: Int, _ checksum: SpoolChecksum
  ) -> UInt32 {
    checksum(bytes, start + 8..<end, checksum(bytes, start..<start + 4, 0))
  }
}

/// The file name of a segment: `segment-` and its number in sixteen hexadecimal digits, so that names sort as numbers
/// do.
enum SegmentName {
  /// Numbers stay below 2⁶², so that the next one always exists.
  static let numbersEnd: UInt64 = 1 << 62

  static func compose(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return "segment-" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func parse(_ name: String) -> UInt64? {
    guard name.utf8.count == 24, name.hasPrefix("segment-") else { return nil }
    let digits = name.dropFirst(8)
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
    guard let number = UInt64(digits, radix: 16), number < numbersEnd else { return nil }
    return number
  }
}
