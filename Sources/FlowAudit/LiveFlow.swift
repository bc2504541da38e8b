import Timekeeping

/// A flow that lives, as `GET /flows` and a cut need it.
package struct LiveFlow: Hashable, Sendable {
  package var session: UInt64
  package var tuple: FlowTuple
  /// The kernel's CTA_ID.
  package var identifier: UInt32
  package var mark: UInt32
  package var attribution: FlowAttribution
  package var startedAt: Moment
  /// As last read: up to 30 s old.
  package var counters: FlowCounters?
}

/// A flow in the tracker's table.
struct TrackedFlow: Sendable {
  enum Phase: Hashable, Sendable {
    case live
    /// Its counters were asked for, for a `FlowUpdate`.
    case updating
    /// It ended, and its final counters are awaited.
    case ending(FlowEnd)
  }

  var live: LiveFlow
  var origin: FlowDraft.Origin
  var phase = Phase.live

  func draft(_ stage: FlowDraft.Stage, at now: Moment) -> FlowDraft {
    FlowDraft(
      stage: stage, session: live.session, tuple: live.tuple, attribution: live.attribution, origin: origin,
      startedAt: live.startedAt.wall, endedAt: stage == .open ? live.startedAt.wall : now.wall,
      duration: now.instant - live.startedAt.instant, counters: stage == .open ? nil : live.counters)
  }
}

extension ConntrackEvent {
  /// How TCP says that the flow is over, long before its entry goes: nil while it lives and for other protocols.
  var tcpEnd: FlowEnd? {
    switch tcpState {
    case .timeWait: .terminated
    case .close: .reset
    case nil, .none?, .synSent, .synReceived, .established, .finWait, .closeWait, .lastAck, .synSent2: nil
    }
  }
}
