import Testing
import Timekeeping

@testable import Spool

/// A random life of a spool on a disk that loses what was not synced, against a model that knows what was promised.
@Suite struct CrashTests {
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func promisesHoldThroughCrashes(seed: UInt64) {
    var life = Life(seed: seed, failures: false)
    for _ in 0..<1500 { life.step() }
    life.settle()
    #expect(life.faults == [], "seed \(seed)")
    #expect(life.storedCount > 100, "seed \(seed)")
  }

  @Test func theLivesHaveTwoLanesNowAndThen() {
    var separations = 0
    var freshReads = 0
    for seed in 1...20 as ClosedRange<UInt64> {
      var life = Life(seed: seed, failures: false)
      for _ in 0..<1500 { life.step() }
      separations += life.separations
      freshReads += life.freshReads
    }
    #expect(separations > 20 && freshReads > 100, "\(separations) separations, \(freshReads) reads of the second lane")
  }

  @Test(arguments: 100...125 as ClosedRange<UInt64>)
  func promisesHoldThroughCrashesOnADiskThatFails(seed: UInt64) {
    var life = Life(seed: seed, failures: true)
    for _ in 0..<1500 { life.step() }
    life.settle()
    #expect(life.faults == [], "seed \(seed)")
  }

  @Test func sameSeedGivesTheSameLife() {
    var first = Life(seed: 11, failures: true)
    var second = Life(seed: 11, failures: true)
    for _ in 0..<500 {
      first.step()
      second.step()
    }
    #expect(first.trace == second.trace)
  }

  /// The model must be able to see a loss: a disk that forgets its newest segment is caught.
  @Test func lossIsSeenByTheModel() {
    var life = Life(seed: 5, failures: false)
    life.forgets = true
    for _ in 0..<1500 { life.step() }
    life.settle()
    #expect(life.faults != [])
  }
}

/// One record of one start.
private struct Key: Hashable, Comparable {
  var boot: UInt64
  var sequence: UInt64

  static func < (left: Self, right: Self) -> Bool { (left.boot, left.sequence) < (right.boot, right.sequence) }
}

private struct Life {
  var generator: Seeded
  let failures: Bool
  var spool: Spool
  var disk = Disk()
  var now = moment
  var boot: UInt64 = 1
  var sequence: UInt64 = 0
  /// Disk effects not performed yet, in order.
  var queue: [SpoolEffect] = []
  var tickets: [SpoolTicket: [UInt64]] = [:]

  // What was promised.
  var stored: Set<Key> = []
  var durable: Set<Key> = []
  var acknowledged: Set<Key> = []
  /// Acknowledged, and the cursor that says so is synced.
  var settled: Set<Key> = []
  var handedOut: [SpoolLane: [(key: Key, record: StoredRecord)]] = [:]
  var seen: Set<Key> = []
  var cursorTargets: [(position: SpoolPosition, keys: Set<Key>)] = []

  var faults: [String] = []
  var trace: [Int] = []
  var storedCount = 0
  var separations = 0
  var freshReads = 0
  var forgets = false

  static let limits: SpoolLimits = {
    var limits = SpoolLimits()
    limits.bytesMax = 64 << 10
    limits.segmentBytes = 4096
    limits.controlReserve = 1024
    return limits
  }()

  init(seed: UInt64, failures: Bool) {
    generator = Seeded(state: seed)
    self.failures = failures
    spool = Spool(limits: Self.limits, boot: SpoolBoot(high: 1, low: 0))
    take(spool.recover([], at: now))
  }

  mutating func step() {
    let choice = Int.random(in: 0..<100, using: &generator)
    trace.append(choice &+ disk.listing.reduce(0) { $0 + $1.size })
    switch choice {
    case 0..<30: append()
    case 30..<65: performNext()
    case 65..<80: read()
    case 80..<90: acknowledge()
    case 90..<94: pass()
    case 94..<97:
      let moment = now.instant - .milliseconds(Int64.random(in: 0..<2000, using: &generator))
      if spool.separateFresh(after: moment) { separations += 1 }
    case 97: if Int.random(in: 0..<4, using: &generator) == 0 { crash(ofMachine: false) }
    case 98: if Int.random(in: 0..<4, using: &generator) == 0 { crash(ofMachine: true) }
    default:
      spool.rewind()
      handedOut = [:]
    }
  }

