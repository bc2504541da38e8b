import DNSProxy
import FlowAudit
import Timekeeping

/// Whether the workload may open new flows at all, whatever the policy says: it must have an owner, there must be room for evidence, and, with an audit lease, evidence
/// must have arrived lately.
struct EgressGate: Sendable {
  /// `SALLYPORT_AUDIT_LEASE`; nil: off.
  let lease: TimeSpan?
  var isOwned = true { didSet { noteClosing() } }
  var hasRoom = true { didSet { noteClosing() } }
  /// The end of the audit lease that the kernel was given last; nil before the first delivery.
  private(set) var leaseEnds: Instant?
  private var leaseIsOver: Bool { didSet { noteClosing() } }
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

  var nextDeadline: Instant? { leaseIsOver ? nil : leaseEnds }

  mutating func renewLease(at now: Instant) {
    guard let lease else { return }
    leaseEnds = now + lease
    leaseIsOver = false
  }

  /// True when the audit lease ended just now. The kernel's own timer has closed the gate already.
  mutating func deadlineReached(at now: Instant) -> Bool {
    guard let leaseEnds, !leaseIsOver, leaseEnds <= now else { return false }
    leaseIsOver = true
    return true
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
