import Addressing
import DNSProxy
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import OwnerIdentity
import Spool
import Timekeeping

/// Start, pulse and end.
struct LifeState: Sendable {
  /// The transaction that brings the ruleset up.
  var installation: UInt64?
  var listing: SpoolListing = []
  var nextHeartbeat: Instant?
  /// When the next rule with `expiresAt` ends.
  var policyExpiry: Instant?
  var hasAdoptedFlows = false
  /// The kernel's counters begin with this start.
  var isTableNew = false
  /// What earlier starts recorded of flows, from the spool's recovery to the first dump.
  var previousFlows: PreviousFlows?
  var reconciliations: UInt64 = 0
  /// By how many microseconds the wall clock was ahead of the other one at the start.
  var clockOffset: Int64?
  /// While draining: `SidecarStop` is on the record, and how many records before it stay behind.
  var leftBehind: Int?
}

extension SidecarMachine {
  /// R1 (Promise B1): the rules first. Everything else waits for their commit.
  mutating func start(
    _ listing: SpoolListing, leases: [AdoptedLease], grants: [AdoptedGrant], flowMarks: Set<UInt32>,
    tampering: ForeignChange?,
    at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    startedAt = now
    life.listing = listing
    gate.isOwned = ownership.permitsEgress
    tamper.atStart = tampering
    if tampering == nil {
      firewall.adopt(
        leases: leases.map { ($0.set, $0.element) }, grants: grants, flowMarks: flowMarks, at: now)
      firewall.start(policy: policy, gateOpen: gate.closedBy == nil, at: now)
    } else {
      // What someone else put into the sets cannot be told from ours: no address is taken over. Flows live on whose grant names a rule, as far as the policy has it.
      firewall.adopt(
        leases: [], grants: grants.filter { $0.attribution != nil }, flowMarks: flowMarks, at: now)
      firewall.start(policy: policy, gateOpen: gate.closedBy == nil, at: now)
      firewall.restore(wholly: true, at: now)
    }
    for upstream in settings.dns.upstreams { _ = permit(upstream, for: nil, at: now) }
    schedulePolicyExpiry(at: now)
    endTurn(at: now, using: &generator)
  }

  private mutating func installed(
    _ outcome: CommitOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    life.installation = nil
    switch outcome {
    case .refused(let refusal):
      phase = .ended
      emit(.fail(reason: "the kernel refused the ruleset: \(refusal.reason)"))
    case .committed:
      phase = .enforcing
      emit(.ready)
      emit(.rememberRuleset)
      life.nextHeartbeat = now.instant + settings.pulse
      counts.nextReading = now.instant + SidecarSettings.countsInterval
      perform(spool.recover(life.listing, at: now), at: now, using: &generator)
      life.listing = []
    }
  }

  /// The spool is read: the first record of this boot says which boot came before and what of it is missing.
  mutating func recovered(
    _ report: RecoveryReport, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    var notices = settings.notices
    if report.tornBytes > 0 {
      notices.append("\(report.tornBytes) bytes of an interrupted write were cut off the spool")
    }
    for name in report.setAside { notices.append("\(name) of the spool could not be read and was set aside") }
    let carried = life.isTableNew ? FlowPair() : FormerAccount.read(report.recent)
    balance.begin(carried: carried)
    record(
      .sidecarStart(
        SidecarStartDraft(
          previousBootID: report.lastBoot.map(bootText), previousLastSequence: report.lastSequence, carried: carried,
          notices: notices)),
      at: now, using: &generator)
    let loaded = version(of: policy)
    change.version = loaded
    record(
      .policyChange(
        PolicyChangeDraft(
          change: .create, operation: "PolicyLoad", source: settings.policySource, old: nil, new: loaded)),
      at: now, using: &generator)
    if let change = tamper.atStart {
      let draft = TamperDraft(object: change.object, what: change.text, isRestored: true)
      record(.tamper(draft), at: now, using: &generator)
      emit(.log(LogEntry(.warning, "the rules were changed meanwhile; they are put back", [("what", change.text)])))
    }
    recordFirstOwner(at: now, using: &generator)
    life.previousFlows = PreviousFlows(records: report.recent)
    emit(beginReconciling(at: now))
    for var damage in report.damages {
      // A header that cannot be read hides whose records they were: most likely those of the last boot.
      damage.boot = damage.boot ?? report.lastBoot
      perform([.damaged(damage)], at: now, using: &generator)
    }
    if report.records > 0 {
      emit(.log(LogEntry(.info, "records of an earlier run wait for delivery", [("records", String(report.records))])))
    }
  }

