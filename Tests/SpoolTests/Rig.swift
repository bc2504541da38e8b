import Timekeeping

@testable import Spool

/// A spool on a disk, driven to the end of its effects at once; what it told is kept.
struct Rig {
  var spool: Spool
  var disk: Disk
  var now = Moment(instant: Instant(nanoseconds: 1), wall: WallTime(microseconds: 1))
  var told: [SpoolEffect] = []
  var report: RecoveryReport?
  /// The next writes, syncs or cursor writes fail.
  var failsWrites = false
  var failsSyncs = false
  var failsCursor = false

  init(_ disk: Disk = Disk(), limits: SpoolLimits = SpoolLimits(), boot: UInt64 = 7) {
    self.disk = disk
    spool = Spool(limits: limits, boot: SpoolBoot(high: boot, low: 9))
    run(spool.recover(disk.listing, at: now))
  }

  mutating func run(_ effects: [SpoolEffect]) {
    for effect in effects {
      told.append(effect)
      switch effect {
      case .readCursor(let name): run(spool.cursorRead(disk.files[name]?.bytes, at: now))
      case .readSegment(let name, _): run(spool.segmentRead(name, disk.files[name]?.bytes, at: now))
      case .recovered(let report): self.report = report
      case .write(let write): perform(write)
      case .sync(let sync):
        if !failsSyncs {
          for name in sync.names { disk.sync(name) }
          if sync.directory { disk.syncDirectory() }
        }
        run(spool.synced(sync.ticket, failsSyncs ? .failed(reason: "EIO") : .ok, at: now))
      case .writeCursor(let write):
        if !failsCursor {
          disk.write(write.name, write.offset, write.bytes[...])
          disk.sync(write.name)
          disk.files[write.name]?.isEntryDurable = true
        }
        run(spool.cursorWritten(write.generation, failsCursor ? .failed(reason: "EIO") : .ok, at: now))
      case .deleteSegment(let name): disk.delete(name)
      case .truncate(let name, let length): disk.truncate(name, length)
      case .quarantine(let name, let bytes): disk.quarantine[name] = bytes
      case .setAside(let name): disk.quarantine[name] = disk.files.removeValue(forKey: name)?.bytes
      case .stored, .durable, .stalled, .damaged: break
      }
    }
  }

  mutating func perform(_ write: SpoolWrite) {
    if !failsWrites { disk.write(write.name, write.offset, write.bytes[...]) }
    run(spool.written(write.ticket, failsWrites ? .failed(reason: "ENOSPC") : .ok, at: now))
  }

  @discardableResult
  mutating func append(_ sequences: ClosedRange<UInt64>, isControl: Bool = false) -> AppendPlan {
    let records = sequences.map { SpoolRecord(sequence: $0, bytes: payload($0)) }
    let plan = spool.append(records, isControl: isControl, at: now)
    if case .write(let write) = plan { run([.write(write)]) }
    return plan
  }

  mutating func pass(_ span: TimeSpan) {
    now.instant = now.instant + span
    while let next = spool.nextDeadline, next <= now.instant { run(spool.deadlineReached(at: now)) }
  }

  /// Everything that can be read now.
  mutating func readAll(bytesMax: Int = 1000) -> [StoredRecord] {
    var records: [StoredRecord] = []
    var reads = 0
    while let read = spool.nextRead(bytesMax: bytesMax), reads < 100_000 {
      reads += 1
      let bytes = disk.files[read.name].map { Array($0.bytes.dropFirst(read.offset).prefix(read.length)) }
      let delivery = spool.delivered(read, bytes, at: now)
      records += delivery.records
      run(delivery.effects)
    }
    return records
  }

  /// A start of the daemon on what the disk holds.
  func restarted(boot: UInt64 = 8) -> Rig { Rig(disk, limits: spool.limits, boot: boot) }
}

/// The payload of a record in these tests: its number in text.
func payload(_ sequence: UInt64) -> [UInt8] { Array("{\"SbxSeq\":\(sequence)}".utf8) }

/// Three records in one segment, and the bytes of its file.
func threeRecords() -> (disk: Disk, name: String, bytes: [UInt8]) {
  var rig = Rig()
  rig.append(1...1)
  rig.append(2...3)
  rig.pass(.milliseconds(20))
  let name = SegmentName.compose(1)
  return (rig.disk, name, rig.disk.files[name]?.bytes ?? [])
}
