import JSONText

/// Writes JSON values as YAML in block style, two columns a level, members in their order.
package struct YAMLWriter: Sendable {
  package private(set) var text = ""

  package init() {}

  /// One document, with its mark when it is not the first.
  package mutating func document(_ value: JSONValue) {
    if !text.isEmpty { text += "---\n" }
    if isInline(value) {
      text += inline(value, indent: 0) + "\n"
    } else {
      block(value, indent: 0)
    }
  }

  private mutating func block(_ value: JSONValue, indent: Int) {
    let margin = String(repeating: " ", count: indent)
    switch value {
    case .object(let members):
      for member in members {
        text += margin
        self.member(member, indent: indent)
      }
    case .array(let elements):
      for element in elements {
        text += margin + "- "
        entry(element, indent: indent)
      }
    default: break
    }
  }

  private mutating func member(_ member: JSONMember, indent: Int) {
    text += quotedIfNeeded(member.key) + ":"
    if isInline(member.value) {
      text += " " + inline(member.value, indent: indent) + "\n"
    } else {
      text += "\n"
      // A sequence stands beside its key, as kubectl writes it.
      if case .array = member.value {
        block(member.value, indent: indent)
      } else {
        block(member.value, indent: indent + 2)
      }
    }
  }

  private mutating func entry(_ element: JSONValue, indent: Int) {
    switch element {
    case .object(let members) where !members.isEmpty:
      self.member(members[0], indent: indent + 2)
      block(.object(Array(members.dropFirst())), indent: indent + 2)
    case .array(let elements) where !elements.isEmpty:
      text += "\n"
      block(element, indent: indent + 2)
    default: text += inline(element, indent: indent) + "\n"
    }
  }

  private func isInline(_ value: JSONValue) -> Bool {
    switch value {
    case .object(let members): members.isEmpty
    case .array(let elements): elements.isEmpty
    default: true
    }
  }

  private func inline(_ value: JSONValue, indent: Int) -> String {
    switch value {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .number(let number): return number
    case .array: return "[]"
    case .object: return "{}"
    case .string(let string):
      guard let lines = literal(string) else { return quotedIfNeeded(string) }
      let margin = "\n" + String(repeating: " ", count: indent + 2)
      return "|" + (string.hasSuffix("\n") ? "" : "-") + lines.map { $0.isEmpty ? "\n" : margin + $0 }.joined()
    }
  }

  /// The lines of a text that `|` can carry as they are.
  private func literal(_ string: String) -> [String]? {
    guard string.utf8.contains(0x0a), !string.hasSuffix("\n\n"), string != "\n" else { return nil }
    let body = string.hasSuffix("\n") ? String(string.dropLast()) : string
    let lines = body.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let first = lines.first, !first.isEmpty, first.first != " ", first.first != "\t" else { return nil }
    let isPlain = string.unicodeScalars.allSatisfy {
      $0 == "\n" || $0.value >= 0x20 && $0.value != 0x7f && $0.value != 0x85
    }
    return isPlain && lines.allSatisfy { $0.last != " " && $0.last != "\t" } ? lines : nil
  }

  private func quotedIfNeeded(_ string: String) -> String {
    isPlain(string) ? string : String(decoding: JSONValue.string(string).json(), as: UTF8.self)
  }

  /// Whether every reader takes the bare text for this string.
  private func isPlain(_ string: String) -> Bool {
    guard case .success(.string(string)) = YAMLScalar.resolve(string), let first = string.utf8.first else {
      return false
    }
    let isWordly = { (octet: UInt8) in
      (0x30...0x39).contains(octet) || (0x41...0x5a).contains(octet) || (0x61...0x7a).contains(octet)
    }
    guard isWordly(first) || first == 0x2f || first == 0x5f, string.utf8.last != 0x3a, string.utf8.last != 0x20 else {
      return false
    }
    // A time or a sexagesimal number to some readers.
    if (0x30...0x39).contains(first), string.utf8.contains(where: { $0 == 0x3a || $0 == 0x2d }) { return false }
    let others: Set<UInt8> = [0x20, 0x2e, 0x2f, 0x5f, 0x2d, 0x40, 0x3a, 0x2b, 0x3d, 0x28, 0x29]
    guard string.utf8.allSatisfy({ isWordly($0) || others.contains($0) }) else { return false }
    return !string.contains(": ")
  }
}
