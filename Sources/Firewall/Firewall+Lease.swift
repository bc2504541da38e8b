import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

extension Firewall {
  /// Leases the addresses of an answer to `name`. All or nothing: an answer that is withheld leaves nothing staged.
  ///
  /// No write is needed where the lease that stands outlasts both the TTL that may be shown (the answer's, at most `max`) and half of what a new
  /// lease would get: so a name that is asked for all the time is written about twice per lease, and what is shown is always held. Addresses that
  /// a rule about addresses lets everyone reach need no lease. `policy` must be the one last given to `start` or `replacePolicy`.
  package mutating func lease(
    _ name: DomainName, _ addresses: [(address: IPAddress, ttl: UInt32)], session: UInt64, answer: UInt64,
    policy: RuleSet, at now: Moment
  ) -> LeaseStaging {
    self.now = now.instant
    let index = names.number(of: name)
    let start = Position(of: staging)
    var waits = Few<IPAddress>()
    var latestChange: UInt64 = 0
    var shortest: TimeSpan?
    var refusal: LeaseRefusal?
    for (address, ttl) in addresses {
      let shown = min(TimeSpan.seconds(Int64(ttl)), times.max)
      let wanted = max(shown, min(times.min, times.max)) + times.grace
      let known = self.addresses.index(forKey: address)
      if let known, let standing = self.addresses.standing(of: index, at: known) {
        let left = standing.shortest - now.instant
        // What a rule's end cuts short cannot be made longer by writing it again.
        if standing.until - now.instant >= max(shown, wanted / 2), left > .zero {
          shortest = min(shortest ?? left, left)
          latestChange = max(latestChange, standing.changedIn)
          waits.append(address)
          self.addresses.note(session: session, of: index, at: known)
          continue
        }
      }
      let old = known.map { self.addresses.record(at: $0) }
      var isReachable = false
      var isGranted = false
      var lease = Lease(
        name: index, until: now.instant + wanted, order: leaseOrder, session: session, parts: [])
      for verdict in policy.verdicts(name, address, at: now.wall) {
        guard verdict.rule.action == .allow else {
          if refusal == nil { refusal = .denied(verdict.rule) }
          continue
        }
        isReachable = true
        guard verdict.isByName else { continue }
        isGranted = true
        guard let grant = grant(verdict.rule, name: index, session: session, at: now) else {
          return withhold(.tooManyGrants, name: index, start)
        }
        let ruleEnds = grants.index(forKey: grant).flatMap { grants.ruleEnds(at: $0) }
        lease.parts.append(LeasePart(grant: grant, ports: verdict.ports, ruleEnds: ruleEnds))
      }
      // The policy may have changed since the answer was judged: one address that nobody may reach spoils it, as there.
      guard isReachable else { return withhold(refusal ?? .tooManyLeases, name: index, start) }
      guard isGranted else { continue }
      leaseOrder += 1
      var new = old ?? AddressRecord()
      if let place = new.leases.firstIndex(where: { $0.name == index }) {
        new.leases[place] = lease
      } else {
        new.leases.append(lease)
      }
      change(address, old, to: new)
      if let refusal = overflow(lease) { return withhold(refusal, name: index, start) }
      let left = lease.shortest - now.instant
      shortest = min(shortest ?? left, left)
      latestChange = staging.id
      waits.append(address)
    }
    guard let shortest else {
      names.release(index)
      return .alreadyHeld(times.max)
    }
    let waiting = Batch.Answer(id: answer, name: index, addresses: waits)
    if latestChange == staging.id {
      staging.answers.append(waiting)
      return .staged(shortest)
    }
    if latestChange == underWay?.id {
      underWay?.answers.append(waiting)
      return .staged(shortest)
    }
    return .alreadyHeld(shortest)
  }

  private mutating func withhold(_ refusal: LeaseRefusal, name: Int, _ start: Position) -> LeaseStaging {
    undo(to: start.journal)
    staging.addresses.removeLast(staging.addresses.count - start.addresses)
    staging.grants.removeLast(staging.grants.count - start.grants)
    names.release(name)
    return .withheld(refusal)
  }

  /// How far the staged transaction was.
  private struct Position {
    var journal, addresses, grants: Int

    init(of batch: Batch) {
      journal = batch.journal.count
      addresses = batch.addresses.count
      grants = batch.grants.count
    }
  }

  /// Which bound a lease that was just made goes over.
  private func overflow(_ lease: Lease) -> LeaseRefusal? {
    if leaseCount > limits.leasesMax || portElements > limits.portElementsMax
      || rangeElements > limits.rangeElementsMax || otherElements > limits.otherElementsMax
    {
      return .tooManyLeases
    }
    if names.leases(of: lease.name) > limits.addressesPerNameMax { return .tooManyAddressesOfName }
    for part in lease.parts {
      guard let place = grants.index(forKey: part.grant) else { continue }
      if leasesUnderRule[grants.rule(at: place).textKey, default: 0] > limits.leasesPerRuleMax {
        return .tooManyLeasesUnderRule
      }
    }
    return nil
  }
}
