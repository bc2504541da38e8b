/// An array or object that the reader is inside of.
struct JSONFrame: Sendable {
  /// More keys than this go into a set: comparing each with each would let 8 MiB of keys cost hours.
  private static let comparedMax = 12
  /// A longer key is cut in a path, which is for people.
  private static let shownMax = 64

  let isObject: Bool
  /// Elements begun, in an array.
  var count = 0
  private var key: [UInt8]?
  private var keys: [[UInt8]] = []
  private var keySet: Set<[UInt8]> = []

  init(isObject: Bool) { self.isObject = isObject }

  /// Enters a member; false when the object has one of that name already.
  mutating func insert(_ key: [UInt8]) -> Bool {
    self.key = key
    if keySet.isEmpty {
      if keys.contains(key) { return false }
      keys.append(key)
      if keys.count > Self.comparedMax { keySet = Set(keys) }
      return true
    }
    return keySet.insert(key).inserted
  }

  /// This frame's part of a path: `.name`, `["odd name"]`, `[3]`, or nothing before the first member.
  var step: String {
    guard isObject else { return count > 0 ? "[\(count - 1)]" : "" }
    guard let key else { return "" }
    if !key.isEmpty, key.count <= Self.shownMax, !isDigit(key[0]), key.allSatisfy(isWordOctet) {
      return "." + String(decoding: key, as: UTF8.self)
    }
    let text = String(decoding: key, as: UTF8.self)
    var writer = JSONWriter()
    writer.string(text.utf8.count > Self.shownMax ? String(text.unicodeScalars.prefix(Self.shownMax)) + "…" : text)
    return "[" + String(decoding: writer.bytes, as: UTF8.self) + "]"
  }
}

private func isWordOctet(_ octet: UInt8) -> Bool {
  switch octet {
  case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x2d: true
  default: false
  }
}
