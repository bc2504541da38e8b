import Timekeeping

extension Spool {
  /// Asks for the sync of every stored group, unless one is under way.
  mutating func startSync() -> [SpoolEffect] {
    guard isSyncing == nil, syncAt != nil else { return [] }
    var numbers: [UInt64] = []
    var last: SpoolTicket?
    for group in pending.prefix(settledCount) {
      last = group.ticket
      if group.count > 0, numbers.last != group.position.segment { numbers.append(group.position.segment) }
    }
    syncAt = nil
    guard let last else { return [] }
    isSyncing = last
    let sync = SpoolSync(ticket: last, names: numbers.map(SegmentName.compose), directory: directoryChanged)
    directoryChanged = false
    return [.sync(sync)]
  }

  /// A sync has ended.
  package mutating func synced(_ ticket: SpoolTicket, _ outcome: StorageOutcome, at now: Moment) -> [SpoolEffect] {
    guard isSyncing == ticket else { return [] }
    isSyncing = nil
    if case .failed(let reason) = outcome {
      directoryChanged = true
      return abandon(from: 0, reason, at: now)
    }
    var done = 0
    while done < settledCount, pending[done].ticket <= ticket {
      unsyncedBytes -= pending[done].bytes.count
      done += 1
    }
    pending.removeFirst(done)
    settledCount -= done
    var effects: [SpoolEffect] = [.durable(through: ticket)]
    if let syncAt, syncAt <= now.instant { effects += startSync() }
    return effects + deleteAcknowledged()
  }

  var isWritingStalled: Bool {
    pending.contains {
      if case .stalled(isWriting: true) = $0.state { true } else { false }
    }
  }

  /// Nothing from this pending group on can be relied on: seals the segments that hold these groups before them, and
  /// keeps the groups to be written to a new one. What was acknowledged of them is let go.
  mutating func abandon(from index: Int, _ reason: String, at now: Moment) -> [SpoolEffect] {
    failure = reason
    settledCount = min(settledCount, index)
    retryAt = now.instant + limits.retryDelay
    var effects: [SpoolEffect] = []
    for at in index..<pending.count {
      let group = pending[at]
      if let segment = segmentIndex(group.position.segment) {
        let kept = group.isStored ? trimAcknowledged(at) : 0
        segments[segment].unacknowledged -= kept
        cut(segment, at: group.position.offset, keptFor: kept > 0 ? group.ticket : nil)
      }
      let wasWriting = at > index && group.isWriting
      if !group.isStalled { pending[at].state = .stalled(isWriting: wasWriting) }
      effects.append(.stalled(group.ticket, reason: reason))
    }
    if !segments.isEmpty { segments[segments.count - 1].seal() }
    return effects + clearAbandoned()
  }

  /// Drops the acknowledged beginning of a stored group's bytes; how many records are left.
  private mutating func trimAcknowledged(_ index: Int) -> Int {
    let group = pending[index]
    guard acknowledged.position.segment >= group.position.segment else { return group.count }
    let end =
      acknowledged.position.segment > group.position.segment
      ? group.bytes.count : min(acknowledged.position.offset - group.position.offset, group.bytes.count)
    var at = 0
    var count = group.count
    while at < end {
      at += SegmentFormat.recordHeaderBytes + Int(LittleEndian.word32(group.bytes, at: at))
      count -= 1
    }
    guard at > 0 else { return count }
    unsyncedBytes -= at
    pending[index].bytes.removeFirst(at)
    pending[index].count = count
    if count > 0 { pending[index].firstSequence = LittleEndian.word64(pending[index].bytes, at: 8) }
    return count
  }

  private mutating func cut(_ index: Int, at offset: Int, keptFor ticket: SpoolTicket?) {
    let number = segments[index].number
    if offset < segments[index].size {
      segments[index].seal()
      segments[index].size = offset
      segments[index].remove(offset..<Int.max)
      abandoned.append(Abandoned(number: number, length: offset))
    }
    if let ticket, let entry = abandoned.lastIndex(where: { $0.number == number }) { abandoned[entry].keptFor = ticket }
  }

  /// Cuts the files of abandoned segments, once no write can reach them any more and nothing depends on them.
  mutating func clearAbandoned() -> [SpoolEffect] {
    guard !abandoned.isEmpty, !isWritingStalled else { return [] }
    let unsettled = pending.first { !$0.isStored }?.ticket
    var effects: [SpoolEffect] = []
    var left: [Abandoned] = []
    for entry in abandoned {
      if let kept = entry.keptFor, let unsettled, unsettled <= kept {
        left.append(entry)
      } else if entry.length > SegmentFormat.headerBytes {
        effects.append(.truncate(name: SegmentName.compose(entry.number), length: entry.length))
      } else {
        effects.append(.deleteSegment(name: SegmentName.compose(entry.number)))
        segments.removeAll { $0.number == entry.number }
      }
    }
    abandoned = left
    return effects
  }

  /// Writes every stalled group again, to a new segment.
  mutating func rewrite(at now: Moment) -> [SpoolEffect] {
    retryAt = nil
    var effects: [SpoolEffect] = []
    for index in pending.indices where pending[index].isStalled {
      guard pending[index].count > 0 else {
        // Acknowledged meanwhile: nothing to write, and stored as good as it will be.
        pending[index].state = .stored
        continue
      }
      effects.append(.write(place(index)))
    }
    if syncAt == nil, !pending.isEmpty { syncAt = now.instant + limits.syncDelay }
    return effects + settle(at: now)
  }
}
