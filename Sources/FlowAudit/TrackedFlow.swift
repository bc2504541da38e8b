import Timekeeping

/// A flow in the tracker's table.
struct TrackedFlow: Sendable {
  enum Phase: Hashable, Sendable {
    case live
    /// Its counters were asked for, for a `FlowUpdate`.
    case updating
    /// It ended, and its final counters are awaited.
    case ending(FlowEnd)
  }

  let session: UInt64
  let tuple: FlowTuple
  /// The kernel's CTA_ID.
  let identifier: UInt32
  let mark: UInt32
  let attribution: SharedAttribution
  let startedAt: Moment
  var counters: FlowCounters?
  let origin: FlowDraft.Origin
  var phase = Phase.live

  var live: LiveFlow {
    LiveFlow(
      session: session, tuple: tuple, identifier: identifier, mark: mark, attribution: attribution.value,
      startedAt: startedAt, counters: counters)
  }

  func draft(_ stage: FlowDraft.Stage, at now: Moment) -> FlowDraft {
    FlowDraft(
      stage: stage, session: session, tuple: tuple, attribution: attribution.value, origin: origin,
      startedAt: startedAt.wall, endedAt: stage == .open ? startedAt.wall : now.wall,
      duration: now.instant - startedAt.instant, counters: stage == .open ? nil : counters)
  }
}

/// What the flows of one grant have in common, in one place: 100,000 of them would need 10 MiB and more for copies.
final class SharedAttribution: Sendable {
  let value: FlowAttribution

  init(_ value: FlowAttribution) { self.value = value }
}
