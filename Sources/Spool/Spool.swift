import Timekeeping

// Spool: opaque records → durable, bounded segments → records again.
//
// Constraints. The spool survives the death of the daemon at every instruction and the death of the machine up to the
// last sync. It is bounded, and refuses new records rather than lose old ones. Recovery never refuses to start, never
// loops, never deletes silently. A record is delivered at least once; a lost cursor costs duplicates only. The module
// performs nothing: it answers every call with effects (`SpoolEffect`), which the shell performs in their order.
//
// Format. Everything is little endian, checksums are CRC-32C (RFC 3720 appendix B.4).
//
//   segment-%016x          the number rises by one and is never used again; a start of the daemon begins a new segment
//      0   8  magic "SALLYSEG"
//      8   4  version, 1
//     12  16  boot: random octets, one value for each start of the daemon
//     28   8  sequence number of the first record
//     36   4  checksum of octets 0–35
//     40      records, one after another, to the end of the file:
//             0   4  length of the payload, 1 to 65,536
//             4   4  checksum of octets 0–3, 8–15 and the payload
//             8   8  sequence number, greater than the one before
//            16      payload
//
//   cursor                 two slots, at 0 and at 4096; the newer whole one counts
//      0   8  magic "SALLYCUR"
//      8   4  version, 1
//     12   8  generation: rises by one with each write; its lowest bit is the slot
//     20   8  segment number   ┐ records that end here or before
//     28   8  offset           ┘ were acknowledged
//     36  16  boot             ┐ of the last acknowledged record
//     52   8  sequence number  ┘
//     60   4  checksum of octets 0–59
//
//   quarantine/            raw bytes of damage, named SEGMENT-OFFSET, and whole files that could not be read;
//                          the owner of the records may put records there that nobody takes
//
// Operations.
//   recover      read the cursor, then each segment once, oldest first; one segment is in memory at a time
//   append       frame a group of records, place it at the end of the active segment, one write; `stored` when it is in
//                the file
//   sync         a sync follows within `syncDelay` of the first write that has none; `durable` when it ended; one at a
//                time
//   read         pieces of segments, through the page cache, checked again; position by position, never twice unless
//                `rewind`; while a long backlog is read, what is appended meanwhile may have a lane of its own
//   acknowledge  the cursor moves; the slot is written and synced; only then are wholly acknowledged segments deleted,
//                or kept a while for the next start to look back at: nothing depends on them, and they go first
//
// Failures.
//   torn tail of the last segment    cut off and counted: the write that a crash interrupted
//   damage elsewhere                 the search goes octet by octet to the next valid record; the bytes go to
//                                    quarantine, the range of sequence numbers is reported; every other record is kept
//   cursor lost or garbage           everything stored is delivered again
//   cursor beyond its segment        acknowledged records were lost with the machine before their sync: nothing to do
//   write or sync failed             the segment is sealed before the first group in doubt and never synced again (a
//                                    second `fsync` may lie: it forgets the error); groups since the last sync, kept in
//                                    memory for this, are written to a new segment under their old tickets, and only
//                                    then cut from the old one; until that succeeds appends are refused
//   store full                       appends are refused; control records may use the reserve; or `dropOldest`
//
// A payload cannot pretend to be a record for the search after damage as long as payloads are JSON text: a record's
// header holds zero octets, JSON text none.