  /// Everything staged in this turn goes to the kernel as one transaction and to the spool as one write.
  mutating func endTurn(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard phase != .ended else { return }
    drainProxy(at: now, using: &generator)
    if beginNotice(at: now, using: &generator) { drainProxy(at: now, using: &generator) }
    if !resolution.isCommitting {
      let staged = firewall.takeTransaction()
      changeLeft(with: staged, at: now, using: &generator)
      if let staged {
        if phase == .starting { life.installation = staged.id }
        restorationTaken(in: staged.id)
        resolution.isCommitting = true
        guard !staged.transaction.isEmpty else { return committed(staged.id, .committed, at: now, using: &generator) }
        emit(.commit(staged.id, staged.transaction))
        return
      }
    }
    guard phase != .starting else { return }
    checkpointIfFar(at: now)
    releaseResolvers(at: now, using: &generator)
    flushEvidence(at: now, using: &generator)
    releaseDelivery()
    releaseNotice()
    releaseExchange()
    pumpDelivery(at: now)
    pumpSecondSink()
    endIfDrained(at: now, using: &generator)
  }

  mutating func committed(
    _ id: UInt64, _ outcome: CommitOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    resolution.isCommitting = false
    guard let settlement = firewall.settle(id, outcome, at: now) else { return }
    if life.installation == id { return installed(outcome, at: now, using: &generator) }
    settle(settlement, outcome, at: now, using: &generator)
    restorationSettled(id, outcome, at: now, using: &generator)
    deleteFoundFlows()
    changeSettled(id, outcome, settlement, at: now, using: &generator)
    if case .refused(let refusal) = outcome {
      failWaitingDelivery(refusal.reason, at: now, using: &generator)
      failWaitingNotice(refusal.reason, at: now)
      failWaitingExchange(refusal.reason, at: now, using: &generator)
      failWaitingResolvers()
      emit(.log(LogEntry(.error, "the kernel refused a transaction", [("reason", refusal.reason)])))
    }
    endTurn(at: now, using: &generator)
  }

  mutating func deadlineReached(at now: Moment, using generator: inout some RandomNumberGenerator) {
    proxy.deadlineReached(policy: policy, gate: gate.forNames, at: now, using: &generator)
    firewall.deadlineReached(at: now)
    var actions: [FlowAction] = []
    tracker.deadlineReached(at: now, into: &actions)
    perform(actions, at: now, using: &generator)
    var drafts: [QueryDraft] = []
    queries.deadlineReached(at: now.instant, into: &drafts)
    for draft in drafts { recentDenials.observe(draft, at: now) }
    for draft in drafts { stage(audit.seal(draft, at: now.wall, using: &generator)) }
    perform(spool.deadlineReached(at: now), at: now, using: &generator)
    tokenDeadlineReached(at: now, using: &generator)
    let before = forwarder.status
    perform(forwarder.deadlineReached(at: now, using: &generator), at: now, using: &generator)
    sayHowDeliveryFares(since: before)
    for change in gate.deadlineReached(at: now.instant) {
      switch change {
      case .leaseEnded:
        emit(.log(LogEntry(.error, "the audit lease ran out: new flows are denied until the hub takes records")))
      case .overrideEnded: overrideEnded(at: now, using: &generator)
      }
      // The kernel's timer may be later than the model's by the time of a commit; and what was overridden may be whole again.
      moveGate(at: now)
    }
    retryUndoing(at: now)
    tamperDeadlineReached(at: now, using: &generator)
    if let expiry = life.policyExpiry, expiry <= now.instant, change.underWay == nil {
      firewall.replacePolicy(policy, at: now)
      schedulePolicyExpiry(at: now)
    }
    if let due = life.nextHeartbeat, due <= now.instant {
      life.nextHeartbeat = now.instant + settings.pulse
      counts.owesHeartbeat = true
      proveFileAgain(after: [.notYet], at: now, using: &generator)
    }
    readCountsIfDue(at: now)
    endTurn(at: now, using: &generator)
  }

