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
  /// Who asks for a change.
  enum Request: Sendable {
    case api(UInt64, PolicyChangeRequest)
    /// The watched policy file.
    case document(PolicyDocument, source: String, digest: String)
    /// The platform's lists.
    case lists(AlwaysRules, source: String)
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
  /// Where the document in force came from; nil while it is the one of the start.
  var source: String?
  /// SHA-256 of the policy file as it was read last; nil when there is none.
  var fileDigest: String?
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
    guard change.underWay == nil else {
      guard change.waiting.count < ChangeState.waitingMax else {
        return emit(.respond(connection, .refusal(503, "too many policy changes wait", form: request.form)))
      }
      change.waiting.append(.api(connection, request))
      return
    }
    begin(.api(connection, request), at: now, using: &generator)
  }

  /// A file changes as often as somebody writes it; of those that wait only the last matters.
  mutating func receive(
    _ request: ChangeState.Request, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard change.underWay != nil else { return begin(request, at: now, using: &generator) }
    change.waiting.removeAll { waiting in
      switch (waiting, request) {
      case (.document, .document), (.lists, .lists): true
      default: false
      }
    }
    change.waiting.append(request)
  }

  private mutating func begin(
    _ asked: ChangeState.Request, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    switch asked {
    case .document(let document, _, _): commit(document, policy.always, for: asked, at: now, using: &generator)
    case .lists(let always, _): commit(policy.document, always, for: asked, at: now, using: &generator)
    case .api(let connection, let request):
      switch request.decide(view(of: policy)) {
      case .respond(let response): emit(.respond(connection, response))
      case .rehearse(let document):
        var proposed = view(of: policy)
        proposed.document = document
        emit(
          .respond(connection, .dryRun(from: view(of: policy), to: proposed, impact(of: document, at: now))))
      case .commit(let document): commit(document, policy.always, for: asked, at: now, using: &generator)
      }
    }
  }

  private mutating func commit(
    _ document: PolicyDocument, _ always: AlwaysRules, for asked: ChangeState.Request, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    flushRollups(at: now, using: &generator)
    let old = policy
    policy = RuleSet(document, always: always, revision: old.revision.number + 1, after: old)
    firewall.replacePolicy(policy, at: now)
    change.underWay = ChangeState.UnderWay(request: asked, old: old, step: .kernel)
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
      } else if !isObserving, !settlement.revoked.isEmpty || !settlement.narrowed.isEmpty {
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
    guard !isObserving, !revoked.isEmpty || !narrowed.isEmpty else {
      return changeCut(count: 0, at: now, using: &generator)
    }
    withdrawReplies(at: now)
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
    var source = change.source ?? settings.policySource
    var digest = change.fileDigest ?? settings.policyFileDigest
    switch underWay.request {
    case .api?: source = "api"
    case .document(_, let file, let read)?: (source, digest) = (file, read)
    case .lists?, nil: break
    }
    let kept = KeptPolicy(
      podUID: settings.identity.podUID, revision: policy.revision.number,
      document: source == "api" ? policy.document : nil, source: source, fileDigest: digest)
    // Composed once: for the file, and hashed for the record.
    let json = kept.document?.json()
    underWay.version = version(of: policy, hash: json.map(hash))
    change.underWay = underWay
    let bytes = kept.composed(json ?? [])
    guard bytes.count <= KeptPolicy.bytesMax else {
      // The next start could not read it.
      let reason = "policy of \(bytes.count) octets exceeds limit \(KeptPolicy.bytesMax)"
      return self.kept(id, .failed(reason: reason), at: now, using: &generator)
    }
    emit(.keep(id, file: ChangeState.file, bytes: bytes))
  }

  mutating func kept(
    _ id: UInt64, _ outcome: StorageOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let underWay = change.underWay, underWay.step == .disk(id), let asked = underWay.request else { return }
    switch (outcome, asked) {
    case (.ok, .api(let connection, let request)):
      changeHolds(underWay, at: now, using: &generator)
      evidence.replies.append(.respond(connection, request.accepted(view(of: policy))))
      finishChange(at: now, using: &generator)
    case (.ok, .document), (.ok, .lists):
      changeHolds(underWay, at: now, using: &generator)
      finishChange(at: now, using: &generator)
    case (.failed(let reason), .document), (.failed(let reason), .lists):
      // The file itself says it again at the next start.
      emit(.log(LogEntry(.error, "the policy from a file could not be kept", [("reason", reason)])))
      changeHolds(underWay, at: now, using: &generator)
      finishChange(at: now, using: &generator)
    case (.failed(let reason), .api(let connection, let request)):
      // What a restart would not bring back must not be in force: the old policy is put back, and the client is told.
      emit(
        .log(LogEntry(.error, "the changed policy could not be kept; the old one is put back", [("reason", reason)])))
      var undo = ChangeState.UnderWay(request: nil, old: policy, step: .kernel)
      undo.undoing = (connection, reason, request.form)
      policy = RuleSet(
        underWay.old.document, always: underWay.old.always, revision: policy.revision.number + 1, after: policy)
      firewall.replacePolicy(policy, at: now)
      change.underWay = undo
    }
  }

  /// The change is in force and kept.
  private mutating func changeHolds(
    _ underWay: ChangeState.UnderWay, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    switch underWay.request {
    case .api?: change.source = "api"
    case .document(_, let source, let digest)?:
      change.source = source
      change.fileDigest = digest
      emit(
        .log(LogEntry(.info, "the policy file is in force", [("file", source), ("revision", "\(policy.revision)")])))
    case .lists(_, let source)?:
      emit(
        .log(LogEntry(.info, "the lists are in force", [("directory", source), ("revision", "\(policy.revision)")])))
    case nil: break
    }
    use.keep(only: policy)
    recordChange(underWay, refusal: nil, at: now, using: &generator)
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
    if case .api(let connection, let request)? = underWay.request {
      evidence.replies.append(.respond(connection, .changeRefused(.kernel(reason), form: request.form)))
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
    var kind = PolicyChangeDraft.Change.set
    let operation: String
    var source = "api"
    switch underWay.request {
    case .api(_, let request)?:
      switch request.change {
      case .replace: operation = "PolicyReplace"
      case .merge: operation = "PolicyMerge"
      case .remove: (kind, operation) = (.delete, "PolicyRemove")
      }
    case .document(_, let file, _)?: (operation, source) = ("PolicyReload", file)
    case .lists(_, let directory)?: (operation, source) = ("AlwaysReload", directory)
    case nil: operation = "PolicyRestore"
    }
    let old = change.version?.revision == String(underWay.old.revision.number) ? change.version : nil
    let new = underWay.version ?? version(of: policy)
    record(
      .policyChange(
        PolicyChangeDraft(
          change: kind, operation: operation, source: source,
          old: old ?? version(of: underWay.old), new: new,
          refusal: refusal, flowsCut: underWay.flowsCut, grantsEnded: underWay.grantsEnded)), at: now,
      using: &generator)
    if underWay.undoing != nil || refusal == nil { change.version = new }
  }

  /// `hash`: its document's, where it is known.
  func version(of rules: RuleSet, hash: [UInt8]? = nil) -> PolicyChangeDraft.Version {
    PolicyChangeDraft.Version(
      revision: String(rules.revision.number), hash: hexadecimal(hash ?? policyHash(rules.document)),
      ruleCount: rules.document.egress.count)
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
