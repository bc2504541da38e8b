/// Numbers by the hash of what they stand for: eight octets a slot. Whether two things are the same is the caller's to say, who holds them. It grows
/// without hashing anything again, since each slot keeps the hash it was found by.
struct HashIndex: Sendable {
  /// High half: the hash. Low half: 1 + the number; a slot of 0 is empty.
  private var slots: [UInt64] = []
  private(set) var count = 0

  /// The hash of a key: seeded at each start of the process, so that nobody can choose keys that meet.
  @inline(__always)
  static func hash(_ key: some Hashable) -> UInt32 {
    var hasher = Hasher()
    hasher.combine(key)
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }

  @inline(__always)
  func find(_ hash: UInt32, where isSame: (Int) -> Bool) -> Int? {
    guard !slots.isEmpty else { return nil }
    let slots = slots.span
    var at = Int(hash) & (slots.count &- 1)
    while slots[at] != 0 {
      if UInt32(truncatingIfNeeded: slots[at] >> 32) == hash {
        let number = Int(UInt32(truncatingIfNeeded: slots[at])) &- 1
        if isSame(number) { return number }
      }
      at = (at &+ 1) & (slots.count &- 1)
    }
    return nil
  }

  /// The number must not be there yet.
  mutating func insert(_ number: Int, _ hash: UInt32) {
    count += 1
    // Nearly full, since there are some of a hundred thousand: what is looked through lies side by side.
    if count * 8 > slots.count * 7 { grow() }
    put(UInt64(hash) << 32 | UInt64(number + 1))
  }

  mutating func remove(_ number: Int, _ hash: UInt32) {
    guard var hole = slot(of: number, hash) else { return }
    count -= 1
    let mask = slots.count - 1
    var at = (hole + 1) & mask
    // What stands behind the hole moves up unless that would put it before its own place.
    while slots[at] != 0 {
      let home = Int(slots[at] >> 32) & mask
      if (at - home) & mask >= (at - hole) & mask {
        slots[hole] = slots[at]
        hole = at
      }
      at = (at + 1) & mask
    }
    slots[hole] = 0
  }

  mutating func renumber(_ number: Int, to new: Int, _ hash: UInt32) {
    guard let at = slot(of: number, hash) else { return }
    slots[at] = UInt64(hash) << 32 | UInt64(new + 1)
  }

  private func slot(of number: Int, _ hash: UInt32) -> Int? {
    guard !slots.isEmpty else { return nil }
    let wanted = UInt64(hash) << 32 | UInt64(number + 1)
    var at = Int(hash) & (slots.count - 1)
    while slots[at] != wanted {
      if slots[at] == 0 { return nil }
      at = (at + 1) & (slots.count - 1)
    }
    return at
  }

  private mutating func put(_ slot: UInt64) {
    var at = Int(slot >> 32) & (slots.count - 1)
    while slots[at] != 0 { at = (at + 1) & (slots.count - 1) }
    slots[at] = slot
  }

  /// Always a power of two.
  private mutating func grow() {
    let old = slots
    slots = Array(repeating: 0, count: max(8, old.count * 2))
    for slot in old where slot != 0 { put(slot) }
  }
}
