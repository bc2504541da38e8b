import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

extension Firewall {
  /// Stages the difference to a new policy: the rules about addresses that changed, and the leases that it takes away or that now stand under
  /// another rule. A grant is revoked when nothing that it gave is allowed any more, by whatever rule; narrowed when a part is; and left alone
  /// with its flows when another rule took its place. Nothing else is touched.
  ///
  /// Every lease is judged again: some µs each.
  package mutating func replacePolicy(_ new: RuleSet, at now: Moment) {
    replacePolicy(new, isStart: false, at: now)
  }

  mutating func replacePolicy(_ new: RuleSet, isStart: Bool, at now: Moment) {
    self.now = now.instant
    staging.journal.append(.policy(policy, rules))
    policy = new
    var review = Review()
    replaceRules(new.addressPlan(at: now.wall), &review, at: now)
    for address in addresses.keys.sorted() { judgeAgain(address, new, &review, isStart: isStart, at: now) }
    for id in grants.keys.sorted() { judgeFormer(id, new, &review, isStart: isStart, at: now) }
    for (id, end) in review.survivors.sorted(by: { $0.key < $1.key }) { limit(id, to: end) }
    for (id, losses) in review.losses.sorted(by: { $0.key < $1.key }) {
      guard let grant = grants[id], !grant.isRevoked else { continue }
      if review.survivors[id] != nil || grant.leases > 0 || grant.isStatic {
        staging.narrowed += losses
      } else {
        revoke(id)
      }
    }
    failAnswersWithoutLease()
    if let expiry = new.nextExpiry(after: now.wall) {
      timers.set(.policy, at: now.instant + .microseconds(min(expiry.microseconds - now.wall.microseconds, 1 << 50)))
    }
  }

  /// What the new policy takes from each grant, and which of them still give something.
  struct Review {
    var losses: [UInt32: [NarrowedGrant]] = [:]
    /// Until when the rules last that allow something of it; nil: for ever.
    var survivors: [UInt32: Instant?] = [:]

    mutating func lose(_ loss: NarrowedGrant) {
      if losses[loss.mark]?.contains(loss) != true { losses[loss.mark, default: []].append(loss) }
    }

    /// The latest end counts: what ends earlier is cut then.
    mutating func survive(_ id: UInt32, until end: Instant?) {
      guard let known = survivors[id] else { return survivors[id] = .some(end) }
      survivors[id] = .some(known.flatMap { known in end.map { max(known, $0) } })
    }
  }

  /// A grant that no rule of its own gives any more ends with the rules that let its flows go on, by the kernel's timer too.
  private mutating func limit(_ id: UInt32, to end: Instant?) {
    guard let grant = grants[id], grant.leases == 0, !grant.isStatic, !grant.isUnknown, !grant.isRevoked,
      grant.ruleEnds != end
    else { return }
    touch(id)
    grants[id]?.ruleEnds = end
    grants[id]?.isLimited = true
  }

  /// When the last of these verdicts that allow some of the ports ends; nil: never.
  private func end(of verdicts: [PortVerdict], allowing ports: PortSet, at now: Moment) -> Instant? {
    var latest = now.instant
    for verdict in verdicts where verdict.rule.action == .allow && !verdict.ports.intersection(ports).isEmpty {
      guard let end = end(of: verdict.rule, at: now) else { return nil }
      latest = max(latest, end)
    }
    return latest
  }

  private mutating func replaceRules(_ plan: [AddressPlanEntry], _ review: inout Review, at now: Moment) {
    let before = ruleGrants
    var used: Set<UInt32> = []
    let old = rules
    rules = AddressRules(plan) { rule in
      if rule.action == .deny { return denyMark(rule) }
      guard let id = grant(rule, at: now) else { return FlowMark.deniedByDefault }
      used.insert(id)
      return id
    }
    staging.changesRules = staging.changesRules || rules.elements != old.elements
    for id in Set(before.values).union(used).sorted() {
      guard let grant = grants[id], grant.isStatic != used.contains(id) else { continue }
      touch(id)
      grants[id]?.isStatic = used.contains(id)
      idle(id)
    }
    var formers: [UInt32: [AddressPlanEntry]] = [:]
    for id in grants.keys.sorted() {
      guard let grant = grants[id], !grant.formerPlan.isEmpty else { continue }
      let former = grant.formerPlan
      staging.journal.append(.grant(id, grant))
      grants[id]?.formerPlan = []
      AddressRules.compare(former, with: plan) { judge(id, $0, $1, $2, $3, &review, &formers, at: now) }
    }
    AddressRules.compare(old.plan, with: plan) { verdict, first, last, entry in
      if let id = before[verdict.rule.text] { judge(id, verdict, first, last, entry, &review, &formers, at: now) }
    }
    for (id, entries) in formers.sorted(by: { $0.key < $1.key }) {
      for entry in entries where !(grants[id]?.remember(entry) ?? true) {
        // No room to remember it: its flows are cut rather than forgotten.
        staging.narrowed.append(
          NarrowedGrant(mark: id, first: entry.first, last: entry.last, allowed: .nothing))
      }
    }
  }

  /// What the new plan says where a rule about addresses let flows out.
  private func judge(
    _ id: UInt32, _ verdict: PortVerdict, _ first: IPAddress, _ last: IPAddress, _ entry: AddressPlanEntry?,
    _ review: inout Review, _ formers: inout [UInt32: [AddressPlanEntry]], at now: Moment
  ) {
    let allowed = entry?.allowed ?? .nothing
    let missing = verdict.ports.subtracting(allowed)
    if !missing.isEmpty { review.lose(NarrowedGrant(mark: id, first: first, last: last, allowed: allowed)) }
    if missing != verdict.ports {
      review.survive(id, until: end(of: entry?.verdicts ?? [], allowing: verdict.ports, at: now))
    }
    var elsewhere = verdict
    elsewhere.ports = verdict.ports.intersection(allowed)
    for other in entry?.verdicts ?? [] where other.rule.text == verdict.rule.text {
      elsewhere.ports = elsewhere.ports.subtracting(other.ports)
    }
    if !elsewhere.ports.isEmpty {
      formers[id, default: []].append(AddressPlanEntry(first: first, last: last, verdicts: [elsewhere]))
    }
  }

