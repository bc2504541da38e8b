/// Bytes of a segment that hold no valid record.
package struct SpoolDamage: Hashable, Sendable {
  /// The segment's file.
  package var name: String
  /// Offsets in it.
  package var bytes: Range<Int>
  /// Whose records they were; nil when the segment's header is damaged too.
  package var boot: SpoolBoot?
  /// The sequence numbers that were not read: after the record before the damage and before the one after it. Nil where
  /// no neighbour tells; `from` > `to` means that no record is missing.
  package var from: UInt64?
  package var to: UInt64?

  /// The file in `quarantine/` that holds the bytes: the segment's name, the place in it, and the boot if it is known, since another spool may have begun to number its segments
  /// anew in the same directory. The same at each start.
  package var quarantineName: String { "\(name)-\(bytes.lowerBound)" + (boot.map { "-\($0.text)" } ?? "") }

  /// How many records are missing; nil when that is not known.
  package var missingCount: UInt64? {
    guard let from, let to else { return nil }
    return from > to ? 0 : (to - from) &+ 1
  }
}

/// What recovery found.
package struct RecoveryReport: Hashable, Sendable {
  package enum Cursor: Hashable, Sendable {
    /// There is none: a first start, or it was deleted.
    case absent
    case intact
    /// One slot was unreadable; at most one acknowledgement is repeated.
    case oneSlot
    /// Both slots were unreadable: everything stored is delivered again.
    case lost
  }

  package var cursor = Cursor.absent
  /// Segments that hold unacknowledged records.
  package var segments = 0
  /// Unacknowledged records.
  package var records = 0
  /// Bytes cut off the last segment: the write that a crash interrupted.
  package var tornBytes = 0
  /// Unacknowledged damage, in order of position. It is found again at each start until the segment is acknowledged;
  /// the quarantine name is the same then.
  package var damages: [SpoolDamage] = []
  /// Files that could not be read, moved to `quarantine/`.
  package var setAside: [String] = []
  /// Names in the directory that are not ours, left alone.
  package var foreignNames = 0
  /// The last record of the last boot that is known of.
  package var lastSequence: UInt64?
  package var lastBoot: SpoolBoot?
  /// The payloads of the newest records of earlier boots, oldest first, whether acknowledged or not: those that are still
  /// on the disk, at most `SpoolLimits.keptBytesMax` octets.
  package var recent: [[UInt8]] = []
}
