import Timekeeping

extension Spool {
  /// The state of recovery while segments are read, oldest first.
  struct Recovery {
    var report = RecoveryReport()
    var left: [(number: UInt64, size: Int)]
    /// The last damage reaches to the end of its segment: the next segment's first number bounds it.
    var isDamageOpen = false
    /// Octets of `report.recent`.
    var recentBytes = 0
  }

  /// Starts from the directory's listing, in any order. Reading follows by effects and ends with `.recovered`.
  package mutating func recover(_ listing: [SpoolFile], at now: Moment) -> [SpoolEffect] {
    guard case .idle = phase else { return [] }
    var recovery = Recovery(left: [])
    var hasCursor = false
    for file in listing {
      if let number = SegmentName.parse(file.name) {
        recovery.left.append((number, file.size))
      } else if file.name == SpoolCursor.fileName {
        hasCursor = true
      } else {
        recovery.report.foreignNames += 1
      }
    }
    recovery.left.sort { $0.number < $1.number }
    nextNumber = (recovery.left.last?.number ?? 0) + 1
    guard hasCursor else { return continueRecovery(recovery, at: now) }
    recovery.report.cursor = .lost
    phase = .readingCursor(recovery)
    return [.readCursor(name: SpoolCursor.fileName)]
  }

  /// The cursor file's bytes; nil when it could not be read.
  package mutating func cursorRead(_ bytes: [UInt8]?, at now: Moment) -> [SpoolEffect] {
    guard case .readingCursor(var recovery) = phase else { return [] }
    let (cursor, isIntact) = SpoolCursor.parse(bytes ?? [])
    guard let cursor else { return continueRecovery(recovery, at: now) }
    recovery.report.cursor = isIntact ? .intact : .oneSlot
    recovery.report.lastBoot = cursor.boot
    recovery.report.lastSequence = cursor.sequence
    acknowledged = cursor
    cursorSynced = cursor.position
    cursorGeneration = cursor.generation
    nextNumber = max(nextNumber, cursor.position.segment + 1)
    var effects: [SpoolEffect] = []
    var passed = recovery.left.filter { $0.number < cursor.position.segment }
    var passedBytes = passed.reduce(0) { $0 + min($1.size, SpoolLimits.readableSegmentMax) }
    while let first = passed.first, passedBytes > limits.keptBytesMax || limits.keptBytesMax == 0 {
      effects.append(.deleteSegment(name: SegmentName.compose(first.number)))
      passedBytes -= min(first.size, SpoolLimits.readableSegmentMax)
      passed.removeFirst()
      recovery.left.removeFirst()
    }
    return effects + continueRecovery(recovery, at: now)
  }

  /// A segment's bytes; nil when it could not be read.
  package mutating func segmentRead(_ name: String, _ bytes: [UInt8]?, at now: Moment) -> [SpoolEffect] {
    guard case .readingSegments(var recovery) = phase, let first = recovery.left.first,
      SegmentName.compose(first.number) == name
    else { return [] }
    recovery.left.removeFirst()
    var effects: [SpoolEffect] = []
    if first.number < acknowledged.position.segment {
      effects += keep(bytes ?? [], number: first.number, &recovery)
    } else if let bytes {
      effects += take(bytes, number: first.number, isLast: recovery.left.isEmpty, &recovery, at: now)
    } else {
      effects.append(setAside(name, &recovery))
    }
    return effects + continueRecovery(recovery, at: now)
  }

  private mutating func continueRecovery(_ recovery: Recovery, at now: Moment) -> [SpoolEffect] {
    var recovery = recovery
    var effects: [SpoolEffect] = []
    while let next = recovery.left.first {
      let name = SegmentName.compose(next.number)
      guard next.size > SpoolLimits.readableSegmentMax else {
        phase = .readingSegments(recovery)
        return effects + [.readSegment(name: name, bytesMax: SpoolLimits.readableSegmentMax)]
      }
      recovery.left.removeFirst()
      effects.append(setAside(name, &recovery))
    }
    phase = .ready
    oldest.position = acknowledged.position
    effects += trimKept(to: limits.keptBytesMax)
    recovery.report.segments = segments.count
    recovery.report.records = unacknowledgedCount
    return effects + [.recovered(recovery.report)]
  }

  private func setAside(_ name: String, _ recovery: inout Recovery) -> SpoolEffect {
    recovery.report.setAside.append(name)
    recovery.isDamageOpen = false
    return .setAside(name: name)
  }

