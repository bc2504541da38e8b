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
    schedule(address, &new)
    addresses[address] = new
  }

  /// Without a journal: for undoing, and for what time did.
  mutating func put(_ address: IPAddress, _ old: AddressRecord?, _ new: AddressRecord?) {
    count(old, new)
    guard var new, !(new.leases.isEmpty && new.held.isEmpty) else {
      addresses[address] = nil
      return
    }
    schedule(address, &new)
    addresses[address] = new
  }

  private mutating func schedule(_ address: IPAddress, _ record: inout AddressRecord) {
    guard let end = record.nextEnd else { return }
    if let scheduled = record.scheduled, scheduled <= end { return }
    record.scheduled = end
    timers.set(.address(address), at: end)
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
    names[lease.name]?.leases += Int32(step)
    for part in lease.parts {
      // By place: a grant is large, and copying it costs more than all of this.
      guard let place = grants.index(forKey: part.grant) else { continue }
      grants.values[place].leases += Int32(step)
      leasesUnderRule[grants.values[place].attribution.rule.textKey, default: 0] += step
      if grants.values[place].leases == 0 { idle(part.grant) }
    }
  }

  /// A grant that may have lost its last lease or flow: it stays a while.
  mutating func idle(_ id: UInt32) {
    guard let place = grants.index(forKey: id), !grants.values[place].isNeeded else { return }
    let end = now + Grant.linger
    grants.values[place].lingersUntil = end
    timers.set(.grant(id), at: end)
  }

  /// Notes a grant for the next transaction.
  mutating func touch(_ id: UInt32) {
    guard let grant = grants[id] else { return }
    staging.journal.append(.grant(id, grant))
    if grant.changedIn != staging.id {
      staging.grants.append(id)
      grants[id]?.changedIn = staging.id
    }
  }

  /// The grant of a rule for a name, made when there is none; nil when there is no room.
  mutating func grant(_ rule: RuleReference, name index: Int, session: UInt64, at now: Moment) -> UInt32? {
    guard let record = names[index] else { return nil }
    for known in record.grants {
      guard let place = grants.index(forKey: known), !grants.values[place].isRevoked,
        grants.values[place].attribution.rule.textKey == rule.textKey
      else { continue }
      refresh(known, rule, session, at: now)
      return known
    }
    guard let id = make(GrantAttribution(name: record.name, rule: rule, session: session), name: index, at: now) else {
      return nil
    }
    names[index]?.grants.append(id)
    return id
  }

  /// The grant of a rule about addresses.
  mutating func grant(_ rule: RuleReference, at now: Moment) -> UInt32? {
    if let id = ruleGrants[rule.text], let grant = grants[id], !grant.isRevoked {
      refresh(id, rule, 0, at: now)
      return id
    }
    let id = make(GrantAttribution(name: nil, rule: rule, session: 0), name: nil, at: now)
    if let id { ruleGrants[rule.text] = id }
    return id
  }

  private mutating func make(_ attribution: GrantAttribution, name: Int?, at now: Moment) -> UInt32? {
    // Rules about addresses are bounded by the policy and must not be starved by names.
    guard name == nil || grants.count < limits.grantsMax else { return nil }
    while nextGrant == 0 || nextGrant > FlowMark.grantMax || grants.index(forKey: nextGrant) != nil
      || strayMarks.contains(nextGrant)
    {
      nextGrant = nextGrant >= FlowMark.grantMax ? 1 : nextGrant + 1
    }
    let id = nextGrant
    nextGrant += 1
    var grant = Grant(attribution, name: name)
    grant.ruleEnds = end(of: attribution.rule, at: now)
    grant.changedIn = staging.id
    grants[id] = grant
    staging.journal.append(.made(id))
    staging.grants.append(id)
    return id
  }

  private mutating func refresh(_ id: UInt32, _ rule: RuleReference, _ session: UInt64, at now: Moment) {
    guard let place = grants.index(forKey: id) else { return }
    grants.values[place].lingersUntil = nil
    if session != 0 { grants.values[place].attribution.session = session }
    let known = grants.values[place].attribution.rule
    let isLimited = grants.values[place].isLimited
    if known != rule || isLimited {
      touch(id)
      grants[id]?.attribution.rule = rule
      if known.expiresAt != rule.expiresAt || isLimited {
        let end = end(of: rule, at: now)
        grants[id]?.ruleEnds = end
        grants[id]?.isLimited = false
      }
    } else if !grants.values[place].isHeld {
      touch(id)
    }
  }

  func end(of rule: RuleReference, at now: Moment) -> Instant? {
    // A date centuries away must not overflow the monotonic clock.
    rule.expiresAt.map { now.instant + .microseconds(min(max($0.microseconds - now.wall.microseconds, 0), 1 << 50)) }
  }

  /// The index of a name, made when there is none.
  mutating func index(of name: DomainName) -> Int {
    let hash = HashIndex.hash(name)
    let known = nameIndices.find(hash) { names.span[$0]?.name == name }
    if let known { return known }
    let record = NameRecord(name: name.lowercase)
    let index = freeNames.popLast() ?? names.count
    if index < names.count { names[index] = record } else { names.append(record) }
    nameIndices.insert(index, hash)
    return index
  }

  /// Forgets a name that nothing needs any more.
  mutating func releaseName(_ index: Int) {
    guard let record = names[index], record.leases == 0, record.grants.isEmpty else { return }
    nameIndices.remove(index, HashIndex.hash(record.name))
    names[index] = nil
    freeNames.append(index)
  }

  /// Forgets a grant; its attribution is remembered for late events.
  mutating func removeGrant(_ id: UInt32) {
    guard let grant = grants.removeValue(forKey: id) else { return }
    endedGrants.remember(id, grant.attribution)
    if let name = grant.name {
      if let kept = names[name]?.grants.filter({ $0 != id }) { names[name]?.grants = kept }
      releaseName(name)
    } else if ruleGrants[grant.attribution.rule.text] == id {
      ruleGrants[grant.attribution.rule.text] = nil
    }
  }
}
