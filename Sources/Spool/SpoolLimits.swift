import Timekeeping

/// The bounds of a spool. Every one may be set; the defaults state their reason.
package struct SpoolLimits: Hashable, Sendable {
  /// Bytes of all segment files together. Beyond it records are refused (`AUDIT_STORE_FULL`): 64 MiB hold some 80,000
  /// records of 800 octets.
  package var bytesMax = 64 << 20
  /// Bytes at which a segment is sealed and the next one begun: 4 MiB, small enough to be read whole at recovery.
  /// At most an eighth of `bytesMax` is used, so that sealing and deleting always make room.
  package var segmentBytes = 4 << 20
  /// Bytes of `bytesMax` kept for control records (start, stop, heartbeat, drops): 1 MiB, a thousand of them.
  package var controlReserve = 1 << 20
  /// How long a written group may wait for its `fdatasync`: 20 ms, what a machine's death may cost.
  package var syncDelay = TimeSpan.milliseconds(20)
  /// How long to wait before a failed write, or a failed cursor, is tried again: 250 ms.
  package var retryDelay = TimeSpan.milliseconds(250)

  /// Bytes that may wait for their sync in memory: 32 MiB, some 20,000 records, so that a burst of 10,000 flows passes. Beyond it the disk counts as failing.
  package var unsyncedBytesMax = 32 << 20
  /// How often a piece of a file is read again when reading fails: 3 times; then its records are given up and reported.
  package var readAttemptsMax = 3

  /// Bytes of acknowledged segments that are kept, the newest, for the next start to look back at (`RecoveryReport.recent`).
  /// They never take room from records: what is stored and they together stay below `bytesMax`. None unless the owner
  /// of the records has a use for it.
  package var keptBytesMax = 0

  package init() {}

  /// Bytes of one record's payload: 64 KiB, the most that Log Analytics takes. A larger length field is damage.
  package static let recordBytesMax = 64 << 10
  /// Bytes of a segment file that recovery reads whole: 64 MiB. A larger file is set aside, never read.
  package static let readableSegmentMax = 64 << 20
  /// Bytes a damaged segment may cost in trial checksums, as a multiple of its size: the search for the next record
  /// ends there.
  package static let searchBudgetFactor = 8

  /// The search for a record after damage believes sequence numbers at most this far ahead: 2²⁴. Garbage passes once in
  /// 2⁴⁰ trials.
  static let searchSequenceSpan: UInt64 = 1 << 24

  /// What of `bytesMax` ordinary records may not use: the reserve, in a small spool a quarter.
  package var reserveUsed: Int { min(controlReserve, bytesMax / 4) }
  var segmentBytesUsed: Int { max(min(segmentBytes, bytesMax / 8, Self.readableSegmentMax / 2), 4096) }
}
