import Testing
import Timekeeping

@testable import Spool

@Suite struct StoringTests {
  private func small(_ bytesMax: Int = 1 << 16, segment: Int = 4096, reserve: Int = 8192) -> SpoolLimits {
    var limits = SpoolLimits()
    limits.bytesMax = bytesMax
    limits.segmentBytes = segment
    limits.controlReserve = reserve
    return limits
  }

  @Test func recordsCountOnlyOnceWritten() {
    var rig = Rig()
    guard case .write(let write) = rig.spool.append(record(1), isControl: false, at: moment) else {
      Issue.record("refused")
      return
    }
    #expect(rig.spool.unacknowledgedCount == 0)
    #expect(rig.spool.nextRead(bytesMax: 100) == nil)
    #expect(rig.spool.written(write.ticket, .ok, at: moment) == [.stored(write.ticket)])
    #expect(rig.spool.unacknowledgedCount == 1)
    #expect(rig.spool.nextRead(bytesMax: 100) != nil)
  }

  @Test func writesThatEndOutOfOrderAreStoredInOrder() {
    var rig = Rig()
    let writes = (1...3).compactMap { sequence -> SpoolWrite? in
      guard case .write(let write) = rig.spool.append(record(UInt64(sequence)), isControl: false, at: moment) else {
        return nil
      }
      return write
    }
    #expect(rig.spool.written(writes[2].ticket, .ok, at: moment) == [])
    #expect(rig.spool.written(writes[1].ticket, .ok, at: moment) == [])
    #expect(rig.spool.written(writes[0].ticket, .ok, at: moment) == writes.map { .stored($0.ticket) })
    #expect(rig.spool.written(writes[0].ticket, .ok, at: moment) == [])
  }

  @Test func test_F6_fullStoreRefusesRecordsAndLetsControlUseTheReserve() {
    var rig = Rig(limits: small())
    var sequence: UInt64 = 1
    while case .write = rig.append(sequence...sequence + 9) { sequence += 10 }
    #expect(rig.append(sequence...sequence + 9) == .full)
    #expect(rig.spool.isFull)
    #expect(rig.spool.storedBytes <= (1 << 16) - 8192)
    var control = 0
    while case .write = rig.append(sequence...sequence + 9, isControl: true) {
      sequence += 10
      control += 1
    }
    #expect(control > 10)
    #expect(rig.spool.storedBytes <= 1 << 16)
    // Acknowledging makes room, without a restart; nothing was lost.
    let records = rig.readAll(bytesMax: 1 << 20)
    #expect(records.map(\.sequence) == Array(1..<sequence))
    rig.pass(.seconds(1))
    if let last = records.last { rig.run(rig.spool.acknowledge(through: last.end)) }
    #expect(!rig.spool.isFull)
    #expect(rig.spool.unacknowledgedCount == 0)
    guard case .write = rig.append(sequence...sequence) else {
      Issue.record("still refused")
      return
    }
  }

  @Test func unfitRecordsAreRefusedByName() {
    var rig = Rig()
    let cases: [([UInt8], Bool)] = [
      ([], false), ([1], true), ([UInt8](repeating: 1, count: SpoolLimits.recordBytesMax), true),
      ([UInt8](repeating: 1, count: SpoolLimits.recordBytesMax + 1), false),
    ]
    for (index, (bytes, isTaken)) in cases.enumerated() {
      let sequence = UInt64(index + 1)
      let plan = rig.spool.append([SpoolRecord(sequence: sequence, bytes: bytes)], isControl: false, at: moment)
      #expect((plan == .unfit(sequence: sequence)) != isTaken, "\(index)")
    }
  }

  @Test func oneSyncAtATimeCoversAllThatIsWritten() {
    var rig = Rig()
    var syncs: [SpoolSync] = []
    func collect(_ effects: [SpoolEffect]) {
      for case .sync(let sync) in effects { syncs.append(sync) }
    }
    for sequence: UInt64 in 1...3 {
      guard case .write(let write) = rig.spool.append(record(sequence), isControl: false, at: moment) else { continue }
      collect(rig.spool.written(write.ticket, .ok, at: moment))
    }
    #expect(syncs.isEmpty)
    let due = Moment(instant: moment.instant + .milliseconds(20), wall: moment.wall)
    #expect(rig.spool.nextDeadline == due.instant)
    collect(rig.spool.deadlineReached(at: due))
    #expect(syncs == [SpoolSync(ticket: SpoolTicket(number: 3), names: [SegmentName.compose(1)], directory: true)])
    guard case .write(let write) = rig.spool.append(record(4), isControl: false, at: due) else { return }
    collect(rig.spool.written(write.ticket, .ok, at: due))
    let later = Moment(instant: due.instant + .milliseconds(30), wall: moment.wall)
    collect(rig.spool.deadlineReached(at: later))
    #expect(syncs.count == 1)
    let effects = rig.spool.synced(SpoolTicket(number: 3), .ok, at: later)
    #expect(effects.first == .durable(through: SpoolTicket(number: 3)))
    collect(effects)
    #expect(syncs.last == SpoolSync(ticket: write.ticket, names: [SegmentName.compose(1)], directory: false))
  }