  private mutating func denyMark(_ rule: RuleReference) -> UInt32 {
    if rule.place == .defaultAction { return FlowMark.deniedByDefault }
    if let mark = denyMarks[rule.text] {
      denyRules[mark] = rule
      return mark
    }
    let mark = FlowMark.denyRuleBits | UInt32(truncatingIfNeeded: denyMarks.count) & ~FlowMark.denyRuleBits
    denyMarks[rule.text] = mark
    denyRules[mark] = rule
    return mark
  }

  private mutating func judgeAgain(
    _ address: IPAddress, _ policy: RuleSet, _ review: inout Review, isStart: Bool, at now: Moment
  ) {
    guard let old = addresses[address] else { return }
    // What ended here may last in the kernel by the time that a commit took: after a change nothing begins under it. At the start nobody knows who
    // leased it.
    let outlasts =
      !isStart
      && old.held.contains { held in
        !old.wanted.contains { $0.key == held.key && $0.mark == held.mark }
      }
    guard !old.leases.isEmpty || outlasts else { return }
    var new = old
    new.leases.removeAll()
    for lease in old.leases {
      guard let name = names[lease.name] else { continue }
      var judged = lease
      judged.parts.removeAll()
      var allowed = PortSet.nothing
      let verdicts = policy.verdicts(name, address, at: now.wall)
      for verdict in verdicts where verdict.rule.action == .allow {
        allowed = allowed.union(verdict.ports)
        guard verdict.isByName, let known = session(of: lease),
          let grant = grant(verdict.rule, name: lease.name, session: known, at: now)
        else { continue }
        judged.parts.append(LeasePart(grant: grant, ports: verdict.ports, ruleEnds: grants[grant]?.ruleEnds))
      }
      for part in lease.parts {
        let missing = part.ports.subtracting(allowed)
        if !missing.isEmpty {
          review.lose(NarrowedGrant(mark: part.grant, first: address, last: address, allowed: allowed))
        }
        if missing != part.ports {
          review.survive(part.grant, until: end(of: verdicts, allowing: part.ports, at: now))
        }
        if !judged.parts.contains(part) { remember(part, address) }
      }
      if judged.parts.isEmpty {
        ended(lease, address, at: now)
      } else {
        new.leases.append(judged)
      }
    }
    if new.leases != old.leases || outlasts { change(address, old, to: new) }
  }

  private func session(of lease: Lease) -> UInt64? {
    lease.parts.lazy.compactMap { grants[$0.grant]?.session }.first
  }

  mutating func remember(_ part: LeasePart, _ address: IPAddress) { grants[part.grant]?.remember(address, part.ports) }

  /// Flows may live where leases have ended.
  private mutating func judgeFormer(
    _ id: UInt32, _ policy: RuleSet, _ review: inout Review, isStart: Bool, at now: Moment
  ) {
    guard let grant = grants[id], !grant.isRevoked else { return }
    if grant.isUnknown {
      // Nobody can say whether its rule still stands: at a change of the policy it goes.
      if !isStart { revoke(id) }
      return
    }
    guard let name = grant.name.flatMap({ names[$0] }) else {
      // Adopted, and the policy has no such rule any more.
      if isStart, !grant.isStatic { revoke(id) }
      return
    }
    if grant.formerOverflowed, grant.leases == 0 || staging.changesRules, !policy.decide(name, at: now.wall).isAllowed {
      revoke(id)
      return
    }
    var kept: [Grant.FormerAddress] = []
    for former in grant.former {
      let verdicts = policy.verdicts(name, former.address, at: now.wall)
      let allowed = verdicts.reduce(PortSet.nothing) { $1.rule.action == .allow ? $0.union($1.ports) : $0 }
      let missing = former.ports.subtracting(allowed)
      if !missing.isEmpty {
        review.lose(NarrowedGrant(mark: id, first: former.address, last: former.address, allowed: allowed))
      }
      if missing != former.ports {
        review.survive(id, until: end(of: verdicts, allowing: former.ports, at: now))
      }
      let left = former.ports.subtracting(missing)
      if !left.isEmpty { kept.append(Grant.FormerAddress(address: former.address, ports: left)) }
    }
    if kept != grant.former {
      staging.journal.append(.grant(id, grant))
      grants[id]?.former = kept
    }
    if grant.leases == 0, grant.former.isEmpty, !policy.decide(name, at: now.wall).isAllowed { revoke(id) }
  }

  /// Nothing of it leaves any more once this is committed, and its flows are to be cut.
  private mutating func revoke(_ id: UInt32) {
    touch(id)
    grants[id]?.isRevoked = true
    staging.revoked.append(id)
  }

  /// An answer whose lease the new policy took away must not leave, whatever becomes of its transaction.
  private mutating func failAnswersWithoutLease() {
    func holds(_ answer: Batch.Answer) -> Bool {
      answer.addresses.allSatisfy { address in
        addresses[address]?.leases.contains { $0.name == answer.name } ?? false
      }
    }
    staging.failed += staging.answers.filter { !holds($0) }.map(\.id)
    staging.answers.removeAll { !holds($0) }
    if let batch = underWay {
      underWay?.failed += batch.answers.filter { !holds($0) }.map(\.id)
      underWay?.answers.removeAll { !holds($0) }
    }
  }
}
