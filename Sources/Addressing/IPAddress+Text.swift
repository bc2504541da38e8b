extension IPv4Address: CustomStringConvertible {
  /// Four decimal octets without leading zeros (RFC 6943 §3.1.1: the strict form); nil for anything else.
  package init?(_ text: some StringProtocol) { self.init(octets: Array(text.utf8).span) }

  /// The same of a text's octets, without a text: policies have thousands of them.
  package init?(octets text: Span<UInt8>) {
    var bits: UInt32 = 0
    var at = 0
    for part in 0..<4 {
      if part > 0 {
        guard at < text.count, text[at] == UInt8(ascii: ".") else { return nil }
        at += 1
      }
      let start = at
      var octet: UInt32 = 0
      while at < text.count, at - start < 3, text[at] &- 0x30 < 10 {
        octet = octet * 10 + UInt32(text[at] &- 0x30)
        at += 1
      }
      guard at > start, octet < 256, at - start == 1 || text[start] != 0x30 else { return nil }
      bits = bits << 8 | octet
    }
    guard at == text.count else { return nil }
    self.init(bits: bits)
  }

  package var description: String { "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)" }

  /// Appends the octets of `description`, without making a `String`.
  package func appendText(to text: inout [UInt8]) {
    var shift = UInt32(32)
    while shift > 0 {
      shift -= 8
      let octet = UInt8(truncatingIfNeeded: bits >> shift)
      if octet >= 100 { text.append(0x30 + octet / 100) }
      if octet >= 10 { text.append(0x30 + octet / 10 % 10) }
      text.append(0x30 + octet % 10)
      if shift > 0 { text.append(0x2e) }
    }
  }
}

extension IPv6Address: CustomStringConvertible {
  /// The forms of RFC 4291 §2.2, without zone; nil for anything else.
  package init?(_ text: some StringProtocol) { self.init(octets: Array(text.utf8).span) }

  /// The same of a text's octets.
  package init?(octets text: Span<UInt8>) {
    guard (2...45).contains(text.count) else { return nil }
    var groups = InlineArray<8, UInt16>(repeating: 0)
    var count = 0
    var gap: Int?
    var at = 0
    if text[0] == UInt8(ascii: ":") {
      guard text[1] == UInt8(ascii: ":") else { return nil }
      gap = 0
      at = 2
    }
    while at < text.count {
      guard count < 8 else { return nil }
      var end = at
      var value: UInt16 = 0
      while end < text.count, end - at < 4, let digit = hexadecimalValue(text[end]) {
        value = value << 4 | digit
        end += 1
      }
      if end < text.count, text[end] == UInt8(ascii: ".") {
        guard count <= 6, let tail = IPv4Address(octets: text.extracting(at..<text.count)) else { return nil }
        groups[count] = UInt16(truncatingIfNeeded: tail.bits >> 16)
        groups[count + 1] = UInt16(truncatingIfNeeded: tail.bits)
        count += 2
        break
      }
      guard end > at else { return nil }
      groups[count] = value
      count += 1
      at = end
      guard at < text.count else { break }
      guard text[at] == UInt8(ascii: ":") else { return nil }
      at += 1
      if at == text.count { return nil }
      if text[at] == UInt8(ascii: ":") {
        guard gap == nil else { return nil }
        gap = count
        at += 1
      }
    }
    // A gap stands for one group at least.
    guard gap == nil ? count == 8 : count < 8 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for place in 0..<8 {
      let first = gap ?? 8
      var group: UInt16 = 0
      if place < first {
        group = groups[place]
      } else if place >= first + 8 - count {
        group = groups[place + count - 8]
      }
      if place < 4 { high = high << 16 | UInt64(group) } else { low = low << 16 | UInt64(group) }
    }
    self.init(high: high, low: low)
  }

  /// The canonical text of RFC 5952: lower case, the longest run of zeros shortened, IPv4-mapped in mixed form (§5).
  package var description: String {
    var text: [UInt8] = []
    text.reserveCapacity(45)
    appendText(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Appends the octets of `description`, without making a `String`: every record has some.
  package func appendText(to text: inout [UInt8]) {
    if high == 0, low >> 32 == 0xffff {
      text += "::ffff:".utf8
      IPv4Address(bits: UInt32(truncatingIfNeeded: low)).appendText(to: &text)
      return
    }
    // The first of the longest runs of zero groups, at least two, becomes `::` (RFC 5952 §4.2).
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, group(end) == 0 { end += 1 }
      if end - start > max(best.count, 1) { best = start..<end }
      start = max(end, start + 1)
    }
    var index = 0
    while index < 8 {
      if !best.isEmpty, index == best.lowerBound {
        text.append(0x3a)
        text.append(0x3a)
        index = best.upperBound
        continue
      }
      if index > 0, index != best.upperBound || best.isEmpty { text.append(0x3a) }
      var shift = UInt16(12)
      while shift > 0, group(index) >> shift == 0 { shift -= 4 }
      while true {
        text.append(hexadecimalDigit(UInt8(truncatingIfNeeded: group(index) >> shift & 15)))
        if shift == 0 { break }
        shift -= 4
      }
      index += 1
    }
  }

  private func group(_ index: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - index % 4 * 16))
  }
}

extension IPAddress: CustomStringConvertible {
  package init?(_ text: some StringProtocol) { self.init(octets: Array(text.utf8).span) }

  /// The same of a text's octets.
  package init?(octets text: Span<UInt8>) {
    if let address = IPv4Address(octets: text) {
      self = .v4(address)
    } else if let address = IPv6Address(octets: text) {
      self = .v6(address)
    } else {
      return nil
    }
  }

  package var description: String {
    switch self {
    case .v4(let address): address.description
    case .v6(let address): address.description
    }
  }

  /// Appends the octets of `description`, without making a `String`.
  package func appendText(to text: inout [UInt8]) {
    switch self {
    case .v4(let address): address.appendText(to: &text)
    case .v6(let address): address.appendText(to: &text)
    }
  }
}

private func hexadecimalValue(_ octet: UInt8) -> UInt16? {
  switch octet {
  case 0x30...0x39: UInt16(octet &- 0x30)
  case 0x41...0x46: UInt16(octet &- 0x37)
  case 0x61...0x66: UInt16(octet &- 0x57)
  default: nil
  }
}

private func hexadecimalDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
