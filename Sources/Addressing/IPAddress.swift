/// An IPv4 address (RFC 791).
package struct IPv4Address: Hashable, Comparable, Sendable {
  /// The address as a number: `127.0.0.1` is `0x7f00_0001`.
  package var bits: UInt32

  package init(bits: UInt32) { self.bits = bits }

  package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
    bits = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
  }

  package static func < (left: Self, right: Self) -> Bool { left.bits < right.bits }
}

/// An IPv6 address (RFC 4291).
package struct IPv6Address: Hashable, Comparable, Sendable {
  /// The first eight octets as a number.
  package var high: UInt64
  /// The last eight octets as a number.
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  package static func < (left: Self, right: Self) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

/// An address of either family. IPv4 sorts before IPv6; an IPv4-mapped IPv6 address stays IPv6 (see `SpecialPurpose`).
package enum IPAddress: Hashable, Comparable, Sendable {
  case v4(IPv4Address)
  case v6(IPv6Address)

  /// Network byte order, 4 or 16 octets.
  package init?(bytes: some Collection<UInt8>) {
    switch bytes.count {
    case 4: self = .v4(IPv4Address(bits: bytes.reduce(0) { $0 << 8 | UInt32($1) }))
    case 16:
      self = .v6(
        IPv6Address(
          high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
          low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }))
    default: return nil
    }
  }

  /// Network byte order, 4 or 16 octets.
  package var bytes: [UInt8] {
    switch self {
    case .v4(let address):
      let bits = address.bits
      return [
        UInt8(truncatingIfNeeded: bits >> 24), UInt8(truncatingIfNeeded: bits >> 16),
        UInt8(truncatingIfNeeded: bits >> 8), UInt8(truncatingIfNeeded: bits),
      ]
    case .v6(let address): return bigEndianBytes(address.high) + bigEndianBytes(address.low)
    }
  }

  /// `0.0.0.0` or `::`, which is no host's (RFC 6890).
  package static func unspecified(isIPv4: Bool) -> IPAddress {
    isIPv4 ? .v4(IPv4Address(bits: 0)) : .v6(IPv6Address(high: 0, low: 0))
  }

  package var isIPv4: Bool { if case .v4 = self { true } else { false } }

  /// 32 or 128.
  package var bitWidth: Int { isIPv4 ? 32 : 128 }

  package static func < (left: Self, right: Self) -> Bool {
    switch (left, right) {
    case (.v4(let a), .v4(let b)): a < b
    case (.v6(let a), .v6(let b)): a < b
    case (.v4, .v6): true
    case (.v6, .v4): false
    }
  }
}

/// The octets of a number, most significant first, as they stand on the wire.
package func bigEndianBytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
  (0..<Number.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
}
