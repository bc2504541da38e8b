import RecordProof
import Spool
import Timekeeping

extension FuzzTarget {
  /// A spool's folder after anything: recovery ends, what it found comes out in order and once, the next start finds the same, and no octet is lost without word.
  ///
  /// The first octet chooses between segments as a spool wrote them, with edits by the rest, and a segment that is the rest. The checksum is weak, or no input
  /// would ever pass it.
  static let spoolSegments = FuzzTarget(name: "spool-segments", octetsMax: 1_024) { octets in
    let choice = octets.first ?? 0
    var disk = SpoolDisk()
    if choice & 1 == 0 {
      disk.files = written(records: 3 + Int(choice >> 5), rest: choice & 2 != 0)
      disk.edit(Array(octets.dropFirst()))
    } else {
      disk.files = ["segment-0000000000000001": Array(octets.dropFirst())]
    }
    let before = disk.files.values.reduce(0) { $0 + $1.count }
    guard case (let report?, let records) = disk.start(boot: 8) else { fatalError("recovery does not end") }
    // A record that shifted over the place up to which everything is acknowledged is found by recovery, and damage when it is read.
    require(
      records.count == report.records || records.count < report.records && disk.damages > 0,
      "\(report.records) records announced, \(records.count) came out")
    var last: (boot: SpoolBoot?, segment: UInt64, sequence: UInt64)?
    for record in records {
      require(!record.bytes.isEmpty && record.bytes.count <= SpoolLimits.recordBytesMax, "a record beyond its limit")
      if let last, last.segment == record.end.segment, last.boot == record.boot {
        require(last.sequence < record.sequence, "records out of order")
      }
      last = (record.boot, record.end.segment, record.sequence)
    }
    let after = disk.files.values.reduce(0) { $0 + $1.count } + disk.quarantined
    require(before <= after + report.tornBytes + disk.deleted, "octets went without word")
    guard case (let second?, let again) = disk.start(boot: 9) else { fatalError("the next recovery does not end") }
    require(again == records, "the next start finds other records")
    require(second.tornBytes == 0 && second.setAside.isEmpty, "the next start finds new damage")
    disk.acknowledgeAll()
    require(disk.start(boot: 10).records.isEmpty, "what was acknowledged comes again")
  }

  /// The files of a spool with so many records, some of them acknowledged.
  private static func written(records: Int, rest: Bool) -> [String: [UInt8]] {
    var disk = SpoolDisk()
    _ = disk.start(boot: 7)
    for number in 1...UInt64(records) {
      disk.append(SpoolRecord(sequence: number, bytes: Array("{\"SbxSeq\":\(number)}".utf8)))
    }
    if rest { disk.acknowledgeAll() }
    return disk.files
  }

  /// Lines of a record file, proved: as many are counted as were taken, in whatever order they come, and a file whose middle is gone is not complete.
  static let auditLines = FuzzTarget(name: "audit-lines", octetsMax: 4_096) { octets in
    let lines = octets.split(separator: 0x0a).map(Array.init)
    let report = prove(lines)
    let backwards = prove(lines.reversed())
    require(backwards.records == report.records && backwards.duplicates == report.duplicates, "order changes the count")
    require(backwards.isComplete == report.isComplete, "order changes what is proved")
    require(report.boots.reduce(0) { $0 + $1.records } == report.records, "records of no start")
    require(report.isComplete || report.records == 0 || report.boots.contains { !$0.faults.isEmpty }, "no reason given")
    require(!report.text(brokenLines: 0).isEmpty, "a report of nothing")
  }

  private static func prove(_ lines: [[UInt8]]) -> ProofReport {
    var proof = Proof(hash: weakDigest)
    var again: [(Proof.Revisit, [UInt8])] = []
    for line in lines {
      if let revisit = try? proof.add(line) { again.append((revisit, line)) }
    }
    proof.close()
    for (revisit, line) in again { proof.revisit(line, revisit) }
    return proof.report()
  }

  /// 32 octets, each by FNV-1a of the octets with its own place: no more than tells different inputs apart.
  @Sendable private static func weakDigest(_ octets: [UInt8]) -> [UInt8] {
    var digest: [UInt8] = []
    for round in 0..<4 as Range<UInt64> {
      var state = 0xcbf2_9ce4_8422_2325 ^ round
      for octet in octets { state = (state ^ UInt64(octet)) &* 0x100_0000_01b3 }
      for shift in 0..<8 { digest.append(UInt8(truncatingIfNeeded: state >> (8 * shift))) }
    }
    return digest
  }
}

/// A folder in memory, and a spool that lives on it to the end of its effects.
private struct SpoolDisk {
  var files: [String: [UInt8]] = [:]
  /// Octets that were moved or copied into quarantine.
  var quarantined = 0
  /// Damage that was told while records were read.
  var damages = 0
  /// Octets of segments that were deleted, acknowledged or without a record.
  var deleted = 0
  private var spool = Spool(limits: SpoolDisk.limits, boot: SpoolBoot(high: 1, low: 1))
  private var report: RecoveryReport?
  private var positions: [SpoolPosition] = []
  private let now = Moment(instant: Instant(nanoseconds: 1), wall: WallTime(microseconds: 1))

