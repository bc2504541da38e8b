import FlowAudit

/// The kernel's conntrack event stream.
package struct ConntrackMonitor: ~Copyable {
  package enum ReadOutcome: Hashable, Sendable {
    /// Nothing more to read now.
    case drained
    /// The read limit of one call was reached: call again.
    case more
    /// Events were lost (ENOBUFS): dump the table and reconcile. More may be waiting.
    case overflowed
  }

  /// Subscribes in the network namespace of the calling thread.
  package init() throws(NetlinkError) { fatalError() }

  /// For epoll: readable when events wait. Non-blocking.
  package var descriptor: Int32 { fatalError() }

  /// Appends what waits.
  package mutating func read(into events: inout [ConntrackEvent]) -> ReadOutcome { fatalError() }
}
