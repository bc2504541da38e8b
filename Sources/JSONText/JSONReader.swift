/// What the reader came to.
package enum JSONToken: Hashable, Sendable {
  case beginObject, endObject, beginArray, endArray
  /// A member's name; its text is in `JSONReader.text`.
  case key
  /// Its decoded text is in `JSONReader.text`.
  case string
  /// Its text as written is in `JSONReader.text`.
  case number
  case bool(Bool)
  case null
  /// The one value is complete and nothing but white space follows it.
  case end
}

/// Reads one JSON text (RFC 8259) token by token, without building a tree and without recursion.
package struct JSONReader: Sendable {
  /// The text of the last key, string or number, in valid UTF-8.
  package private(set) var text: [UInt8] = []

  private let bytes: [UInt8]
  private let limits: JSONLimits
  private var position = 0
  private var expected = Expectation.value
  private var frames = JSONFrames()
  private var failure: JSONError?

  private enum Expectation {
    case value, valueOrEnd, keyOrEnd, key, commaOrEnd, nothing
  }

  package init(_ bytes: [UInt8], limits: JSONLimits = .standard) {
    self.bytes = bytes
    self.limits = limits
  }

  /// Where in the document the last token stands: `$.egress[3].target`.
  package var path: String { frames.path }

  /// How many arrays and objects are open.
  package var depth: Int { frames.count }

  /// The next token. After `end` it is `end` again, after an error the same error.
  package mutating func next() throws(JSONError) -> JSONToken {
    if let failure { throw failure }
    do throws(JSONError) {
      return try token()
    } catch {
      failure = error
      throw error
    }
  }

  /// Passes over the rest of the value whose first token was `token`.
  package mutating func skip(_ token: JSONToken) throws(JSONError) {
    guard token == .beginObject || token == .beginArray else { return }
    let outside = frames.count - 1
    while frames.count > outside { _ = try next() }
  }

  /// An error at the current place, for what is JSON and still not acceptable.
  package func error(_ reason: String) -> JSONError {
    fault(reason, at: position)
  }

  private mutating func token() throws(JSONError) -> JSONToken {
    if position == 0, bytes.count > limits.sizeMax {
      throw fault("the text has \(bytes.count) octets, more than \(limits.sizeMax)", at: 0)
    }
    skipWhiteSpace()
    if expected == .commaOrEnd {
      guard let octet = peek() else { throw unfinished() }
      switch (octet, frames.isInObject) {
      case (0x2c, true):
        position += 1
        expected = .key
      case (0x2c, false):
        position += 1
        expected = .value
      case (0x7d, true): return close(.endObject)
      case (0x5d, false): return close(.endArray)
      case (_, true): throw fault("expected a comma or \"}\"\(found(octet))", at: position)
      case (_, false): throw fault("expected a comma or \"]\"\(found(octet))", at: position)
      }
      skipWhiteSpace()
    }
    guard let octet = peek() else {
      if expected == .nothing { return .end }
      throw unfinished()
    }
    switch expected {
    case .nothing: throw fault("text after the value\(found(octet))", at: position)
    case .keyOrEnd where octet == 0x7d: return close(.endObject)
    case .valueOrEnd where octet == 0x5d: return close(.endArray)
    case .keyOrEnd, .key:
      try readKey(octet)
      return .key
    default:
      frames.countElement()
      return try value(octet)
    }
  }

  private mutating func readKey(_ octet: UInt8) throws(JSONError) {
    guard octet == 0x22 else {
      throw fault("expected a member's name in double quotes\(found(octet))", at: position)
    }
    let start = position
    try readString()
    guard frames.insert(text) else {
      throw fault(JSONError.repeatedMember, at: start)
    }
    skipWhiteSpace()
    guard peek() == 0x3a else { throw peek() == nil ? unfinished() : fault("expected a colon", at: position) }
    position += 1
    expected = .value
  }

  private mutating func value(_ octet: UInt8) throws(JSONError) -> JSONToken {
    switch octet {
    case 0x7b: return try open(isObject: true)
    case 0x5b: return try open(isObject: false)
    case 0x22:
      try readString()
      finishValue()
      return .string
    case 0x2d, 0x30...0x39:
      try readNumber()
      finishValue()
      return .number
    case 0x74: return try word("true", .bool(true))
    case 0x66: return try word("false", .bool(false))
    case 0x6e: return try word("null", .null)
    default: throw fault("expected a value\(found(octet))", at: position)
    }
  }

  private mutating func open(isObject: Bool) throws(JSONError) -> JSONToken {
    guard frames.count < limits.depthMax else {
      throw fault("nested deeper than \(limits.depthMax)", at: position)
    }
    position += 1
    frames.enter(isObject: isObject)
    expected = isObject ? .keyOrEnd : .valueOrEnd
    return isObject ? .beginObject : .beginArray
  }

  private mutating func close(_ token: JSONToken) -> JSONToken {
    position += 1
    frames.leave()
    finishValue()
    return token
  }

  private mutating func finishValue() { expected = frames.isEmpty ? .nothing : .commaOrEnd }

  private mutating func word(_ word: String, _ token: JSONToken) throws(JSONError) -> JSONToken {
    let start = position
    for octet in word.utf8 {
      guard peek() == octet else {
        throw peek() == nil ? unfinished() : fault("expected a value: is \"\(word)\" meant?", at: start)
      }
      position += 1
    }
    finishValue()
    return token
  }

  /// number = [ minus ] int [ frac ] [ exp ] (RFC 8259 §6).
  private mutating func readNumber() throws(JSONError) {
    let start = position
    if peek() == 0x2d { position += 1 }
    let first = position
    try digits()
    if bytes[first] == 0x30, position > first + 1 { throw fault("a number begins with a zero", at: first) }
    if peek() == 0x2e {
      position += 1
      try digits()
    }
    if peek() == 0x65 || peek() == 0x45 {
      position += 1
      if peek() == 0x2b || peek() == 0x2d { position += 1 }
      try digits()
    }
    text.removeAll(keepingCapacity: true)
    text.append(contentsOf: bytes[start..<position])
  }

  private mutating func digits() throws(JSONError) {
    guard let first = peek() else { throw unfinished() }
    guard isDigit(first) else { throw fault("expected a digit\(found(first))", at: position) }
    while let octet = peek(), isDigit(octet) { position += 1 }
  }

  /// Reads a string into `text`; the reader stands on its opening quote.
  private mutating func readString() throws(JSONError) {
    position += 1
    text.removeAll(keepingCapacity: true)
    var start = position
    while true {
      guard position < bytes.count else { throw unfinished() }
      let octet = bytes[position]
      switch octet {
      case 0x22:
        text.append(contentsOf: bytes[start..<position])
        position += 1
        return
      case 0x5c:
        text.append(contentsOf: bytes[start..<position])
        try escape()
        start = position
      case 0..<0x20: throw fault("a control character (\(hexadecimalText(octet))) in a string", at: position)
      case 0x80...:
        guard let length = utf8Length(bytes, at: position) else {
          throw fault("the text is no UTF-8 (\(hexadecimalText(octet)))", at: position)
        }
        position += length
      default: position += 1
      }
    }
  }

  /// Reads an escape (RFC 8259 §7) and appends what it stands for; the reader stands on the backslash.
  private mutating func escape() throws(JSONError) {
    let start = position
    guard position + 1 < bytes.count else { throw unfinished() }
    let letter = bytes[position + 1]
    position += 2
    switch letter {
    case 0x22, 0x5c, 0x2f: text.append(letter)
    case 0x62: text.append(0x08)
    case 0x66: text.append(0x0c)
    case 0x6e: text.append(0x0a)
    case 0x72: text.append(0x0d)
    case 0x74: text.append(0x09)
    case 0x75:
      var value = try fourDigits(start)
      if 0xd800 <= value, value <= 0xdbff {
        guard position + 1 < bytes.count, bytes[position] == 0x5c, bytes[position + 1] == 0x75 else {
          throw fault("half of a surrogate pair", at: start)
        }
        position += 2
        let low = try fourDigits(start)
        guard 0xdc00 <= low, low <= 0xdfff else { throw fault("half of a surrogate pair", at: start) }
        value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw fault("half of a surrogate pair", at: start) }
      text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    default: throw fault("an unknown escape", at: start)
    }
  }

  private mutating func fourDigits(_ start: Int) throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw unfinished() }
    var value: UInt32 = 0
    for octet in bytes[position..<position + 4] {
      guard let digit = hexadecimalValue(octet) else {
        throw fault("an escape needs four hexadecimal digits", at: start)
      }
      value = value << 4 | UInt32(digit)
    }
    position += 4
    return value
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipWhiteSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0a, 0x0d: position += 1
      default: return
      }
    }
  }

  private func unfinished() -> JSONError {
    fault(bytes.isEmpty ? "the text is empty" : "the text ends too early", at: bytes.count)
  }

  private func found(_ octet: UInt8) -> String {
    switch octet {
    case 0xef where position == 0: ", not a byte order mark"
    case 0x21...0x7e: ", not \"\(Character(Unicode.Scalar(octet)))\""
    default: ", not \(hexadecimalText(octet))"
    }
  }

  private func fault(_ reason: String, at offset: Int) -> JSONError {
    var line = 1
    var column = 1
    for octet in bytes[..<offset] {
      if octet == 0x0a {
        line += 1
        column = 1
      } else if octet & 0xc0 != 0x80 {
        column += 1
      }
    }
    return JSONError(offset: offset, line: line, column: column, path: path, reason: reason)
  }
}
