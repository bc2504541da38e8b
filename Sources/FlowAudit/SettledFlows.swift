import Timekeeping

/// Flows whose records are complete while the kernel still has their entry (TCP's TIME_WAIT, a denied attempt): so that a dump does not make them look new.
struct SettledFlows: Sendable {
  /// Some 90 octets each, so 6 MiB at most. Beyond it a flow is not remembered, and `hasOverflowed` makes the next dump say what it cannot know.
  static let flowsMax = 65_536

  private struct Entry: Sendable {
    var identifier: UInt32
    var since: Instant
  }

  private var entries: [FlowTuple: Entry] = [:]
  private(set) var hasOverflowed = false

  mutating func insert(_ tuple: FlowTuple, identifier: UInt32, at now: Instant) {
    if entries.count >= Self.flowsMax, entries[tuple] == nil {
      hasOverflowed = true
    } else {
      entries[tuple] = Entry(identifier: identifier, since: now)
    }
  }

  mutating func remove(_ tuple: FlowTuple) { entries[tuple] = nil }

  /// Removes the flow when it is this entry's.
  mutating func remove(_ tuple: FlowTuple, identifier: UInt32) {
    if contains(tuple, identifier: identifier) { entries[tuple] = nil }
  }

  func contains(_ tuple: FlowTuple, identifier: UInt32) -> Bool {
    guard let entry = entries[tuple] else { return false }
    return isSameFlow(entry.identifier, identifier)
  }

  /// Forgets what a dump that began at `began` no longer has.
  mutating func keep(_ present: [FlowTuple: UInt32], dumpBegan began: Instant) {
    entries = entries.filter { tuple, entry in
      entry.since >= began || present[tuple].map { isSameFlow($0, entry.identifier) } ?? false
    }
    hasOverflowed = false
  }
}

/// Whether two identifiers of one tuple name the same entry; zero is a kernel that did not say.
func isSameFlow(_ left: UInt32, _ right: UInt32) -> Bool { left == right || left == 0 || right == 0 }
