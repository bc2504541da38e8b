import Timekeeping

// Spool

package struct Spool: Sendable {
  package let limits: SpoolLimits
  package let boot: SpoolBoot

  package init(limits: SpoolLimits, boot: SpoolBoot) {
    self.limits = limits
    self.boot = boot
  }

  // Recovery, once, first.

  /// The directory's listing, in any order. Reading follows by effects and ends with `.recovered`.
  package mutating func recover(_ listing: [SpoolFile], at now: Moment) -> [SpoolEffect] { [] }
  /// The cursor file's bytes; nil when it could not be read.
  package mutating func cursorRead(_ bytes: [UInt8]?, at now: Moment) -> [SpoolEffect] { [] }
  /// A segment's bytes; nil when it could not be read.
  package mutating func segmentRead(_ name: String, _ bytes: [UInt8]?, at now: Moment) -> [SpoolEffect] { [] }

  // Storing.

  package mutating func append(_ records: [SpoolRecord], isControl: Bool, at now: Moment) -> AppendPlan { .full }
  package mutating func written(_ ticket: SpoolTicket, _ outcome: StorageOutcome, at now: Moment) -> [SpoolEffect] {
    []
  }
  package mutating func synced(_ ticket: SpoolTicket, _ outcome: StorageOutcome, at now: Moment) -> [SpoolEffect] { [] }
  package mutating func cursorWritten(_ generation: UInt64, _ outcome: StorageOutcome, at now: Moment) -> [SpoolEffect]
  {
    []
  }
  /// When `deadlineReached` is due.
  package var nextDeadline: Instant? { nil }
  package mutating func deadlineReached(at now: Moment) -> [SpoolEffect] { [] }
  /// Asks for the sync of everything written, and for the cursor, without waiting: before the end of the process.
  package mutating func flush(at now: Moment) -> [SpoolEffect] { [] }

  // Reading and acknowledging.

  /// The next records that were not handed out yet, about `bytesMax` of them (at least one record). One read at a time: nil until
  /// `delivered` was called for the last one, and when there is nothing.
  package mutating func nextRead(bytesMax: Int) -> SpoolRead? { nil }
  /// What the read gave; nil when it failed.
  package mutating func delivered(_ read: SpoolRead, _ bytes: [UInt8]?) -> SpoolDelivery {
    SpoolDelivery(records: [], effects: [])
  }
  package mutating func acknowledge(through position: SpoolPosition) -> [SpoolEffect] { [] }
  /// Forgets what was handed out and not acknowledged.
  package mutating func rewind() {}
  /// Gives up the oldest segment's unacknowledged records (`SALLYPORT_AUDIT_FAIL=open`). Its bytes are free at once. Nil when there is
  /// none that could go.
  package mutating func dropOldest() -> SpoolDrop? { nil }

  // Standing.

  /// Bytes of all segments.
  package var storedBytes: Int { 0 }
  /// Records stored and not acknowledged.
  package var unacknowledgedCount: Int { 0 }
  /// The oldest of them. The moment is up to a second early within the active segment, earlier in a sealed one, and the
  /// recovery's for records of an earlier boot.
  package var oldestUnacknowledged: (sequence: UInt64, appendedAt: Moment)? { nil }
  /// Whether an ordinary record would be refused now, by the quota or because the disk fails.
  package var isFull: Bool { false }
  /// Why the disk refuses writes, while it does.
  package var failure: String? { nil }
}
