import Addressing
import Timekeeping

/// What a `FlowTracker` wants done, in order.
package enum FlowAction: Hashable, Sendable {
  case record(FlowDraft)
  /// Ask the kernel for this entry (GET): the answer comes back as a `.snapshot` event, or through `missing`.
  case readCounters(FlowTuple, identifier: UInt32)
  /// An allowed flow with this mark is no more.
  case flowEnded(mark: UInt32)
}

/// Flows from their first packet to their end: every one that is allowed has one `FlowOpen` and, unless the table was full, one `FlowClose`; every denied attempt is in
/// one `FlowDenied` or counted in one.
///
/// A TCP flow ends with its state (TIME_WAIT, CLOSE), since DESTROY comes minutes later; its counters are then read by a GET. Others end with
/// DESTROY, or when a dump no longer has them.
package struct FlowTracker: Sendable {
  /// Live flows: some 350 octets each, so 45 MiB at most. A flow beyond it has a `FlowOpen` of origin `Untracked`.
  package static let flowsMax = 131_072
  /// Flows whose counters are read anew when somebody looks on: a screen shows some dozens, and reading one costs 10 µs.
  package static let viewMax = 256
  /// audit.md: `FlowUpdate` every 30 s.
  package static let updatePeriod = TimeSpan.seconds(30)
  /// How long a flow that ended waits for its final counters: closing must be on the record within seconds (kernel.md §3).
  package static let countersPatience = TimeSpan.seconds(5)

  package internal(set) var sums = FlowSums()
  var flows = FlowTable()
  var settled = SettledFlows()
  var denials = DenialRollup()
  var own = OwnFlows()
  /// Of each live flow, by its place, its next `FlowUpdate`; of each ending one the end of its patience.
  var deadlines = DeadlineQueue<UInt32>()
  /// When the dump was asked for that has not been processed yet.
  var dumpBegan: Instant?
  /// What the kernel deleted since then.
  var destroyedSinceDump: [FlowTuple: UInt32] = [:]
  private var lastSession: UInt64 = 0

  package init() {}

  /// A dump was asked for and is not processed yet.
  package var awaitsDump: Bool { dumpBegan != nil }

  /// Of `sums.denied`, those that are counted and not yet on the record.
  package var pendingDenied: UInt64 { denials.pending }

  /// How many flows live.
  package var liveCount: Int { flows.count }

  /// Whether `observe` wants an attribution with this event: only new flows are attributed.
  package static func needsAttribution(_ event: ConntrackEvent) -> Bool { event.kind == .new }

  /// One event of the kernel. A NEW event without attribution is ignored.
  package mutating func observe(
    _ event: ConntrackEvent, attribution: FlowAttribution?, at now: Moment, into actions: inout [FlowAction]
  ) {
    switch event.kind {
    case .new:
      if let attribution { begin(event, attribution, at: now, into: &actions) }
    case .update: update(event, at: now, into: &actions)
    case .snapshot: countersRead(event, at: now, into: &actions)
    case .destroy: destroyed(event, at: now, into: &actions)
    }
  }

  /// A denied flow, or denied packets that never made an entry and that the kernel counted. `attribution` must deny.
  package mutating func deny(
    _ tuple: FlowTuple, attribution: FlowAttribution, count: Int, origin: FlowDraft.Origin = .seen, at now: Moment,
    into actions: inout [FlowAction]
  ) {
    guard case .deny(let reason) = attribution.verdict, count > 0 else { return }
    if origin.isCounted { sums.dropped += UInt64(count) } else { sums.denied += UInt64(count) }
    let draft = FlowDraft(
      stage: .denied(reason), session: nextSession(), tuple: tuple, attribution: attribution, origin: origin,
      startedAt: now.wall, endedAt: now.wall, count: count)
    denials.observe(draft, at: now.instant, into: &actions)
  }

  /// What to ask the kernel so that the next look at the live flows sees counters of now: of the oldest ones, at most `viewMax`.
  package func countersToRead() -> [FlowAction] {
    liveFlows().prefix(Self.viewMax).map { .readCounters($0.tuple, identifier: $0.identifier) }
  }

  /// The entry asked for by `readCounters` is gone. Its DESTROY event is on its way with the final counters, or was lost: the close waits for it
  /// no longer than `countersPatience`.
  package mutating func missing(_ tuple: FlowTuple, identifier: UInt32, at now: Moment) {
    guard let flow = flow(tuple, identifier: identifier) else { return }
    if case .ending = flow.phase { return }
    end(tuple, .timeout, at: now)
  }

  /// Grants with these marks end; call before their entries are deleted. The closes are recorded with the entries' DESTROY events, which carry the final
  /// counters, or after `countersPatience`. Returns what is cut, oldest first.
  package mutating func cut(marks: [UInt32], at now: Moment) -> [LiveFlow] {
    let marks = Set(marks)
    let cut = flows.flows
      .filter { flow in
        if case .ending = flow.phase { return false }
        return marks.contains(flow.mark)
      }
      .map(\.live).sorted { $0.session < $1.session }
    for flow in cut { end(flow.tuple, .revoked, at: now) }
    return cut
  }

  /// A flow was cut, and these were its last counters: its close is recorded now.
  package mutating func cut(
    _ tuple: FlowTuple, counters: FlowCounters?, at now: Moment, into actions: inout [FlowAction]
  ) {
    guard var flow = flows[tuple] else { return }
    flow.counters = counters ?? flow.counters
    flow.phase = .ending(.revoked)
    close(flow, .revoked, at: now, entryRemains: true, into: &actions)
  }

  /// When `deadlineReached` is due.
  package var nextDeadline: Instant? {
    mutating get {
      var earliest = deadlines.next
      for deadline in [denials.nextDeadline, own.nextDeadline] {
        guard let deadline else { continue }
        earliest = earliest.map { min($0, deadline) } ?? deadline
      }
      return earliest
    }
  }

  package mutating func deadlineReached(at now: Moment, into actions: inout [FlowAction]) {
    denials.deadlineReached(at: now.instant, into: &actions)
    own.deadlineReached(at: now.instant, into: &actions)
    while let place = deadlines.pop(at: now.instant) {
      guard let flow = flows.flow(at: place) else { continue }
      switch flow.phase {
      case .live, .updating:
        flows.update(flow.tuple) { $0.phase = .updating }
        deadlines.set(place, at: now.instant + Self.updatePeriod)
        actions.append(.readCounters(flow.tuple, identifier: flow.identifier))
      case .ending(let end): close(flow, end, at: now, entryRemains: true, into: &actions)
      }
    }
  }

  /// Pending roll-ups become records: before the policy or the owner changes, and at a stop.
  package mutating func flush(into actions: inout [FlowAction]) {
    denials.flush(into: &actions)
    own.flush(into: &actions)
  }

  /// Live flows in the order in which they began, for `GET /flows`.
  package func liveFlows() -> [LiveFlow] { flows.flows.map(\.live).sorted { $0.session < $1.session } }

  private mutating func begin(
    _ event: ConntrackEvent, _ attribution: FlowAttribution, at now: Moment, into actions: inout [FlowAction]
  ) {
    switch attribution.verdict {
    case .local: return
    case .own: return openOwn(event.original, attribution, at: now, into: &actions)
    case .allow, .inbound, .deny: break
    }
    let tuple = event.original
    // A dump may have told of it before its own event was read.
    guard event.identifier == 0 || !isKnown(tuple, identifier: event.identifier) else { return }
    if let old = flows[tuple] { close(old, .unknown, at: now, entryRemains: false, into: &actions) }
    settled.remove(tuple)
    if case .deny = attribution.verdict {
      deny(tuple, attribution: attribution, count: 1, at: now, into: &actions)
      settled.insert(tuple, identifier: event.identifier, at: now.instant)
    } else {
      open(event, attribution, .seen, at: now, into: &actions)
    }
  }

  private mutating func openOwn(
    _ tuple: FlowTuple, _ attribution: FlowAttribution, at now: Moment, into actions: inout [FlowAction]
  ) {
    sums.own += 1
    let draft = FlowDraft(
      stage: .open, session: nextSession(), tuple: tuple, attribution: attribution, startedAt: now.wall,
      endedAt: now.wall)
    own.observe(draft, at: now.instant, into: &actions)
  }

  private func isKnown(_ tuple: FlowTuple, identifier: UInt32) -> Bool {
    flow(tuple, identifier: identifier) != nil || settled.contains(tuple, identifier: identifier)
  }

  private mutating func update(_ event: ConntrackEvent, at now: Moment, into actions: inout [FlowAction]) {
    guard let flow = flow(event.original, identifier: event.identifier) else { return }
    if let counters = event.counters { flows.update(event.original) { $0.counters = counters } }
    if case .ending = flow.phase { return }
    guard let end = event.tcpEnd else { return }
    self.end(event.original, end, at: now)
    actions.append(.readCounters(event.original, identifier: flow.identifier))
  }

  /// The flow's close waits for its final counters, no longer than `countersPatience`.
  private mutating func end(_ tuple: FlowTuple, _ end: FlowEnd, at now: Moment) {
    flows.update(tuple) { $0.phase = .ending(end) }
    if let place = flows.place(of: tuple) { deadlines.set(place, at: now.instant + Self.countersPatience) }
  }

  private mutating func countersRead(_ event: ConntrackEvent, at now: Moment, into actions: inout [FlowAction]) {
    guard var flow = flow(event.original, identifier: event.identifier) else { return }
    if let counters = event.counters { flow.counters = counters }
    switch flow.phase {
    // Its entry is being deleted, and DESTROY has the last word.
    case .ending(.revoked): break
    case .ending(let end):
      // An answer from before the end, to a question for an update, is not final.
      if event.tcpState == nil || event.tcpEnd != nil {
        return close(flow, end, at: now, entryRemains: true, into: &actions)
      }
    case .live, .updating:
      if let end = event.tcpEnd {
        return close(flow, end, at: now, entryRemains: true, into: &actions)
      } else if flow.phase == .updating {
        flow.phase = .live
        actions.append(.record(flow.draft(.update, at: now)))
      }
    }
    flows.update(event.original) { $0 = flow }
  }

  private mutating func destroyed(_ event: ConntrackEvent, at now: Moment, into actions: inout [FlowAction]) {
    settled.remove(event.original, identifier: event.identifier)
    if dumpBegan != nil, destroyedSinceDump.count < SettledFlows.flowsMax {
      destroyedSinceDump[event.original] = event.identifier
    }
    guard var flow = flow(event.original, identifier: event.identifier) else { return }
    flow.counters = event.counters ?? flow.counters
    close(flow, event.tcpEnd ?? .timeout, at: now, entryRemains: false, into: &actions)
  }
}

