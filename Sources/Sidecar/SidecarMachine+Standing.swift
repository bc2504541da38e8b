import DNSProxy
import Firewall
import FlowAudit
import Spool
import Timekeeping

/// How much is under way: each of these has a limit.
package struct PendingCounts: Hashable, Sendable {
  /// Queries under way upstream, and answers that wait for their lease.
  package var names: Int
  /// Replies and answers that wait for their record.
  package var held: Int
  /// Changes of the policy, the one under way included.
  package var changes: Int
  package var liveFlows: Int
  package var leases: Int
  package var unacknowledgedRecords: Int
  package var spoolBytes: Int
}

/// What the machine takes the world to be, for those who look at it from outside.
extension SidecarMachine {
  package var pending: PendingCounts {
    PendingCounts(
      names: proxy.pendingCount, held: evidence.held.reduce(evidence.replies.count) { $0 + $1.effects.count },
      changes: change.waiting.count + (change.underWay == nil ? 0 : 1), liveFlows: tracker.liveCount,
      leases: firewall.counts.leases, unacknowledgedRecords: spool.unacknowledgedCount,
      spoolBytes: spool.storedBytes)
  }

  /// What the kernel's sets should hold, while no transaction is under way; nil while one is.
  package func expectedElements(at now: Instant) -> [SetName: [SetElement]]? {
    resolution.isCommitting ? nil : firewall.heldElements(at: now)
  }
}
