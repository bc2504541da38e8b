extension YAMLParser {
  /// A text behind `|` or `>` (YAML 1.2 §8.1), whose header begins at `position` on the current line.
  mutating func blockText(from position: Int, below parent: Int) throws(YAMLError) -> String {
    let header = lines[index]
    let isFolded = bytes[position] == 0x3e
    var chomping: UInt8?
    var indent: Int?
    var place = position + 1
    while place < header.end, bytes[place] != 0x20 {
      switch bytes[place] {
      case 0x2b,
        0x2d where chomping == nil:
        chomping = bytes[place]
      case 0x31...0x39 where indent == nil: indent = max(parent, 0) + Int(bytes[place] - 0x30)
      default: throw error("expected a line's end behind \(isFolded ? ">" : "|")", place)
      }
      place += 1
    }
    guard isBlank(behind(place, header.end), header.end) else {
      throw error("expected a line's end behind \(isFolded ? ">" : "|")", place)
    }
    index += 1

    var texts: [String] = []
    while let line = current {
      // A line of spaces counts as deep as it goes.
      let isBlank = line.start == line.end
      if !isBlank, indent == nil {
        guard line.indent > parent else { break }
        indent = line.indent
      }
      if !isBlank, let indent, line.indent < indent { break }
      let begin = line.start - line.indent + min(indent ?? line.indent, line.indent)
      texts.append(String(decoding: bytes[begin..<line.end], as: UTF8.self))
      index += 1
    }
    return Self.join(texts, isFolded: isFolded, chomping: chomping)
  }

  private static func join(_ texts: [String], isFolded: Bool, chomping: UInt8?) -> String {
    let content = texts.count - (texts.reversed().prefix { $0.isEmpty }.count)
    var text = ""
    var breaks = 0
    var wasIndented = false
    for (place, line) in texts.prefix(content).enumerated() {
      let isIndented = line.first == " " || line.first == "\t"
      if line.isEmpty {
        breaks += 1
        continue
      }
      if place > 0 || breaks > 0 {
        if !isFolded || isIndented || wasIndented || text.isEmpty {
          text += String(repeating: "\n", count: text.isEmpty ? breaks : breaks + 1)
        } else {
          text += breaks == 0 ? " " : String(repeating: "\n", count: breaks)
        }
      }
      text += line
      breaks = 0
      wasIndented = isIndented
    }
    switch chomping {
    case 0x2d: return text
    case 0x2b: return text + String(repeating: "\n", count: texts.count - content + (content == 0 ? 0 : 1))
    default: return content == 0 ? "" : text + "\n"
    }
  }
}
