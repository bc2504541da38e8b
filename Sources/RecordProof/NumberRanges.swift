/// Sequence numbers as ascending ranges that neither touch nor overlap.
package struct NumberRanges: Hashable, Sendable, CustomStringConvertible {
  package private(set) var ranges: [ClosedRange<UInt64>] = []

  package init() {}

  /// The ranges in any order, overlapping or not.
  package init(_ parts: some Sequence<ClosedRange<UInt64>>) {
    for part in parts.sorted(by: { $0.lowerBound < $1.lowerBound }) { append(part) }
  }

  package var isEmpty: Bool { ranges.isEmpty }

  /// How many numbers; at most `UInt64.max`.
  package var count: UInt64 {
    ranges.reduce(0) { total, range in
      let (size, isWhole) = (range.upperBound - range.lowerBound).addingReportingOverflow(1)
      let (sum, isTooMuch) = total.addingReportingOverflow(size)
      return isWhole || isTooMuch ? .max : sum
    }
  }

  /// `3, 7–9`.
  package var description: String {
    ranges.map { $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }
      .joined(separator: ", ")
  }

  /// Adds numbers none of which lies before the beginning of the last range.
  mutating func append(_ part: ClosedRange<UInt64>) {
    guard let last = ranges.last, part.lowerBound <= last.upperBound || part.lowerBound - last.upperBound == 1 else {
      ranges.append(part)
      return
    }
    ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, part.upperBound)
  }

  mutating func append(_ number: UInt64) { append(number...number) }

  /// What of these numbers is not among the others.
  func subtracting(_ other: NumberRanges) -> NumberRanges {
    var left = NumberRanges()
    var next = other.ranges[...]
    for range in ranges {
      var from = range.lowerBound
      var isSpent = false
      while let first = next.first, first.upperBound < from { next.removeFirst() }
      for cut in next {
        guard cut.lowerBound <= range.upperBound else { break }
        if cut.lowerBound > from { left.append(from...cut.lowerBound - 1) }
        guard cut.upperBound < range.upperBound else {
          isSpent = true
          break
        }
        from = max(from, cut.upperBound + 1)
      }
      if !isSpent { left.append(from...range.upperBound) }
    }
    return left
  }

  /// What of these numbers is among the others too.
  func intersecting(_ other: NumberRanges) -> NumberRanges { subtracting(subtracting(other)) }
}
