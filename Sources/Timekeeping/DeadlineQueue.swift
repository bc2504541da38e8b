/// Keys by deadline. A key has at most one deadline; setting it again moves it. Ties come out in order of setting, so that a
/// run from a seed repeats exactly.
///
/// A binary heap with stale entries left in place until they surface: moving a deadline is O(log n), and `count` of live keys bounds
/// the heap, which is rebuilt when more than half of it is stale.
package struct DeadlineQueue<Key: Hashable & Sendable>: Sendable {
  private struct Entry: Sendable {
    var deadline: Instant
    var order: UInt64
    var key: Key

    func precedes(_ other: Entry) -> Bool { (deadline, order) < (other.deadline, other.order) }
  }

  private var heap: [Entry] = []
  private var live: [Key: UInt64] = [:]
  private var nextOrder: UInt64 = 0

  package init() {}

  /// How many keys have a deadline.
  package var count: Int { live.count }

  package var isEmpty: Bool { live.isEmpty }

  /// The earliest deadline.
  package var next: Instant? {
    mutating get {
      dropStale()
      return heap.first?.deadline
    }
  }

  package mutating func set(_ key: Key, at deadline: Instant) {
    live[key] = nextOrder
    push(Entry(deadline: deadline, order: nextOrder, key: key))
    nextOrder += 1
    if heap.count > 2 * live.count + 64 { rebuild() }
  }

  package mutating func remove(_ key: Key) { live[key] = nil }

  /// Takes the earliest key whose deadline is not after `now`.
  package mutating func pop(at now: Instant) -> Key? {
    dropStale()
    guard let first = heap.first, first.deadline <= now else { return nil }
    _ = popFirst()
    live[first.key] = nil
    return first.key
  }

  private mutating func dropStale() {
    while let first = heap.first, live[first.key] != first.order { _ = popFirst() }
  }

  private mutating func rebuild() {
    let entries = heap.filter { live[$0.key] == $0.order }
    heap.removeAll(keepingCapacity: true)
    for entry in entries { push(entry) }
  }

  private mutating func push(_ entry: Entry) {
    heap.append(entry)
    var at = heap.count - 1
    while at > 0, entry.precedes(heap[(at - 1) / 2]) {
      heap[at] = heap[(at - 1) / 2]
      at = (at - 1) / 2
    }
    heap[at] = entry
  }

  private mutating func popFirst() -> Entry? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first }
    var at = 0
    while true {
      var child = 2 * at + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(last) else { break }
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
    return first
  }
}
