/// One JSON value as it was written: numbers keep their text, members keep their order.
package enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  /// The number's text, checked against the grammar of RFC 8259 §6 and not converted.
  case number(String)
  case string(String)
  case array([JSONValue])
  /// In the order written; the reader refuses repeated keys.
  case object([JSONMember])

  /// The first member of that name; nil when there is none or this is no object.
  package subscript(_ key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// The element at that index; nil when there is none or this is no array.
  package subscript(_ index: Int) -> JSONValue? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// The text of a string; nil for anything else.
  package var string: String? { if case .string(let text) = self { text } else { nil } }

  /// A number without fraction and exponent that fits; nil for anything else.
  package var integer: Int64? { if case .number(let text) = self { Int64(text) } else { nil } }

  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  package var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }

  package var object: [JSONMember]? { if case .object(let members) = self { members } else { nil } }

  /// What the value is, for error texts: `an object`.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// A key and its value.
package struct JSONMember: Hashable, Sendable {
  package var key: String
  package var value: JSONValue

  package init(_ key: String, _ value: JSONValue) {
    self.key = key
    self.value = value
  }
}
