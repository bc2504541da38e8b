import Addressing
import EgressPolicy
import Firewall
import FlowAudit
import HTTPWire
import OwnerIdentity
import PolicyAPI
import Spool
import Timekeeping

/// The one change of policy that is under way, and those that wait for it.
struct ChangeState: Sendable {
  struct Request: Sendable {
    var connection: UInt64
    var request: PolicyChangeRequest
  }

  /// Which step is awaited.
  enum Step: Hashable, Sendable {
    case kernel
    case cut
    case disk(UInt64)
  }

  struct UnderWay: Sendable {
    /// Nil when the policy is put back because it could not be kept.
    var request: Request?
    var old: RuleSet
    var step: Step
    /// The kernel transaction that carries it; nil until it is taken.
    var transaction: UInt64?
    /// What the new policy is on the record, once it was composed to be kept.
    var version: PolicyChangeDraft.Version?
    var grantsEnded = 0
    var flowsCut = 0
    /// Why a change is undone; nil for a change.
    var undoing: (connection: UInt64, reason: String, form: ErrorForm)?
    /// The kernel refused to take the policy back: when it is asked again.
    var retryAt: Instant?
  }

  var underWay: UnderWay?
  var waiting: [Request] = []
  /// Flows that are deleted once the transaction about them is settled.
  var found: [ConntrackEvent] = []
  var nextKeep: UInt64 = 1
  /// What the policy in force is on the record: composing and hashing it anew would take longer than the rest of a small change.
  var version: PolicyChangeDraft.Version?

  /// The file in the state directory that holds the policy.
  static let file = "policy.json"
  /// Changes that may wait for the one under way: 64, more than the connections the API serves at a time need.
  static let waitingMax = 64
  /// How long to wait before the kernel is asked again to take a policy back: 250 ms, as the spool's retries.
  static let retryDelay = TimeSpan.milliseconds(250)
}

/// A change of policy (R3): the kernel holds it, what it revokes is cut, it is kept and on the record; only then it is answered.
extension SidecarMachine {
  mutating func receive(
    _ request: PolicyChangeRequest, on connection: UInt64, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    let asked = ChangeState.Request(connection: connection, request: request)
    guard change.underWay == nil else {
      guard change.waiting.count < ChangeState.waitingMax else {
        return emit(.respond(connection, .refusal(503, "too many policy changes wait", form: request.form)))
      }
      change.waiting.append(asked)
      return
    }
    begin(asked, at: now, using: &generator)
  }

  private mutating func begin(
    _ asked: ChangeState.Request, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    switch asked.request.decide(view(of: policy)) {
    case .respond(let response): emit(.respond(asked.connection, response))
    case .commit(let document):
      flushRollups(at: now, using: &generator)
      let old = policy
      policy = RuleSet(document, always: old.always, revision: old.revision.number + 1, after: old)
      firewall.replacePolicy(policy, at: now)
      change.underWay = ChangeState.UnderWay(request: asked, old: old, step: .kernel)
    }
  }

  /// The transaction that was just taken carries the change, or nothing had to change in the kernel (nil).
  mutating func changeLeft(
    with transaction: StagedTransaction?, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard var underWay = change.underWay, underWay.step == .kernel, underWay.transaction == nil, underWay.retryAt == nil
    else { return }
    if let transaction {
      underWay.transaction = transaction.id
      change.underWay = underWay
    } else {
      cut(revoked: [], narrowed: [], at: now, using: &generator)
    }
  }

  /// Every settled transaction passes here: the one that carries the change moves it on.
  mutating func changeSettled(
    _ id: UInt64, _ outcome: CommitOutcome, _ settlement: Settlement, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    let isChange = change.underWay?.transaction == id && change.underWay?.step == .kernel
    switch outcome {
    case .committed:
      if isChange {
        cut(revoked: settlement.revoked, narrowed: settlement.narrowed, at: now, using: &generator)
      } else if !settlement.revoked.isEmpty || !settlement.narrowed.isEmpty {
        emit(.findFlows(marks: settlement.revoked, narrowed: settlement.narrowed))
      }
    case .refused(let refusal):
      if isChange || (settlement.undoneLater && change.underWay?.step == .kernel) {
        refuseChange(refusal.reason, at: now, using: &generator)
      }
      if settlement.undoneLater { moveGate(at: now) }
    }
  }

  /// The kernel holds the change: whatever it revoked must not send one more byte.
  private mutating func cut(
    revoked: [UInt32], narrowed: [NarrowedGrant], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    change.underWay?.step = .cut
    change.underWay?.grantsEnded = revoked.count
    audit.context.policyRevision = String(policy.revision.number)
    if !revoked.isEmpty || !narrowed.isEmpty { withdrawReplies(at: now) }
    guard !revoked.isEmpty || !narrowed.isEmpty else { return changeCut(count: 0, at: now, using: &generator) }
    _ = tracker.cut(marks: revoked, at: now)
    emit(.findFlows(marks: revoked, narrowed: narrowed))
  }

  /// The flows that lost their grant. Nothing of them leaves any more; before their entries go, the kernel learns which peers may still provoke the reset.
  mutating func flowsFound(
    _ events: [ConntrackEvent], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    let streams = events.filter { $0.original.transport == .tcp }
    guard !streams.isEmpty else { return emit(.deleteFlows(events)) }
    firewall.cut(
      streams.map { CutFlow(peer: $0.original.destination, port: $0.original.source.port) }, at: now)
    change.found += events
    endTurn(at: now, using: &generator)
  }

  /// After each settled transaction: what was found can go now. If the kernel refused to let the peers through, programs learn of the cut when they send.
  mutating func deleteFoundFlows() {
    guard !change.found.isEmpty else { return }
    emit(.deleteFlows(change.found))
    change.found = []
  }

