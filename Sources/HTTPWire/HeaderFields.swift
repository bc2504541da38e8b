/// One field line: a name and a value without the white space around it (RFC 9110 §5).
package struct HeaderField: Hashable, Sendable {
  /// As it was written.
  package var name: String
  /// The octets of the value: mostly ASCII, but a peer may send any octet from 0x80 on.
  package var value: [UInt8]

  package init(_ name: String, _ value: [UInt8]) {
    self.name = name
    self.value = value
  }

  /// The value as text; octets that are not UTF-8 become U+FFFD.
  package var text: String { String(decoding: value, as: UTF8.self) }
}

/// The fields of a message in the order in which they were written; names are compared without ASCII case (RFC 9110 §5.1).
package struct HeaderFields: Hashable, Sendable {
  package private(set) var fields: [HeaderField] = []

  package init() {}

  package var count: Int { fields.count }

  /// Adds a line. `name` must be a token (RFC 9110 §5.6.2): names are ours or were checked by a parser.
  package mutating func append(_ name: String, _ value: [UInt8]) {
    precondition(isToken(name.utf8), "a field name is a token")
    fields.append(HeaderField(name, value))
  }

  package mutating func append(_ name: String, _ value: String) { append(name, Array(value.utf8)) }

  /// Leaves exactly one line of that name, at the place of the first.
  package mutating func set(_ name: String, _ value: String) {
    guard let index = fields.firstIndex(where: { equalIgnoringCase($0.name, name) }) else {
      return append(name, value)
    }
    fields[index] = HeaderField(name, Array(value.utf8))
    var position = 0
    fields.removeAll {
      position += 1
      return position - 1 > index && equalIgnoringCase($0.name, name)
    }
  }

  /// The value of the first line of that name as text; nil without one.
  package subscript(name: String) -> String? { fields.first { equalIgnoringCase($0.name, name) }?.text }

  /// The octets of every line of that name, in order.
  package func values(_ name: String) -> [[UInt8]] {
    fields.lazy.filter { equalIgnoringCase($0.name, name) }.map(\.value)
  }

  package func contains(_ name: String) -> Bool { fields.contains { equalIgnoringCase($0.name, name) } }

  /// The members of a comma-separated list over all lines of that name (RFC 9110 §5.6.1), in lower case, empty members left out. Quoted strings
  /// are not understood: for `Connection`, `Transfer-Encoding` and `Expect`, which have none.
  package func list(_ name: String) -> [String] {
    values(name).flatMap { value in
      value.split(separator: 0x2c).map { member in
        String(decoding: trimmed(member).map(lowercase), as: UTF8.self)
      }
    }.filter { !$0.isEmpty }
  }
}

extension HeaderFields: ExpressibleByDictionaryLiteral {
  /// In the order written; a repeated name makes two lines.
  package init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { append(name, value) }
  }
}
