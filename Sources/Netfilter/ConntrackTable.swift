import FlowAudit

/// Requests about entries of the connection tracking table, IPv4 and IPv6. Not for two threads at once.
package final class ConntrackTable {
  /// Opens a socket in the network namespace of the calling thread.
  package init() throws(NetlinkError) { fatalError() }

  /// The entry with this original tuple as of now; nil when there is none.
  package func get(_ original: FlowTuple) throws(NetlinkError) -> ConntrackEvent? { fatalError() }

  /// Deletes one entry. False when it is not there any more, or is another with the same tuple.
  @discardableResult
  package func delete(_ original: FlowTuple, identifier: UInt32) throws(NetlinkError) -> Bool { fatalError() }

  /// Every entry, or those with this mark.
  package func dump(mark: UInt32? = nil) throws(NetlinkError) -> [ConntrackEvent] { fatalError() }

  /// Deletes every entry with one of these marks; returns what was cut, with its last counters.
  package func deleteAll(withMarks marks: Set<UInt32>) throws(NetlinkError) -> [ConntrackEvent] { fatalError() }
}
