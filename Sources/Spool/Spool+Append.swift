import Timekeeping

extension Spool {
  /// Places a group of records at the end of the active segment. The records count only after `.stored`.
  /// - Parameter isControl: may use the reserve.
  package mutating func append(_ records: [SpoolRecord], isControl: Bool, at now: Moment) -> AppendPlan {
    guard case .ready = phase else { return .recovering }
    if let failure { return .failing(reason: failure) }
    guard unsyncedBytes <= limits.unsyncedBytesMax else { return .failing(reason: "syncs are too slow") }
    guard let first = records.first, let last = records.last else { return .unfit(sequence: 0) }
    var total = 0
    for record in records {
      guard !record.bytes.isEmpty, record.bytes.count <= SpoolLimits.recordBytesMax else {
        return .unfit(sequence: record.sequence)
      }
      total += SegmentFormat.recordHeaderBytes + record.bytes.count
    }
    let quota = limits.bytesMax - (isControl ? 0 : limits.reserveUsed)
    guard storedBytes + SegmentFormat.headerBytes + total <= quota else { return .full }

    var bytes: [UInt8] = []
    bytes.reserveCapacity(total)
    for record in records { SegmentFormat.composeRecord(record, into: &bytes, checksum) }
    let group = Group(
      ticket: SpoolTicket(number: nextTicket), bytes: bytes, count: records.count, firstSequence: first.sequence,
      lastSequence: last.sequence, position: SpoolPosition(segment: 0, offset: 0), appendedAt: now, state: .writing)
    nextTicket += 1
    unsyncedBytes += bytes.count
    pending.append(group)
    return .write(place(pending.count - 1))
  }

  /// Gives a pending group its place and its write.
  mutating func place(_ index: Int) -> SpoolWrite {
    let group = pending[index]
    var creates = true
    if let active = segments.last, !active.isSealed {
      creates = active.size + group.bytes.count > limits.segmentBytesUsed
      if creates { segments[segments.count - 1].seal() }
    }
    if creates {
      segments.append(
        Segment(
          number: nextNumber, boot: boot, firstSequence: group.firstSequence, lastSequence: group.firstSequence,
          runs: [], size: SegmentFormat.headerBytes, unacknowledged: 0, at: group.appendedAt))
      nextNumber += 1
    }
    let active = segments.count - 1
    let offset = segments[active].size
    pending[index].position = SpoolPosition(segment: segments[active].number, offset: offset)
    pending[index].state = .writing
    segments[active].size += group.bytes.count
    segments[active].mark(offset, group.firstSequence, at: group.appendedAt)
    guard creates else {
      return SpoolWrite(
        ticket: group.ticket, name: segments[active].name, creates: false, offset: offset, bytes: group.bytes)
    }
    let header = SegmentFormat.composeHeader(boot: boot, firstSequence: group.firstSequence)
    return SpoolWrite(
      ticket: group.ticket, name: segments[active].name, creates: true, offset: 0, bytes: header + group.bytes)
  }

  /// A write has ended. Only now do its records count as stored.
  package mutating func written(_ ticket: SpoolTicket, _ outcome: StorageOutcome, at now: Moment) -> [SpoolEffect] {
    guard let index = pendingIndex(ticket) else { return [] }
    switch pending[index].state {
    case .written, .stored: return []
    case .stalled:
      pending[index].state = .stalled(isWriting: false)
      return clearAbandoned()
    case .writing: break
    }
    if case .failed(let reason) = outcome {
      let effects = abandon(from: index, reason, at: now)
      // The disk may be full.
      return effects + trimKept(to: 0)
    }
    pending[index].state = .written
    let effects = settle(at: now)
    return effects + trimKept(to: limits.keptBytesMax)
  }

  /// Stores what is written, in order.
  mutating func settle(at now: Moment) -> [SpoolEffect] {
    var effects: [SpoolEffect] = []
    while settledCount < pending.count {
      let index = settledCount
      guard pending[index].isStored || pending[index].isWritten else { break }
      settledCount += 1
      guard pending[index].isWritten else { continue }
      let group = pending[index]
      pending[index].state = .stored
      if let at = segmentIndex(group.position.segment) {
        if group.position.offset == SegmentFormat.headerBytes { directoryChanged = true }
        segments[at].extend(group.position.offset..<group.end)
        segments[at].lastSequence = group.lastSequence
        segments[at].unacknowledged += group.count
      }
      if !group.isAnnounced { effects.append(.stored(group.ticket)) }
      pending[index].isAnnounced = true
      if syncAt == nil { syncAt = now.instant + limits.syncDelay }
    }
    if failure != nil, !pending.contains(where: { $0.isStalled || $0.isWriting }) { failure = nil }
    if !abandoned.isEmpty {
      effects += clearAbandoned()
      effects += advanceCursor()
    }
    effects += deleteAcknowledged()
    if let syncAt, syncAt <= now.instant { effects += startSync() }
    return effects
  }

  func pendingIndex(_ ticket: SpoolTicket) -> Int? {
    guard let first = pending.first?.ticket.number, ticket.number >= first,
      ticket.number - first < UInt64(pending.count)
    else { return nil }
    return Int(ticket.number - first)
  }

  /// The segments' numbers rise: a binary search.
  func segmentIndex(_ number: UInt64) -> Int? {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < segments.count && segments[low].number == number ? low : nil
  }
}

extension Spool.Group {
  var isWritten: Bool {
    if case .written = state { true } else { false }
  }

  var isWriting: Bool {
    if case .writing = state { true } else { false }
  }
}