  private static let limits: SpoolLimits = {
    var limits = SpoolLimits()
    limits.bytesMax = 64 << 10
    limits.segmentBytes = 128
    limits.controlReserve = 1_024
    return limits
  }()

  /// The sum of the octets: the fuzzer finds it.
  private static let sum: SpoolChecksum = { bytes, range, seed in bytes[range].reduce(seed) { $0 &+ UInt32($1) } }

  /// Five octets an edit: the file, what to do, where, and with what.
  mutating func edit(_ octets: [UInt8]) {
    for start in stride(from: 0, to: octets.count - 4, by: 5) {
      let names = files.keys.sorted()
      guard !names.isEmpty else { return }
      let name = names[Int(octets[start]) % names.count]
      guard var file = files[name], !file.isEmpty, file.count < 4_096 else { continue }
      let at = (Int(octets[start + 2]) << 8 | Int(octets[start + 3])) % file.count
      switch octets[start + 1] & 7 {
      case 0: file.removeSubrange(at...)
      case 1: file.remove(at: at)
      case 2: file.insert(octets[start + 4], at: at)
      case 3: file += [UInt8](repeating: octets[start + 4], count: at & 63)
      case 4: file.replaceSubrange(at..<min(at + 8, file.count), with: repeatElement(0, count: min(8, file.count - at)))
      case 5: file += file[at...]
      case 6: files[names[Int(octets[start + 4]) % names.count]] = nil
      default: file[at] ^= octets[start + 4]
      }
      if octets[start + 1] & 7 != 6 { files[name] = file }
    }
  }

  mutating func start(boot: UInt64) -> (report: RecoveryReport?, records: [StoredRecord]) {
    spool = Spool(limits: Self.limits, boot: SpoolBoot(high: boot, low: 9), checksum: Self.sum)
    report = nil
    perform(spool.recover(files.map { SpoolFile(name: $0.key, size: $0.value.count) }, at: now))
    var records: [StoredRecord] = []
    for _ in 0..<10_000 {
      guard let read = spool.nextRead(bytesMax: 256) else { break }
      let bytes = files[read.name].map { Array($0.dropFirst(read.offset).prefix(read.length)) }
      let delivery = spool.delivered(read, bytes, at: now)
      records += delivery.records
      perform(delivery.effects)
    }
    positions = records.map(\.end)
    return (report, records)
  }

  mutating func append(_ record: SpoolRecord) {
    guard case .write(let write) = spool.append([record], isControl: false, at: now) else { return }
    perform([.write(write)])
  }

  mutating func acknowledgeAll() {
    if positions.isEmpty { positions = reread() }
    guard let last = positions.last else { return }
    perform(spool.acknowledge(through: last))
    perform(spool.flush(at: now))
  }

  private mutating func reread() -> [SpoolPosition] {
    var found: [SpoolPosition] = []
    while let read = spool.nextRead(bytesMax: 4_096) {
      let bytes = files[read.name].map { Array($0.dropFirst(read.offset).prefix(read.length)) }
      let delivery = spool.delivered(read, bytes, at: now)
      found += delivery.records.map(\.end)
      perform(delivery.effects)
    }
    return found
  }

  private mutating func perform(_ effects: [SpoolEffect]) {
    for effect in effects {
      switch effect {
      case .readCursor(let name): perform(spool.cursorRead(files[name], at: now))
      case .readSegment(let name, _): perform(spool.segmentRead(name, files[name], at: now))
      case .recovered(let report): self.report = report
      case .write(let write):
        put(write.bytes, at: write.offset, in: write.name)
        perform(spool.written(write.ticket, .ok, at: now))
      case .sync(let sync): perform(spool.synced(sync.ticket, .ok, at: now))
      case .writeCursor(let write):
        put(write.bytes, at: write.offset, in: write.name)
        perform(spool.cursorWritten(write.generation, .ok, at: now))
      case .deleteSegment(let name): deleted += files.removeValue(forKey: name)?.count ?? 0
      case .truncate(let name, let length): files[name]?.removeSubrange(length...)
      case .quarantine(_, let bytes): quarantined += bytes.count
      case .setAside(let name): quarantined += files.removeValue(forKey: name)?.count ?? 0
      case .damaged: damages += 1
      case .stored, .durable, .stalled: break
      }
    }
  }

  private mutating func put(_ bytes: [UInt8], at offset: Int, in name: String) {
    var file = files[name] ?? []
    if file.count < offset + bytes.count { file += [UInt8](repeating: 0, count: offset + bytes.count - file.count) }
    file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    files[name] = file
  }
}
