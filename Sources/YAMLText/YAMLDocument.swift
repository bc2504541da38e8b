import JSONText

/// One document of a stream.
package struct YAMLDocument: Hashable, Sendable {
  package var value: JSONValue
  /// Where its content begins, counted from 1.
  package var line: Int

  /// The documents of a stream, without empty ones.
  ///
  /// Throws: `YAMLError` for what is no YAML, what this module refuses, and texts over its limits.
  package static func parse(_ bytes: [UInt8]) throws(YAMLError) -> [YAMLDocument] {
    guard bytes.count <= YAMLError.sizeMax else {
      throw YAMLError(line: 1, column: 1, reason: "the text has \(bytes.count) octets, more than \(YAMLError.sizeMax)")
    }
    let lines = YAMLLine.split(bytes)
    if let broken = lines.first(where: { String(validating: bytes[$0.start..<$0.end], as: UTF8.self) == nil }) {
      throw YAMLError(line: broken.number, column: 1, reason: "not valid UTF-8")
    }
    var documents: [YAMLDocument] = []
    var rest = lines[...]
    while !rest.isEmpty {
      let body = rest.prefix { !$0.isMark(bytes) }
      if body.contains(where: { !$0.isEmpty(bytes) }) {
        var parser = YAMLParser(bytes, Array(body))
        documents.append(try parser.document())
      }
      rest = rest.dropFirst(body.count)
      guard let mark = rest.popFirst() else { break }
      let behind = YAMLLine(number: mark.number, indent: 0, start: mark.start + 3, end: mark.end)
      guard behind.isEmpty(bytes) else {
        throw YAMLError(
          line: mark.number, column: 4, reason: "text behind the document's mark; begin on a line of its own")
      }
    }
    return documents
  }
}

/// A line, or what is left of one behind `- `.
struct YAMLLine: Hashable, Sendable {
  var number: Int
  /// Spaces before `start`.
  var indent: Int
  /// The first octet that is no space, and the one behind the last, in the whole text.
  var start: Int
  var end: Int

  static func split(_ bytes: [UInt8]) -> [YAMLLine] {
    var lines: [YAMLLine] = []
    // A byte order mark (UTF-8) says nothing.
    var position = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    while position < bytes.count {
      var start = position
      while start < bytes.count, bytes[start] == 0x20 { start += 1 }
      var end = start
      while end < bytes.count, bytes[end] != 0x0a { end += 1 }
      let next = end + 1
      if end > start, bytes[end - 1] == 0x0d { end -= 1 }
      lines.append(YAMLLine(number: lines.count + 1, indent: start - position, start: start, end: end))
      position = next
    }
    return lines
  }

  /// Nothing, or a comment.
  func isEmpty(_ bytes: [UInt8]) -> Bool {
    guard let first = bytes[start..<end].first(where: { $0 != 0x20 && $0 != 0x09 }) else { return true }
    return first == 0x23
  }

  /// `---` or `...` at the beginning of the line.
  fileprivate func isMark(_ bytes: [UInt8]) -> Bool {
    guard indent == 0, end - start >= 3 else { return false }
    let mark = bytes[start..<start + 3]
    guard mark.elementsEqual([0x2d, 0x2d, 0x2d]) || mark.elementsEqual([0x2e, 0x2e, 0x2e]) else { return false }
    return end - start == 3 || bytes[start + 3] == 0x20 || bytes[start + 3] == 0x09
  }
}
