import JSONText

/// Reads brackets and quoted texts, which may go over several lines (YAML 1.2 §7).
struct YAMLFlow {
  struct Fault: Error {
    var reason: String
    var position: Int
  }

  private let bytes: [UInt8]
  private(set) var position: Int
  private let end: Int
  private var depth: Int

  init(_ bytes: [UInt8], from position: Int, to end: Int, depth: Int) {
    self.bytes = bytes
    self.position = position
    self.end = end
    self.depth = depth
  }

  mutating func value() throws(Fault) -> JSONValue {
    depth += 1
    defer { depth -= 1 }
    guard depth <= YAMLError.depthMax else { throw fault("more than \(YAMLError.depthMax) values inside one another") }
    switch peek() {
    case 0x5b: return try sequence()
    case 0x7b: return try mapping()
    case 0x22, 0x27: return .string(try quoted())
    case 0x26, 0x2a: throw fault("anchors and aliases are not supported; write the value out")
    case 0x21: throw fault("tags are not supported")
    default: return try plain()
    }
  }

  mutating func quoted() throws(Fault) -> String {
    peek() == 0x27 ? try singleQuoted() : try doubleQuoted()
  }

  private mutating func sequence() throws(Fault) -> JSONValue {
    let start = position
    position += 1
    var elements: [JSONValue] = []
    while true {
      try skipSpace(from: start)
      if peek() == 0x5d { break }
      elements.append(try value())
      try skipSpace(from: start)
      guard peek() == 0x2c else { break }
      position += 1
    }
    guard peek() == 0x5d else { throw fault("expected \",\" or \"]\"") }
    position += 1
    return .array(elements)
  }

  private mutating func mapping() throws(Fault) -> JSONValue {
    let start = position
    position += 1
    var members: [JSONMember] = []
    while true {
      try skipSpace(from: start)
      if peek() == 0x7d { break }
      let place = position
      let key: String
      switch peek() {
      case 0x22, 0x27: key = try quoted()
      default: key = try plainText()
      }
      try skipSpace(from: start)
      guard peek() == 0x3a else { throw fault("expected a colon") }
      position += 1
      try skipSpace(from: start)
      guard key != "<<" || bytes[place] != 0x3c else {
        throw Fault(reason: "merge keys are not supported", position: place)
      }
      guard !members.contains(where: { $0.key == key }) else {
        throw Fault(reason: "the key '\(key)' is repeated", position: place)
      }
      let isEmpty = peek() == 0x2c || peek() == 0x7d
      members.append(JSONMember(key, isEmpty ? .null : try value()))
      try skipSpace(from: start)
      guard peek() == 0x2c else { break }
      position += 1
    }
    guard peek() == 0x7d else { throw fault("expected \",\" or \"}\"") }
    position += 1
    return .object(members)
  }

  private mutating func plain() throws(Fault) -> JSONValue {
    let start = position
    let text = try plainText()
    switch YAMLScalar.resolve(text) {
    case .success(let value): return value
    case .failure(let ambiguity): throw Fault(reason: ambiguity.reason, position: start)
    }
  }

  /// On one line, up to a comma, a bracket or a colon that ends it.
  private mutating func plainText() throws(Fault) -> String {
    let start = position
    scan: while position < end {
      switch bytes[position] {
      case 0x2c, 0x5b, 0x5d, 0x7b, 0x7d, 0x0a, 0x0d: break scan
      case 0x3a where position + 1 == end || [0x20, 0x0a, 0x0d, 0x2c, 0x5d, 0x7d].contains(bytes[position + 1]):
        break scan
      case 0x23 where position > start && bytes[position - 1] == 0x20: break scan
      default: position += 1
      }
    }
    var stop = position
    while stop > start, bytes[stop - 1] == 0x20 || bytes[stop - 1] == 0x09 { stop -= 1 }
    guard stop > start else { throw fault("a value is missing") }
    return String(decoding: bytes[start..<stop], as: UTF8.self)
  }

