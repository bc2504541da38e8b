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

  package mutating func string(_ text: String) { string(Array(text.utf8)) }

  /// A text in UTF-8; octets that are not become U+FFFD.
  package mutating func string(_ text: [UInt8]) {
    comma()
    bytes.append(0x22)
    for octet in Array(String(decoding: text, as: UTF8.self).utf8) {
      switch octet {
      case 0x22, 0x5c: bytes += [0x5c, octet]
      case 0x0..<0x20: bytes += Array("\\u00".utf8) + [0x30 + octet >> 4, hexadecimal(octet & 15)]
      default: bytes.append(octet)
      }
    }
    bytes.append(0x22)
  }

  package mutating func string(_ text: ArraySlice<UInt8>) { string(Array(text)) }

  package mutating func integer(_ value: some BinaryInteger) {
    comma()
    bytes += Array(String(value).utf8)
  }

  package mutating func bool(_ value: Bool) { raw(Array((value ? "true" : "false").utf8)) }

  package mutating func null() { raw(Array("null".utf8)) }

  /// A value that is JSON already.
  package mutating func raw(_ json: [UInt8]) {
    comma()
    bytes.append(contentsOf: json)
  }

  package mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .number(let text): raw(Array(text.utf8))
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

  private mutating func comma() {
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
}

private func hexadecimal(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x57 + nibble }
