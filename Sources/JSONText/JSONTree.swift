extension JSONValue {
  /// Reads a whole text: one value and nothing after it.
  package static func parse(_ bytes: [UInt8], limits: JSONLimits = .standard) throws(JSONError) -> JSONValue {
    var reader = JSONReader(bytes, limits: limits)
    var open: [Branch] = []
    while true {
      let value: JSONValue
      switch try reader.next() {
      case .beginObject:
        open.append(Branch(isObject: true))
        continue
      case .beginArray:
        open.append(Branch(isObject: false))
        continue
      case .key:
        open[open.count - 1].key = reader.string
        continue
      case .endObject, .endArray: value = open.removeLast().value
      case .string: value = .string(reader.string)
      case .number: value = .number(reader.string)
      case .bool(let bool): value = .bool(bool)
      case .null, .end: value = .null
      }
      guard !open.isEmpty else {
        _ = try reader.next()
        return value
      }
      open[open.count - 1].append(value)
    }
  }

  /// The value as compact JSON.
  package func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }
}

extension JSONReader {
  /// The text of the last key, string or number.
  package var string: String { String(decoding: text, as: UTF8.self) }
}

/// An array or object under construction.
private struct Branch {
  let isObject: Bool
  var key = ""
  var elements: [JSONValue] = []
  var members: [JSONMember] = []

  init(isObject: Bool) { self.isObject = isObject }

  var value: JSONValue { isObject ? .object(members) : .array(elements) }

  mutating func append(_ value: JSONValue) {
    if isObject { members.append(JSONMember(key, value)) } else { elements.append(value) }
  }
}
