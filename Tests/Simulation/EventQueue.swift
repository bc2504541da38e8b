import Timekeeping

/// What is to happen, by time; ties in the order of coming.
struct EventQueue<Event> {
  private struct Entry {
    var at: Instant
    var order: UInt64
    var event: Event

    func precedes(_ other: Entry) -> Bool { (at, order) < (other.at, other.order) }
  }

  private var heap: [Entry] = []
  private var nextOrder: UInt64 = 0

  var nextTime: Instant? { heap.first?.at }
  var isEmpty: Bool { heap.isEmpty }

  mutating func add(_ event: Event, at time: Instant) {
    heap.append(Entry(at: time, order: nextOrder, event: event))
    nextOrder += 1
    var index = heap.count - 1
    while index > 0, heap[index].precedes(heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  /// The earliest event that is due at `now`.
  mutating func take(at now: Instant) -> Event? {
    guard let first = heap.first, first.at <= now, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first.event }
    heap[0] = last
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(heap[index]) else { break }
      heap.swapAt(child, index)
      index = child
    }
    return first.event
  }
}
