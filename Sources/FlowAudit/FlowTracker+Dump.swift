import Timekeeping

/// The kernel's table as a whole: after events were lost (ENOBUFS), and now and then for what ends without a word.
///
/// A dump is old when it is read: what began or ended since it was asked for is known better by the events, so neither counts as a difference.
extension FlowTracker {
  /// A dump is asked for now; `resynchronise` follows with it.
  package mutating func dumpBegins(at now: Moment) {
    dumpBegan = now.instant
    destroyedSinceDump = [:]
  }

  /// Brings the flows in line with the kernel's table: what it no longer has is closed (`Timeout`), what it has and nobody told of is recorded with origin `Recovered`.
  package mutating func resynchronise(
    _ dump: [ConntrackEvent], at now: Moment, into actions: inout [FlowAction],
    attribute: (ConntrackEvent) -> FlowAttribution
  ) {
    let began = dumpBegan ?? now.instant
    var present: [FlowTuple: UInt32] = [:]
    present.reserveCapacity(dump.count)
    for event in dump { present[event.original] = event.identifier }
    let gone = flows.flows
      .filter { flow in
        flow.startedAt.instant < began && !(present[flow.tuple].map { isSameFlow($0, flow.identifier) } ?? false)
      }
      .sorted { $0.session < $1.session }
    for flow in gone { close(flow, .timeout, at: now, entryRemains: false, into: &actions) }
    for event in dump { reconcile(event, at: now, into: &actions, attribute: attribute) }
    settled.keep(present, dumpBegan: began)
    dumpBegan = nil
    destroyedSinceDump = [:]
  }

  private mutating func reconcile(
    _ event: ConntrackEvent, at now: Moment, into actions: inout [FlowAction],
    attribute: (ConntrackEvent) -> FlowAttribution
  ) {
    let tuple = event.original
    if var flow = flow(tuple, identifier: event.identifier) {
      flow.counters = event.counters ?? flow.counters
      flows.update(tuple) { $0 = flow }
      if let end = event.tcpEnd, flow.phase != .ending(.revoked) {
        close(flow, end, at: now, entryRemains: true, into: &actions)
      }
      return
    }
    // Another flow of this tuple began after the dump did.
    guard flows[tuple] == nil, !settled.contains(tuple, identifier: event.identifier),
      !(destroyedSinceDump[tuple].map { isSameFlow($0, event.identifier) } ?? false)
    else { return }
    recover(event, attribute(event), at: now, into: &actions)
  }

  mutating func recover(
    _ event: ConntrackEvent, _ attribution: FlowAttribution, at now: Moment, into actions: inout [FlowAction]
  ) {
    switch attribution.verdict {
    case .own, .local: return
    case .deny:
      if settled.hasOverflowed {
        sums.unreconciled += 1
      } else {
        deny(
          event.original, attribution: attribution, count: 1, origin: .recovered, at: now, into: &actions)
      }
      settled.insert(event.original, identifier: event.identifier, at: now.instant)
    case .allow, .inbound:
      // It may be one whose end, or whose untracked opening, is on the record and was not remembered.
      if settled.hasOverflowed, event.tcpEnd != nil || sums.untracked > 0 {
        sums.unreconciled += 1
        settled.insert(event.original, identifier: event.identifier, at: now.instant)
        return
      }
      open(event, attribution, .recovered, at: now, into: &actions)
      if let end = event.tcpEnd, let flow = flow(event.original, identifier: event.identifier) {
        close(flow, end, at: now, entryRemains: true, into: &actions)
      }
    }
  }
}
