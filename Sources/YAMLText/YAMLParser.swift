import JSONText

/// Reads one document, whose lines it has.
struct YAMLParser {
  let bytes: [UInt8]
  var lines: [YAMLLine]
  var index = 0
  private var depth = 0

  init(_ bytes: [UInt8], _ lines: [YAMLLine]) {
    self.bytes = bytes
    self.lines = lines
  }

  mutating func document() throws(YAMLError) -> YAMLDocument {
    skipEmpty()
    let first = lines[index]
    if bytes[first.start] == 0x25 { throw error("directives are not supported", first.start) }
    let value = try node(below: -1)
    skipEmpty()
    if let line = current { throw error("this belongs to nothing before it; check the indentation", line.start) }
    return YAMLDocument(value: value, line: first.number)
  }

  /// The node that begins on the current line, whose parent stands at `parent` columns.
  private mutating func node(below parent: Int) throws(YAMLError) -> JSONValue {
    guard let line = current else { return .null }
    depth += 1
    defer { depth -= 1 }
    guard depth <= YAMLError.depthMax else {
      throw error("more than \(YAMLError.depthMax) values inside one another", line.start)
    }
    if isEntry(line) { return try sequence(at: line.indent) }
    if try key(of: line) != nil { return try mapping(at: line.indent) }
    return try scalar(from: line.start, below: parent)
  }

  private mutating func sequence(at indent: Int) throws(YAMLError) -> JSONValue {
    var elements: [JSONValue] = []
    while let line = try next(at: indent), isEntry(line) {
      let rest = behind(line.start + 1, line.end)
      if isBlank(rest, line.end) {
        index += 1
        elements.append(try nested(below: indent, allowsSequenceBeside: false))
      } else {
        // What stands behind the dash is a line of its own, indented by the dash.
        lines[index].indent += rest - line.start
        lines[index].start = rest
        elements.append(try node(below: indent))
      }
    }
    return .array(elements)
  }

  private mutating func mapping(at indent: Int) throws(YAMLError) -> JSONValue {
    var members: [JSONMember] = []
    var seen: Set<String> = []
    while let line = try next(at: indent) {
      guard !isEntry(line), let key = try key(of: line) else {
        throw error("expected \"key: value\"", line.start)
      }
      guard key.text != "<<" || bytes[line.start] != 0x3c else {
        throw error("merge keys are not supported", line.start)
      }
      guard seen.insert(key.text).inserted else { throw error("the key '\(key.text)' is repeated", line.start) }
      let rest = behind(key.end, line.end)
      let value: JSONValue
      if isBlank(rest, line.end) {
        index += 1
        value = try nested(below: indent, allowsSequenceBeside: true)
      } else {
        value = try scalar(from: rest, below: indent)
      }
      members.append(JSONMember(key.text, value))
    }
    return .object(members)
  }

  /// What stands on the lines behind `key:` or `-`. A mapping's sequence may stand beside its key.
  private mutating func nested(below indent: Int, allowsSequenceBeside: Bool) throws(YAMLError) -> JSONValue {
    skipEmpty()
    guard let line = current else { return .null }
    if line.indent > indent || (allowsSequenceBeside && line.indent == indent && isEntry(line)) {
      return try node(below: indent)
    }
    return .null
  }

  /// The value that begins at `position` on the current line: text in any form, or brackets. Leaves the line behind it.
  private mutating func scalar(from position: Int, below parent: Int) throws(YAMLError) -> JSONValue {
    switch bytes[position] {
    case 0x22, 0x27, 0x5b, 0x7b:
      var flow = YAMLFlow(bytes, from: position, to: lines[lines.count - 1].end, depth: depth)
      let value: JSONValue
      do throws(YAMLFlow.Fault) {
        value = try flow.value()
      } catch {
        throw self.error(error.reason, error.position)
      }
      try leave(flow.position, below: parent)
      return value
    case 0x7c, 0x3e: return .string(try blockText(from: position, below: parent))
    case 0x26, 0x2a: throw error("anchors and aliases are not supported; write the value out", position)
    case 0x21: throw error("tags are not supported", position)
    case 0x25, 0x40, 0x60: throw error("a text cannot begin with this character; put it in quotes", position)
    case 0x3f where isBlank(position + 1, lines[index].end) || bytes[position + 1] == 0x20:
      throw error("complex keys are not supported", position)
    default: return try plain(from: position, below: parent)
    }
  }

  /// A plain text, with the lines that continue it.
  private mutating func plain(from position: Int, below parent: Int) throws(YAMLError) -> JSONValue {
    let first = lines[index]
    var text = try plainPart(position, first.end, first)
    index += 1
    var breaks = 0
    while let line = current {
      if line.start == line.end {
        breaks += 1
        index += 1
        continue
      }
      guard line.indent > parent, bytes[line.start] != 0x23 else { break }
      let part = try plainPart(line.start, line.end, line)
      text += (breaks == 0 ? " " : String(repeating: "\n", count: breaks)) + part
      breaks = 0
      index += 1
    }
    switch YAMLScalar.resolve(text) {
    case .success(let value): return value
    case .failure(let ambiguity): throw error(ambiguity.reason, position)
    }
  }

