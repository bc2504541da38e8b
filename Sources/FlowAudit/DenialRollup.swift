import Addressing
import Timekeeping

/// Repeats of one denial within 10 s become one record with an exact count. One denial is one destination address, port, protocol and reason.
///
/// The first is recorded at once; when its window ends, what was counted since becomes one record, with the words of the last repeat. Whoever tries ports by the
/// thousand must not fill the spool with their denials: the first destinations of a window are on the record each for itself, all further ones are counted in a
/// record for each address, and when there are too many addresses in one for all. Packets that a counter told of, and tampering, have their own first destinations:
/// neither is lost among denials of the usual kind, nor the other way round.
package struct DenialRollup: Sendable {
  /// How long repeats are counted, the same as for queries.
  package static let window = TimeSpan.seconds(10)
  /// Open windows: some 500 octets each, so 2 MiB at most. When one more is needed the oldest ends early, which may cost a record and loses nothing.
  package static let windowsMax = 4_096
  /// Destinations of one kind that are on the record each for itself in one window, and then addresses that have a count of their own: 512, more than a program that is not up
  /// to something tries; some 80 KiB of records a second when it goes on for ever. What goes beyond is counted by its address, and then in one record for all.
  package static let destinationsMax = 512

  private struct Key: Hashable, Sendable {
    /// The port is 0 when `rollup` says `ports`, address and port when it says `addresses`.
    var destination: Endpoint
    var transport: TransportProtocol
    var reason: DenialReason
    var isTampering: Bool
    var origin: FlowDraft.Origin
    /// Who sent packets that a counter told of: they have no ports to tell them apart.
    var source: IPAddress?
    var rollup: FlowDraft.Rollup?
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

  private struct Allowance: Sendable {
    /// Destinations on the record each for itself, and addresses that are counted.
    var destinations = 0
    var countedAddresses = 0
  }

  private var windows = RollupQueue<Window>()
  private var serials: [Key: Int] = [:]
  /// What was taken since `countedFrom`, by kind: flows, packets that a counter told of, tampering.
  private var used = [Allowance](repeating: Allowance(), count: 3)
  private var countedFrom: Instant?
  /// When the oldest window ends.
  package private(set) var nextDeadline: Instant?
  /// Flows that are counted and not yet on the record; packets that a counter told of are not among them.
  package private(set) var pending: UInt64 = 0

  package init() {}

  /// Appends what is to be recorded now, in order. `draft` must be of stage `denied`.
  package mutating func observe(_ draft: FlowDraft, at now: Instant, into actions: inout [FlowAction]) {
    guard case .denied(let reason) = draft.stage else { return }
    deadlineReached(at: now, into: &actions)
    var key = Key(
      destination: draft.tuple.destination, transport: draft.tuple.transport, reason: reason,
      isTampering: draft.attribution.isTampering, origin: draft.origin,
      source: draft.origin.isCounted ? draft.tuple.source.address : nil)
    if count(draft, key) { return }
    let kind = draft.attribution.isTampering ? 2 : draft.origin.isCounted ? 1 : 0
    if standsForItself(kind, at: now) {
      open(Window(key: key, deadline: now + Self.window, draft: draft, startedAt: draft.startedAt), into: &actions)
      actions.append(.record(draft))
      return
    }
    key.destination = Endpoint(draft.tuple.destination.address, 0)
    key.rollup = .ports
    if serials[key] == nil {
      if used[kind].countedAddresses < Self.destinationsMax {
        used[kind].countedAddresses += 1
      } else {
        key.destination = Endpoint(.unspecified(isIPv4: draft.tuple.destination.address.isIPv4), 0)
        key.source = nil
        key.rollup = .addresses
      }
    }
    let grouped = draft.rolledUp(key.rollup)
    if count(grouped, key) { return }
    if !draft.origin.isCounted { pending += UInt64(grouped.count) }
    open(
      Window(
        key: key, deadline: now + Self.window, draft: grouped, count: grouped.count, startedAt: grouped.startedAt),
      into: &actions)
  }

  package mutating func deadlineReached(at now: Instant, into actions: inout [FlowAction]) {
    while let deadline = nextDeadline, deadline <= now { endOldest(into: &actions) }
  }

  /// Pending roll-ups become records.
  package mutating func flush(into actions: inout [FlowAction]) {
    while !windows.isEmpty { endOldest(into: &actions) }
  }

  /// Counts a repeat; false when there is no window for it.
  private mutating func count(_ draft: FlowDraft, _ key: Key) -> Bool {
    guard let serial = serials[key] else { return false }
    windows.update(serial) { window in
      if window.count == 0 { window.startedAt = draft.startedAt }
      window.count += draft.count
      if !draft.origin.isCounted { pending += UInt64(draft.count) }
      let rule = window.draft.attribution.rule
      window.draft = draft
      // Of several rules none speaks for all.
      if key.rollup != nil, rule != draft.attribution.rule { window.draft.attribution.rule = nil }
    }
    return true
  }

  /// Whether one more destination is on the record by itself.
  private mutating func standsForItself(_ kind: Int, at now: Instant) -> Bool {
    if countedFrom.map({ now - $0 >= Self.window }) ?? true {
      countedFrom = now
      for kind in used.indices { used[kind] = Allowance() }
    }
    guard used[kind].destinations < Self.destinationsMax else { return false }
    used[kind].destinations += 1
    return true
  }

  private mutating func open(_ window: Window, into actions: inout [FlowAction]) {
    if windows.count >= Self.windowsMax { endOldest(into: &actions) }
    serials[window.key] = windows.append(window)
    if nextDeadline == nil { nextDeadline = window.deadline }
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
    if !draft.origin.isCounted { pending -= UInt64(draft.count) }
    actions.append(.record(draft))
  }
}

extension FlowDraft {
  /// As it stands for many: what only one of them has is left out.
  fileprivate func rolledUp(_ rollup: Rollup?) -> FlowDraft {
    var draft = self
    draft.rollup = rollup
    draft.tuple.source = Endpoint(tuple.source.address, 0)
    draft.tuple.destination = Endpoint(tuple.destination.address, 0)
    guard rollup == .addresses else { return draft }
    draft.tuple.destination = Endpoint(.unspecified(isIPv4: tuple.destination.address.isIPv4), 0)
    draft.attribution.name = nil
    draft.attribution.names = []
    return draft
  }
}
