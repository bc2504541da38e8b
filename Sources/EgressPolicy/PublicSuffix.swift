/// Whether a wildcard directly below this name would cover other people's domains: `co.uk`, but not `example.co.uk`. Names of one label are the
/// caller's to refuse. Only the ICANN section counts: `*.github.io` is one company's to hand out, and allow-lists need such names.
///
/// `name`: lower case, at least two labels.
func isPublicSuffix(_ name: [UInt8]) -> Bool {
  guard let dot = name.firstIndex(of: 0x2e) else { return true }
  let parent = name[(dot + 1)...]
  let text = publicSuffixTable
  let table = text.utf8Span.span
  // `*.kawasaki.jp` is broader still than one of the suffixes it stands for.
  if let line = suffixLine(table, parent: name[...], label: [0x2a]), table[line.labels] == 0x2a { return true }
  guard let line = suffixLine(table, parent: parent, label: name[..<dot]) else { return false }
  var anyLabel = false
  var start = line.labels
  while start < line.end {
    var end = start
    while end < line.end, table[end] != 0x20 { end += 1 }
    if end == start + 1, table[start] == 0x2a { anyLabel = true }
    if compare(table, start..<end, name[..<dot]) == 0 { return true }
    if table[start] == 0x21, compare(table, start + 1..<end, name[..<dot]) == 0 { return false }
    start = end + 1
  }
  return anyLabel
}

/// A line of the table: where its labels begin, and where it ends.
private struct SuffixLine {
  var labels: Int
  var end: Int
}

/// The line of `parent` that would hold `label`: the last one whose first label is not after it.
private func suffixLine(
  _ table: borrowing Span<UInt8>, parent: ArraySlice<UInt8>, label: ArraySlice<UInt8>
) -> SuffixLine? {
  var low = 0
  var high = table.count
  var found: SuffixLine?
  while low < high {
    var start = low + (high - low) / 2
    while start > low, table[start - 1] != 0x0a { start -= 1 }
    var colon = start
    while table[colon] != 0x3a { colon += 1 }
    var end = colon + 2
    while end < table.count, table[end] != 0x0a { end += 1 }
    var first = colon + 2
    while first < end, table[first] != 0x20 { first += 1 }
    var order = compare(table, start..<colon, parent)
    if order == 0 {
      order = compare(table, colon + 2..<first, label)
      if order <= 0 { found = SuffixLine(labels: colon + 2, end: end) }
    }
    if order <= 0 { low = end + 1 } else { high = start }
  }
  return found
}

/// Negative when the part of the table sorts before `other`, 0 when it is equal.
private func compare(_ table: borrowing Span<UInt8>, _ part: Range<Int>, _ other: ArraySlice<UInt8>) -> Int {
  var at = other.startIndex
  for index in part {
    guard at < other.endIndex else { return 1 }
    if table[index] != other[at] { return table[index] < other[at] ? -1 : 1 }
    at += 1
  }
  return at < other.endIndex ? -1 : 0
}
