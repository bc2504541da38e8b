import Addressing
import EgressPolicy
import Timekeeping

extension Firewall {
  /// Everything staged since the last one; nil when there is nothing, or while one is under way. It may have no changes left (what was staged
  /// was taken back): settle it as committed then. Timeouts in it count from the time of the latest input.
  package mutating func takeTransaction() -> StagedTransaction? {
    guard underWay == nil, !staging.isEmpty else { return nil }
    var deleted = ElementGroups()
    var destroyed = ElementGroups()
    var added = ElementGroups()
    var renewed = ElementGroups()
    var changes: [KernelChange] = []
    if staging.replaces { changes += Ruleset.removal.changes }
    if staging.installs { changes += Ruleset(parameters).installation().changes }
    if staging.isAnew, !staging.replaces {
      // The previous process' rules and destinations go; its leases and grants were adopted.
      changes += (AddressRules.sets + [.own4, .own6]).map { .flushSet($0) }
      if parameters.checksSources { changes.append(.flushSet(.sources6)) }
      if staging.rewrites { changes += Self.learned.map { .flushSet($0) } }
    }
    takeAddresses(&destroyed, &added, &renewed)
    takeGrants(&destroyed, &added, &renewed)
    takeRules(&deleted, &added)
    takeOwn(&destroyed, &renewed)
    if parameters.checksSources { takeSources(&destroyed, &added) }
    takeCuts(&renewed)
    if staging.changesGate || staging.rewrites { takeGate(&destroyed, &renewed) }
    changes += deleted.changes { .deleteElements($0, $1) }
    changes += destroyed.changes { .destroyElements($0, $1) }
    changes += added.changes { .addElements($0, $1) }
    changes += renewed.changes { .renewElements($0, $1) }
    staging.takenAt = now
    let batch = staging
    underWay = batch
    staging = Batch(id: batch.id + 1)
    return StagedTransaction(
      id: batch.id, transaction: KernelTransaction(changes), answers: batch.answers.map(\.id),
      revoked: batch.revoked.sorted(), narrowed: batch.narrowed)
  }

  private static let learned: [SetName] = [
    .lease4, .lease6, .lease4Other, .lease6Other, .lease4Port, .lease6Port, .lease4Range, .lease6Range, .grants, .gate,
    .cut4, .cut6,
  ]

  private mutating func takeAddresses(
    _ destroyed: inout ElementGroups, _ added: inout ElementGroups, _ renewed: inout ElementGroups
  ) {
    if staging.rewrites { staging.addresses = addresses.keys.sorted() }
    for address in staging.addresses {
      guard let place = addresses.index(forKey: address) else { continue }
      let record = addresses.values[place]
      let isIPv4 = address.isIPv4
      if staging.rewrites {
        for element in record.wanted where now < element.until {
          added.append(element.element(address, at: now), to: element.key.set(isIPv4: isIPv4))
        }
      } else {
        for element in record.held {
          guard let kept = record.wanted.first(where: { $0.key == element.key }), kept.mark == element.mark else {
            // An element with another mark cannot be overwritten, and this one may have ended just now.
            destroyed.append(element.element(address, at: now), to: element.key.set(isIPv4: isIPv4))
            continue
          }
          if kept.until != element.until {
            renewed.append(kept.element(address, at: now), to: element.key.set(isIPv4: isIPv4))
          }
        }
        for element in record.wanted
        where !record.held.contains(where: { $0.key == element.key && $0.mark == element.mark }) {
          added.append(element.element(address, at: now), to: element.key.set(isIPv4: isIPv4))
        }
      }
      addresses.values[place].held = record.wanted
      if record.wanted.isEmpty, record.leases.isEmpty { addresses[address] = nil }
    }
  }

