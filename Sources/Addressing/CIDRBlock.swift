/// An address block (RFC 4632, RFC 4291 §2.3). Host bits are always zero.
package struct CIDRBlock: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The first address of the block.
  package let first: IPAddress
  /// 0…32 or 0…128.
  package let prefixLength: Int

  /// The block that holds `address`; nil when the length does not fit the family. Host bits are cleared.
  package init?(containing address: IPAddress, prefixLength: Int) {
    guard (0...address.bitWidth).contains(prefixLength) else { return nil }
    self.prefixLength = prefixLength
    first = address.masked(to: prefixLength)
  }

  /// A single address.
  package init(_ address: IPAddress) {
    first = address
    prefixLength = address.bitWidth
  }

  /// `ADDRESS` or `ADDRESS/LENGTH`; nil for anything else. Host bits are cleared: compare `first` to see whether any were set.
  package init?(_ text: some StringProtocol) { self.init(octets: Array(text.utf8).span) }

  /// The same of a text's octets.
  package init?(octets text: Span<UInt8>) {
    guard let (address, length) = Self.parts(of: text) else { return nil }
    self.init(containing: address, prefixLength: length)
  }

  /// The address as it stands there, host bits and all, and the length; nil for what is no block.
  package static func parts(of text: Span<UInt8>) -> (address: IPAddress, prefixLength: Int)? {
    var slash = 0
    while slash < text.count, text[slash] != UInt8(ascii: "/") { slash += 1 }
    guard let address = IPAddress(octets: text.extracting(0..<slash)) else { return nil }
    guard slash < text.count else { return (address, address.bitWidth) }
    let digits = text.count - slash - 1
    guard (1...3).contains(digits), digits == 1 || text[slash + 1] != 0x30 else { return nil }
    var length = 0
    for place in slash + 1..<text.count {
      guard text[place] &- 0x30 < 10 else { return nil }
      length = length * 10 + Int(text[place] &- 0x30)
    }
    return length <= address.bitWidth ? (address, length) : nil
  }

  /// The last address of the block.
  package var last: IPAddress {
    switch first {
    case .v4(let address): .v4(IPv4Address(bits: address.bits | hostMask32(prefixLength)))
    case .v6(let address):
      .v6(
        IPv6Address(
          high: address.high | hostMask64(min(prefixLength, 64)),
          low: address.low | hostMask64(max(prefixLength - 64, 0))))
    }
  }

  package func contains(_ address: IPAddress) -> Bool {
    address.isIPv4 == first.isIPv4 && address.masked(to: prefixLength) == first
  }

  package func contains(_ other: CIDRBlock) -> Bool { other.prefixLength >= prefixLength && contains(other.first) }

  /// A block of one address is written without its length.
  package var description: String {
    prefixLength == first.bitWidth ? first.description : "\(first)/\(prefixLength)"
  }

  package static func < (left: Self, right: Self) -> Bool {
    (left.first, left.prefixLength) < (right.first, right.prefixLength)
  }
}

extension IPAddress {
  /// This address with everything after the first `length` bits cleared.
  func masked(to length: Int) -> IPAddress {
    switch self {
    case .v4(let address): .v4(IPv4Address(bits: address.bits & ~hostMask32(length)))
    case .v6(let address):
      .v6(
        IPv6Address(
          high: address.high & ~hostMask64(min(length, 64)), low: address.low & ~hostMask64(max(length - 64, 0))))
    }
  }
}

private func hostMask32(_ prefix: Int) -> UInt32 { prefix >= 32 ? 0 : UInt32.max >> UInt32(prefix) }
private func hostMask64(_ prefix: Int) -> UInt64 { prefix >= 64 ? 0 : UInt64.max >> UInt64(prefix) }