  /// The outcome of `deleteFlows`.
  mutating func flowsCut(
    _ events: [ConntrackEvent], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    var actions: [FlowAction] = []
    for event in events { tracker.cut(event.original, counters: event.counters, at: now, into: &actions) }
    perform(actions, at: now, using: &generator)
    if change.underWay?.step == .cut { changeCut(count: events.count, at: now, using: &generator) }
  }

  private mutating func changeCut(
    count: Int, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard var underWay = change.underWay else { return }
    underWay.flowsCut = count
    guard underWay.undoing == nil else {
      change.underWay = underWay
      return finishUndoing(at: now, using: &generator)
    }
    let id = change.nextKeep
    change.nextKeep += 1
    underWay.step = .disk(id)
    let kept = KeptPolicy(
      podUID: settings.identity.podUID, revision: policy.revision.number, document: policy.document)
    let json = policy.document.json()
    emit(.keep(id, file: ChangeState.file, bytes: kept.composed(json)))
    underWay.version = version(of: policy, json)
    change.underWay = underWay
  }

  mutating func kept(
    _ id: UInt64, _ outcome: StorageOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let underWay = change.underWay, underWay.step == .disk(id), let asked = underWay.request else { return }
    switch outcome {
    case .ok:
      recordChange(underWay, refusal: nil, at: now, using: &generator)
      evidence.replies.append(.respond(asked.connection, asked.request.accepted(view(of: policy))))
      finishChange(at: now, using: &generator)
    case .failed(let reason):
      // What a restart would not bring back must not be in force: the old policy is put back, and the client is told.
      emit(
        .log(LogEntry(.error, "the changed policy could not be kept; the old one is put back", [("reason", reason)])))
      var undo = ChangeState.UnderWay(request: nil, old: policy, step: .kernel)
      undo.undoing = (asked.connection, reason, asked.request.form)
      policy = RuleSet(underWay.old.document, always: underWay.old.always, revision: policy.revision.number + 1)
      firewall.replacePolicy(policy, at: now)
      change.underWay = undo
    }
  }

  private mutating func refuseChange(
    _ reason: String, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard var underWay = change.underWay else { return }
    guard underWay.undoing == nil else {
      // What was answered with a failure must not stay in force: it is asked for until the kernel takes it.
      emit(.log(LogEntry(.error, "the kernel refused to take a policy back; it is asked again", [("reason", reason)])))
      underWay.transaction = nil
      underWay.retryAt = now.instant + ChangeState.retryDelay
      change.underWay = underWay
      return
    }
    emit(.log(LogEntry(.error, "the kernel refused a policy; the old one holds", [("reason", reason)])))
    recordChange(underWay, refusal: reason, at: now, using: &generator)
    policy = underWay.old
    if let asked = underWay.request {
      evidence.replies.append(
        .respond(asked.connection, .changeRefused(.kernel(reason), form: asked.request.form)))
    }
    finishChange(at: now, using: &generator)
  }

  mutating func retryUndoing(at now: Moment) {
    guard let due = change.underWay?.retryAt, due <= now.instant else { return }
    change.underWay?.retryAt = nil
    firewall.replacePolicy(policy, at: now)
  }

  private mutating func finishUndoing(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard let underWay = change.underWay, let undoing = underWay.undoing else { return }
    recordChange(underWay, refusal: "not kept: \(undoing.reason)", at: now, using: &generator)
    evidence.replies.append(.respond(undoing.connection, .changeRefused(.store(undoing.reason), form: undoing.form)))
    finishChange(at: now, using: &generator)
  }

  private mutating func finishChange(at now: Moment, using generator: inout some RandomNumberGenerator) {
    change.underWay = nil
    schedulePolicyExpiry(at: now)
    while change.underWay == nil, !change.waiting.isEmpty {
      begin(change.waiting.removeFirst(), at: now, using: &generator)
    }
    proveFileAgain(after: [.policy], at: now, using: &generator)
  }

  private mutating func recordChange(
    _ underWay: ChangeState.UnderWay, refusal: String?, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    let kind: PolicyChangeDraft.Change
    let operation: String
    switch underWay.request?.request.change {
    case .replace?: (kind, operation) = (.set, "PolicyReplace")
    case .merge?: (kind, operation) = (.set, "PolicyMerge")
    case .remove?: (kind, operation) = (.delete, "PolicyRemove")
    case nil: (kind, operation) = (.set, "PolicyRestore")
    }
    let old = change.version?.revision == String(underWay.old.revision.number) ? change.version : nil
    let new = underWay.version ?? version(of: policy, policy.document.json())
    record(
      .policyChange(
        PolicyChangeDraft(
          change: kind, operation: operation, source: "api",
          old: old ?? version(of: underWay.old, underWay.old.document.json()), new: new,
          refusal: refusal, flowsCut: underWay.flowsCut, grantsEnded: underWay.grantsEnded)), at: now,
      using: &generator)
    if underWay.undoing != nil || refusal == nil { change.version = new }
  }

  /// `json`: its document's.
  func version(of rules: RuleSet, _ json: [UInt8]) -> PolicyChangeDraft.Version {
    PolicyChangeDraft.Version(
      revision: String(rules.revision.number), hash: hexadecimal(hash(json)), ruleCount: rules.document.egress.count)
  }

  func view(of rules: RuleSet) -> PolicyView {
    PolicyView(rules.document, revision: rules.revision, enforcementMode: enforcementMode)
  }

  /// What GET shows: the policy that the kernel holds.
  var policyInForce: RuleSet {
    if let underWay = change.underWay, underWay.step == .kernel { underWay.old } else { policy }
  }
}

/// Lower-case hexadecimal.
func hexadecimal(_ octets: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
