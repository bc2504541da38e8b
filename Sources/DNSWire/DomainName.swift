/// A domain name (RFC 1035 §3.1): labels of 1 to 63 octets, 255 octets in all on the wire. Equality, hashing and order
/// ignore ASCII case (RFC 4343); the case in which it was written is kept, since a client that plays 0x20 wants it
/// back.
package struct DomainName: Sendable {
  /// The longest name on the wire, its length octets and the root's included (RFC 1035 §2.3.4).
  package static let wireLengthMax = 255
  /// The longest label (RFC 1035 §2.3.4).
  package static let labelLengthMax = 63

  /// Uncompressed wire form, the root's zero octet included: `03 77 77 77 … 00`.
  package let wire: [UInt8]

  /// The root, `.`.
  package static let root = DomainName(checkedWire: [0])

  /// `wire` must hold well-formed labels and end in the root's zero octet; only parsers that checked it call this.
  package init(checkedWire wire: [UInt8]) { self.wire = wire }

  /// Presentation form (RFC 1035 §5.1): labels parted by dots, one trailing dot or none, `\.` and `\DDD` escapes. Nil
  /// when a label is empty or over 63 octets, or the whole over 255.
  package init?(_ text: some StringProtocol) {
    var wire: [UInt8] = []
    var label: [UInt8] = []
    var ended = false
    var octets = text.utf8.makeIterator()
    if text == "." {
      self = .root
      return
    }
    while let octet = octets.next() {
      if ended { ended = false }
      switch octet {
      case 0x2e:
        guard (1...Self.labelLengthMax).contains(label.count) else { return nil }
        wire.append(UInt8(label.count))
        wire += label
        label.removeAll(keepingCapacity: true)
        ended = true
      case 0x5c:
        guard let first = octets.next() else { return nil }
        guard (0x30...0x39).contains(first) else {
          label.append(first)
          continue
        }
        guard let second = octets.next(), let third = octets.next(), (0x30...0x39).contains(second),
          (0x30...0x39).contains(third),
          let value = UInt8(exactly: Int(first - 0x30) * 100 + Int(second - 0x30) * 10 + Int(third - 0x30))
        else { return nil }
        label.append(value)
      default: label.append(octet)
      }
      guard wire.count + label.count < Self.wireLengthMax else { return nil }
    }
    if !ended {
      guard (1...Self.labelLengthMax).contains(label.count) else { return nil }
      wire.append(UInt8(label.count))
      wire += label
    }
    wire.append(0)
    guard wire.count <= Self.wireLengthMax else { return nil }
    self.wire = wire
  }

  package var isRoot: Bool { wire.count == 1 }

  /// How many labels, the root's not counted.
  package var labelCount: Int {
    var count = 0
    var at = 0
    while at < wire.count, wire[at] != 0 {
      count += 1
      at += 1 + Int(wire[at])
    }
    return count
  }

  /// Where each label's length octet stands in `wire`, leftmost first, the root's not included.
  package var labelOffsets: [Int] {
    var offsets: [Int] = []
    var at = 0
    while at < wire.count, wire[at] != 0 {
      offsets.append(at)
      at += 1 + Int(wire[at])
    }
    return offsets
  }

  /// The name without its leftmost label; nil for the root.
  package var parent: DomainName? {
    isRoot ? nil : DomainName(checkedWire: Array(wire[(1 + Int(wire[0]))...]))
  }

  /// Below `other` at any depth, and not `other` itself.
  package func isBelow(_ other: DomainName) -> Bool {
    guard wire.count > other.wire.count else { return false }
    let start = wire.count - other.wire.count
    var at = 0
    while at < start { at += 1 + Int(wire[at]) }
    guard at == start else { return false }
    for index in other.wire.indices where lowercased(wire[start + index]) != lowercased(other.wire[index]) {
      return false
    }
    return true
  }

  /// The same name in lower case.
  package var lowercase: DomainName {
    // Most names are in lower case already, and share their octets.
    wire.contains { lowercased($0) != $0 } ? DomainName(checkedWire: wire.map(lowercased)) : self
  }
}