/// What the dumps of `FlowTracker+Dump` do too.
extension FlowTracker {
  /// The flow of this entry, if it lives.
  func flow(_ tuple: FlowTuple, identifier: UInt32) -> TrackedFlow? {
    guard let flow = flows[tuple], isSameFlow(flow.identifier, identifier) else { return nil }
    return flow
  }

  mutating func open(
    _ event: ConntrackEvent, _ attribution: FlowAttribution, _ origin: FlowDraft.Origin,
    formerSession: String? = nil, at now: Moment, into actions: inout [FlowAction]
  ) {
    let isTracked = flows.count < Self.flowsMax
    let flow = TrackedFlow(
      session: nextSession(), tuple: event.original, identifier: event.identifier, mark: event.mark,
      attribution: flows.share(attribution, of: event.mark), startedAt: now, counters: event.counters,
      origin: isTracked ? origin : .untracked)
    count(flow, origin: origin)
    var draft = flow.draft(.open, at: now)
    draft.formerSession = formerSession
    actions.append(.record(draft))
    if isTracked {
      deadlines.set(flows.insert(flow), at: now.instant + Self.updatePeriod)
    } else {
      settled.insert(event.original, identifier: event.identifier, at: now.instant)
    }
  }

  /// Ends the flow for the reason that ended it first, unless that was only that its entry was gone. `entryRemains` says that the kernel may still have its entry.
  mutating func close(
    _ flow: TrackedFlow, _ end: FlowEnd, at now: Moment, entryRemains: Bool, into actions: inout [FlowAction]
  ) {
    var end = end
    if case .ending(let first) = flow.phase, first != .timeout { end = first }
    if let place = flows.remove(flow.tuple) { deadlines.remove(place) }
    if entryRemains { settled.insert(flow.tuple, identifier: flow.identifier, at: now.instant) }
    actions.append(.record(flow.draft(.close(end), at: now)))
    if flow.attribution.value.verdict == .allow { actions.append(.flowEnded(mark: flow.mark)) }
  }

  mutating func nextSession() -> UInt64 {
    lastSession += 1
    return lastSession
  }

  private mutating func count(_ flow: TrackedFlow, origin: FlowDraft.Origin) {
    if origin == .adopted {
      sums.adopted += 1
      return
    }
    if flow.attribution.value.verdict == .inbound { sums.inbound += 1 } else { sums.allowed += 1 }
    if origin == .recovered { sums.recovered += 1 }
    if flow.origin == .untracked { sums.untracked += 1 }
  }
}
