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
