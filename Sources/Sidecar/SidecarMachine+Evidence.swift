import DNSProxy
import EgressPolicy
import Firewall
import FlowAudit
import Spool
import Timekeeping

/// Records on their way to the spool, and the replies that wait for them.
struct Evidence: Sendable {
  /// Sealed in this turn, in order.
  var records: [SpoolRecord] = []
  /// One of them is a control record, which may use the reserve.
  var hasControl = false
  /// What may leave once `records` are stored.
  var replies: [SidecarEffect] = []
  /// What waits for a group that is being written, oldest first.
  var held: [(ticket: SpoolTicket, effects: [SidecarEffect])] = []
  /// The group that was handed over last, and the last one that is stored (in strict mode: durable).
  var lastTicket: SpoolTicket?
  var settledTicket: SpoolTicket?
  /// Records that found no room: a report of them stands in front of `records`, so that nothing later is stored without it.
  var lost: ClosedRange<UInt64>?
  var lostCount: UInt64 = 0
  /// How many of `records` are such reports, from the front.
  var reportsInFront = 0
  /// What other `RecordsDropped` records among `records` say: when they are lost themselves, it is said again.
  var stagedDrops: [RecordsDroppedDraft] = []
  /// Reports of loss that the hub may not have yet, with their own numbers: said again when they are dropped themselves.
  var reports: [(sequence: UInt64, draft: RecordsDroppedDraft)] = []
  var droppedTotal: UInt64 = 0
  var quarantinedTotal: UInt64 = 0
  /// Allowed queries and flows that `log_skip.always` keeps from records of their own.
  var skippedQueries: UInt64 = 0
  var skippedFlows: UInt64 = 0
  var lastAcknowledged: UInt64?
  /// Of records since the last heartbeat.
  var octetsSinceCheckpoint = 0
}

/// Evidence before action: what was decided is in the spool's file before the workload learns of it (R2), and without room the gate closes (R5).
extension SidecarMachine {
  mutating func stage(_ record: SealedRecord, isControl: Bool = false) {
    evidence.records.append(SpoolRecord(sequence: record.sequence, bytes: record.bytes))
    evidence.octetsSinceCheckpoint += record.bytes.count
    if isControl { evidence.hasControl = true }
  }

  /// A record about the sidecar itself; these may use the spool's reserve.
  mutating func record(
    _ draft: ServiceDraft, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    stage(audit.seal(draft, at: now.wall, using: &generator), isControl: true)
  }

  /// Says that records are missing; said again should this record be lost itself.
  mutating func recordDropped(
    _ draft: RecordsDroppedDraft, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    evidence.stagedDrops.append(draft)
    record(.recordsDropped(draft), at: now, using: &generator)
    evidence.reports.append((audit.lastSequence, draft))
  }

  /// Says what is missing, as the next record of all. It waits for ordinary room: the reserve is not for those that come with it.
  private mutating func reportLoss(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard let lost = evidence.lost else { return }
    let draft = RecordsDroppedDraft(count: evidence.lostCount, sequences: lost, reason: "STORE_FULL")
    stage(audit.seal(.recordsDropped(draft), at: now.wall, using: &generator))
    evidence.reports.append((audit.lastSequence, draft))
  }

  /// Hands this turn's records to the spool as one write; the turn's replies wait for it.
  mutating func flushEvidence(at now: Moment, using generator: inout some RandomNumberGenerator) {
    let hasNew = evidence.records.count > evidence.reportsInFront
    if !hasNew { releaseRepeats() }
    guard !evidence.records.isEmpty else { return }
    while true {
      switch spool.append(evidence.records, isControl: evidence.hasControl, at: now) {
      case .recovering: return
      case .write(let write):
        emit(.spool(.write(write)))
        evidence.lastTicket = write.ticket
        if settings.audit.hasSecondSink { secondSink.add(evidence.records, write.ticket) }
        if !evidence.replies.isEmpty { evidence.held.append((write.ticket, evidence.replies)) }
        (evidence.lost, evidence.lostCount) = (nil, 0)
        forgetStaged()
        return
      case .unfit(let sequence):
        // A record larger than the spool takes is a fault of ours: say so rather than lose the group.
        evidence.records.removeAll { $0.sequence == sequence }
        lose(sequence...sequence, count: 1)
        if evidence.records.isEmpty {
          refuse(evidence.replies)
          evidence.replies.removeAll(keepingCapacity: true)
        }
        reportLoss(at: now, using: &generator)
      case .full:
        if !settings.audit.failsClosed, dropOldest(at: now, using: &generator) { continue }
        if hasNew { loseStaged(at: now, using: &generator) }
        return
      case .failing(let reason):
        guard hasNew else { return }
        emit(.log(LogEntry(.error, "the spool cannot be written; new flows are denied", [("reason", reason)])))
        loseStaged(at: now, using: &generator)
        return
      }
    }
  }

