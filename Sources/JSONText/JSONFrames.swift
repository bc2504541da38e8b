/// The arrays and objects that the reader is inside of, with the names their members had so far. Names stand in one array, so that a document of a
/// million small objects does not allocate for each.
struct JSONFrames: Sendable {
  /// More keys than this go into a set: comparing each with each would let 8 MiB of keys cost hours.
  private static let comparedMax = 12
  /// A longer key is cut in a path, which is for people.
  private static let shownMax = 64

  private struct Frame: Sendable {
    var isObject: Bool
    /// Elements begun, or members.
    var count = 0
    /// Where the frame's names begin in `names`, and the first of their ends in `ends`.
    var nameStart: Int
    var endStart: Int
    var many: Set<[UInt8]>?
  }

  private var frames: [Frame] = []
  private var names: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { frames.count }

  var isEmpty: Bool { frames.isEmpty }

  /// Whether the innermost one is an object; false outside of all.
  var isInObject: Bool { frames.last?.isObject ?? false }

  /// `$.egress[3].target`.
  var path: String {
    var path = "$"
    for index in frames.indices {
      let frame = frames[index]
      guard frame.count > 0 else { continue }
      guard frame.isObject else {
        path += "[\(frame.count - 1)]"
        continue
      }
      let last = (index + 1 < frames.count ? frames[index + 1].endStart : ends.count) - 1
      path += step(names[(last > frame.endStart ? ends[last - 1] : frame.nameStart)..<ends[last]])
    }
    return path
  }

  mutating func enter(isObject: Bool) {
    frames.append(Frame(isObject: isObject, nameStart: names.count, endStart: ends.count))
  }

  mutating func leave() {
    guard let frame = frames.popLast() else { return }
    names.removeLast(names.count - frame.nameStart)
    ends.removeLast(ends.count - frame.endStart)
  }

  /// Enters the next element of an array; outside of arrays nothing happens.
  mutating func countElement() {
    if let last = frames.indices.last, !frames[last].isObject { frames[last].count += 1 }
  }

  /// Enters a member of the innermost object; false when it has one of that name already.
  mutating func insert(_ name: [UInt8]) -> Bool {
    let last = frames.count - 1
    let frame = frames[last]
    var isNew = true
    if frame.count > Self.comparedMax {
      isNew = frames[last].many?.insert(name).inserted ?? false
      // Only the last name is needed from here on, for the path.
      names.removeLast(names.count - frame.nameStart)
      ends.removeLast(ends.count - frame.endStart)
    } else {
      var start = frame.nameStart
      for end in ends[frame.endStart...] {
        if end - start == name.count, names[start..<end].elementsEqual(name) { isNew = false }
        start = end
      }
    }
    frames[last].count += 1
    names.append(contentsOf: name)
    ends.append(names.count)
    if frame.count == Self.comparedMax {
      var many: Set<[UInt8]> = []
      var start = frame.nameStart
      for end in ends[frame.endStart...] {
        many.insert(Array(names[start..<end]))
        start = end
      }
      frames[last].many = many
    }
    return isNew
  }

  /// A name's part of a path: `.name` or `["odd name"]`.
  private func step(_ name: ArraySlice<UInt8>) -> String {
    if let first = name.first, name.count <= Self.shownMax, !isDigit(first), name.allSatisfy(isWordOctet) {
      return "." + String(decoding: name, as: UTF8.self)
    }
    let text = String(decoding: name, as: UTF8.self)
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
