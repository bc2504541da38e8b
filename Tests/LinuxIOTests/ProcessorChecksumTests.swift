import Testing

@testable import LinuxIO

@Suite struct ProcessorChecksumTests {
  /// RFC 3720 appendix B.4, and the check value of the catalogue of parametrised CRC algorithms.
  static let cases: [([UInt8], UInt32)] = [
    (Array("123456789".utf8), 0xe306_9283), ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
    ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43), (Array(0..<32), 0x46dd_794e),
    (Array((0..<32).reversed()), 0x113f_db5c), ([], 0),
  ]

  @Test func checksumIsCastagnolis() {
    guard ProcessorChecksum.isThere else { return }
    for (bytes, expected) in Self.cases { #expect(ProcessorChecksum.crc32c(bytes, 0..<bytes.count, 0) == expected) }
  }

  @Test func everyPartOfAnArrayHasTheChecksumOfItsOctets() {
    guard ProcessorChecksum.isThere else { return }
    let bytes = (0..<64).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
    for low in 0...64 {
      for high in low...64 { #expect(ProcessorChecksum.crc32c(bytes, low..<high, 0) == bitwise(bytes[low..<high])) }
      #expect(
        ProcessorChecksum.crc32c(bytes, low..<64, ProcessorChecksum.crc32c(bytes, 0..<low, 0)) == bitwise(bytes[...]))
    }
  }

  /// The definition, a bit at a time.
  private func bitwise(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var value = UInt32.max
    for octet in bytes {
      value ^= UInt32(octet)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
    }
    return ~value
  }
}