  @Test func strictSyncFollowsTheWriteAtOnce() {
    var limits = SpoolLimits()
    limits.syncDelay = .zero
    var rig = Rig(limits: limits)
    rig.append(1...1)
    #expect(rig.told.contains(.durable(through: SpoolTicket(number: 1))))
  }

  @Test func segmentIsDeletedOnlyAfterTheCursorThatPassesItIsSynced() {
    var rig = Rig(limits: small())
    for first in stride(from: UInt64(1), to: 400, by: 10) { rig.append(first...first + 9) }
    rig.pass(.seconds(1))
    let before = rig.disk.listing.filter { $0.name != "cursor" }
    #expect(before.count > 2)
    let last = rig.readAll().last
    rig.failsCursor = true
    rig.run(rig.spool.acknowledge(through: last?.end ?? SpoolPosition(segment: 0, offset: 0)))
    #expect(rig.disk.listing == before)
    rig.failsCursor = false
    rig.told = []
    rig.pass(.seconds(1))
    guard case .writeCursor = rig.told.first else {
      Issue.record("no second attempt")
      return
    }
    #expect(rig.told.dropFirst().contains(.deleteSegment(name: before[0].name)))
    #expect(rig.disk.listing.filter { $0.name != "cursor" }.count <= 1)
  }

  @Test func failedWriteIsTriedElsewhereUnderItsTicketAndRefusesMeanwhile() {
    var rig = Rig()
    rig.append(1...2)
    rig.failsWrites = true
    rig.append(3...4)
    #expect(rig.append(5...5) == .failing(reason: "ENOSPC"))
    #expect(rig.spool.isFull && rig.spool.failure == "ENOSPC")
    #expect(!rig.told.contains(.stored(SpoolTicket(number: 2))))
    rig.pass(.milliseconds(250))
    #expect(rig.spool.isFull)
    rig.failsWrites = false
    rig.pass(.milliseconds(250))
    #expect(!rig.spool.isFull && rig.spool.failure == nil)
    #expect(rig.told.contains(.stored(SpoolTicket(number: 2))))
    rig.append(5...5)
    #expect(rig.readAll().map(\.sequence) == [1, 2, 3, 4, 5])
    var again = rig.restarted()
    #expect(again.readAll().map(\.sequence) == [1, 2, 3, 4, 5])
    #expect(again.report?.damages == [])
  }

  @Test func test_F7_failedSyncIsNeverRepeatedOnItsFile() {
    var rig = Rig()
    rig.append(1...2)
    rig.pass(.milliseconds(20))
    rig.append(3...4)
    let handedOut = rig.readAll()
    rig.run(rig.spool.acknowledge(through: handedOut[2].end))
    rig.failsSyncs = true
    rig.pass(.milliseconds(20))
    #expect(rig.spool.failure == "EIO")
    rig.failsSyncs = false
    rig.told = []
    rig.pass(.seconds(1))
    rig.pass(.milliseconds(20))
    let synced = rig.told.flatMap { effect -> [String] in
      if case .sync(let sync) = effect { sync.names } else { [] }
    }
    #expect(synced == [SegmentName.compose(2)])
    #expect(rig.spool.failure == nil)
    // The third was acknowledged before the failure: only the fourth was written again.
    rig.spool.rewind()
    #expect(rig.readAll().map(\.sequence) == [4])
    #expect(rig.spool.unacknowledgedCount == 1)
  }

  @Test func slowSyncsRefuseBeforeTheMemoryGrows() {
    var limits = SpoolLimits()
    limits.unsyncedBytesMax = 1000
    var rig = Rig(limits: limits)
    var taken = 0
    while case .write = rig.append(UInt64(taken + 1)...UInt64(taken + 1)), taken < 1000 { taken += 1 }
    #expect(taken < 50)
    #expect(rig.spool.isFull)
    rig.pass(.milliseconds(20))
    #expect(!rig.spool.isFull)
  }

