import Testing
import Timekeeping

@testable import Spool

private func keeping(_ bytes: Int) -> SpoolLimits {
  var limits = SpoolLimits()
  limits.bytesMax = 64 << 10
  limits.segmentBytes = 4096
  limits.keptBytesMax = bytes
  return limits
}

extension Rig {
  fileprivate var segmentBytes: Int { disk.listing.filter { $0.name != "cursor" }.reduce(0) { $0 + $1.size } }

  fileprivate mutating func acknowledgeAll() {
    pass(.milliseconds(20))
    if let last = readAll().last { run(spool.acknowledge(through: last.end)) }
  }
}

/// Acknowledged segments that are kept for the next start to look back at.
@Suite struct KeptTests {
  @Test(arguments: [0, 1, 8192, 20_000])
  func newestAcknowledgedRecordsAreThereForTheNextStartWithinTheLimit(_ bytes: Int) throws {
    var rig = Rig(limits: keeping(bytes))
    for first in stride(from: UInt64(1), to: 1000, by: 10) {
      rig.append(first...first + 9)
      rig.acknowledgeAll()
    }
    #expect(rig.segmentBytes <= bytes + 4096)
    let next = rig.restarted()
    let report = try #require(next.report)
    #expect(report.recent.reduce(0) { $0 + $1.count } <= bytes)
    let count = UInt64(report.recent.count)
    #expect(report.recent == (0..<count).map { payload(1001 - count + $0) })
    if bytes >= 8192 { #expect(count > 100) }
    #expect(report.records == 0 && report.damages.isEmpty && next.spool.unacknowledgedCount == 0)
    #expect(next.segmentBytes <= bytes)
  }

  @Test func nothingThatWasAcknowledgedIsDeliveredAgain() {
    var rig = Rig(limits: keeping(8192))
    for first in stride(from: UInt64(1), to: 400, by: 10) { rig.append(first...first + 9) }
    rig.acknowledgeAll()
    var next = rig.restarted()
    next.append(1...3)
    next.pass(.milliseconds(20))
    let records = next.readAll()
    #expect(records.map(\.sequence) == [1, 2, 3])
    if let last = records.last { next.run(next.spool.acknowledge(through: last.end)) }
    var last = next.restarted(boot: 9)
    #expect(last.report?.recent.suffix(3) == [payload(1), payload(2), payload(3)])
    #expect(last.readAll().isEmpty)
  }

  @Test func whatIsKeptTakesNoRoomFromRecords() {
    func capacity(_ bytes: Int) -> UInt64 {
      var rig = Rig(limits: keeping(bytes))
      for first in stride(from: UInt64(1), to: 400, by: 10) { rig.append(first...first + 9) }
      rig.acknowledgeAll()
      var next = rig.restarted()
      var last: UInt64 = 0
      while case .write = next.append(last + 1...last + 10) {
        last += 10
        #expect(next.segmentBytes <= next.spool.limits.bytesMax)
      }
      return last
    }
    let plain = capacity(0)
    #expect(plain > 400)
    #expect(capacity(32 << 10) == plain)
  }

  @Test func aDiskThatRefusesAWriteGetsBackWhatIsKept() {
    var rig = Rig(limits: keeping(8192))
    for first in stride(from: UInt64(1), to: 400, by: 10) { rig.append(first...first + 9) }
    rig.acknowledgeAll()
    var next = rig.restarted()
    #expect(next.segmentBytes > 0)
    next.failsWrites = true
    next.append(1...1)
    #expect(next.segmentBytes == 0)
  }

  @Test func damageInWhatIsKeptIsNobodysLoss() throws {
    var rig = Rig(limits: keeping(8192))
    for first in stride(from: UInt64(1), to: 400, by: 10) { rig.append(first...first + 9) }
    rig.acknowledgeAll()
    let oldest = try #require(rig.disk.listing.map(\.name).filter { $0 != "cursor" }.min())
    rig.disk.files[oldest]?.bytes[100] ^= 1
    let next = rig.restarted()
    #expect(next.report?.damages == [] && next.report?.setAside == [])
    #expect(next.disk.files[oldest] == nil && next.disk.quarantine.isEmpty)
  }
}