  private mutating func takeGrants(
    _ destroyed: inout ElementGroups, _ added: inout ElementGroups, _ renewed: inout ElementGroups
  ) {
    if staging.rewrites { staging.grants = grants.keys.sorted() }
    for id in staging.grants {
      guard let place = grants.index(forKey: id) else { continue }
      // By place: a grant is large, and a copy of it counts a dozen references.
      let isWanted = grants.values[place].isWanted(at: now)
      let isHeld = grants.values[place].isHeld
      let heldUntil = grants.values[place].heldUntil
      let ruleEnds = grants.values[place].ruleEnds
      let left = ruleEnds.map { max($0 - now, .milliseconds(1)) }
      if staging.rewrites {
        if isWanted { added.append(grants.values[place].element(id, left), to: .grants) }
      } else if isWanted, !isHeld {
        added.append(grants.values[place].element(id, left), to: .grants)
      } else if isWanted, heldUntil != ruleEnds {
        renewed.append(grants.values[place].element(id, left), to: .grants)
      } else if !isWanted, isHeld {
        destroyed.append(SetElement([hostOrderBytes(id)]), to: .grants)
      }
      staging.journal.append(.sent(id, isHeld: isHeld, until: heldUntil))
      grants.values[place].isHeld = isWanted
      grants.values[place].heldUntil = isWanted ? ruleEnds : nil
    }
  }

  private mutating func takeRules(_ deleted: inout ElementGroups, _ added: inout ElementGroups) {
    guard staging.changesRules || staging.isAnew else { return }
    for (index, name) in AddressRules.sets.enumerated()
    where staging.isAnew || heldRules[index] != rules.elements[index] {
      let old = staging.isAnew ? [] : Set(heldRules[index])
      let new = Set(rules.elements[index])
      if !staging.isAnew {
        // They have no timeouts: one that is missing was taken out by someone else, and the refusal says so.
        for element in heldRules[index] where !new.contains(element) { deleted.append(element, to: name) }
      }
      for element in rules.elements[index] where !old.contains(element) { added.append(element, to: name) }
    }
    staging.journal.append(.heldRules(heldRules))
    heldRules = rules.elements
  }

  private mutating func takeSources(_ destroyed: inout ElementGroups, _ added: inout ElementGroups) {
    let held = staging.isAnew ? [] : heldSources
    guard held != sources else { return }
    for address in held.subtracting(sources).sorted() { destroyed.append(SetElement([address.bytes]), to: .sources6) }
    for address in sources.subtracting(held).sorted() { added.append(SetElement([address.bytes]), to: .sources6) }
    staging.journal.append(.heldSources(heldSources))
    heldSources = sources
  }

  private mutating func takeOwn(_ destroyed: inout ElementGroups, _ renewed: inout ElementGroups) {
    if staging.isAnew {
      staging.own = own.keys.sorted { ($0.endpoint, $0.transport) < ($1.endpoint, $1.transport) }
    }
    var seen: Set<OwnDestination> = []
    for destination in staging.own where seen.insert(destination).inserted {
      guard let end = own[destination] else { continue }
      if let end, end <= now { continue }
      let address = destination.endpoint.address
      renewed.append(
        SetElement(
          [address.bytes, [destination.transport.rawValue], bigEndianBytes(destination.endpoint.port)],
          timeout: end.map { $0 - now }),
        to: AddressSets.of(isIPv4: address.isIPv4).own)
    }
  }

  /// They end by kernel timer, so the model does not keep them.
  private func takeCuts(_ renewed: inout ElementGroups) {
    for cut in staging.cuts {
      renewed.append(
        SetElement(
          [cut.peer.address.bytes, bigEndianBytes(cut.peer.port), bigEndianBytes(cut.port)], timeout: limits.cutSpan),
        to: AddressSets.of(isIPv4: cut.peer.address.isIPv4).cut)
    }
  }

  private func takeGate(_ destroyed: inout ElementGroups, _ renewed: inout ElementGroups) {
    // NFPROTO_IPV4 and NFPROTO_IPV6.
    for family: UInt8 in [2, 10] {
      switch gate {
      case .open: renewed.append(SetElement([[family]]), to: .gate)
      case .until(let end) where now < end: renewed.append(SetElement([[family]], timeout: end - now), to: .gate)
      case .closed, .until: destroyed.append(SetElement([[family]]), to: .gate)
      }
    }
  }

