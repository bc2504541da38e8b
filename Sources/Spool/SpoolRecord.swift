/// One record to be stored. The spool knows nothing of its content.
package struct SpoolRecord: Hashable, Sendable {
  /// Strictly greater than that of the record before it in the same boot.
  package var sequence: UInt64
  /// The exact octets that will be delivered: 1 to `SpoolLimits.recordBytesMax`.
  package var bytes: [UInt8]

  package init(sequence: UInt64, bytes: [UInt8]) {
    self.sequence = sequence
    self.bytes = bytes
  }
}

/// One record as it was read back.
package struct StoredRecord: Hashable, Sendable {
  package var sequence: UInt64
  package var bytes: [UInt8]
  /// Where the record ends: acknowledging this position acknowledges the record and every one before it.
  package var end: SpoolPosition
  /// Whose number `sequence` is; nil when the segment's header is damaged.
  package var boot: SpoolBoot?

  package init(sequence: UInt64, bytes: [UInt8], end: SpoolPosition, boot: SpoolBoot? = nil) {
    self.sequence = sequence
    self.bytes = bytes
    self.end = end
    self.boot = boot
  }
}

/// A place between two records: a segment's number and an offset in its file. Sequence numbers start again at each
/// boot; positions only grow.
package struct SpoolPosition: Hashable, Comparable, Sendable {
  package var segment: UInt64
  package var offset: Int

  package init(segment: UInt64, offset: Int) {
    self.segment = segment
    self.offset = offset
  }

  package static func < (left: Self, right: Self) -> Bool {
    (left.segment, left.offset) < (right.segment, right.offset)
  }
}

/// Sixteen random octets, one value for each start of the daemon.
package struct SpoolBoot: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  /// The octets' two halves, each read with the first octet highest.
  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Nil unless there are sixteen octets.
  package init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The sixteen octets.
  package var bytes: [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - 8 * ($0 % 8))) }
  }

  /// The sixteen octets in lower-case hexadecimal.
  package var text: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
