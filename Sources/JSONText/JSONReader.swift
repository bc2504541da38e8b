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

/// Reads one JSON text token by token, without building a tree.
package struct JSONReader: Sendable {
  /// The text of the last key, string or number, in UTF-8.
  package private(set) var text: [UInt8] = []

  private let bytes: [UInt8]
  private let limits: JSONLimits
  private var position = 0

  package init(_ bytes: [UInt8], limits: JSONLimits = .standard) {
    self.bytes = bytes
    self.limits = limits
  }

  /// Where in the document the reader is: `$.egress[3].target`.
  package var path: String { "$" }

  /// The next token. After an error or `end` the reader stays where it is.
  package mutating func next() throws(JSONError) -> JSONToken {
    throw JSONError(offset: position, line: 1, column: 1, path: path, reason: "the reader cannot read yet")
  }
}

extension JSONValue {
  /// Reads a whole text: one value and nothing after it.
  package static func parse(_ bytes: [UInt8], limits: JSONLimits = .standard) throws(JSONError) -> JSONValue {
    var reader = JSONReader(bytes, limits: limits)
    _ = try reader.next()
    return .null
  }

  /// The value as compact JSON.
  package func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }
}