  /// The kernel's word on the transaction that is under way; nil when `id` is another.
  package mutating func settle(_ id: UInt64, _ outcome: CommitOutcome, at now: Moment) -> Settlement? {
    guard let batch = underWay, batch.id == id else { return nil }
    switch outcome {
    case .committed:
      underWay = nil
      // Its timeouts began only now.
      let lateness = max(now.instant - batch.takenAt, .zero)
      for address in batch.addresses {
        guard let place = addresses.index(forKey: address), addresses.values[place].lateness < lateness else {
          continue
        }
        addresses.values[place].lateness = lateness
      }
      for id in batch.grants {
        guard let place = grants.index(forKey: id), grants.values[place].isDone(in: batch.id, at: now.instant) else {
          continue
        }
        removeGrant(id)
      }
      return Settlement(
        granted: batch.answers.map(\.id), failed: batch.failed, revoked: batch.revoked.sorted(),
        narrowed: batch.narrowed, undoneLater: false)
    case .refused:
      let later = staging
      undo(to: 0)
      staging = Batch(id: later.id + 1)
      staging.journal = batch.journal
      underWay = nil
      undo(to: 0)
      for id in Set(batch.grants + later.grants).sorted() { forgetUnless(needed: id) }
      pausedUntil = now.instant + Self.retryPause
      return Settlement(
        granted: [], failed: (batch.answers + later.answers).map(\.id) + batch.failed + later.failed, revoked: [],
        narrowed: [], undoneLater: !later.isEmpty)
    }
  }

  private mutating func forgetUnless(needed id: UInt32) {
    guard let grant = grants[id] else { return }
    if !grant.isHeld, !grant.isNeeded { removeGrant(id) } else { idle(id) }
  }

  /// Undoes what the journal of the staged transaction says, back to its length `position`.
  mutating func undo(to position: Int) {
    while staging.journal.count > position, let entry = staging.journal.popLast() {
      switch entry {
      case .address(let address, let old): put(address, addresses[address], renewed(old))
      case .addressMade(let address): put(address, addresses[address], nil)
      case .made(let id):
        if let current = grants[id], current.leases == 0, current.flows == 0 { discard(id) }
      case .grant(let id, let old): restore(id, old)
      case .sent(let id, let isHeld, let until):
        guard let place = grants.index(forKey: id) else { continue }
        grants.values[place].isHeld = isHeld
        grants.values[place].heldUntil = until
      case .gate(let old): gate = old
      case .own(let destination, let old): own[destination] = old
      case .policy(let policy, let rules):
        self.policy = policy
        self.rules = rules
      case .heldRules(let old): heldRules = old
      case .heldSources(let old): heldSources = old
      }
    }
  }

  /// What comes back has lost its timer perhaps.
  private func renewed(_ old: AddressRecord) -> AddressRecord {
    var record = old
    record.scheduled = nil
    return record
  }

  /// Flows and leases have counted on meanwhile; everything else is as it was.
  private mutating func restore(_ id: UInt32, _ old: Grant) {
    guard let current = grants[id] else { return }
    var old = old
    old.flows = current.flows
    old.leases = current.leases
    grants[id] = old
    if old.name == nil, !old.isRevoked, !old.isUnknown { ruleGrants[old.attribution.rule.text] = id }
  }

  /// A grant that the kernel never held: no record of it stays.
  private mutating func discard(_ id: UInt32) {
    removeGrant(id)
    endedGrants.forget(id)
  }
}

/// Elements by set, in order of coming, cut into changes.
struct ElementGroups: Sendable {
  /// Elements in one change: a netlink attribute holds 64 KiB, and an element of the widest set takes some 120 octets.
  static let changeMax = 256

  private var names: [SetName] = []
  private var elements: [[SetElement]] = []

  mutating func append(_ element: SetElement, to name: SetName) {
    if let index = names.firstIndex(of: name) {
      elements[index].append(element)
    } else {
      names.append(name)
      elements.append([element])
    }
  }

  func changes(_ change: (SetName, [SetElement]) -> KernelChange) -> [KernelChange] {
    var changes: [KernelChange] = []
    for (name, elements) in zip(names, elements) {
      // Most often all of them, and no copy.
      if elements.count <= Self.changeMax {
        changes.append(change(name, elements))
        continue
      }
      var start = 0
      while start < elements.count {
        let end = min(start + Self.changeMax, elements.count)
        changes.append(change(name, Array(elements[start..<end])))
        start = end
      }
    }
    return changes
  }
}