  /// Liveness: without faults everything stored comes out and can be acknowledged.
  mutating func settle() {
    for _ in 0..<40 {
      while !queue.isEmpty { performNext(mayFail: false) }
      pass()
    }
    spool.rewind()
    handedOut = [:]
    for _ in 0..<2000 where spool.unacknowledgedCount > 0 {
      read()
      acknowledge(all: true)
      while !queue.isEmpty { performNext(mayFail: false) }
      pass()
    }
    if spool.unacknowledgedCount != 0 { faults.append("\(spool.unacknowledgedCount) never came out") }
    let missing = stored.subtracting(acknowledged)
    if !missing.isEmpty { faults.append("stored, not delivered: \(missing.sorted().prefix(5))") }
  }

  private mutating func append() {
    let count = Int.random(in: 1...5, using: &generator)
    var records: [SpoolRecord] = []
    for _ in 0..<count {
      sequence += 1
      let filler = String(repeating: "x", count: Int.random(in: 0..<300, using: &generator))
      records.append(SpoolRecord(sequence: sequence, bytes: Array("\(boot) \(sequence) \(filler)".utf8)))
    }
    let isControl = Int.random(in: 0..<10, using: &generator) == 0
    guard case .write(let write) = spool.append(records, isControl: isControl, at: now) else { return }
    if spool.storedBytes > Self.limits.bytesMax { faults.append("over the limit") }
    tickets[write.ticket] = records.map(\.sequence)
    queue.append(.write(write))
  }

  private mutating func take(_ effects: [SpoolEffect]) {
    for effect in effects {
      switch effect {
      case .stored(let ticket):
        for number in tickets[ticket] ?? [] { stored.insert(Key(boot: boot, sequence: number)) }
        storedCount += tickets[ticket]?.count ?? 0
      case .durable(let last):
        for (ticket, numbers) in tickets where ticket <= last {
          for number in numbers { durable.insert(Key(boot: boot, sequence: number)) }
          tickets[ticket] = nil
        }
      case .damaged(let damage): faults.append("damage \(damage)")
      case .recovered, .stalled: break
      default: queue.append(effect)
      }
    }
  }

  private mutating func performNext(mayFail: Bool = true) {
    guard !queue.isEmpty else { return }
    let isFailing = failures && mayFail && Int.random(in: 0..<8, using: &generator) == 0
    let outcome: StorageOutcome = isFailing ? .failed(reason: "EIO") : .ok
    switch queue.removeFirst() {
    case .write(let write):
      let count = isFailing ? Int.random(in: 0..<write.bytes.count, using: &generator) : write.bytes.count
      if count > 0 { disk.write(write.name, write.offset, write.bytes.prefix(count)) }
      take(spool.written(write.ticket, outcome, at: now))
    case .sync(let sync):
      for name in sync.names {
        if isFailing { disk.files[name]?.isSyncBroken = true } else { disk.sync(name) }
      }
      if sync.directory, !isFailing { disk.syncDirectory() }
      take(spool.synced(sync.ticket, outcome, at: now))
    case .writeCursor(let write):
      let count = isFailing ? Int.random(in: 0..<write.bytes.count, using: &generator) : write.bytes.count
      disk.write(write.name, write.offset, write.bytes.prefix(count))
      disk.sync(write.name)
      disk.files[write.name]?.isEntryDurable = true
      if !isFailing, let position = SpoolCursor.parse(disk.files[write.name]?.bytes ?? []).cursor?.position {
        for target in cursorTargets where target.position <= position { settled.formUnion(target.keys) }
        cursorTargets.removeAll { $0.position <= position }
      }
      take(spool.cursorWritten(write.generation, outcome, at: now))
    case .deleteSegment(let name): disk.delete(name)
    case .truncate(let name, let length): disk.truncate(name, length)
    case .quarantine(let name, let bytes): disk.quarantine[name] = bytes
    case .setAside(let name): disk.quarantine[name] = disk.files.removeValue(forKey: name)?.bytes
    default: faults.append("an effect that is not the disk's")
    }
  }

