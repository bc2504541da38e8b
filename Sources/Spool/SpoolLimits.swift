import Timekeeping

/// The bounds of a spool. Every one may be set; the defaults state their reason.
package struct SpoolLimits: Hashable, Sendable {
  /// Bytes of all segment files together. Beyond it records are refused (`AUDIT_STORE_FULL`): 256 MiB hold some 300,000
  /// records of 800 octets, an outage of many hours of an ordinary sandbox.
  package var bytesMax = 256 << 20
  /// Bytes at which a segment is sealed and the next one begun: 4 MiB, small enough to be read whole at recovery.
  /// At most an eighth of `bytesMax` is used, so that sealing and deleting always make room.
  package var segmentBytes = 4 << 20
  /// Bytes of `bytesMax` kept for control records (start, stop, heartbeat, drops): 1 MiB, a thousand of them.
  package var controlReserve = 1 << 20
  /// How long a written group may wait for its `fdatasync`: 20 ms, what a machine's death may cost.
  package var syncDelay = TimeSpan.milliseconds(20)
  /// How long to wait before a failed write, or a failed cursor, is tried again: 250 ms.
  package var retryDelay = TimeSpan.milliseconds(250)

  package init() {}

  /// Bytes of one record's payload: 1 MiB, the largest publication of Event Hubs. A larger length field is damage.
  package static let recordBytesMax = 1 << 20
  /// Bytes of a segment file that recovery reads whole: 64 MiB. A larger file is set aside, never read.
  package static let readableSegmentMax = 64 << 20
  /// Bytes a damaged segment may cost in trial checksums, as a multiple of its size: the search for the next record ends there.
  package static let searchBudgetFactor = 8

  /// `segmentBytes` as used.
  var segmentBytesUsed: Int { max(min(segmentBytes, bytesMax / 8, Self.readableSegmentMax / 2), 4096) }
}
