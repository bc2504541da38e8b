import Addressing
import Timekeeping

/// Repeats of one denial within 10 s become one record with an exact count. One denial is one destination address, port, protocol and reason.
///
/// The first is recorded at once; when its window ends, what was counted since becomes one record, with the words of the last repeat.
package struct DenialRollup: Sendable {
  /// How long repeats are counted, the same as for queries.
  package static let window = TimeSpan.seconds(10)
  /// Open windows: some 500 octets each, so 2 MiB at most. When one more is needed the oldest ends early, which may cost a record and loses nothing.
  package static let windowsMax = 4_096

  private struct Key: Hashable, Sendable {
    var destination: Endpoint
    var transport: TransportProtocol
    var reason: DenialReason
    var isTampering: Bool
    var origin: FlowDraft.Origin
    /// Who sent packets that a counter told of: they have no ports to tell them apart.
    var source: IPAddress?
  }

  private struct Window: Sendable {
    var key: Key
    var deadline: Instant
    /// The first denial, then the last repeat.
    var draft: FlowDraft
    /// Repeats not yet on the record.
    var count = 0
    /// When the first of them was.
    var startedAt: WallTime
  }

  private var windows = RollupQueue<Window>()
  private var serials: [Key: Int] = [:]
  /// When the oldest window ends.
  package private(set) var nextDeadline: Instant?

  package init() {}

  /// Appends what is to be recorded now, in order. `draft` must be of stage `denied`.
  package mutating func observe(_ draft: FlowDraft, at now: Instant, into actions: inout [FlowAction]) {
    guard case .denied(let reason) = draft.stage else { return }
    deadlineReached(at: now, into: &actions)
    let key = Key(
      destination: draft.tuple.destination, transport: draft.tuple.transport, reason: reason,
      isTampering: draft.attribution.isTampering, origin: draft.origin,
      source: draft.origin.isCounted ? draft.tuple.source.address : nil)
    if let serial = serials[key] {
      windows.update(serial) { window in
        if window.count == 0 { window.startedAt = draft.startedAt }
        window.count += draft.count
        window.draft = draft
      }
      return
    }
    if windows.count >= Self.windowsMax { endOldest(into: &actions) }
    let deadline = now + Self.window
    serials[key] = windows.append(Window(key: key, deadline: deadline, draft: draft, startedAt: draft.startedAt))
    if nextDeadline == nil { nextDeadline = deadline }
    actions.append(.record(draft))
  }

  package mutating func deadlineReached(at now: Instant, into actions: inout [FlowAction]) {
    while let deadline = nextDeadline, deadline <= now { endOldest(into: &actions) }
  }

  /// Pending roll-ups become records.
  package mutating func flush(into actions: inout [FlowAction]) {
    while !windows.isEmpty { endOldest(into: &actions) }
  }

  private mutating func endOldest(into actions: inout [FlowAction]) {
    guard let window = windows.removeFirst() else { return }
    serials[window.key] = nil
    nextDeadline = nil
    windows.readFirst { nextDeadline = $0.deadline }
    guard window.count > 0 else { return }
    var draft = window.draft
    draft.count = window.count
    draft.startedAt = window.startedAt
    actions.append(.record(draft))
  }
}