  /// A repeat has no record of its own, but that of the first query, which may still be on its way.
  private mutating func releaseRepeats() {
    guard !evidence.replies.isEmpty else { return }
    if let last = evidence.lastTicket, evidence.settledTicket.map({ $0 < last }) ?? true {
      evidence.held.append((last, evidence.replies))
    } else {
      emit(evidence.replies)
    }
    evidence.replies.removeAll(keepingCapacity: true)
  }

  /// Performs the spool's wishes.
  mutating func perform(
    _ wishes: [SpoolEffect], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    for wish in wishes {
      switch wish {
      case .recovered(let report): recovered(report, at: now, using: &generator)
      case .stored(let ticket): if !settings.audit.isStrict { release(through: ticket) }
      case .durable(let ticket): if settings.audit.isStrict { release(through: ticket) }
      case .stalled(let ticket, let reason):
        emit(.log(LogEntry(.error, "a write to the spool failed; it is tried again", [("reason", reason)])))
        refuse(takeHeld(through: ticket))
      case .damaged(let damage): recordDamage(damage, at: now, using: &generator)
      case .readCursor, .readSegment, .write, .sync, .writeCursor, .deleteSegment, .truncate, .quarantine, .setAside:
        emit(.spool(wish))
      }
    }
    updateRoom(at: now)
  }

  private mutating func release(through ticket: SpoolTicket) {
    evidence.settledTicket = evidence.settledTicket.map { max($0, ticket) } ?? ticket
    secondSink.release(through: ticket)
    emit(takeHeld(through: ticket))
  }

  private mutating func takeHeld(through ticket: SpoolTicket) -> [SidecarEffect] {
    var taken: [SidecarEffect] = []
    var count = 0
    while count < evidence.held.count, evidence.held[count].ticket <= ticket {
      taken += evidence.held[count].effects
      count += 1
    }
    evidence.held.removeFirst(count)
    return taken
  }

  /// What waited for evidence that cannot be kept leaves as a failure: no address, and no word that a change is on record.
  private mutating func refuse(_ replies: [SidecarEffect], isLast: Bool = false) {
    for effect in replies {
      switch effect {
      // A denial tells nothing that could be used; with its reason it helps, and the loss of its record is counted.
      case .reply where isObserving: emit(effect)
      case .reply(let reply): emit(.reply(reply.facts?.addresses.isEmpty == false ? reply.asServerFailure() : reply))
      // Answers of the API keep their order: an earlier change may still wait for its record.
      case .respond where isLast:
        if let ticket = evidence.held.last?.ticket { evidence.held.append((ticket, [effect])) } else { emit(effect) }
      default: emit(effect)
      }
    }
  }

  /// The policy has changed: an answer that still waits for its evidence must not tell an address that was just taken away.
  mutating func withdrawReplies(at now: Moment) {
    for index in evidence.held.indices {
      evidence.held[index].effects = evidence.held[index].effects.map { withdrawn($0, at: now) }
    }
    evidence.replies = evidence.replies.map { withdrawn($0, at: now) }
  }

  private func withdrawn(_ effect: SidecarEffect, at now: Moment) -> SidecarEffect {
    guard case .reply(let reply) = effect, let facts = reply.facts else { return effect }
    let stands = facts.addresses.allSatisfy { answered in
      firewall.names(leasing: answered.address, at: now.instant).contains(facts.name)
        || policy.verdicts(nil, answered.address, at: now.wall).contains { $0.rule.action == .allow }
    }
    return stands ? effect : .reply(reply.asServerFailure())
  }

