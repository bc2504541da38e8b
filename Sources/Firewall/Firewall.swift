// Firewall
import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// What the kernel should hold, as a value with staged changes and group commit.
package struct Firewall: Sendable {
  package init(_ parameters: FirewallParameters, lease: LeaseTimes) {}

  /// Takes over what a previous process left in the kernel, before `start`.
  package mutating func adopt(leases: [(SetName, SetElement)], grants: [AdoptedGrant], at now: Moment) {}

  /// Stages the installation of the ruleset and the address rules.
  package mutating func start(policy: RuleSet, gateOpen: Bool, at now: Moment) {}

  /// Stages everything once more, for a table that someone else has changed.
  package mutating func reinstall(at now: Moment) {}

  package mutating func lease(
    _ name: DomainName, _ addresses: [(address: IPAddress, ttl: UInt32)], session: UInt64, answer: UInt64,
    policy: RuleSet, at now: Moment
  ) -> LeaseStaging { .staged(.zero) }

  package mutating func replacePolicy(_ new: RuleSet, at now: Moment) {}

  /// New flows of the workload pass: for this long, or until `closeGate` when nil.
  package mutating func openGate(for span: TimeSpan?, at now: Moment) {}
  package mutating func closeGate(at now: Moment) {}

  /// Lets the daemon itself reach this; nil: without end. False when `ownMax` is reached.
  package mutating func permitOwn(
    _ endpoint: Endpoint, _ transports: [TransportProtocol], for span: TimeSpan?, at now: Moment
  ) -> Bool { true }

  /// Everything staged since the last; nil when there is nothing, or while one is under way.
  package mutating func takeTransaction() -> StagedTransaction? { nil }

  package mutating func settle(_ id: UInt64, _ outcome: CommitOutcome, at now: Moment) -> Settlement {
    Settlement(answers: [], revoked: [], narrowed: [], undoneLater: false)
  }

  package func attribution(mark: UInt32) -> GrantAttribution? { nil }
  package func names(leasing address: IPAddress, at now: Instant) -> [DomainName] { [] }
  package func lastLease(of address: IPAddress) -> (name: DomainName, endedAt: Moment)? { nil }

  package mutating func flowOpened(_ mark: UInt32) {}
  package mutating func flowClosed(_ mark: UInt32, at now: Moment) {}

  package var nextDeadline: Instant? { nil }
  package mutating func deadlineReached(at now: Moment) {}

  package var counts: FirewallCounts { FirewallCounts(leases: 0, grants: 0, portElements: 0, rangeElements: 0) }
}
