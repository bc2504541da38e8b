import Timekeeping

/// The order in which records are handed out.
package enum SpoolLane: Hashable, Sendable {
  /// From the first record that was not acknowledged, one after another.
  case oldest
  /// Beside them, the records behind the mark that `separateFresh` has set: they need not wait for a long backlog.
  case fresh
}

/// How far one lane has read, and what of it is with the reader.
struct Lane: Sendable {
  struct HandedOut {
    var end: SpoolPosition
    var sequence: UInt64
  }

  /// Where the next read begins.
  var position: SpoolPosition
  /// What stood there is no record: the next read takes all that is left of the segment, to search it.
  var isSearchDue = false
  /// Reads of the same piece that failed, one after another.
  var failures = 0
  /// Records handed out and not acknowledged, in order.
  var handedOut: [HandedOut] = []

  init(at position: SpoolPosition) { self.position = position }
}

/// The second lane, while there is one.
struct FreshPart: Sendable {
  /// The first lane ends here, and goes on where this one has read to.
  var start: SpoolPosition
  /// The sequence number of the record before it.
  var sequenceBefore: UInt64
  var lane: Lane
  /// The last record that was acknowledged in it. Only memory knows: after a crash they are delivered again.
  var acknowledged: Lane.HandedOut?
}

extension Spool {
  /// Hands out what was appended at `moment` or later in a lane of its own, while there are older records to be read.
  /// The lanes join by themselves. False when nothing older waits, or there are two lanes already.
  package mutating func separateFresh(after moment: Instant) -> Bool {
    guard case .ready = phase, fresh == nil, failure == nil, let last = segments.last else { return false }
    var start = SpoolPosition(segment: last.number, offset: last.end)
    var sequence = last.lastSequence
    for segment in segments.reversed() {
      guard let first = segment.beginning(appendedAfter: moment) else { break }
      start = SpoolPosition(segment: segment.number, offset: first.offset)
      sequence = first.sequence &- 1
    }
    // What is not on the disk may be written elsewhere again; it is behind the mark in any case.
    if let first = pending.first, first.position < start {
      start = first.position
      sequence = first.firstSequence &- 1
    }
    guard let next = nextRange(.oldest), next < start else { return false }
    fresh = FreshPart(start: start, sequenceBefore: sequence, lane: Lane(at: start))
    return true
  }

  /// Two lanes, with older records in the first.
  package var isSeparated: Bool { fresh != nil }

  subscript(lane: SpoolLane) -> Lane {
    get { lane == .fresh ? fresh?.lane ?? oldest : oldest }
    set { if lane == .fresh { fresh?.lane = newValue } else { oldest = newValue } }
  }

  /// Where the next record of the lane stands.
  private func nextRange(_ lane: SpoolLane) -> SpoolPosition? {
    nextPiece(lane).map { SpoolPosition(segment: segments[$0.segment].number, offset: $0.bytes.lowerBound) }
  }

  /// The lane's next readable bytes, as the index of a segment and offsets in it.
  func nextPiece(_ lane: SpoolLane) -> (segment: Int, bytes: Range<Int>)? {
    // The second lane takes only what is on the disk: nothing of it is ever written elsewhere again.
    let bound = lane == .oldest ? fresh?.start : pending.first?.position
    let from = self[lane].position
    for index in segments.indices where segments[index].number >= from.segment {
      let number = segments[index].number
      if let bound, number > bound.segment { return nil }
      guard let bytes = segments[index].readable(from: number == from.segment ? from.offset : 0) else { continue }
      guard let bound, number == bound.segment else { return (index, bytes) }
      guard bytes.lowerBound < bound.offset else { return nil }
      return (index, bytes.lowerBound..<min(bytes.upperBound, bound.offset))
    }
    return nil
  }

  /// Once everything before the mark is done and nothing behind it is under way, the first lane goes on behind the second.
  mutating func joinLanes() {
    guard let part = fresh, reading == nil, oldest.handedOut.isEmpty, part.lane.handedOut.isEmpty,
      nextPiece(.oldest) == nil
    else { return }
    fresh = nil
    oldest.position = max(oldest.position, part.lane.position)
    if let last = part.acknowledged, last.end > acknowledged.position { acknowledge(last.end, last.sequence) }
  }
}
