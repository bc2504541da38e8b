/// What the spool asks of the disk, or tells. The effects of one call are performed in their order; disk effects of
/// successive calls keep their order too (one worker is enough). Names are relative to the spool's directory.
package enum SpoolEffect: Hashable, Sendable {
  /// Read the cursor file (at most `SpoolCursor.fileBytes`), then call `cursorRead`.
  case readCursor(name: String)
  /// Read the whole file, then call `segmentRead`.
  case readSegment(name: String, bytesMax: Int)
  /// Recovery has ended; records may be appended.
  case recovered(RecoveryReport)

  /// Write all the bytes at the offset, then call `written`. `creates`: the file must not exist yet (O_EXCL).
  case write(SpoolWrite)
  /// `fdatasync` of the files in their order, then `fsync` of the directory when asked, then call `synced`.
  case sync(SpoolSync)
  /// Write the slot, `fdatasync`, and `fsync` of the directory if the file was made; then call `cursorWritten`.
  case writeCursor(SpoolCursorWrite)

  /// The group is in the file: it survives the death of the daemon.
  case stored(SpoolTicket)
  /// Every group up to this ticket is on the disk: it survives the death of the machine.
  case durable(through: SpoolTicket)
  /// The group could not be written yet; it is kept and tried again, and `stored` follows when that succeeds. Whoever
  /// waits for it should be refused meanwhile.
  case stalled(SpoolTicket, reason: String)

  /// Unlink the segment; every record in it was acknowledged or reported as dropped. Nothing waits for it.
  case deleteSegment(name: String)
  /// Cut the file to this length and `fdatasync` it (a torn tail, or a tail that was rewritten elsewhere). Nothing
  /// waits for it.
  case truncate(name: String, length: Int)
  /// Write these raw bytes to a file of this name in `quarantine/`, replacing one of the same name, and `fsync` it.
  case quarantine(name: String, bytes: [UInt8])
  /// Rename the file into `quarantine/`: it cannot be read, or is not of this version.
  case setAside(name: String)
  /// Records that were stored cannot be read any more; to be put on record as `RecordsDropped`.
  case damaged(SpoolDamage)
}

/// Names one group of records: rises by one with every group.
package struct SpoolTicket: Hashable, Comparable, Sendable {
  package var number: UInt64

  package init(number: UInt64) { self.number = number }

  package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

package struct SpoolWrite: Hashable, Sendable {
  package var ticket: SpoolTicket
  package var name: String
  package var creates: Bool
  package var offset: Int
  package var bytes: [UInt8]
}

package struct SpoolSync: Hashable, Sendable {
  /// The last group that this makes durable.
  package var ticket: SpoolTicket
  package var names: [String]
  /// Whether a file was made since the last sync.
  package var directory: Bool
}

package struct SpoolCursorWrite: Hashable, Sendable {
  /// To be given back to `cursorWritten`.
  package var generation: UInt64
  package var name: String
  package var offset: Int
  package var bytes: [UInt8]
}

/// How a disk effect ended.
package enum StorageOutcome: Hashable, Sendable {
  case ok
  case failed(reason: String)
}

/// A file as the shell's listing of the directory shows it.
package struct SpoolFile: Hashable, Sendable {
  package var name: String
  package var size: Int

  package init(name: String, size: Int) {
    self.name = name
    self.size = size
  }
}

/// What `append` decided.
package enum AppendPlan: Hashable, Sendable {
  /// Perform the write; the records count as stored after `.stored(ticket)`.
  case write(SpoolWrite)
  /// `bytesMax` would be passed (less the reserve for a record that is not control). Nothing was taken.
  case full
  /// The disk refuses writes; earlier groups wait. Nothing was taken.
  case failing(reason: String)
  /// A record is empty or larger than `SpoolLimits.recordBytesMax`. Nothing was taken.
  case unfit(sequence: UInt64)
  /// `recovered` has not been reported yet. Nothing was taken.
  case recovering
}

/// A piece of a segment file to read: `length` bytes at `offset`, fewer only at the end of the file.
package struct SpoolRead: Hashable, Sendable {
  package var name: String
  package var offset: Int
  package var length: Int
  package var lane: SpoolLane
  var segment: UInt64
  var isSearch: Bool
  var recordBytesMax: Int
}

/// What a read gave.
package struct SpoolDelivery: Hashable, Sendable {
  package var records: [StoredRecord]
  package var effects: [SpoolEffect]
}

/// Records given up by `dropOldest`: the facts of a `RecordsDropped` record.
package struct SpoolDrop: Hashable, Sendable {
  package var boot: SpoolBoot?
  package var count: Int
  package var from: UInt64
  package var to: UInt64
  package var effects: [SpoolEffect]
}
