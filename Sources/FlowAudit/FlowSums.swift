/// Flows that were let out, and those that were refused.
package struct FlowPair: Hashable, Sendable {
  package var allowed: UInt64
  package var denied: UInt64

  package init(allowed: UInt64 = 0, denied: UInt64 = 0) {
    self.allowed = allowed
    self.denied = denied
  }
}

/// New flows that are on the record, or counted in a roll-up that will be: one side of the checkpoint.
package struct FlowSums: Hashable, Sendable {
  /// Allowed to leave, `recovered` and `untracked` ones included.
  package var allowed: UInt64 = 0
  /// Denied, each attempt once.
  package var denied: UInt64 = 0
  /// Packets that were dropped and made no entry, on record or counted in a roll-up that will be; not in `denied`.
  package var dropped: UInt64 = 0
  /// Came into the pod.
  package var inbound: UInt64 = 0
  /// The daemon's own, as far as events told of them; not in the other sums.
  package var own: UInt64 = 0
  /// Of `allowed` and `inbound`: known only from a dump, after events were lost.
  package var recovered: UInt64 = 0
  /// Of `allowed` and `inbound`: recorded without a close, because the table was full.
  package var untracked: UInt64 = 0
  /// Lived already at the start; not in the other sums.
  package var adopted: UInt64 = 0
  /// Entries of a dump of which nobody can say whether they are on the record, because the memory of settled flows overflowed.
  package var unreconciled: UInt64 = 0

  package init() {}
}
