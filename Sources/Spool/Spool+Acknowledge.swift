import Timekeeping

extension Spool {
  /// Everything that the lane handed out up to this position has been accepted. The cursor follows; segments go when it
  /// is synced.
  package mutating func acknowledge(through position: SpoolPosition, lane: SpoolLane = .oldest) -> [SpoolEffect] {
    guard position > acknowledged.position, lane == .oldest || fresh != nil else { return [] }
    let handedOut = self[lane].handedOut
    var done = 0
    while done < handedOut.count, handedOut[done].end <= position {
      let end = handedOut[done].end
      // Records of a segment that was cut before them are stored elsewhere again, and will be acknowledged there.
      if let index = segmentIndex(end.segment), end.offset <= segments[index].end {
        segments[index].unacknowledged = max(segments[index].unacknowledged - 1, 0)
      }
      done += 1
    }
    guard done > 0 else { return [] }
    let last = handedOut[done - 1]
    self[lane].handedOut.removeFirst(done)
    if lane == .oldest { acknowledge(last.end, last.sequence) } else { fresh?.acknowledged = last }
    joinLanes()
    // An idle segment that is a quarter full makes room when it is done.
    if let active = segments.last, active.number == last.end.segment, active.size <= last.end.offset,
      active.size > limits.segmentBytesUsed / 4
    {
      segments[segments.count - 1].seal()
    }
    return advanceCursor()
  }

  mutating func acknowledge(_ position: SpoolPosition, _ sequence: UInt64) {
    let boot = segmentIndex(position.segment).flatMap { segments[$0].boot }
    acknowledged = SpoolCursor(
      generation: 0, position: position, boot: boot ?? SpoolBoot(high: 0, low: 0), sequence: sequence)
  }

  /// Whether the disk knows everything that was accepted: a start after this sends none of it again.
  package var isCursorCurrent: Bool { cursorWriting == nil && acknowledged.position <= cursorSynced }

  /// Asks for the cursor's slot to be written, unless a write is under way or nothing is new.
  mutating func advanceCursor() -> [SpoolEffect] {
    guard cursorWriting == nil, cursorRetryAt == nil, acknowledged.position > cursorSynced else { return [] }
    // Recovery deletes the segments before the cursor: it must not pass one that alone holds records until they are
    // stored again.
    let segment = acknowledged.position.segment
    guard !abandoned.contains(where: { $0.keptFor != nil && $0.number < segment }) else { return [] }
    var cursor = acknowledged
    // A failed write is repeated into the same slot: the other one is the last that is known to be whole.
    cursor.generation = cursorGeneration &+ 1
    cursorWriting = cursor
    return [
      .writeCursor(
        SpoolCursorWrite(
          generation: cursor.generation, name: SpoolCursor.fileName, offset: cursor.slotOffset,
          bytes: cursor.compose()))
    ]
  }

  /// The cursor's slot is on the disk, or is not.
  package mutating func cursorWritten(
    _ generation: UInt64, _ outcome: StorageOutcome, at now: Moment
  ) -> [SpoolEffect] {
    guard let cursor = cursorWriting, cursor.generation == generation else { return [] }
    cursorWriting = nil
    guard case .ok = outcome else {
      cursorRetryAt = now.instant + limits.retryDelay
      return []
    }
    cursorGeneration = generation
    cursorSynced = cursor.position
    return deleteAcknowledged() + advanceCursor()
  }

  /// Lets go of the segments that the synced cursor has passed.
  mutating func deleteAcknowledged() -> [SpoolEffect] {
    var effects: [SpoolEffect] = []
    while let first = segments.first {
      let isPassed =
        first.number < cursorSynced.segment
        || first.number == cursorSynced.segment && first.isSealed && first.end <= cursorSynced.offset
      guard isPassed, !pending.contains(where: { $0.position.segment == first.number }),
        !abandoned.contains(where: { $0.number == first.number })
      else { break }
      // What was dropped makes room at once.
      if limits.keptBytesMax > 0, first.size > 0 {
        kept.append(Kept(number: first.number, size: first.size))
      } else {
        effects.append(.deleteSegment(name: first.name))
      }
      segments.removeFirst()
    }
    return effects + trimKept(to: limits.keptBytesMax)
  }

  /// Deletes the oldest kept segments: beyond the limit, and where records need the room.
  mutating func trimKept(to bytesMax: Int) -> [SpoolEffect] {
    guard !kept.isEmpty else { return [] }
    let room = min(bytesMax, limits.bytesMax - storedBytes)
    var bytes = kept.reduce(0) { $0 + $1.size }
    var effects: [SpoolEffect] = []
    while bytes > room, let first = kept.first {
      effects.append(.deleteSegment(name: SegmentName.compose(first.number)))
      bytes -= first.size
      kept.removeFirst()
    }
    return effects
  }

  /// Gives up the unacknowledged records of the oldest segment (`SALLYPORT_AUDIT_FAIL=open`). Their bytes are free at
  /// once for `append`. Nil when there is none that could go: records that wait for their sync stay.
  package mutating func dropOldest() -> SpoolDrop? {
    guard case .ready = phase, let index = segments.firstIndex(where: { $0.unacknowledged > 0 }) else { return nil }
    let segment = segments[index]
    guard !pending.contains(where: { $0.position.segment == segment.number }) else { return nil }
    let position = acknowledged.position
    let from =
      position.segment == segment.number
      ? max(segment.firstSequence, acknowledged.sequence &+ 1) : segment.firstSequence
    segments[index].seal()
    segments[index].unacknowledged = 0
    segments[index].size = 0
    acknowledge(SpoolPosition(segment: segment.number, offset: segment.end), segment.lastSequence)
    oldest.handedOut.removeAll { $0.end <= acknowledged.position }
    oldest.position = max(oldest.position, acknowledged.position)
    if let reading, reading.segment <= segment.number {
      self.reading = nil
      self[reading.lane].isSearchDue = false
    }
    if let part = fresh, part.start < acknowledged.position {
      fresh?.start = acknowledged.position
      fresh?.sequenceBefore = acknowledged.sequence
      fresh?.lane.handedOut.removeAll { $0.end <= acknowledged.position }
      if part.lane.position <= acknowledged.position { fresh = nil }
    }
    joinLanes()
    return SpoolDrop(
      boot: segment.boot, count: segment.unacknowledged, from: from, to: segment.lastSequence,
      effects: advanceCursor())
  }
}
