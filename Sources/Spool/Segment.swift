import Timekeeping

/// One segment file as the spool knows it.
struct Segment {
  let number: UInt64
  /// Nil when the header is damaged.
  let boot: SpoolBoot?
  let firstSequence: UInt64
  /// Of the last record that was stored.
  var lastSequence: UInt64
  /// Runs of valid records, in order; one unless the segment was damaged. Its last end is where reading stops.
  var runs: [Range<Int>]
  /// Bytes of the file once every write under way is done.
  var size: Int
  /// Nothing is appended any more.
  var isSealed = false
  /// Records stored in it that were not acknowledged.
  var unacknowledged: Int
  private var marks: [Mark]

  /// From this offset on, records were appended at this moment or later.
  private struct Mark {
    var offset: Int
    var sequence: UInt64
    var moment: Moment
  }

  /// Marks are a second apart, and 64 KiB once the segment is sealed: enough for an age, cheap for a backlog.
  private static let markDistance = TimeSpan.seconds(1)
  private static let sealedMarkBytes = 64 << 10

  init(
    number: UInt64, boot: SpoolBoot?, firstSequence: UInt64, lastSequence: UInt64, runs: [Range<Int>], size: Int,
    unacknowledged: Int, at now: Moment
  ) {
    self.number = number
    self.boot = boot
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
    self.runs = runs
    self.size = size
    self.unacknowledged = unacknowledged
    marks = [Mark(offset: 0, sequence: firstSequence, moment: now)]
  }

  var name: String { SegmentName.compose(number) }

  /// Where the last valid record ends.
  var end: Int { runs.last?.upperBound ?? SegmentFormat.headerBytes }

  mutating func mark(_ offset: Int, _ sequence: UInt64, at now: Moment) {
    if let last = marks.last, now.instant - last.moment.instant < Self.markDistance { return }
    marks.append(Mark(offset: offset, sequence: sequence, moment: now))
  }

  mutating func seal() {
    guard !isSealed else { return }
    isSealed = true
    var kept: [Mark] = []
    for mark in marks where kept.last.map({ mark.offset - $0.offset >= Self.sealedMarkBytes }) ?? true {
      kept.append(mark)
    }
    marks = kept
  }

  /// What is known of the record that begins at or after this offset.
  func origin(_ offset: Int) -> (sequence: UInt64, appendedAt: Moment) {
    var low = 0
    var high = marks.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if marks[middle].offset <= offset { low = middle } else { high = middle }
    }
    return (marks[low].sequence, marks[low].moment)
  }

  /// Where the records begin that were appended at this moment or later, as far as marks tell; nil when none is known.
  func beginning(appendedAfter moment: Instant) -> (offset: Int, sequence: UInt64)? {
    marks.first { moment <= $0.moment.instant }.map { ($0.offset, $0.sequence) }
  }

  /// The readable bytes at or after the offset.
  func readable(from offset: Int) -> Range<Int>? {
    for run in runs where run.upperBound > offset { return max(run.lowerBound, offset)..<run.upperBound }
    return nil
  }

  /// Adds the bytes of records that were stored behind all others.
  mutating func extend(_ bytes: Range<Int>) {
    if let last = runs.last, last.upperBound == bytes.lowerBound {
      runs[runs.count - 1] = last.lowerBound..<bytes.upperBound
    } else {
      runs.append(bytes)
    }
  }

  /// Takes the bytes out of the runs.
  mutating func remove(_ bytes: Range<Int>) {
    runs = runs.flatMap { run -> [Range<Int>] in
      guard run.overlaps(bytes) else { return [run] }
      return [
        run.lowerBound..<max(run.lowerBound, bytes.lowerBound), min(run.upperBound, bytes.upperBound)..<run.upperBound,
      ]
      .filter { !$0.isEmpty }
    }
  }
}
