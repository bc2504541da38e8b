import Timekeeping

extension Spool {
  /// The next piece that was not handed out yet; `bytesMax` bounds the payloads that `delivered` gives (at least one
  /// record). One read at a time: nil until `delivered` was called for the last one, and when there is nothing, and
  /// while a failed read waits.
  package mutating func nextRead(bytesMax: Int, lane: SpoolLane = .oldest) -> SpoolRead? {
    guard case .ready = phase, reading == nil, readRetryAt == nil, bytesMax > 0 else { return nil }
    joinLanes()
    // Nothing more is taken from the second lane once the first has come to it: so they join.
    if lane == .fresh, fresh == nil || nextPiece(.oldest) == nil { return nil }
    guard let (index, bytes) = nextPiece(lane) else { return nil }
    // Whatever is wanted, the longest record fits.
    let length = max(bytesMax, SegmentFormat.recordHeaderBytes + SpoolLimits.recordBytesMax)
    let isSearch = self[lane].isSearchDue
    reading = SpoolRead(
      name: segments[index].name, offset: bytes.lowerBound, length: isSearch ? bytes.count : min(bytes.count, length),
      lane: lane, segment: segments[index].number, isSearch: isSearch, recordBytesMax: bytesMax)
    return reading
  }

  /// What the read gave, fewer bytes than asked or nil when it failed. Empty records do not mean the end: ask
  /// `nextRead` again.
  package mutating func delivered(_ read: SpoolRead, _ bytes: [UInt8]?, at now: Moment) -> SpoolDelivery {
    guard reading == read else { return SpoolDelivery(records: [], effects: []) }
    reading = nil
    guard read.lane == .oldest || fresh != nil else { return SpoolDelivery(records: [], effects: []) }
    guard let bytes, bytes.count == read.length else {
      self[read.lane].failures += 1
      guard self[read.lane].failures >= limits.readAttemptsMax else {
        readRetryAt = now.instant + limits.retryDelay
        return SpoolDelivery(records: [], effects: [])
      }
      return SpoolDelivery(records: [], effects: giveUp(read, 0..<read.length, bytes ?? [], next: nil))
    }
    self[read.lane].failures = 0
    self[read.lane].isSearchDue = false
    var effects: [SpoolEffect] = []
    var start = 0
    if read.isSearch {
      let scan = SegmentScan(bytes, from: 0, after: sequenceBefore(read), acknowledged: 0, checksum)
      start = scan.runs.first?.bytes.lowerBound ?? bytes.count
      if start > 0 { effects = giveUp(read, 0..<start, bytes, next: scan.runs.first?.firstSequence) }
    }
    let records = take(read, bytes, from: start)
    // Not a record where one was stored: the next read takes all that is left, to search it.
    if records.isEmpty, !read.isSearch { self[read.lane].isSearchDue = true }
    return SpoolDelivery(records: records, effects: effects)
  }

  private mutating func take(_ read: SpoolRead, _ bytes: [UInt8], from start: Int) -> [StoredRecord] {
    let boot = segmentIndex(read.segment).flatMap { segments[$0].boot }
    var records: [StoredRecord] = []
    var handedOut: [Lane.HandedOut] = []
    var at = start
    var total = 0
    var cost = 0
    while let found = SegmentFormat.parseRecord(
      bytes, at: at, end: bytes.count, after: nil, trialBytes: &cost, checksum)
    {
      total += found.payload.count
      guard records.isEmpty || total <= read.recordBytesMax else { break }
      at = found.payload.upperBound
      let end = SpoolPosition(segment: read.segment, offset: read.offset + at)
      records.append(StoredRecord(sequence: found.sequence, bytes: Array(bytes[found.payload]), end: end, boot: boot))
      handedOut.append(Lane.HandedOut(end: end, sequence: found.sequence))
    }
    self[read.lane].handedOut += handedOut
    if let last = records.last { self[read.lane].position = last.end }
    return records
  }

  /// The sequence number of the record before this read, as far as is known.
  private func sequenceBefore(_ read: SpoolRead) -> UInt64? {
    if let last = self[read.lane].handedOut.last, last.end.segment == read.segment { return last.sequence }
    if read.lane == .oldest, acknowledged.position.segment == read.segment { return acknowledged.sequence }
    if read.lane == .fresh, let part = fresh, part.start.segment == read.segment {
      if let last = part.acknowledged, last.end.segment == read.segment { return last.sequence }
      return part.sequenceBefore
    }
    guard let index = segmentIndex(read.segment), segments[index].firstSequence > 0 else { return nil }
    return segments[index].firstSequence - 1
  }

  /// Takes bytes of the read out of the segment, and says so.
  private mutating func giveUp(
    _ read: SpoolRead, _ range: Range<Int>, _ bytes: [UInt8], next: UInt64?
  ) -> [SpoolEffect] {
    self[read.lane].failures = 0
    guard let index = segmentIndex(read.segment) else { return [] }
    let lost = read.offset + range.lowerBound..<read.offset + range.upperBound
    let to = next.map { $0 &- 1 } ?? (lost.upperBound >= segments[index].end ? segments[index].lastSequence : nil)
    let damage = SpoolDamage(
      name: read.name, bytes: lost, boot: segments[index].boot, from: sequenceBefore(read).map { $0 &+ 1 }, to: to)
    segments[index].remove(lost)
    let end = SpoolPosition(segment: read.segment, offset: lost.upperBound)
    self[read.lane].position = max(self[read.lane].position, end)
    let missing = Int(clamping: damage.missingCount ?? 0)
    segments[index].unacknowledged -= min(missing, segments[index].unacknowledged)
    if segments[index].runs.isEmpty { segments[index].unacknowledged = 0 }
    let raw = Array(bytes[min(range.lowerBound, bytes.count)..<min(range.upperBound, bytes.count)])
    joinLanes()
    guard !raw.isEmpty else { return [.damaged(damage)] }
    return [.quarantine(name: damage.quarantineName, bytes: raw), .damaged(damage)]
  }

  /// Forgets what was handed out and not acknowledged: it will be read again.
  package mutating func rewind() {
    reading = nil
    oldest = Lane(at: acknowledged.position)
    if let part = fresh { fresh?.lane = Lane(at: part.acknowledged?.end ?? part.start) }
  }
}
