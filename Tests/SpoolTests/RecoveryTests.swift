import Testing
import Timekeeping

@testable import Spool

@Suite struct RecoveryTests {
  @Test func test_F3_tornTailAtEveryByteKeepsEveryWholeRecord() {
    let (disk, name, bytes) = threeRecords()
    let ends = [40 + 16 + 12, 40 + 2 * 28, 40 + 3 * 28]
    #expect(bytes.count == ends[2])
    for length in 0...bytes.count {
      var torn = disk
      torn.files[name]?.bytes = Array(bytes.prefix(length))
      var rig = Rig(torn, boot: 8)
      let whole = UInt64(ends.count { $0 <= length })
      #expect(rig.report?.records == Int(whole), "\(length)")
      let valid = whole == 0 ? (length >= 40 ? 40 : 0) : ends[Int(whole) - 1]
      #expect(rig.report?.tornBytes == length - valid, "\(length)")
      #expect(rig.report?.damages == [])
      #expect(rig.readAll().map(\.sequence) == Array(1...3).filter { $0 <= whole })
      // A second start finds nothing torn any more, and the new boot's records come after.
      rig.append(1...1)
      var again = rig.restarted(boot: 9)
      #expect(again.report?.tornBytes == 0)
      #expect(again.report?.damages == [], "\(length)")
      #expect(again.readAll().map(\.sequence) == Array(1...3).filter { $0 <= whole } + [1])
      #expect(again.report?.lastBoot == SpoolBoot(high: 8, low: 9))
      #expect(again.report?.lastSequence == 1)
    }
  }

  @Test func test_F4_flippedBitInAnOldSegmentLosesOnlyItsRecordAndIsReported() {
    let (disk, name, bytes) = threeRecords()
    var followed = Rig(disk, boot: 7)
    followed.append(4...4)
    for index in bytes.indices {
      for bit: UInt8 in [0, 7] {
        var damaged = followed.disk
        damaged.files[name]?.bytes[index] ^= 1 << bit
        var rig = Rig(damaged, boot: 8)
        let hit: UInt64? = index < 40 ? nil : UInt64((index - 40) / 28) + 1
        #expect(rig.readAll().map(\.sequence) == [1, 2, 3, 4].filter { $0 != hit }, "octet \(index)")
        #expect(rig.report?.damages.count == 1, "octet \(index)")
        guard let damage = rig.report?.damages.first else { continue }
        #expect(damage.bytes.contains(index))
        #expect(rig.disk.quarantine[damage.quarantineName] == Array(damaged.files[name]?.bytes[damage.bytes] ?? []))
        if let hit {
          #expect(damage.from == hit && damage.to == hit && damage.missingCount == 1, "octet \(index)")
        } else {
          #expect(damage.missingCount == 0 && damage.boot == nil)
        }
      }
    }
  }

  @Test func flippedBitInTheLastSegmentIsDamageInTheMiddleAndATornTailAtTheEnd() {
    let (disk, name, bytes) = threeRecords()
    for index in 40..<bytes.count {
      var damaged = disk
      damaged.files[name]?.bytes[index] ^= 0x10
      var rig = Rig(damaged, boot: 8)
      let hit = UInt64((index - 40) / 28) + 1
      #expect(rig.readAll().map(\.sequence) == [1, 2, 3].filter { $0 != hit })
      #expect(rig.report?.damages.map(\.from) == (hit < 3 ? [hit] : []))
      #expect(rig.report?.tornBytes == (hit < 3 ? 0 : 28))
    }
  }

  @Test func damageIsFoundUnderTheSameNameUntilItsSegmentIsAcknowledged() {
    var (disk, name, _) = threeRecords()
    disk.files[name]?.bytes[75] ^= 1
    var rig = Rig(disk, boot: 8)
    let name1 = rig.report?.damages.first?.quarantineName
    #expect(name1 != nil)
    var again = rig.restarted(boot: 9)
    #expect(again.report?.damages.first?.quarantineName == name1)
    let last = again.readAll().last
    again.run(again.spool.acknowledge(through: last?.end ?? SpoolPosition(segment: 0, offset: 0)))
    rig = again.restarted(boot: 10)
    #expect(rig.report?.damages == [])
    #expect(rig.disk.files[name] == nil)
  }

