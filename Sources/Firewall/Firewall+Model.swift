import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// The only places where an address or a grant of the model changes.
extension Firewall {
  /// Puts `new` in the place of what is known of `address`, notes it for the next transaction, and keeps every count right.
  mutating func change(_ address: IPAddress, _ old: AddressRecord?, to new: AddressRecord) {
    staging.journal.append(old.map { .address(address, $0) } ?? .addressMade(address))
    if old?.changedIn != staging.id { staging.addresses.append(address) }
    var new = new
    new.wanted = elements(of: new.leases, enumeratedMax: limits.enumeratedPortsMax)
    new.changedIn = staging.id
    count(old, new)
    place(address, &new)
  }

  /// Without a journal: for undoing, and for what time did.
  mutating func put(_ address: IPAddress, _ old: AddressRecord?, _ new: AddressRecord?) {
    count(old, new)
    guard var new, !(new.leases.isEmpty && new.held.isEmpty) else {
      addresses[address] = nil
      return
    }
    place(address, &new)
  }

  private mutating func place(_ address: IPAddress, _ record: inout AddressRecord) {
    guard let end = record.nextEnd, record.scheduled.map({ $0 > end }) ?? true else {
      addresses.put(record, for: address)
      return
    }
    record.scheduled = end
    timers.set(.address(place: UInt32(addresses.put(record, for: address))), at: end)
  }

  private mutating func count(_ old: AddressRecord?, _ new: AddressRecord?) {
    if let new {
      count(new.wanted, by: 1)
      for lease in new.leases { count(lease, by: 1) }
    }
    if let old {
      count(old.wanted, by: -1)
      for lease in old.leases { count(lease, by: -1) }
    }
  }

  private mutating func count(_ elements: Few<LeaseElement>, by step: Int) {
    for element in elements {
      switch element.key.kind {
      case .plain: break
      case .other: otherElements += step
      case .port: portElements += step
      case .range: rangeElements += step
      }
    }
  }

  private mutating func count(_ lease: Lease, by step: Int) {
    leaseCount += step
    names.countLeases(of: lease.name, by: step)
    for part in lease.parts {
      guard let place = grants.index(forKey: part.grant) else { continue }
      let left = grants.countLeases(by: step, at: place)
      leasesUnderRule[grants.rule(at: place).textKey, default: 0] += step
      if left == 0 { idle(part.grant) }
    }
  }

  /// A grant that may have lost its last lease or flow: it stays a while.
  mutating func idle(_ id: UInt32) {
    guard let place = grants.index(forKey: id), !grants.isNeeded(at: place) else { return }
    let end = now + Grant.linger
    grants.linger(until: end, at: place)
    timers.set(.grant(id), at: end)
  }

  /// Notes a grant for the next transaction.
  mutating func touch(_ id: UInt32) {
    guard let place = grants.index(forKey: id) else { return }
    staging.journal.append(.grant(id, grants.grant(at: place)))
    if grants.changedIn(at: place) != staging.id {
      staging.grants.append(id)
      grants.note(changedIn: staging.id, at: place)
    }
  }

  /// The grant of a rule for a name, made when there is none; nil when there is no room.
  mutating func grant(_ rule: RuleReference, name index: Int, session: UInt64, at now: Moment) -> UInt32? {
    let known = names.firstGrant(of: index) { known in
      grants.index(forKey: known).map { !grants.isRevoked(at: $0) && grants.rule(at: $0).textKey == rule.textKey }
        ?? false
    }
    if let known {
      refresh(known, rule, session, at: now)
      return known
    }
    guard let id = make(rule, session: session, name: index, at: now) else { return nil }
    names.add(grant: id, to: index)
    return id
  }

  /// The grant of a rule about addresses.
  mutating func grant(_ rule: RuleReference, at now: Moment) -> UInt32? {
    if let id = ruleGrants[rule.text], let grant = grants[id], !grant.isRevoked {
      refresh(id, rule, 0, at: now)
      return id
    }
    let id = make(rule, session: 0, name: nil, at: now)
    if let id { ruleGrants[rule.text] = id }
    return id
  }

  private mutating func make(_ rule: RuleReference, session: UInt64, name: Int?, at now: Moment) -> UInt32? {
    // Rules about addresses are bounded by the policy and must not be starved by names.
    guard name == nil || grants.count < limits.grantsMax else { return nil }
    while nextGrant == 0 || nextGrant > FlowMark.grantMax || grants.index(forKey: nextGrant) != nil
      || strayMarks.contains(nextGrant)
    {
      nextGrant = nextGrant >= FlowMark.grantMax ? 1 : nextGrant + 1
    }
    let id = nextGrant
    nextGrant += 1
    var grant = Grant(rule, session: session, name: name)
    grant.ruleEnds = end(of: rule, at: now)
    grant.changedIn = staging.id
    grants[id] = grant
    staging.journal.append(.made(id))
    staging.grants.append(id)
    return id
  }

  private mutating func refresh(_ id: UInt32, _ rule: RuleReference, _ session: UInt64, at now: Moment) {
    guard let place = grants.index(forKey: id) else { return }
    grants.linger(until: nil, at: place)
    if session != 0 { grants.note(session: session, at: place) }
    let known = grants.rule(at: place)
    let isLimited = grants.isLimited(at: place)
    if known != rule || isLimited {
      touch(id)
      grants[id]?.rule = rule
      if known.expiresAt != rule.expiresAt || isLimited {
        let end = end(of: rule, at: now)
        grants[id]?.ruleEnds = end
        grants[id]?.isLimited = false
      }
    } else if !grants.isHeld(at: place) {
      touch(id)
    }
  }

  func end(of rule: RuleReference, at now: Moment) -> Instant? {
    // A date centuries away must not overflow the monotonic clock.
    rule.expiresAt.map { now.instant + .microseconds(min(max($0.microseconds - now.wall.microseconds, 0), 1 << 50)) }
  }

  /// Who let the flows of a grant out.
  func attribution(of grant: Grant) -> GrantAttribution {
    GrantAttribution(name: grant.name.flatMap { names[$0] }, rule: grant.rule, session: grant.session)
  }

  /// Forgets a grant; its attribution is remembered for late events.
  mutating func removeGrant(_ id: UInt32) {
    guard let grant = grants.removeValue(forKey: id) else { return }
    endedGrants.remember(id, attribution(of: grant))
    if let name = grant.name {
      names.remove(grant: id, from: name)
      names.release(name)
    } else if ruleGrants[grant.rule.text] == id {
      ruleGrants[grant.rule.text] = nil
    }
  }
}