extension DomainName: Hashable, Comparable {
  package static func == (left: Self, right: Self) -> Bool { left.isSpelled(by: right.wire.span) }

  /// Whether these octets are the wire form of the same name.
  package func isSpelled(by right: Span<UInt8>) -> Bool {
    guard wire.count == right.count else { return false }
    let left = wire.span
    var at = 0
    while at &+ 8 <= left.count {
      guard eightLowercased(left, at) == eightLowercased(right, at) else { return false }
      at &+= 8
    }
    while at < left.count {
      guard lowercased(left[at]) == lowercased(right[at]) else { return false }
      at &+= 1
    }
    return true
  }

  /// Eight octets at a time: names are looked up for every query.
  package func hash(into hasher: inout Hasher) {
    let octets = wire.span
    var at = 0
    while at &+ 8 <= octets.count {
      hasher.combine(eightLowercased(octets, at))
      at &+= 8
    }
    var rest: UInt64 = 0
    while at < octets.count {
      rest = rest << 8 | UInt64(lowercased(octets[at]))
      at &+= 1
    }
    hasher.combine(rest)
  }

  /// By lower-case wire form: an order for tables, not the canonical order of DNSSEC.
  package static func < (left: Self, right: Self) -> Bool {
    left.wire.lazy.map(lowercased).lexicographicallyPrecedes(right.wire.lazy.map(lowercased))
  }
}

extension DomainName: CustomStringConvertible {
  /// Lower-case presentation form without the trailing dot; `.` for the root. Octets that are not printable ASCII, and
  /// dots and backslashes inside a label, are escaped (RFC 1035 §5.1), so the text is always ASCII and reads back as
  /// the same name.
  package var description: String {
    var text: [UInt8] = []
    text.reserveCapacity(wire.count)
    appendText(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Appends the octets of `description`, without making a `String`.
  package func appendText(to text: inout [UInt8]) {
    guard !isRoot else {
      text.append(0x2e)
      return
    }
    var at = 0
    while wire[at] != 0 {
      if at > 0 { text.append(0x2e) }
      for octet in wire[(at + 1)...(at + Int(wire[at]))] {
        switch octet {
        case 0x2e, 0x5c:
          text.append(0x5c)
          text.append(octet)
        case 0x21...0x7e: text.append(lowercased(octet))
        default:
          text.append(0x5c)
          text.append(0x30 + octet / 100)
          text.append(0x30 + octet / 10 % 10)
          text.append(0x30 + octet % 10)
        }
      }
      at += 1 + Int(wire[at])
    }
  }
}

/// ASCII case folding (RFC 4343). A length octet is at most 63 and is never a letter.
@inline(__always)
package func lowercased(_ octet: UInt8) -> UInt8 { octet &- 0x41 < 26 ? octet | 0x20 : octet }

/// The eight octets from `at` on as a number, ASCII letters in lower case. Octets of 0x80 and above stay as they are.
@inline(__always)
private func eightLowercased(_ octets: Span<UInt8>, _ at: Int) -> UInt64 {
  let eight = octets.extracting(at..<(at &+ 8))
  var word = UInt64(eight[0]) | UInt64(eight[1]) << 8 | UInt64(eight[2]) << 16 | UInt64(eight[3]) << 24
  word |= UInt64(eight[4]) << 32 | UInt64(eight[5]) << 40 | UInt64(eight[6]) << 48 | UInt64(eight[7]) << 56
  // In each octet the highest bit says: at least `A`, and not above `Z`. No sum of seven bits carries into the next.
  let sevenBits = word & 0x7f7f_7f7f_7f7f_7f7f
  let isFromA = sevenBits &+ 0x3f3f_3f3f_3f3f_3f3f
  let isAboveZ = sevenBits &+ 0x2525_2525_2525_2525
  let isUpperCase = isFromA & ~isAboveZ & ~word & 0x8080_8080_8080_8080
  return word | isUpperCase >> 2
}
