import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// What became of a wish to lease an answer's addresses.
package enum LeaseStaging: Hashable, Sendable {
  /// Waits for the kernel: `settle` hands the answer back. The shortest life among its leases, from now: show no longer TTL.
  case staged(TimeSpan)
  /// The kernel holds them all, and long enough. The shortest life left: show no longer TTL.
  case alreadyHeld(TimeSpan)
  /// Nothing was leased: the answer must not reach the workload.
  case withheld(LeaseRefusal)
}

/// Why no address of an answer was leased.
package enum LeaseRefusal: Hashable, Sendable {
  /// No rule lets this name, or anyone, reach any of its addresses; the rule that decides.
  case denied(RuleReference)
  /// `addressesPerNameMax`.
  case tooManyAddressesOfName
  /// `leasesPerRuleMax`.
  case tooManyLeasesUnderRule
  /// `leasesMax`, or the elements that its ports would take.
  case tooManyLeases
  /// `grantsMax`.
  case tooManyGrants
}

/// Who let a flow out.
package struct GrantAttribution: Hashable, Sendable {
  /// Nil for a rule about addresses.
  package var name: DomainName?
  package var rule: RuleReference
  /// The DNS session that leased last under this grant; 0 for a rule about addresses.
  package var session: UInt64

  package init(name: DomainName?, rule: RuleReference, session: UInt64) {
    self.name = name
    self.rule = rule
    self.session = session
  }
}

/// Part of a grant that no longer holds while the rest of it does: its flows to these addresses must be cut, but for the allowed ports.
package struct NarrowedGrant: Hashable, Sendable {
  package var mark: UInt32
  package var first: IPAddress
  /// Inclusive.
  package var last: IPAddress
  package var allowed: PortSet

  package init(mark: UInt32, first: IPAddress, last: IPAddress, allowed: PortSet) {
    self.mark = mark
    self.first = first
    self.last = last
    self.allowed = allowed
  }
}

/// A TCP flow whose grant has ended, and whose program must learn of it.
package struct CutFlow: Hashable, Sendable {
  package var peer: Endpoint
  /// The program's.
  package var port: UInt16

  package init(peer: Endpoint, port: UInt16) {
    self.peer = peer
    self.port = port
  }
}

/// Everything staged since the last one, to be committed as one.
package struct StagedTransaction: Hashable, Sendable {
  package var id: UInt64
  package var transaction: KernelTransaction
  /// The answers that wait for it.
  package var answers: [UInt64]
  /// Marks whose flows must be cut once it is committed, ascending.
  package var revoked: [UInt32]
  /// Flows of marks that live on which must be cut once it is committed.
  package var narrowed: [NarrowedGrant]
}

/// What a settled transaction means for those who wait.
package struct Settlement: Hashable, Sendable {
  /// Committed: the answers that may leave now.
  package var granted: [UInt64]
  /// The answers that must fail: all of them when refused, also those staged after it; when committed, those whose leases a later change of the
  /// policy took away.
  package var failed: [UInt64]
  /// Committed: marks whose flows must be cut now, ascending.
  package var revoked: [UInt32]
  /// Committed: parts of grants whose flows must be cut now.
  package var narrowed: [NarrowedGrant]
  /// Refused: what was staged after it was undone too, a policy and the gate included.
  package var undoneLater: Bool
}

/// Sizes, for metrics.
package struct FirewallCounts: Hashable, Sendable {
  /// Pairs of name and address.
  package var leases: Int
  package var grants: Int
  package var portElements: Int
  package var rangeElements: Int
}

/// A grant as a previous process left it in the kernel.
package struct AdoptedGrant: Hashable, Sendable {
  package var mark: UInt32
  /// Nil: permanent.
  package var remaining: TimeSpan?
  /// What the previous process wrote down about it; nil when nobody knows.
  package var attribution: GrantAttribution?

  package init(mark: UInt32, remaining: TimeSpan?, attribution: GrantAttribution?) {
    self.mark = mark
    self.remaining = remaining
    self.attribution = attribution
  }
}
