import DNSWire

/// The hash of a name, made label by label from the right, so that one pass over a name makes the hashes of all its suffixes (FNV-1a, 64 bits,
/// without case). A policy and its questions come from different parties; whoever writes the policy gains nothing from collisions.
struct NameHash {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ octets: borrowing Span<UInt8>, _ label: Range<Int>) {
    for index in label {
      // Written out: a call for each octet of each target would cost more than the rest.
      let octet = octets[index]
      let folded = octet &- 0x41 < 26 ? octet | 0x20 : octet
      state = (state ^ UInt64(folded)) &* 0x100_0000_01b3
    }
    state = (state ^ 0x2e) &* 0x100_0000_01b3
  }

  func value(isWildcard: Bool) -> UInt32 {
    var mixed = state ^ (isWildcard ? 0x9e37_79b9_7f4a_7c15 : 0)
    mixed = (mixed ^ mixed >> 33) &* 0xff51_afd7_ed55_8ccd
    mixed = (mixed ^ mixed >> 33) &* 0xc4ce_b9fe_1a85_ec53
    return UInt32(truncatingIfNeeded: mixed ^ mixed >> 33)
  }
}

/// Rules by the hash of their targets: one flat table of eight octets a slot, and a chain of four octets a rule for rules with the same target.
/// Whether two targets are the same is the caller's to say, who holds the text.
struct RuleTable: Sendable {
  /// The end of a chain.
  static let none = UInt32.max

  /// High half: the hash. Low half: 1 + the first rule of the chain; a slot of 0 is empty.
  private var slots: [UInt64]
  /// By rule: the next of its chain. As long as the last rule that has one asks for: most policies name each target once.
  private var following: [UInt32] = []
  private var used = 0

  /// For rules numbered below `count`; the table grows when more chains come.
  init(count: Int) {
    slots = Array(repeating: 0, count: Self.slotCount(count))
  }

  /// The first rule of the chain of that target, `none` without one.
  func first(_ hash: UInt32, isSame: (UInt32) -> Bool) -> UInt32 {
    let slot = slots[find(hash, isSame)]
    return slot == 0 ? Self.none : UInt32(truncatingIfNeeded: slot) &- 1
  }

  /// The rule after `rule` in its chain, `none` after the last.
  func next(_ rule: UInt32) -> UInt32 { Int(rule) < following.count ? following[Int(rule)] : Self.none }

  /// Begins a chain with a rule whose hash no other has; false, and nothing done, when one has. Most rules go this way, without a look at their targets.
  mutating func insert(_ rule: UInt32, unlessKnown hash: UInt32) -> Bool {
    var index = Int(hash) & (slots.count - 1)
    while slots[index] != 0 {
      if UInt32(truncatingIfNeeded: slots[index] >> 32) == hash { return false }
      index = (index + 1) & (slots.count - 1)
    }
    slots[index] = UInt64(hash) << 32 | UInt64(rule &+ 1)
    used += 1
    if used * 3 > slots.count * 2 { grow() }
    return true
  }

  /// Puts a rule at the front of its chain.
  mutating func insert(_ rule: UInt32, _ hash: UInt32, isSame: (UInt32) -> Bool) {
    let index = find(hash, isSame)
    if slots[index] == 0 {
      used += 1
    } else {
      while following.count <= Int(rule) { following.append(Self.none) }
      following[Int(rule)] = UInt32(truncatingIfNeeded: slots[index]) &- 1
    }
    slots[index] = UInt64(hash) << 32 | UInt64(rule &+ 1)
    if used * 3 > slots.count * 2 { grow() }
  }

  /// The slot of that target, or the empty one where it would go.
  private func find(_ hash: UInt32, _ isSame: (UInt32) -> Bool) -> Int {
    var index = Int(hash) & (slots.count - 1)
    while slots[index] != 0 {
      if UInt32(truncatingIfNeeded: slots[index] >> 32) == hash, isSame(UInt32(truncatingIfNeeded: slots[index]) &- 1) {
        return index
      }
      index = (index + 1) & (slots.count - 1)
    }
    return index
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: 0, count: old.count * 2)
    for slot in old where slot != 0 {
      var index = Int(slot >> 32) & (slots.count - 1)
      while slots[index] != 0 { index = (index + 1) & (slots.count - 1) }
      slots[index] = slot
    }
  }

  /// A power of two, at most two thirds full.
  private static func slotCount(_ count: Int) -> Int {
    var slots = 8
    while slots * 2 < count * 3 { slots *= 2 }
    return slots
  }
}
