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

/// Where each line of the table begins: looked for once, since denied names by the thousand are counted by their domains.
private let lineStarts: [Int32] = {
  var starts: [Int32] = [0]
  for (index, octet) in publicSuffixTable.utf8.enumerated() where octet == 0x0a { starts.append(Int32(index + 1)) }
  return starts
}()

/// The line of `parent` that would hold `label`: the last one whose first label is not after it.
private func suffixLine(
  _ table: borrowing Span<UInt8>, parent: ArraySlice<UInt8>, label: ArraySlice<UInt8>
) -> SuffixLine? {
  var low = 0
  var high = lineStarts.count
  var labels: Int?
  while low < high {
    let middle = low + (high - low) / 2
    let start = Int(lineStarts[middle])
    let colon = end(of: start, in: table, 0x3a)
    var order = compare(table, start..<colon, parent)
    if order == 0 {
      order = compare(table, colon + 2..<end(of: colon + 2, in: table, 0x20), label)
      if order <= 0 { labels = colon + 2 }
    }
    if order <= 0 { low = middle + 1 } else { high = middle }
  }
  return labels.map { SuffixLine(labels: $0, end: end(of: $0, in: table, 0x0a)) }
}

/// Where a part of a line ends: before this octet or the end of the line.
private func end(of start: Int, in table: borrowing Span<UInt8>, _ octet: UInt8) -> Int {
  var end = start
  while end < table.count, table[end] != octet, table[end] != 0x0a { end += 1 }
  return end
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
