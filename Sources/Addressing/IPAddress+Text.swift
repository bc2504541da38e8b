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
    if high == 0, low >> 32 == 0xffff { return "::ffff:\(IPv4Address(bits: UInt32(truncatingIfNeeded: low)))" }
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - $0 % 4 * 16)) }
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > max(best.count, 1) { best = start..<end }
      start = max(end, start + 1)
    }
    func join(_ part: ArraySlice<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    return best.isEmpty ? join(groups[...]) : join(groups[..<best.lowerBound]) + "::" + join(groups[best.upperBound...])
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