  /// A line of a plain text, without its comment.
  private func plainPart(_ start: Int, _ end: Int, _ line: YAMLLine) throws(YAMLError) -> String {
    var stop = start
    while stop < end {
      let octet = bytes[stop]
      if octet == 0x23, stop > start, bytes[stop - 1] == 0x20 || bytes[stop - 1] == 0x09 { break }
      if octet == 0x3a, stop + 1 == end || bytes[stop + 1] == 0x20 {
        throw error("a text that holds \": \" needs quotes", stop)
      }
      if octet < 0x20, octet != 0x09 { throw error("a control character", stop) }
      stop += 1
    }
    while stop > start, bytes[stop - 1] == 0x20 || bytes[stop - 1] == 0x09 { stop -= 1 }
    return String(decoding: bytes[start..<stop], as: UTF8.self)
  }

  /// After a value that ended at `position`: nothing but a comment may follow on its line.
  private mutating func leave(_ position: Int, below parent: Int) throws(YAMLError) {
    let first = index
    while index < lines.count, lines[index].end < position { index += 1 }
    guard index < lines.count else { return }
    for line in lines[first...index].dropFirst() where line.start < min(position, line.end) && line.indent <= parent {
      throw error("a value over several lines must be indented more than what it belongs to", line.start)
    }
    let rest = behind(position, lines[index].end)
    guard isBlank(rest, lines[index].end) else {
      throw error("text behind the value", rest)
    }
    index += 1
  }

  /// The next line with content if it stands at `indent`; nil when it stands further left. A document's lines end this too.
  private mutating func next(at indent: Int) throws(YAMLError) -> YAMLLine? {
    skipEmpty()
    guard let line = current else { return nil }
    if bytes[line.start] == 0x09 { throw error("a tab cannot indent; use spaces", line.start) }
    guard line.indent <= indent else { throw error("indented more than what stands beside it", line.start) }
    return line.indent == indent ? line : nil
  }

  private struct Key {
    var text: String
    /// Behind the colon.
    var end: Int
  }

  /// The key that the line begins with; nil when it is none.
  private func key(of line: YAMLLine) throws(YAMLError) -> Key? {
    let start = line.start
    switch bytes[start] {
    case 0x22, 0x27:
      var flow = YAMLFlow(bytes, from: start, to: line.end, depth: depth)
      guard let text = try? flow.quoted() else { return nil }
      let colon = behind(flow.position, line.end)
      guard colon < line.end, bytes[colon] == 0x3a, colon + 1 == line.end || bytes[colon + 1] == 0x20 else {
        return nil
      }
      return Key(text: text, end: colon + 1)
    case 0x5b, 0x7b, 0x7c, 0x3e, 0x23: return nil
    default: break
    }
    var position = start
    while position < line.end {
      if bytes[position] == 0x23, position > start, bytes[position - 1] == 0x20 { return nil }
      if bytes[position] == 0x3a, position + 1 == line.end || bytes[position + 1] == 0x20 {
        guard position > start else { throw error("a key is missing before the colon", position) }
        if let mark = [0x26, 0x2a, 0x21, 0x3f, 0x25, 0x40, 0x60].first(where: { $0 == bytes[start] }) {
          let shown = String(decoding: [mark], as: UTF8.self)
          throw error("a key cannot begin with \(shown); put it in quotes", start)
        }
        return Key(text: try plainPart(start, position, line), end: position + 1)
      }
      position += 1
    }
    return nil
  }

  private func isEntry(_ line: YAMLLine) -> Bool {
    bytes[line.start] == 0x2d && (line.start + 1 == line.end || bytes[line.start + 1] == 0x20)
  }

  var current: YAMLLine? { index < lines.count ? lines[index] : nil }

  mutating func skipEmpty() {
    while let line = current, line.isEmpty(bytes) { index += 1 }
  }

  /// The first octet from there that is no space.
  func behind(_ position: Int, _ end: Int) -> Int {
    var position = position
    while position < end, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
    return position
  }

  /// Whether nothing, or a comment set apart, stands at `position`.
  func isBlank(_ position: Int, _ end: Int) -> Bool {
    position >= end || (bytes[position] == 0x23 && [0x20, 0x09].contains(bytes[position - 1]))
  }

  func error(_ reason: String, _ position: Int) -> YAMLError {
    let line = lines.last { $0.start - $0.indent <= position } ?? lines[0]
    return YAMLError(line: line.number, column: position - (line.start - line.indent) + 1, reason: reason)
  }
}