  /// Wall time only stamps records; when it is set anew, those from then on say that their times do not follow on the earlier ones'.
  mutating func compareClocks(at now: Moment) {
    let offset = now.wall.microseconds - now.instant.nanoseconds / 1_000
    guard let first = life.clockOffset else {
      life.clockOffset = offset
      return
    }
    let step = (offset - first) / 1_000_000
    let isSkewed = step.magnitude > SidecarSettings.clockStepMax
    guard isSkewed != audit.context.isClockSkewed else { return }
    audit.context.isClockSkewed = isSkewed
    let message = isSkewed ? "the wall clock was set anew: records say so from here on" : "the wall clock was set back"
    emit(.log(LogEntry(.warning, message, [("seconds", String(step))])))
  }

  /// `hasCounts`: the kernel's counters were read just now.
  mutating func recordHeartbeat(
    hasCounts: Bool, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    evidence.octetsSinceCheckpoint = 0
    record(
      .heartbeat(
        HeartbeatDraft(
          acknowledgedSequence: evidence.lastAcknowledged,
          oldestUnacknowledged: spool.oldestUnacknowledged.map { now.instant - $0.appendedAt.instant },
          spoolBytes: UInt64(spool.storedBytes), droppedTotal: evidence.droppedTotal,
          quarantinedTotal: evidence.quarantinedTotal, liveFlows: tracker.liveCount, recorded: tracker.sums,
          skippedFlows: evidence.skippedFlows, skippedQueries: evidence.skippedQueries,
          pendingDenied: tracker.pendingDenied, lost: balance.lost, carried: balance.carried,
          kernelAllowed: hasCounts ? uncarried(\.allowed) : nil, kernelDenied: hasCounts ? uncarried(\.denied) : nil,
          kernelDropped: hasCounts ? counts.dropped : nil)),
      at: now, using: &generator)
  }

  /// What the kernel counted for this start to account for.
  private func uncarried(_ side: KeyPath<FlowPair, UInt64>) -> UInt64 {
    let count = counts.flows?[keyPath: side] ?? 0
    return count - min(balance.carried?[keyPath: side] ?? 0, count)
  }

  /// Rules end by kernel timers; this is when the model follows them.
  mutating func schedulePolicyExpiry(at now: Moment) {
    life.policyExpiry = policy.nextExpiry(after: now.wall).map { now.instant + ($0 - now.wall) }
  }

  /// Opens or closes the kernel's gate after its conditions changed.
  mutating func moveGate(at now: Moment) {
    if gate.closedBy != nil {
      firewall.closeGate(at: now)
    } else {
      firewall.openGate(for: gate.span(at: now.instant), at: now)
    }
  }

  mutating func flushRollups(at now: Moment, using generator: inout some RandomNumberGenerator) {
    var actions: [FlowAction] = []
    tracker.flush(into: &actions)
    perform(actions, at: now, using: &generator)
    flushTamper(at: now, using: &generator)
    var drafts: [QueryDraft] = []
    queries.flush(into: &drafts)
    for draft in drafts { stage(audit.seal(draft, at: now.wall, using: &generator)) }
  }

  mutating func beginDraining(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard phase == .enforcing else {
      if phase == .starting { emit(.stop) }
      return
    }
    phase = .draining(until: now.instant + SidecarSettings.drainSpan)
    flushRollups(at: now, using: &generator)
    endTurn(at: now, using: &generator)
    perform(forwarder.drain(at: now), at: now, using: &generator)
    endTurn(at: now, using: &generator)
  }

  /// A stop has two parts, each with its time. First the hub takes what there is; then `SidecarStop` says how much it did not take, and that too is delivered if the hub takes records, and
  /// stored in any case. The rest stays in the spool. The rules stay.
  private mutating func endIfDrained(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard case .draining(let until) = phase else { return }
    let isStored = evidence.records.isEmpty && evidence.lastTicket == evidence.settledTicket
    guard let leftBehind = life.leftBehind else {
      guard isStored && spool.unacknowledgedCount == 0 || until <= now.instant else { return }
      let count = spool.unacknowledgedCount
      life.leftBehind = count
      phase = .draining(until: now.instant + SidecarSettings.lastWordSpan)
      record(
        .sidecarStop(SidecarStopDraft(reason: "signal", unacknowledgedCount: count, spoolBytes: spool.storedBytes)),
        at: now, using: &generator)
      flushEvidence(at: now, using: &generator)
      return pumpDelivery(at: now)
    }
    let isTaken = spool.unacknowledgedCount == 0 && spool.isCursorCurrent
    guard isStored && (isTaken || leftBehind > 0) || until <= now.instant else { return }
    for effect in spool.flush(at: now) { emit(.spool(effect)) }
    phase = .ended
    emit(.stop)
  }
}
