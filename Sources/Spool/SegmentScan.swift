/// What the bytes of a segment hold: runs of valid records, and what lies between them.
struct SegmentScan {
  /// Consecutive valid records.
  struct Run: Hashable {
    var bytes: Range<Int>
    var firstSequence: UInt64
    var lastSequence: UInt64
    /// Records that end after the acknowledged offset.
    var unacknowledged: Int
  }

  private(set) var runs: [Run] = []
  /// Whether the bytes after the last run were searched and hold nothing; empty at the end of the bytes.
  private(set) var tail: Range<Int>

  /// Scans `bytes[start...]`. Ends always: each octet is tried once, and the trial checksums have a budget.
  /// - Parameter last: the sequence number before, when it is known.
  /// - Parameter acknowledged: records that end here or before are not counted.
  init(_ bytes: [UInt8], from start: Int, after last: UInt64?, acknowledged: Int, _ checksum: SpoolChecksum) {
    let end = bytes.count
    var budget = max(end, 1) * SpoolLimits.searchBudgetFactor
    var last = last
    var at = min(start, end)
    var runStart = at
    var isSearching = false
    while at < end {
      var cost = 0
      let span = isSearching ? SpoolLimits.searchSequenceSpan : UInt64.max
      let found = SegmentFormat.parseRecord(
        bytes, at: at, end: end, after: last, trialBytes: &cost, span: span, checksum)
      guard let found else {
        isSearching = true
        budget -= cost
        guard budget > 0 else { break }
        at += 1
        continue
      }
      if isSearching || runs.isEmpty {
        runStart = at
        runs.append(
          Run(bytes: at..<at, firstSequence: found.sequence, lastSequence: found.sequence, unacknowledged: 0))
      }
      isSearching = false
      at = found.payload.upperBound
      last = found.sequence
      runs[runs.count - 1].bytes = runStart..<at
      runs[runs.count - 1].lastSequence = found.sequence
      if at > acknowledged { runs[runs.count - 1].unacknowledged += 1 }
    }
    tail = (runs.last?.bytes.upperBound ?? min(start, end))..<end
  }
}