/// The states of records: appended → stored → durable → handed out → acknowledged → deleted.
package struct Spool: Sendable {
  package let limits: SpoolLimits
  /// This start of the daemon.
  package let boot: SpoolBoot
  /// Over records; the same function whoever gave it.
  let checksum: SpoolChecksum

  var phase = Phase.idle
  /// All segments, oldest first. Records are appended to the last one unless it is sealed.
  var segments: [Segment] = []
  /// Acknowledged segments that are still on the disk, oldest first.
  var kept: [Kept] = []
  var nextNumber: UInt64 = 1

  /// Groups that are not durable yet, in order of their tickets, which have no gaps.
  var pending: [Group] = []
  /// How many of them, from the first, are stored.
  var settledCount = 0
  var nextTicket: UInt64 = 1
  var unsyncedBytes = 0
  var isSyncing: SpoolTicket?
  var syncAt: Instant?
  var directoryChanged = false

  package internal(set) var failure: String?
  var retryAt: Instant?
  var abandoned: [Abandoned] = []

  /// What was acknowledged, and what of it the cursor file holds.
  var acknowledged: SpoolCursor
  var cursorWriting: SpoolCursor?
  var cursorRetryAt: Instant?
  var cursorSynced = SpoolPosition(segment: 0, offset: 0)
  var cursorGeneration: UInt64 = 0

  var oldest = Lane(at: SpoolPosition(segment: 0, offset: 0))
  var fresh: FreshPart?
  var reading: SpoolRead?
  var readRetryAt: Instant?

  /// `checksum` nil: by tables.
  package init(limits: SpoolLimits, boot: SpoolBoot, checksum: SpoolChecksum? = nil) {
    self.limits = limits
    self.boot = boot
    self.checksum = checksum ?? { CRC32C.checksum($0, $1, after: $2) }
    acknowledged = SpoolCursor(
      generation: 0, position: SpoolPosition(segment: 0, offset: 0), boot: SpoolBoot(high: 0, low: 0), sequence: 0)
  }

  enum Phase {
    case idle
    case readingCursor(Recovery)
    case readingSegments(Recovery)
    case ready
  }

  /// Records appended together.
  struct Group {
    let ticket: SpoolTicket
    /// Framed records.
    var bytes: [UInt8]
    var count: Int
    var firstSequence: UInt64
    var lastSequence: UInt64
    var position: SpoolPosition
    var appendedAt: Moment
    var state: State
    var isAnnounced = false

    enum State {
      case writing
      /// In the file, while an earlier group is not.
      case written
      case stored
      /// To be written again. `isWriting`: the outcome of the earlier write is still to come and means nothing.
      case stalled(isWriting: Bool)
    }

    var end: Int { position.offset + bytes.count }
  }

  /// A segment to be cut, or deleted, once no write to it is under way.
  struct Abandoned {
    var number: UInt64
    var length: Int
    /// Groups up to this one were stored beyond the length, and may have nothing else to survive a crash by until they
    /// are stored again.
    var keptFor: SpoolTicket?
  }

  struct Kept {
    var number: UInt64
    var size: Int
  }

  // MARK: Standing

  /// Bytes of all segments.
  package var storedBytes: Int { segments.reduce(0) { $0 + $1.size } }

  /// Records stored and not acknowledged.
  package var unacknowledgedCount: Int { segments.reduce(0) { $0 + $1.unacknowledged } }

  /// The oldest of them. The number is exact unless numbers were skipped. The moment is up to a second early within the
  /// active segment, earlier in a sealed one, and that of the recovery for records of an earlier start.
  package var oldestUnacknowledged: (boot: SpoolBoot?, sequence: UInt64, appendedAt: Moment)? {
    guard let segment = segments.first(where: { $0.unacknowledged > 0 }) else { return nil }
    let position = acknowledged.position
    let isBegun = position.segment == segment.number
    let origin = segment.origin(isBegun ? position.offset : 0)
    let sequence = isBegun ? max(origin.sequence, acknowledged.sequence &+ 1) : origin.sequence
    return (segment.boot, sequence, origin.appendedAt)
  }

  /// Recovery has ended: records may be appended.
  package var isReady: Bool { if case .ready = phase { true } else { false } }

  /// Whether an ordinary record of a kilobyte would be refused now, by the quota or because the disk fails.
  package var isFull: Bool { isFailing || storedBytes + 1024 > limits.bytesMax - limits.reserveUsed }

  var isFailing: Bool { failure != nil || unsyncedBytes > limits.unsyncedBytesMax }

  /// When `deadlineReached` is due.
  package var nextDeadline: Instant? {
    [
      isSyncing == nil ? syncAt : nil, retryAt != nil && isWritingStalled ? nil : retryAt,
      cursorWriting == nil ? cursorRetryAt : nil, readRetryAt,
    ]
    .compactMap { $0 }.min()
  }

  package mutating func deadlineReached(at now: Moment) -> [SpoolEffect] {
    var effects: [SpoolEffect] = []
    if let at = readRetryAt, at <= now.instant { readRetryAt = nil }
    if let at = retryAt, at <= now.instant, !isWritingStalled { effects += rewrite(at: now) }
    if let at = cursorRetryAt, at <= now.instant, cursorWriting == nil {
      cursorRetryAt = nil
      effects += advanceCursor()
    }
    if let at = syncAt, at <= now.instant { effects += startSync() }
    return effects
  }

  /// Asks for the sync of everything written without waiting for its time: before the end of the process.
  package mutating func flush(at now: Moment) -> [SpoolEffect] {
    if pending.contains(where: { $0.isStored }), syncAt == nil { syncAt = now.instant }
    return startSync() + advanceCursor()
  }
}

extension Spool.Group {
  var isStored: Bool {
    if case .stored = state { true } else { false }
  }

  var isStalled: Bool {
    if case .stalled = state { true } else { false }
  }
}
