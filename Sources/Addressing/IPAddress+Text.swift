extension IPv4Address: CustomStringConvertible {
  /// Four decimal octets without leading zeros (RFC 6943 §3.1.1: the strict form); nil for anything else.
  package init?(_ text: some StringProtocol) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      guard let octet = decimalOctet(part) else { return nil }
      bits = bits << 8 | UInt32(octet)
    }
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
  package init?(_ text: some StringProtocol) {
    var groups: [UInt16] = []
    var gap: Int?
    var rest = Substring(text)
    guard !rest.isEmpty, rest.utf8.count <= 45 else { return nil }
    if rest.hasPrefix("::") {
      gap = 0
      rest = rest.dropFirst(2)
    }
    while !rest.isEmpty {
      let end = rest.firstIndex(of: ":") ?? rest.endIndex
      let group = rest[..<end]
      if end == rest.endIndex, group.contains(".") {
        guard let tail = IPv4Address(group) else { return nil }
        groups += [UInt16(truncatingIfNeeded: tail.bits >> 16), UInt16(truncatingIfNeeded: tail.bits)]
        rest = ""
        break
      }
      guard (1...4).contains(group.utf8.count), group.utf8.allSatisfy(isHexadecimal),
        let value = UInt16(group, radix: 16)
      else { return nil }
      groups.append(value)
      rest = rest[end...]
      guard !rest.isEmpty else { break }
      rest = rest.dropFirst()
      if rest.first == ":" {
        guard gap == nil else { return nil }
        gap = groups.count
        rest = rest.dropFirst()
      } else if rest.isEmpty {
        return nil
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    self.init(
      high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) }, low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
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
  package init?(_ text: some StringProtocol) {
    if let address = IPv4Address(text) {
      self = .v4(address)
    } else if let address = IPv6Address(text) {
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

private func decimalOctet(_ digits: some Collection<UInt8>) -> UInt8? {
  guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
  guard digits.count == 1 || digits.first != 0x30 else { return nil }
  return UInt8(exactly: digits.reduce(0) { $0 * 10 + Int($1 - 0x30) })
}

private func isHexadecimal(_ octet: UInt8) -> Bool {
  switch octet {
  case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
  default: false
  }
}

private func hexadecimalDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