  @Test func test_F5_cursorInEachStateCostsDuplicatesOnly() {
    var rig = Rig()
    rig.append(1...3)
    let records = rig.readAll()
    rig.run(rig.spool.acknowledge(through: records[0].end))
    rig.run(rig.spool.acknowledge(through: records[1].end))
    rig.pass(.milliseconds(20))
    // Generation 1 stands in the second slot (record 1), generation 2 in the first (record 2).
    let garbage = (0..<64).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let cases: [(String, (inout Disk.File) -> Void, [UInt64], RecoveryReport.Cursor)] = [
      ("whole", { _ in }, [3], .intact),
      ("newer slot garbage", { $0.bytes.replaceSubrange(0..<64, with: garbage) }, [2, 3], .oneSlot),
      ("older slot garbage", { $0.bytes.replaceSubrange(4096..<4160, with: garbage) }, [3], .oneSlot),
      ("both garbage", { $0.bytes = garbage + $0.bytes[64..<4096] + garbage }, [1, 2, 3], .lost),
      ("empty", { $0.bytes = [] }, [1, 2, 3], .lost),
      ("cut in the second slot", { $0.bytes.removeLast(1) }, [3], .oneSlot),
      (
        "slots swapped", { $0.bytes = Array($0.bytes[4096...] + $0.bytes[64..<4096] + $0.bytes[..<64]) }, [1, 2, 3],
        .lost
      ),
    ]
    for (title, change, expected, cursor) in cases {
      var disk = rig.disk
      disk.files["cursor"].map { file in
        var file = file
        change(&file)
        disk.files["cursor"] = file
      }
      var after = Rig(disk, boot: 8)
      #expect(after.report?.cursor == cursor, "\(title)")
      #expect(after.readAll().map(\.sequence) == expected, "\(title)")
      // Acknowledgements go on, and hold.
      after.run(after.spool.acknowledge(through: SpoolPosition(segment: 1, offset: 124)))
      after.append(1...1)
      var again = after.restarted(boot: 9)
      #expect(again.readAll().map(\.sequence) == [1], "\(title)")
    }
    var without = rig.disk
    without.files["cursor"] = nil
    var after = Rig(without, boot: 8)
    #expect(after.report?.cursor == .absent)
    #expect(after.readAll().count == 3)
  }

  @Test func garbageFilesNeverStopTheStart() {
    var generator = Seeded(state: 3)
    for round in 0..<60 {
      var disk = threeRecords().disk
      for number in 2..<5 as Range<UInt64> {
        var file = Disk.File()
        let count = Int.random(in: 0..<3000, using: &generator)
        let isZero = Bool.random(using: &generator)
        file.bytes = (0..<count).map { _ in isZero ? 0 : UInt8.random(in: .min ... .max, using: &generator) }
        disk.files[SegmentName.compose(number)] = file
      }
      disk.files["notes.txt"] = Disk.File()
      var rig = Rig(disk, boot: 8)
      #expect(rig.report?.foreignNames == 1)
      #expect(rig.readAll().map(\.sequence) == [1, 2, 3], "round \(round)")
      // Nothing with bytes in it went without being kept or counted.
      for number in 2..<5 as Range<UInt64> {
        let name = SegmentName.compose(number)
        let bytes = disk.files[name]?.bytes ?? []
        guard bytes.count > 40 else { continue }
        #expect(rig.disk.quarantine[name] == bytes || number == 4, "round \(round)")
      }
      #expect(rig.append(1...1) != .recovering)
      #expect(rig.disk.files[SegmentName.compose(5)] != nil)
    }
  }

  @Test func segmentOfAnotherVersionIsSetAsideWhole() {
    var disk = Disk()
    var header = SegmentFormat.magic
    LittleEndian.append(UInt32(2), to: &header)
    header += [UInt8](repeating: 1, count: 24)
    LittleEndian.append(CRC32C.checksum(header, 0..<36), to: &header)
    disk.files[SegmentName.compose(4)] = Disk.File(bytes: header + [1, 2, 3])
    let rig = Rig(disk)
    #expect(rig.report?.setAside == [SegmentName.compose(4)])
    #expect(rig.disk.quarantine[SegmentName.compose(4)] == header + [1, 2, 3])
  }

  @Test func unreadableSegmentIsSetAsideAndTheOthersAreKept() {
    let (disk, name, _) = threeRecords()
    var spool = Spool(limits: SpoolLimits(), boot: SpoolBoot(high: 8, low: 8))
    var effects = spool.recover(disk.listing + [SpoolFile(name: SegmentName.compose(9), size: 1 << 40)], at: moment)
    #expect(effects == [.readSegment(name: name, bytesMax: SpoolLimits.readableSegmentMax)])
    effects = spool.segmentRead(name, nil, at: moment)
    var report = RecoveryReport()
    report.setAside = [name, SegmentName.compose(9)]
    #expect(effects == [.setAside(name: name), .setAside(name: SegmentName.compose(9)), .recovered(report)])
  }

  @Test func searchEndsOnBytesMadeToBeExpensive() {
    // Every octet begins a plausible header: lengths that fit, checksums that do not.
    let bytes = (0..<400_000).map { UInt8($0 % 4 == 1 ? 0x80 : 0) }
    let scan = SegmentScan(bytes, from: 0, after: nil, acknowledged: 0) { CRC32C.checksum($0, $1, after: $2) }
    #expect(scan.runs.isEmpty && scan.tail == 0..<400_000)
  }

  @Test func nothingIsTakenBeforeRecovery() {
    var spool = Spool(limits: SpoolLimits(), boot: SpoolBoot(high: 8, low: 8))
    let record = SpoolRecord(sequence: 1, bytes: [1])
    #expect(spool.append([record], isControl: true, at: moment) == .recovering)
    #expect(spool.nextRead(bytesMax: 1) == nil)
  }
}

let moment = Moment(instant: Instant(nanoseconds: 1), wall: WallTime(microseconds: 1))