  @Test func rewindHandsOutAgainWhatWasNotAcknowledged() {
    var rig = Rig()
    rig.append(1...5)
    let records = rig.readAll()
    rig.run(rig.spool.acknowledge(through: records[1].end))
    #expect(rig.readAll() == [])
    rig.spool.rewind()
    #expect(rig.readAll() == Array(records[2...]))
    // What was acknowledged stays so; a position that was not handed out acknowledges nothing.
    #expect(rig.spool.acknowledge(through: records[0].end) == [])
    rig.spool.rewind()
    #expect(rig.spool.acknowledge(through: records[4].end) == [])
    #expect(rig.spool.unacknowledgedCount == 3)
  }

  @Test func readsAreBoundedAndWhole() {
    var rig = Rig()
    rig.append(1...50)
    var sequences: [UInt64] = []
    while let read = rig.spool.nextRead(bytesMax: 60) {
      #expect(rig.spool.nextRead(bytesMax: 60) == nil)
      let bytes = Array(rig.disk.files[read.name]?.bytes[read.offset..<read.offset + read.length] ?? [])
      let delivery = rig.spool.delivered(read, bytes, at: moment)
      #expect(delivery.records.reduce(0) { $0 + $1.bytes.count } <= 60)
      for record in delivery.records { #expect(record.bytes == payload(record.sequence)) }
      sequences += delivery.records.map(\.sequence)
    }
    #expect(sequences == Array(1...50))
  }

  @Test func damageFoundWhileReadingIsSkippedAndTold() {
    var rig = Rig()
    rig.append(1...5)
    rig.disk.files[SegmentName.compose(1)]?.bytes[40 + 28 + 20] ^= 1
    #expect(rig.readAll().map(\.sequence) == [1, 3, 4, 5])
    let damages = rig.told.compactMap { effect -> SpoolDamage? in
      if case .damaged(let damage) = effect { damage } else { nil }
    }
    #expect(damages.map(\.from) == [2] && damages.map(\.to) == [2])
    #expect(rig.spool.unacknowledgedCount == 4)
  }

  @Test func fileThatVanishesIsGivenUpAfterThreeReads() {
    var rig = Rig()
    rig.append(1...5)
    rig.disk.files[SegmentName.compose(1)] = nil
    var reads = 0
    for _ in 0..<10 {
      while let read = rig.spool.nextRead(bytesMax: 100), reads < 20 {
        reads += 1
        rig.run(rig.spool.delivered(read, nil, at: rig.now).effects)
      }
      rig.pass(.milliseconds(250))
    }
    #expect(reads == 3)
    #expect(rig.spool.unacknowledgedCount == 0)
  }

  @Test func droppingTheOldestTellsTheRangeAndMakesRoom() {
    var rig = Rig(limits: small())
    var sequence: UInt64 = 1
    while case .write = rig.append(sequence...sequence + 9) { sequence += 10 }
    rig.pass(.seconds(1))
    let first = rig.readAll(bytesMax: 30)
    rig.run(rig.spool.acknowledge(through: first[0].end))
    guard let drop = rig.spool.dropOldest() else {
      Issue.record("nothing dropped")
      return
    }
    #expect(drop.from == 2 && drop.to > 2)
    #expect(drop.count == Int(drop.to - drop.from) + 1)
    #expect(drop.boot == rig.spool.boot)
    guard case .write = rig.append(sequence...sequence + 9) else {
      Issue.record("no room")
      return
    }
    rig.run(drop.effects)
    rig.spool.rewind()
    #expect(rig.readAll().map(\.sequence) == Array(drop.to + 1...sequence + 9))
  }

  @Test func oldestUnacknowledgedTellsItsAge() {
    var rig = Rig()
    #expect(rig.spool.oldestUnacknowledged == nil)
    rig.append(1...2)
    let start = rig.now
    rig.pass(.seconds(5))
    rig.append(3...3)
    let second = rig.now
    #expect(rig.spool.oldestUnacknowledged?.sequence == 1)
    #expect(rig.spool.oldestUnacknowledged?.appendedAt == start)
    let records = rig.readAll()
    rig.run(rig.spool.acknowledge(through: records[1].end))
    #expect(rig.spool.oldestUnacknowledged?.sequence == 3)
    #expect(rig.spool.oldestUnacknowledged?.appendedAt == second)
  }

  private func record(_ sequence: UInt64) -> [SpoolRecord] {
    [SpoolRecord(sequence: sequence, bytes: payload(sequence))]
  }
}
