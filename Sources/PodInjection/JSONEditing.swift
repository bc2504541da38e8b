import JSONText

extension JSONValue {
  /// The member of that name. Setting nil removes it; setting where there is none appends it. Does nothing to what is no object.
  subscript(member key: String) -> JSONValue? {
    get { self[key] }
    set {
      guard case .object(var members) = self else { return }
      let place = members.firstIndex { $0.key == key }
      switch (place, newValue) {
      case (let place?, let value?): members[place].value = value
      case (let place?, nil): members.remove(at: place)
      case (nil, let value?): members.append(JSONMember(key, value))
      case (nil, nil): return
      }
      self = .object(members)
    }
  }

  /// The member of that name, or an empty object in its place.
  subscript(object key: String) -> JSONValue {
    get { self[key] ?? .object([]) }
    set { self[member: key] = newValue }
  }

  /// The elements of that member; none when it is absent or null.
  func elements(_ key: String) -> [JSONValue] { self[key]?.array ?? [] }

  /// An object of these members, in this order.
  static func object(_ members: (String, JSONValue)...) -> JSONValue {
    .object(members.map { JSONMember($0.0, $0.1) })
  }

  static func number(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

  static func strings(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }
}
