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

/// Flows from their first packet to their end.
package struct FlowTracker: Sendable {
  package private(set) var sums = FlowSums()
  package var liveCount: Int { 0 }

  package init() {}

  package static func needsAttribution(_ event: ConntrackEvent) -> Bool { event.kind == .new }
  package mutating func observe(
    _ event: ConntrackEvent, attribution: FlowAttribution?, at now: Moment, into actions: inout [FlowAction]
  ) {}
  /// A denied packet that never became an entry (told by NFLOG or a counter).
  package mutating func deny(
    _ tuple: FlowTuple, attribution: FlowAttribution, count: Int, at now: Moment, into actions: inout [FlowAction]
  ) {}
  /// The entry asked for by `readCounters` is gone.
  package mutating func missing(
    _ tuple: FlowTuple, identifier: UInt32, at now: Moment, into actions: inout [FlowAction]
  ) {}
  /// A change of policy ends these grants; call before their entries are deleted. The closes follow with the entries' DESTROY events.
  package mutating func cut(marks: [UInt32], at now: Moment) -> [LiveFlow] { [] }
  /// The flow was cut and these were its last counters: its close is recorded now.
  package mutating func cut(
    _ tuple: FlowTuple, counters: FlowCounters?, at now: Moment, into actions: inout [FlowAction]
  ) {}
  /// At the start: the flows that live already.
  package mutating func adopt(
    _ dump: [ConntrackEvent], at now: Moment, into actions: inout [FlowAction],
    attribute: (ConntrackEvent) -> FlowAttribution
  ) {}
  /// A dump is asked for now: what ends until it is processed is not mistaken for new.
  package mutating func dumpBegins(at now: Moment) {}
  package mutating func resynchronise(
    _ dump: [ConntrackEvent], at now: Moment, into actions: inout [FlowAction],
    attribute: (ConntrackEvent) -> FlowAttribution
  ) {}
  package var nextDeadline: Instant? { mutating get { nil } }
  package mutating func deadlineReached(at now: Moment, into actions: inout [FlowAction]) {}
  /// Pending roll-ups become records: before the policy or the owner changes, and at a stop.
  package mutating func flush(into actions: inout [FlowAction]) {}
  /// Live flows in the order in which they began, for `GET /flows`.
  package func liveFlows() -> [LiveFlow] { [] }
}

/// A flow that lives, as `GET /flows` and a cut need it.
package struct LiveFlow: Hashable, Sendable {
  package var session: UInt64
  package var tuple: FlowTuple
  package var identifier: UInt32
  package var mark: UInt32
  package var attribution: FlowAttribution
  package var startedAt: Moment
  /// As last read: up to 30 s old.
  package var counters: FlowCounters?
}
