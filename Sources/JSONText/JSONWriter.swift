/// A member's name, escaped and quoted once, with its colon: `"TimeGenerated":`. Records write the same forty names each time.
package struct JSONKey: Hashable, Sendable {
  /// `"NAME":`.
  let encoded: [UInt8]

  package init(_ name: String) {
    var writer = JSONWriter()
    writer.string(name)
    encoded = writer.bytes + [0x3a]
  }
}

/// Writes compact JSON at the end of an array of octets that the caller reuses. Commas come by themselves; nesting is the caller's.
package struct JSONWriter: Sendable {
  /// What was written.
  package var bytes: [UInt8]
  private var needsComma = false

  /// `bytes`: what is there already, for reusing its capacity or continuing it.
  package init(_ bytes: [UInt8] = []) { self.bytes = bytes }

  /// Forgets what was written and keeps the capacity.
  package mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    needsComma = false
  }

  package mutating func beginObject() { open(0x7b) }
  package mutating func endObject() { close(0x7d) }
  package mutating func beginArray() { open(0x5b) }
  package mutating func endArray() { close(0x5d) }

  package mutating func key(_ name: String) {
    string(name)
    bytes.append(0x3a)
    needsComma = false
  }

  package mutating func key(_ name: JSONKey) {
    if needsComma { bytes.append(0x2c) }
    bytes.append(contentsOf: name.encoded)
    needsComma = false
  }

  package mutating func string(_ text: String) {
    beginValue()
    bytes.append(0x22)
    let contents = StringContents(text.utf8Span.span)
    if !contents.hasQuotes, !contents.hasControl {
      bytes.append(contentsOf: text.utf8)
    } else {
      appendEscaped(text.utf8Span.span, to: &bytes)
    }
    bytes.append(0x22)
  }

  /// A text in UTF-8; octets that are not become U+FFFD.
  package mutating func string(_ text: [UInt8]) {
    beginValue()
    bytes.append(0x22)
    let contents = StringContents(text.span)
    if !contents.hasQuotes, !contents.hasControl, !contents.hasHigh {
      bytes.append(contentsOf: text)
    } else {
      appendEscaped(text.span, to: &bytes)
    }
    bytes.append(0x22)
  }

  /// As with an array.
  package mutating func string(_ text: ArraySlice<UInt8>) {
    beginValue()
    bytes.append(0x22)
    let contents = StringContents(text.span)
    if !contents.hasQuotes, !contents.hasControl, !contents.hasHigh {
      bytes.append(contentsOf: text)
    } else {
      appendEscaped(text.span, to: &bytes)
    }
    bytes.append(0x22)
  }

  package mutating func integer(_ value: Int) {
    if value < 0 {
      beginValue()
      bytes.append(0x2d)
      appendDigits(UInt64(value.magnitude))
    } else {
      integer(UInt64(value))
    }
  }

  package mutating func integer(_ value: UInt64) {
    beginValue()
    appendDigits(value)
  }

  package mutating func integer(_ value: some FixedWidthInteger & SignedInteger) { integer(Int(clamping: value)) }

  package mutating func integer(_ value: some FixedWidthInteger & UnsignedInteger) { integer(UInt64(clamping: value)) }

  package mutating func bool(_ value: Bool) {
    beginValue()
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  package mutating func null() {
    beginValue()
    bytes.append(contentsOf: "null".utf8)
  }

  /// A value that is JSON already.
  package mutating func raw(_ json: [UInt8]) {
    beginValue()
    bytes.append(contentsOf: json)
  }

  /// A tree; as deep as the tree is, which the reader limits.
  package mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .number(let text):
      beginValue()
      bytes.append(contentsOf: text.utf8)
    case .string(let text): string(text)
    case .array(let elements):
      beginArray()
      for element in elements { self.value(element) }
      endArray()
    case .object(let members):
      beginObject()
      for member in members {
        key(member.key)
        self.value(member.value)
      }
      endObject()
    }
  }

  private mutating func beginValue() {
    if needsComma { bytes.append(0x2c) }
    needsComma = true
  }

  private mutating func open(_ bracket: UInt8) {
    if needsComma { bytes.append(0x2c) }
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func appendDigits(_ value: UInt64) {
    let start = bytes.count
    var rest = value
    repeat {
      bytes.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    var low = start
    var high = bytes.count - 1
    while low < high {
      bytes.swapAt(low, high)
      low += 1
      high -= 1
    }
  }
}
