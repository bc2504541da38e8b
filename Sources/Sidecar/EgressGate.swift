import DNSProxy
import FlowAudit
import Timekeeping

/// Whether the workload may open new flows at all, whatever the policy says: it must have an owner, there must be room for evidence, and, with an audit lease, evidence
/// must have arrived lately. An operator may set the last two aside for a time; nobody may set the owner aside.
struct EgressGate: Sendable {
  /// `SALLYPORT_AUDIT_LEASE`; nil: off.
  let lease: TimeSpan?
  var isOwned = true { didSet { noteClosing() } }
  var hasRoom = true { didSet { noteClosing() } }
  /// The end of the audit lease that the kernel was given last; nil before the first delivery.
  private(set) var leaseEnds: Instant?
  private var leaseIsOver: Bool { didSet { noteClosing() } }
  /// Until when the conditions about evidence do not count; nil: they do.
  private(set) var overriddenUntil: Instant? { didSet { noteClosing() } }
  /// It was closed for want of an owner.
  private var wasUnowned = false
  /// It was closed with an owner bound.
  private var hasClosedOwned = false

  init(lease: TimeSpan?) {
    self.lease = lease
    leaseIsOver = lease != nil
  }

  /// Why it is closed; nil when it is open.
  var closedBy: DenialReason? {
    if !isOwned { return .ownerUnbound }
    return overriddenUntil == nil ? missing : nil
  }

  /// What is missing of the evidence; nil when nothing is.
  var missing: DenialReason? {
    if !hasRoom { return .auditStoreFull }
    return leaseIsOver ? .auditLeaseExpired : nil
  }

  /// Why it denied a flow that the kernel tells of now. Its events come late: one that was denied before an owner was bound may be read after the gate opened, and
  /// as long as the gate stayed open since then there is no other reason.
  var denialReason: DenialReason {
    closedBy ?? (wasUnowned && !hasClosedOwned ? .ownerUnbound : .auditLeaseExpired)
  }

  private mutating func noteClosing() {
    if !isOwned { wasUnowned = true } else if closedBy != nil { hasClosedOwned = true }
  }

  /// How long the kernel may hold it open by itself; nil: without end.
  func span(at now: Instant) -> TimeSpan? {
    guard missing == nil else { return overriddenUntil.map { $0 - now } }
    guard let leaseEnds, lease != nil else { return nil }
    return max(leaseEnds, overriddenUntil ?? leaseEnds) - now
  }

  var nextDeadline: Instant? {
    [leaseIsOver ? nil : leaseEnds, overriddenUntil].compactMap(\.self).min()
  }

  mutating func renewLease(at now: Instant) {
    guard let lease else { return }
    leaseEnds = now + lease
    leaseIsOver = false
  }

  mutating func override(until end: Instant?) { overriddenUntil = end }

  enum Change: Hashable {
    /// The audit lease ended. The kernel's own timer has closed the gate already, unless it is overridden.
    case leaseEnded
    case overrideEnded
  }

  /// What ended just now.
  mutating func deadlineReached(at now: Instant) -> [Change] {
    var changes: [Change] = []
    if let leaseEnds, !leaseIsOver, leaseEnds <= now {
      leaseIsOver = true
      changes.append(.leaseEnded)
    }
    if let end = overriddenUntil, end <= now {
      overriddenUntil = nil
      changes.append(.overrideEnded)
    }
    return changes
  }

  /// What names are answered while it is closed.
  var forNames: DNSGate {
    guard let closedBy else { return .open }
    return .closed(reason: closedBy.rawValue, text: "blocked: \(text(of: closedBy))")
  }

  /// Why it is closed, as `OWNER_UNBOUND: …`; nil when it is open.
  var reasonText: String? { closedBy.map { "\($0.rawValue): \(text(of: $0))" } }

  private func text(of reason: DenialReason) -> String {
    switch reason {
    case .ownerUnbound: "nobody owns this sandbox yet, bind an owner first"
    case .auditStoreFull: "no room for audit records until the hub takes some"
    default: "the audit lease ran out, the hub has acknowledged nothing for too long"
    }
  }
}