  private mutating func read() {
    let bytesMax = Int.random(in: 1..<5000, using: &generator)
    let lane: SpoolLane = Bool.random(using: &generator) ? .fresh : .oldest
    guard let read = spool.nextRead(bytesMax: bytesMax, lane: lane) ?? spool.nextRead(bytesMax: bytesMax) else {
      return
    }
    if read.lane == .fresh { freshReads += 1 }
    let bytes = disk.files[read.name].map { Array($0.bytes.dropFirst(read.offset).prefix(read.length)) }
    let delivery = spool.delivered(read, bytes, at: now)
    take(delivery.effects)
    if delivery.records.isEmpty { faults.append("nothing read of \(read)") }
    for record in delivery.records {
      let words = String(decoding: record.bytes, as: UTF8.self).split(separator: " ")
      guard words.count >= 2, let of = UInt64(words[0]), UInt64(words[1]) == record.sequence else {
        faults.append("not what was written")
        continue
      }
      let key = Key(boot: of, sequence: record.sequence)
      if settled.contains(key), !failures { faults.append("\(key) was acknowledged for good and came again") }
      seen.insert(key)
      handedOut[read.lane, default: []].append((key, record))
    }
  }

  private mutating func acknowledge(all: Bool = false) {
    let lanes: [SpoolLane] = all ? [.oldest, .fresh] : [Bool.random(using: &generator) ? .fresh : .oldest]
    for lane in lanes {
      let handed = handedOut[lane] ?? []
      guard !handed.isEmpty else { continue }
      let count = all ? handed.count : Int.random(in: 1...handed.count, using: &generator)
      let keys = Set(handed.prefix(count).map(\.key))
      let position = handed[count - 1].record.end
      let effects = spool.acknowledge(through: position, lane: lane)
      handedOut[lane]?.removeFirst(count)
      acknowledged.formUnion(keys)
      cursorTargets.append((position, keys))
      take(effects)
    }
  }

  private mutating func pass() {
    now.instant = now.instant + .milliseconds(Int64.random(in: 1..<300, using: &generator))
    take(spool.deadlineReached(at: now))
  }

  private mutating func crash(ofMachine: Bool) {
    // A write that was under way may be there in part.
    if case .write(let write)? = queue.first {
      let count = Int.random(in: 0...write.bytes.count, using: &generator)
      if count > 0 { disk.write(write.name, write.offset, write.bytes.prefix(count)) }
    } else if case .writeCursor(let write)? = queue.first {
      disk.write(write.name, write.offset, write.bytes.prefix(Int.random(in: 0...64, using: &generator)))
    }
    queue = []
    if ofMachine { disk.crash(using: &generator) }
    if forgets, let name = disk.listing.last?.name, name != "cursor" {
      disk.files[name] = nil
    }
    // Group by group, what is promised now: all that was stored, or all that was durable.
    if ofMachine { stored.formIntersection(durable) }
    tickets = [:]
    handedOut = [:]
    cursorTargets = []
    boot += 1
    sequence = 0
    spool = Spool(limits: Self.limits, boot: SpoolBoot(high: boot, low: 0))
    recover()
  }

  private func isOwed(_ key: Key) -> Bool { stored.contains(key) && !acknowledged.contains(key) }

  private mutating func recover() {
    var pending = spool.recover(disk.listing, at: now)
    var turns = 0
    while !pending.isEmpty, turns < 10_000 {
      turns += 1
      let effect = pending.removeFirst()
      switch effect {
      case .readCursor(let name): pending += spool.cursorRead(disk.files[name]?.bytes, at: now)
      case .readSegment(let name, _): pending += spool.segmentRead(name, disk.files[name]?.bytes, at: now)
      case .recovered(let report):
        for damage in report.damages where !failures {
          // Only what was not durable may be missing.
          guard let from = damage.from, let to = damage.to, from <= to, let boot = damage.boot?.high else { continue }
          for number in from...to where isOwed(Key(boot: boot, sequence: number)) {
            faults.append("\(number) of start \(boot) was promised and is damaged")
          }
        }
      default: queue.append(effect)
      }
    }
    while !queue.isEmpty { performNext(mayFail: false) }
    // Every promise is there to be read.
    var copy = spool
    var present: Set<Key> = []
    while let read = copy.nextRead(bytesMax: 1 << 20) {
      let bytes = disk.files[read.name].map { Array($0.bytes.dropFirst(read.offset).prefix(read.length)) }
      for record in copy.delivered(read, bytes, at: now).records {
        let boot = UInt64(String(decoding: record.bytes.prefix { $0 != 0x20 }, as: UTF8.self)) ?? 0
        present.insert(Key(boot: boot, sequence: record.sequence))
      }
    }
    let lost = stored.subtracting(acknowledged).subtracting(present)
    if !lost.isEmpty { faults.append("lost in a crash: \(lost.sorted().prefix(5))") }
  }
}