  private mutating func take(
    _ bytes: [UInt8], number: UInt64, isLast: Bool, _ recovery: inout Recovery, at now: Moment
  ) -> [SpoolEffect] {
    let name = SegmentName.compose(number)
    let position = acknowledged.position
    let done = position.segment == number ? position.offset : 0
    var boot: SpoolBoot?
    var start: UInt64?
    switch SegmentFormat.parseHeader(bytes) {
    case .foreign: return [setAside(name, &recovery)]
    case .damaged: break
    case .intact(let found, let firstSequence):
      boot = found
      start = firstSequence
    }
    closeDamage(boot, start, &recovery)
    let before = start.flatMap { $0 > 0 ? $0 - 1 : nil }
    let scan = SegmentScan(bytes, from: SegmentFormat.headerBytes, after: before, acknowledged: done, checksum)
    guard let first = scan.runs.first, let last = scan.runs.last else {
      // No record at all: a file that a crash left unfinished, or one that cannot be read.
      let isEmpty = bytes.count <= SegmentFormat.headerBytes && (isLast || boot != nil)
      if isLast { recovery.report.tornBytes += boot == nil ? bytes.count : scan.tail.count }
      guard !isEmpty, done < bytes.count else { return [.deleteSegment(name: name)] }
      return [setAside(name, &recovery)]
    }
    noteLast(boot, last.lastSequence, &recovery)
    var effects: [SpoolEffect] = []
    func quarantine(_ range: Range<Int>, from: UInt64?, to: UInt64?) {
      guard !range.isEmpty, range.upperBound > done else { return }
      let damage = SpoolDamage(name: name, bytes: range, boot: boot, from: from, to: to)
      effects.append(.quarantine(name: damage.quarantineName, bytes: Array(bytes[range])))
      recovery.report.damages.append(damage)
    }
    if boot == nil {
      let isFirstWhole = first.bytes.lowerBound == SegmentFormat.headerBytes
      quarantine(
        0..<first.bytes.lowerBound, from: isFirstWhole ? first.firstSequence : nil, to: first.firstSequence &- 1)
    } else {
      quarantine(SegmentFormat.headerBytes..<first.bytes.lowerBound, from: start, to: first.firstSequence &- 1)
    }
    for (left, right) in zip(scan.runs, scan.runs.dropFirst()) {
      quarantine(
        left.bytes.upperBound..<right.bytes.lowerBound, from: left.lastSequence &+ 1, to: right.firstSequence &- 1)
    }
    if isLast, !scan.tail.isEmpty {
      recovery.report.tornBytes += scan.tail.count
      effects.append(.truncate(name: name, length: scan.tail.lowerBound))
    } else if !scan.tail.isEmpty {
      let known = recovery.report.damages.count
      quarantine(scan.tail, from: last.lastSequence &+ 1, to: nil)
      recovery.isDamageOpen = recovery.report.damages.count > known
    }
    let unacknowledged = scan.runs.reduce(0) { $0 + $1.unacknowledged }
    look(back: bytes, scan, &recovery)
    guard unacknowledged > 0 else {
      guard limits.keptBytesMax > 0 else { return effects + [.deleteSegment(name: name)] }
      kept.append(Kept(number: number, size: bytes.count))
      return effects
    }
    var segment = Segment(
      number: number, boot: boot, firstSequence: first.firstSequence, lastSequence: last.lastSequence,
      runs: scan.runs.map(\.bytes), size: isLast ? scan.tail.lowerBound : bytes.count,
      unacknowledged: unacknowledged, at: now)
    segment.seal()
    segments.append(segment)
    return effects
  }

  /// Bounds a damage that reached the end of the segment before by this one's first number.
  private func closeDamage(_ boot: SpoolBoot?, _ start: UInt64?, _ recovery: inout Recovery) {
    let index = recovery.report.damages.count - 1
    if recovery.isDamageOpen, let boot, let start, start > 0, recovery.report.damages[index].boot == boot {
      recovery.report.damages[index].to = start - 1
    }
    recovery.isDamageOpen = false
  }

  private func noteLast(_ boot: SpoolBoot?, _ sequence: UInt64, _ recovery: inout Recovery) {
    guard let boot else { return }
    if recovery.report.lastBoot == boot, let known = recovery.report.lastSequence, known > sequence { return }
    recovery.report.lastBoot = boot
    recovery.report.lastSequence = sequence
  }
}

/// What the next start looks back at.
extension Spool {
  /// A segment that the cursor has passed: kept if it is whole, as nobody waits for it.
  private mutating func keep(_ bytes: [UInt8], number: UInt64, _ recovery: inout Recovery) -> [SpoolEffect] {
    let scan = SegmentScan(
      bytes, from: SegmentFormat.headerBytes, after: nil, acknowledged: bytes.count, checksum)
    guard case .intact = SegmentFormat.parseHeader(bytes), scan.runs.count == 1, scan.tail.isEmpty else {
      return [.deleteSegment(name: SegmentName.compose(number))]
    }
    look(back: bytes, scan, &recovery)
    kept.append(Kept(number: number, size: bytes.count))
    return []
  }

  /// Adds a segment's records to the newest ones, and lets the oldest of these go.
  private func look(back bytes: [UInt8], _ scan: SegmentScan, _ recovery: inout Recovery) {
    guard limits.keptBytesMax > 0 else { return }
    for run in scan.runs {
      var at = run.bytes.lowerBound
      var trialBytes = 0
      while let found = SegmentFormat.parseRecord(
        bytes, at: at, end: run.bytes.upperBound, after: nil, trialBytes: &trialBytes, checksum)
      {
        recovery.report.recent.append(Array(bytes[found.payload]))
        recovery.recentBytes += found.payload.count
        at = found.payload.upperBound
      }
    }
    var surplus = 0
    while surplus < recovery.report.recent.count, recovery.recentBytes > limits.keptBytesMax {
      recovery.recentBytes -= recovery.report.recent[surplus].count
      surplus += 1
    }
    recovery.report.recent.removeFirst(surplus)
  }
}
