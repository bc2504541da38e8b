import Timekeeping

/// What a deadline of the firewall is about.
enum FirewallTimer: Hashable, Sendable {
  /// The place in `AddressTable`: whose it is now, the table says.
  case address(place: UInt32)
  case grant(UInt32)
  case policy
}

/// Timers by deadline. Not `DeadlineQueue`: a lease renewed before its end costs nothing here (the owner looks when the
/// timer comes up, and sets it again), and the queue is not generic on the query path.
struct FirewallTimers: Sendable {
  private struct Entry: Sendable {
    var deadline: Instant
    var timer: FirewallTimer

    func precedes(_ other: Entry) -> Bool { deadline < other.deadline }
  }

  private var heap: [Entry] = []

  var next: Instant? { heap.first?.deadline }

  mutating func set(_ timer: FirewallTimer, at deadline: Instant) {
    let entry = Entry(deadline: deadline, timer: timer)
    heap.append(entry)
    var at = heap.count - 1
    while at > 0, entry.precedes(heap[(at - 1) / 2]) {
      heap[at] = heap[(at - 1) / 2]
      at = (at - 1) / 2
    }
    heap[at] = entry
  }

  mutating func pop(at now: Instant) -> (deadline: Instant, timer: FirewallTimer)? {
    guard let first = heap.first, first.deadline <= now, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return (first.deadline, first.timer) }
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
    return (first.deadline, first.timer)
  }
}
