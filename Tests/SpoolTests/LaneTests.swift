import Testing
import Timekeeping

@testable import Spool

/// Two lanes: what was appended lately does not wait for a long backlog.
@Suite struct LaneTests {
  /// Records 1 to 20 ten seconds ago, 21 to 30 now; the first lane has read six of them.
  private func backlog() -> (rig: Rig, first: [StoredRecord]) {
    var limits = SpoolLimits()
    limits.bytesMax = 64 << 10
    limits.segmentBytes = 4096
    var rig = Rig(limits: limits)
    rig.append(1...20)
    rig.pass(.seconds(10))
    rig.append(21...30)
    rig.pass(.milliseconds(20))
    let first = take(&rig, .oldest, 80)
    return (rig, first)
  }

  private func take(_ rig: inout Rig, _ lane: SpoolLane, _ bytesMax: Int) -> [StoredRecord] {
    guard let read = rig.spool.nextRead(bytesMax: bytesMax, lane: lane) else { return [] }
    let bytes = rig.disk.files[read.name].map { Array($0.bytes.dropFirst(read.offset).prefix(read.length)) }
    let delivery = rig.spool.delivered(read, bytes, at: rig.now)
    rig.run(delivery.effects)
    return delivery.records
  }

  @Test func freshRecordsAreHandedOutBesideTheBacklog() throws {
    var (rig, first) = backlog()
    #expect(first.map(\.sequence) == Array(1...6))
    let isSeparated = rig.spool.separateFresh(after: rig.now.instant - .seconds(5))
    #expect(isSeparated)
    let fresh = take(&rig, .fresh, 1000)
    #expect(fresh.map(\.sequence) == Array(21...30))
    rig.run(rig.spool.acknowledge(through: try #require(fresh.last).end, lane: .fresh))
    #expect(rig.spool.unacknowledgedCount == 20)
    #expect(rig.spool.oldestUnacknowledged?.sequence == 1)
    // What comes meanwhile is fresh too.
    rig.append(31...31)
    rig.pass(.milliseconds(20))
    #expect(take(&rig, .fresh, 1000).map(\.sequence) == [31])
    #expect(take(&rig, .oldest, 1000).map(\.sequence) == Array(7...20))
    #expect(rig.spool.nextRead(bytesMax: 1000) == nil)
  }

  @Test func theLanesJoinOnceTheBacklogIsDone() throws {
    var (rig, first) = backlog()
    let isSeparated = rig.spool.separateFresh(after: rig.now.instant - .seconds(5))
    #expect(isSeparated)
    let fresh = take(&rig, .fresh, 120)
    let rest = take(&rig, .oldest, 1000)
    rig.run(rig.spool.acknowledge(through: try #require(fresh.last).end, lane: .fresh))
    rig.run(rig.spool.acknowledge(through: try #require(first.last).end))
    #expect(rig.spool.isSeparated)
    rig.run(rig.spool.acknowledge(through: try #require(rest.last).end))
    #expect(!rig.spool.isSeparated)
    #expect(rig.readAll().map(\.sequence) == Array(try #require(fresh.last).sequence + 1...30))
    rig.run(rig.spool.flush(at: rig.now))
    #expect(rig.spool.isCursorCurrent)
    var again = rig.restarted()
    #expect(again.readAll().first?.sequence == fresh.last.map { $0.sequence + 1 })
  }

  @Test func afterACrashBothLanesAreDeliveredAgain() throws {
    var (rig, _) = backlog()
    let isSeparated = rig.spool.separateFresh(after: rig.now.instant - .seconds(5))
    #expect(isSeparated)
    let fresh = take(&rig, .fresh, 1000)
    rig.run(rig.spool.acknowledge(through: try #require(fresh.last).end, lane: .fresh))
    var again = rig.restarted()
    #expect(again.readAll().map(\.sequence) == Array(1...30))
  }

  @Test func droppingTheOldestSegmentLeavesTheSecondLaneItsPlace() throws {
    var limits = SpoolLimits()
    limits.bytesMax = 64 << 10
    limits.segmentBytes = 4096
    var rig = Rig(limits: limits)
    rig.append(1...100)
    rig.pass(.seconds(10))
    rig.append(101...200)
    rig.pass(.milliseconds(20))
    let isSeparated = rig.spool.separateFresh(after: rig.now.instant - .seconds(5))
    #expect(isSeparated)
    let fresh = take(&rig, .fresh, 100)
    #expect(fresh.first?.sequence == 101)
    let dropped = rig.spool.dropOldest()
    let drop = try #require(dropped)
    rig.run(drop.effects)
    #expect(drop.to == 100)
    rig.run(rig.spool.acknowledge(through: try #require(fresh.last).end, lane: .fresh))
    #expect(!rig.spool.isSeparated)
    #expect(rig.readAll().map(\.sequence) == Array(try #require(fresh.last).sequence + 1...200))
  }

  @Test func withoutABacklogThereIsOneLane() {
    var (rig, _) = backlog()
    _ = rig.readAll()
    let isSeparated = rig.spool.separateFresh(after: rig.now.instant - .seconds(5))
    #expect(!isSeparated)
    let isSeparatedFromNothing = rig.spool.separateFresh(after: Instant(nanoseconds: 0))
    #expect(!isSeparatedFromNothing)
  }
}