  private mutating func loseStaged(at now: Moment, using generator: inout some RandomNumberGenerator) {
    if let first = evidence.records.first?.sequence, let last = evidence.records.last?.sequence {
      lose(first...last, count: UInt64(evidence.records.count))
      evidence.reports.removeAll { $0.sequence >= first }
    }
    // An operator has taken it upon themselves, on the record, that answers leave without theirs.
    if gate.overriddenUntil == nil { refuse(evidence.replies, isLast: true) } else { emit(evidence.replies) }
    let unsaid = evidence.stagedDrops
    forgetStaged()
    reportLoss(at: now, using: &generator)
    // In as few as can be: what does not fit the spool at once is never said.
    for draft in RecordsDroppedDraft.joined(unsaid) { recordDropped(draft, at: now, using: &generator) }
    evidence.hasControl = false
    evidence.reportsInFront = evidence.records.count
    // What opened these windows is not on the record: the next query like it must be.
    var drafts: [QueryDraft] = []
    queries.flush(into: &drafts)
    for draft in drafts { stage(audit.seal(draft, at: now.wall, using: &generator)) }
    if settings.audit.failsClosed { setRoom(false, at: now) }
  }

  private mutating func forgetStaged() {
    evidence.records.removeAll(keepingCapacity: true)
    evidence.replies.removeAll(keepingCapacity: true)
    evidence.stagedDrops.removeAll()
    evidence.hasControl = false
    evidence.reportsInFront = 0
  }

  private mutating func lose(_ sequences: ClosedRange<UInt64>, count: UInt64) {
    evidence.lost =
      evidence.lost.map { min($0.lowerBound, sequences.lowerBound)...max($0.upperBound, sequences.upperBound) }
      ?? sequences
    evidence.lostCount += count
    evidence.droppedTotal += count
  }

  /// Closes the gate when the spool is full, and opens it again once an eighth of it is free: hysteresis, so that it does not flap with every acknowledgement.
  private mutating func updateRoom(at now: Moment) {
    if spool.isFull {
      if settings.audit.failsClosed { setRoom(false, at: now) }
      return
    }
    let limit = settings.spool.bytesMax - settings.spool.reserveUsed
    guard !gate.hasRoom, spool.failure == nil, spool.storedBytes <= limit - limit / 8 else { return }
    setRoom(true, at: now)
  }

  private mutating func setRoom(_ hasRoom: Bool, at now: Moment) {
    guard gate.hasRoom != hasRoom else { return }
    gate.hasRoom = hasRoom
    emit(
      .log(
        LogEntry(
          hasRoom ? .info : .error,
          hasRoom ? "there is room for audit records again" : "no room for audit records: new flows are denied")))
    moveGate(at: now)
  }

  /// `SALLYPORT_AUDIT_FAIL=open`: the oldest segment goes, and the record says which sequence numbers went with it.
  private mutating func dropOldest(at now: Moment, using generator: inout some RandomNumberGenerator) -> Bool {
    guard let drop = spool.dropOldest() else { return false }
    evidence.droppedTotal += UInt64(drop.count)
    perform(drop.effects, at: now, using: &generator)
    let dropped = drop.from...max(drop.from, drop.to)
    var drafts = [
      RecordsDroppedDraft(
        count: UInt64(drop.count), sequences: dropped, bootID: drop.boot.map(bootText), reason: "STORE_FULL")
    ]
    if drop.boot == settings.boot {
      // Earlier reports went with it: what they said must not go.
      drafts = evidence.reports.filter { dropped.contains($0.sequence) }.map(\.draft) + drafts
      evidence.reports.removeAll { dropped.contains($0.sequence) }
    }
    for draft in RecordsDroppedDraft.joined(drafts) { recordDropped(draft, at: now, using: &generator) }
    return true
  }

  private mutating func recordDamage(
    _ damage: SpoolDamage, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    var sequences: ClosedRange<UInt64>?
    if let from = damage.from, let to = damage.to {
      guard from <= to else { return }
      // Numbers of nobody knows which boot would be taken for this one's.
      sequences = damage.boot == nil ? nil : from...to
    }
    let count = damage.missingCount ?? 1
    evidence.droppedTotal += count
    recordDropped(
      RecordsDroppedDraft(count: count, sequences: sequences, bootID: damage.boot.map(bootText), reason: "CORRUPT"),
      at: now, using: &generator)
  }
}
