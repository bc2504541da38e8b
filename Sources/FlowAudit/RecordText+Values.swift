import Addressing
import Timekeeping

extension RecordText {
  /// A stamp in quotes, RFC 3339 with microseconds and `Z`.
  mutating func append(stamp: WallTime, through cache: inout StampCache) {
    append(0x22)
    append(cache.second(of: stamp))
    let fraction = stamp.microseconds - floorSecond(stamp.microseconds) * 1_000_000
    var divisor: Int64 = 100_000
    while divisor > 0 {
      append(0x30 + UInt8(truncatingIfNeeded: fraction / divisor % 10))
      divisor /= 10
    }
    append(0x5a)
    append(0x22)
  }

  /// An address in quotes: dotted IPv4, or IPv6 as RFC 5952 writes it.
  mutating func append(address: IPAddress) {
    append(0x22)
    address.appendText(to: &octets)
    append(0x22)
  }

  /// A UUID in quotes (RFC 9562 §4): lower case with dashes.
  mutating func append(uuid high: UInt64, _ low: UInt64) {
    append(uuidFrame)
    var written = octets.mutableSpan
    var at = written.count - uuidFrame.count + 1
    for index in 0..<32 {
      if index == 8 || index == 12 || index == 16 || index == 20 { at += 1 }
      let half = index < 16 ? high : low
      written[at] = hexDigit(UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (index & 15)) & 15))
      at += 1
    }
  }
}

private let uuidFrame = Array("\"00000000-0000-0000-0000-000000000000\"".utf8)

/// The stamp of the last second, so that of most stamps only six digits are made.
struct StampCache: Sendable {
  private var number = Int64.min
  private var text: [UInt8] = []

  init() {}

  /// `2026-11-20T10:55:00.`
  mutating func second(of stamp: WallTime) -> [UInt8] {
    let second = floorSecond(stamp.microseconds)
    if second != number {
      number = second
      text = Array(stamp.utf8.prefix(20))
    }
    return text
  }
}

private func floorSecond(_ microseconds: Int64) -> Int64 {
  let quotient = microseconds / 1_000_000
  return microseconds % 1_000_000 < 0 ? quotient - 1 : quotient
}

/// A UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds since 1970, the rest random. A wall time before 1970 counts as 1970.
///
///     |          unix_ts_ms (48)          | ver 7 | rand_a (12) |
///     | var 2 |                    rand_b (62)                  |
struct UniqueID: Sendable {
  let high: UInt64
  let low: UInt64

  init(at wall: WallTime, using generator: inout some RandomNumberGenerator) {
    let milliseconds = UInt64(max(wall.microseconds, 0)) / 1_000
    high = milliseconds << 16 | 0x7000 | generator.next() & 0x0fff
    low = generator.next() >> 2 | 1 << 63
  }
}
