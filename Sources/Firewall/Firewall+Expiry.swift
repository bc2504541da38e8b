import Addressing
import EgressPolicy
import Timekeeping

extension Firewall {
  /// When something ends next; call `deadlineReached` then. Kernel timers enforce all of it; what happens here is tidying, and telling programs early.
  package var nextDeadline: Instant? {
    guard let next = timers.next else { return nil }
    return pausedUntil.map { max($0, next) } ?? next
  }

  /// Ends what is due: leases, grants that nothing needs, rules. May stage.
  package mutating func deadlineReached(at now: Moment) {
    self.now = now.instant
    if let pausedUntil {
      guard now.instant >= pausedUntil else { return }
      self.pausedUntil = nil
    }
    while let (deadline, timer) = timers.pop(at: now.instant) {
      switch timer {
      case .address(let place):
        guard let address = addresses.address(at: Int(place), scheduledFor: deadline) else { continue }
        expire(address, at: now)
      case .grant(let id):
        guard let grant = grants[id] else { continue }
        if grant.isUnknown, !grant.isWanted(at: now.instant) { touch(id) }
        guard !grant.isNeeded else { continue }
        if let end = grant.lingersUntil, now.instant < end {
          if deadline < end { timers.set(.grant(id), at: end) }
        } else if grant.isHeld {
          touch(id)
        } else if grant.changedIn < (underWay?.id ?? staging.id) {
          removeGrant(id)
        }
      case .policy:
        // Rules that ended: their flows are to be cut, and what they hid comes out.
        if let policy { replacePolicy(policy, at: now) }
      }
    }
  }

  private mutating func expire(_ address: IPAddress, at now: Moment) {
    guard let old = addresses[address] else { return }
    var new = old
    new.scheduled = nil
    new.leases.removeAll()
    for lease in old.leases {
      var kept = lease
      kept.parts = lease.parts.filter { now.instant < lease.end(of: $0) }
      if kept.parts.count < lease.parts.count {
        for part in lease.parts where now.instant >= lease.end(of: part) { remember(part, address) }
      }
      if kept.parts.isEmpty { ended(lease, address, at: now) } else { new.leases.append(kept) }
    }
    // Elements that ended by themselves need no deletion.
    new.held = old.held.filter { now.instant < $0.until + old.lateness }
    guard new.leases != old.leases else {
      put(address, old, new)
      return
    }
    let wanted = elements(of: new.leases, enumeratedMax: limits.enumeratedPortsMax)
    let isShared =
      new.held.contains { element in
        wanted.contains { $0.key == element.key && $0 != element }
      } || wanted.contains { element in !new.held.contains { $0.key == element.key } }
    if isShared {
      change(address, old, to: new)
    } else {
      new.wanted = wanted
      put(address, old, new)
    }
  }

  /// A name's hold on an address ended.
  mutating func ended(_ lease: Lease, _ address: IPAddress, at now: Moment) {
    guard let name = names[lease.name] else { return }
    endedLeases.remember(address, EndedLease(name: name, endedAt: now))
  }
}
