import Timekeeping

/// The start: what the kernel's table and the records of earlier starts say together.
///
///     in the table   on record     becomes
///     lives          open          `FlowOpen` of origin `Adopted`, with the former session
///     lives          not as open   `FlowOpen` of origin `Recovered`
///     has ended      open          `FlowClose` of the former session
///     has ended      closed        nothing
///     has ended      no            `FlowOpen` and `FlowClose` of origin `Recovered`
///     denied         denied        nothing
///     denied         no            `FlowDenied` of origin `Recovered`
///     no entry       open          `FlowClose` of the former session, which cannot say how it ended
///
/// Where the records do not reach back as far as the entries may, nobody can say whether an entry that is over is on record: it is counted (`FlowSums.unreconciled`),
/// and one that lives is `Adopted`. A tuple that was used twice meanwhile is told by its newest record and its newest entry alone.
extension FlowTracker {
  /// How long the kernel keeps the entry of a TCP flow that is over: `nf_conntrack_tcp_timeout_time_wait`, the longest of such times.
  static let endedEntrySpan = TimeSpan.seconds(120)
  /// How long it keeps a denied one, after its last packet: `nf_conntrack_udp_timeout`. TCP's goes with the reset that refuses it.
  static let deniedEntrySpan = TimeSpan.seconds(30)

  /// Takes the flows over; call once, with the first dump.
  package mutating func adopt(
    _ dump: [ConntrackEvent], previous: PreviousFlows, at now: Moment, into actions: inout [FlowAction],
    attribute: (ConntrackEvent) -> FlowAttribution
  ) {
    var previous = previous
    let isWhole = previous.reaches(back: now.wall + (.zero - Self.endedEntrySpan))
    for event in dump {
      let attribution = attribute(event)
      if attribution.verdict == .own || attribution.verdict == .local { continue }
      if isToldByEvents(event) { continue }
      let former = previous.take(event.original)
      if case .deny = attribution.verdict {
        if let former, former.state == .open { close(former, .unknown, nil, at: now, into: &actions) }
        adoptDenied(event, attribution, former, &previous, isWhole: isWhole, at: now, into: &actions)
        continue
      }
      switch (former?.state, event.tcpEnd) {
      case (.open, nil):
        open(event, attribution, .adopted, formerSession: former?.session, at: now, into: &actions)
      case (.open, let end?):
        if let former { close(former, end, event.counters, at: now, into: &actions) }
        settled.insert(event.original, identifier: event.identifier, at: now.instant)
      case (.closed, .some):
        settled.insert(event.original, identifier: event.identifier, at: now.instant)
      case (_, nil) where !isWhole: open(event, attribution, .adopted, at: now, into: &actions)
      case (_, .some) where !isWhole:
        sums.unreconciled += 1
        settled.insert(event.original, identifier: event.identifier, at: now.instant)
      default: recover(event, attribution, at: now, into: &actions)
      }
    }
    for former in previous.left { close(former, .unknown, nil, at: now, into: &actions) }
    dumpBegan = nil
    destroyedSinceDump = [:]
  }

  /// Whether its own events, read before the dump was, have told of this entry or of a later one of its tuple.
  private func isToldByEvents(_ event: ConntrackEvent) -> Bool {
    let tuple = event.original
    return flows[tuple] != nil || settled.contains(tuple, identifier: event.identifier)
      || destroyedSinceDump[tuple].map { isSameFlow($0, event.identifier) } ?? false
  }

  private mutating func adoptDenied(
    _ event: ConntrackEvent, _ attribution: FlowAttribution, _ former: PreviousFlows.Flow?,
    _ previous: inout PreviousFlows, isWhole: Bool, at now: Moment, into actions: inout [FlowAction]
  ) {
    settled.insert(event.original, identifier: event.identifier, at: now.instant)
    if former?.state == .denied { return }
    // A repeat may be counted in a record that shows another one's source.
    if previous.takeRepeat(of: event.original, since: now.wall + (.zero - Self.deniedEntrySpan)) { return }
    guard isWhole else {
      sums.unreconciled += 1
      return
    }
    deny(event.original, attribution: attribution, count: 1, origin: .recovered, at: now, into: &actions)
  }

  /// Closes a flow that an earlier start opened. It is in no table of ours.
  private mutating func close(
    _ former: PreviousFlows.Flow, _ end: FlowEnd, _ counters: FlowCounters?, at now: Moment,
    into actions: inout [FlowAction]
  ) {
    actions.append(
      .record(
        FlowDraft(
          stage: .close(end), session: 0, formerSession: former.session, tuple: former.tuple,
          attribution: former.attribution, origin: .recovered, startedAt: former.startedAt,
          endedAt: max(now.wall, former.startedAt), duration: max(now.wall - former.startedAt, .zero),
          counters: counters)))
  }
}
