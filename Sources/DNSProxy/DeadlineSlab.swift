import Timekeeping

/// Elements with a deadline each, reached by handle. Slots are reused and linked in the order of their deadlines; since
/// all deadlines lie equally far ahead when they are set, a new one belongs at the end, and every operation is O(1)
/// without a heap.
struct DeadlineSlab<Element: Sendable>: Sendable {
  private struct Slot: Sendable {
    var deadline = Instant(nanoseconds: 0)
    /// Guards against a handle that outlived its element.
    var generation: UInt32 = 0
    var previous = -1
    /// In the order of deadlines, or in the list of free slots.
    var next = -1
  }

  private var slots: [Slot] = []
  /// Beside the slots, so that nothing is copied to read a link.
  private var elements: [Element?] = []
  private var first = -1
  private var last = -1
  private var free = -1
  private(set) var count = 0

  var nextDeadline: Instant? { first < 0 ? nil : slots[first].deadline }

  mutating func insert(_ element: consuming Element, deadline: Instant) -> UInt64 {
    let index: Int
    if free >= 0 {
      index = free
      free = slots[index].next
    } else {
      index = slots.count
      slots.append(Slot())
      elements.append(nil)
    }
    elements[index] = consume element
    slots[index].deadline = deadline
    var after = last
    while after >= 0, slots[after].deadline > deadline { after = slots[after].previous }
    link(index, after: after)
    count += 1
    return UInt64(slots[index].generation) << 32 | UInt64(index)
  }

  subscript(_ handle: UInt64) -> Element? {
    let index = Int(handle & 0xffff_ffff)
    guard index < slots.count, slots[index].generation == UInt32(handle >> 32) else { return nil }
    return elements[index]
  }

  /// Whether the handle's element is there and satisfies `isWanted`, without a copy of it.
  @inline(__always)
  func holds(_ handle: UInt64, where isWanted: (borrowing Element) -> Bool) -> Bool {
    let index = Int(handle & 0xffff_ffff)
    guard index < slots.count, slots[index].generation == UInt32(handle >> 32) else { return false }
    switch elements.span[index] {
    case .some(let element): return isWanted(element)
    case nil: return false
    }
  }

  @discardableResult
  mutating func remove(_ handle: UInt64) -> Element? {
    let index = Int(handle & 0xffff_ffff)
    guard index < slots.count, slots[index].generation == UInt32(handle >> 32) else { return nil }
    return take(index)
  }

  /// Takes the element with the earliest deadline when that is not after `now`.
  mutating func popExpired(at now: Instant) -> Element? {
    guard first >= 0, slots[first].deadline <= now else { return nil }
    return take(first)
  }

  /// Handles of the elements that satisfy `isWanted`, in the order of their deadlines.
  func handles(where isWanted: (Element) -> Bool) -> [UInt64] {
    var found: [UInt64] = []
    var index = first
    while index >= 0 {
      if let element = elements[index], isWanted(element) {
        found.append(UInt64(slots[index].generation) << 32 | UInt64(index))
      }
      index = slots[index].next
    }
    return found
  }

  private mutating func take(_ index: Int) -> Element? {
    // Moved, not copied: an element holds a dozen references.
    guard let element = elements[index].take() else { return nil }
    slots[index].generation &+= 1
    let (previous, next) = (slots[index].previous, slots[index].next)
    if previous >= 0 { slots[previous].next = next } else { first = next }
    if next >= 0 { slots[next].previous = previous } else { last = previous }
    slots[index].next = free
    free = index
    count -= 1
    return element
  }

  private mutating func link(_ index: Int, after: Int) {
    let next = after >= 0 ? slots[after].next : first
    slots[index].previous = after
    slots[index].next = next
    if after >= 0 { slots[after].next = index } else { first = index }
    if next >= 0 { slots[next].previous = index } else { last = index }
  }
}