  private mutating func singleQuoted() throws(Fault) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while true {
      guard let octet = peek() else { throw Fault(reason: "a quote that is not closed", position: start) }
      switch octet {
      case 0x27:
        position += 1
        guard peek() == 0x27 else { return String(decoding: text, as: UTF8.self) }
        text.append(0x27)
        position += 1
      case 0x0a, 0x0d: fold(into: &text)
      default:
        text.append(octet)
        position += 1
      }
    }
  }

  private mutating func doubleQuoted() throws(Fault) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while true {
      guard let octet = peek() else { throw Fault(reason: "a quote that is not closed", position: start) }
      switch octet {
      case 0x22:
        position += 1
        return String(decoding: text, as: UTF8.self)
      case 0x5c: try escape(into: &text)
      case 0x0a, 0x0d: fold(into: &text)
      default:
        text.append(octet)
        position += 1
      }
    }
  }

  /// YAML 1.2 §5.7.
  private mutating func escape(into text: inout [UInt8]) throws(Fault) {
    position += 1
    guard let octet = peek() else { throw fault("a quote that is not closed") }
    position += 1
    switch octet {
    case 0x0a, 0x0d:
      // The line's end is taken back, with what indents the next.
      position -= 1
      skipBreak()
      while peek() == 0x20 || peek() == 0x09 { position += 1 }
    case 0x22, 0x2f, 0x5c, 0x20, 0x09: text.append(octet)
    case 0x30: text.append(0)
    case 0x61: text.append(7)
    case 0x62: text.append(8)
    case 0x74: text.append(9)
    case 0x6e: text.append(10)
    case 0x76: text.append(11)
    case 0x66: text.append(12)
    case 0x72: text.append(13)
    case 0x65: text.append(27)
    case 0x4e: text += [0xc2, 0x85]
    case 0x5f: text += [0xc2, 0xa0]
    case 0x4c: text += [0xe2, 0x80, 0xa8]
    case 0x50: text += [0xe2, 0x80, 0xa9]
    case 0x78: try character(digits: 2, into: &text)
    case 0x75: try character(digits: 4, into: &text)
    case 0x55: try character(digits: 8, into: &text)
    default: throw Fault(reason: "an unknown escape", position: position - 2)
    }
  }

  private mutating func character(digits: Int, into text: inout [UInt8]) throws(Fault) {
    let place = position - 2
    guard var code = hexadecimal(digits) else { throw Fault(reason: "an escape that is cut short", position: place) }
    // JSON writes what lies beyond the basic plane as a pair.
    if digits == 4, (0xd800...0xdbff).contains(code), peek() == 0x5c, position + 1 < end, bytes[position + 1] == 0x75 {
      position += 2
      guard let low = hexadecimal(4), (0xdc00...0xdfff).contains(low) else {
        throw Fault(reason: "half of a surrogate pair", position: place)
      }
      code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw Fault(reason: "no Unicode character", position: place) }
    text += Array(String(Character(scalar)).utf8)
  }

  private mutating func hexadecimal(_ digits: Int) -> UInt32? {
    guard position + digits <= end, bytes[position..<position + digits].allSatisfy({ $0.isHexadecimal }) else {
      return nil
    }
    defer { position += digits }
    return UInt32(String(decoding: bytes[position..<position + digits], as: UTF8.self), radix: 16)
  }

  /// A line's end inside quotes (YAML 1.2 §6.5): one is a space, each further one a line feed.
  private mutating func fold(into text: inout [UInt8]) {
    while text.last == 0x20 || text.last == 0x09 { text.removeLast() }
    var breaks = 0
    while let octet = peek() {
      if octet == 0x0a || octet == 0x0d {
        skipBreak()
        breaks += 1
      } else if octet == 0x20 || octet == 0x09 {
        position += 1
      } else {
        break
      }
    }
    text += breaks == 1 ? [0x20] : Array(repeating: 0x0a, count: breaks - 1)
  }

  private mutating func skipBreak() {
    if peek() == 0x0d { position += 1 }
    if peek() == 0x0a { position += 1 }
  }

  private mutating func skipSpace(from start: Int) throws(Fault) {
    while let octet = peek() {
      if octet == 0x23, [0x20, 0x09, 0x0a].contains(bytes[position - 1]) {
        while let octet = peek(), octet != 0x0a { position += 1 }
      } else if octet == 0x20 || octet == 0x09 || octet == 0x0a || octet == 0x0d {
        position += 1
      } else {
        return
      }
    }
    throw Fault(reason: "a bracket that is not closed", position: start)
  }

  private func peek() -> UInt8? { position < end ? bytes[position] : nil }

  private func fault(_ reason: String) -> Fault { Fault(reason: reason, position: position) }
}

extension UInt8 {
  fileprivate var isHexadecimal: Bool {
    (0x30...0x39).contains(self) || (0x41...0x46).contains(self) || (0x61...0x66).contains(self)
  }
}
