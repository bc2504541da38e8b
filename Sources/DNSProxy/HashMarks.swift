/// A set of seeded hashes of 32 bits, four octets each and an eighth of the room free at least. Of a hundred thousand names one or two
/// have the hash of another; which ones, nobody can choose.
struct HashMarks: Sendable {
  /// 0: empty.
  private var slots: [UInt32] = []
  private(set) var count = 0

  func contains(_ hash: Int) -> Bool { !slots.isEmpty && slots[place(of: Self.mark(hash))] != 0 }

  mutating func insert(_ hash: Int) {
    if (count + 1) * 8 > slots.count * 7 { grow() }
    let mark = Self.mark(hash)
    let place = place(of: mark)
    guard slots[place] == 0 else { return }
    slots[place] = mark
    count += 1
  }

  private static func mark(_ hash: Int) -> UInt32 { max(UInt32(truncatingIfNeeded: hash), 1) }

  /// Where it is, or would be.
  private func place(of mark: UInt32) -> Int {
    let slots = slots.span
    var at = Int(mark) & (slots.count &- 1)
    while slots[at] != 0, slots[at] != mark { at = (at &+ 1) & (slots.count &- 1) }
    return at
  }

  /// Always a power of two.
  private mutating func grow() {
    let old = slots
    slots = Array(repeating: 0, count: max(8, old.count * 2))
    for mark in old where mark != 0 { slots[place(of: mark)] = mark }
  }
}
