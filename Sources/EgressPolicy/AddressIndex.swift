import Addressing

/// Rules about address blocks: for each prefix length in use, the blocks in order. A look-up costs one binary search for each length.
struct AddressIndex: Sendable {
  /// One rule's block.
  struct Entry: Sendable {
    var first: UInt128
    var last: UInt128
    var rule: UInt32
  }

  /// The blocks of one prefix length.
  private struct Length: Sendable {
    var mask: UInt128
    /// By first address, then by rule.
    var entries: [Entry]
  }

  private var lengths4: [Length] = []
  private var lengths6: [Length] = []

  init(_ blocks: [(CIDRBlock, UInt32)]) {
    var grouped: [Int: [Entry]] = [:]
    for (block, rule) in blocks {
      let entry = Entry(first: block.first.number, last: block.last.number, rule: rule)
      grouped[block.prefixLength + (block.first.isIPv4 ? 0 : 1000), default: []].append(entry)
    }
    for (key, entries) in grouped.sorted(by: { $0.key < $1.key }) {
      let sorted = entries.sorted { ($0.first, $0.rule) < ($1.first, $1.rule) }
      // The mask covers the family's bits only; those above are zero in every number.
      let mask = ~(sorted[0].last - sorted[0].first)
      if key < 1000 {
        lengths4.append(Length(mask: mask, entries: sorted))
      } else {
        lengths6.append(Length(mask: mask, entries: sorted))
      }
    }
  }

  /// The rules whose block holds `address`, in no order.
  func rules(holding address: IPAddress) -> [UInt32] {
    var found: [UInt32] = []
    let number = address.number
    for length in address.isIPv4 ? lengths4 : lengths6 {
      let first = number & length.mask
      var low = 0
      var high = length.entries.count
      while low < high {
        let middle = low + (high - low) / 2
        if length.entries[middle].first < first { low = middle + 1 } else { high = middle }
      }
      while low < length.entries.count, length.entries[low].first == first {
        found.append(length.entries[low].rule)
        low += 1
      }
    }
    return found
  }

  /// Every block of a family, enclosing ones before enclosed ones.
  func blocks(isIPv4: Bool) -> [Entry] {
    (isIPv4 ? lengths4 : lengths6).flatMap(\.entries).sorted {
      $0.first != $1.first ? $0.first < $1.first : $0.last != $1.last ? $0.last > $1.last : $0.rule < $1.rule
    }
  }
}

extension IPAddress {
  /// The address as a number, of 32 or 128 bits.
  var number: UInt128 {
    switch self {
    case .v4(let address): UInt128(address.bits)
    case .v6(let address): UInt128(address.high) << 64 | UInt128(address.low)
    }
  }

  init(number: UInt128, isIPv4: Bool) {
    self =
      isIPv4
      ? .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: number)))
      : .v6(
        IPv6Address(high: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number)))
  }
}
