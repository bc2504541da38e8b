import EgressPolicy
import FlowAudit
import HTTPWire
import OwnerIdentity
import PolicyAPI
import Spool
import Timekeeping

/// The proof of an owner that is under way, and those that wait for it.
struct ProofState: Sendable {
  /// Who brought a token.
  enum Bearer: Sendable {
    case api(connection: UInt64, form: ErrorForm)
    case file
  }

  struct Proof: Sendable {
    var bearer: Bearer
    var token: [UInt8]
  }

  enum Step: Sendable {
    case signature(UInt64, SignedToken)
    case disk(UInt64, OwnerBinding)
  }

  var keys: KeySet
  /// One after the other, so that of two that race the second meets what the first has done.
  var underWay: (proof: Proof, step: Step)?
  var waiting: [Proof] = []
  var nextCheck: UInt64 = 1
  /// What the token file held last; nil: nothing.
  var fileToken: [UInt8]?
  /// Why that was refused last: said once, and looked at again when it may have passed.
  var fileRefusal: ProofRefusal.Check?
  var refusedTotal: UInt64 = 0
  var rebindsRefusedTotal: UInt64 = 0

  /// Tokens that may wait for the one under way: 64, as many as the API has clients.
  static let waitingMax = 64

  init(keys: KeySet) { self.keys = keys }
}

/// Binding an owner: the signature is valid, the claims are for this pod, the binding is on the disk; then the record, then the gate, then the answer.
extension SidecarMachine {
  mutating func receive(
    ownerToken token: String, on connection: UInt64, _ form: ErrorForm, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    guard phase == .enforcing || phase == .starting else {
      return emit(.respond(connection, .refusal(503, "the sidecar is stopping", form: form)))
    }
    guard proofs.waiting.count < ProofState.waitingMax else {
      return emit(.respond(connection, .refusal(503, "too many owner tokens wait", form: form)))
    }
    prove(
      ProofState.Proof(bearer: .api(connection: connection, form: form), token: Array(token.utf8)), at: now,
      using: &generator)
  }

  /// The token file was read, because it changed or at the start; nil: it is not there.
  mutating func ownerTokenRead(
    _ contents: [UInt8]?, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    let token = contents.flatMap(TokenFile.token)
    guard token != proofs.fileToken else { return }
    let hadToken = proofs.fileToken != nil
    proofs.fileToken = token
    proofs.fileRefusal = nil
    if let token {
      prove(ProofState.Proof(bearer: .file, token: token), at: now, using: &generator)
    } else if hadToken {
      // A controller that loses annotations must not lose the owner with them.
      let owner = ownership.state.binding?.owner
      emit(.log(LogEntry(.warning, "the owner's token is gone from its file; what is bound stays bound")))
      recordOwner(.tokenVanished, old: owner, new: owner, from: .file, at: now, using: &generator)
    }
  }

  /// The file of keys was read. What cannot be used changes nothing: the keys that were good hold on.
  mutating func ownerKeysRead(
    _ contents: [UInt8]?, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let contents else {
      return emit(.log(LogEntry(.error, "the file of owner keys is gone; the keys read before hold on")))
    }
    do throws(KeySet.Problem) {
      let keys = try KeySet.parse(contents)
      guard keys != proofs.keys else { return }
      proofs.keys = keys
      emit(.log(LogEntry(.info, "the keys that may sign an owner changed", [("keys", String(keys.keys.count))])))
    } catch {
      return emit(
        .log(
          LogEntry(
            .error, "the file of owner keys cannot be used; the keys read before hold on",
            [("reason", error.description)])))
    }
    proveFileAgain(after: [.noKeys, .keyUnknown, .keyUnusable, .signature], at: now, using: &generator)
  }

  /// The token of the file once more, when what it was refused for has changed.
  mutating func proveFileAgain(
    after checks: Set<ProofRefusal.Check>, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let refusal = proofs.fileRefusal, checks.contains(refusal), let token = proofs.fileToken else { return }
    prove(ProofState.Proof(bearer: .file, token: token), at: now, using: &generator)
  }

  /// Before the flows of an earlier start are told apart nobody is bound: what they were denied for was said by the state of that time.
  private var mayBind: Bool { phase == .enforcing && life.hasAdoptedFlows }

  private mutating func prove(
    _ proof: ProofState.Proof, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    proofs.waiting.append(proof)
    proveNext(at: now, using: &generator)
  }

  mutating func proveNext(at now: Moment, using generator: inout some RandomNumberGenerator) {
    while mayBind, proofs.underWay == nil, !proofs.waiting.isEmpty {
      let proof = proofs.waiting.removeFirst()
      do throws(ProofRefusal) {
        guard let rules = settings.ownerProof else {
          throw ProofRefusal(.noKeys, "SALLYPORT_OWNER_JWKS_FILE is not set, so nobody may sign an owner")
        }
        if case .file = proof.bearer, rules.issuer.isEntra {
          throw ProofRefusal(.place, "a user's own token is taken from PUT /owner only")
        }
        let token = try SignedToken.parse(proof.token)
        let key = try proofs.keys.key(for: token)
        let id = proofs.nextCheck
        proofs.nextCheck += 1
        proofs.underWay = (proof, .signature(id, token))
        emit(.checkSignature(id, SignatureCheck(of: token, by: key)))
      } catch {
        refuse(proof.bearer, error, at: now, using: &generator)
      }
    }
  }

  mutating func signatureChecked(
    _ id: UInt64, _ outcome: SignatureCheck.Outcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let (proof, step) = proofs.underWay, case .signature(id, let token) = step, let rules = settings.ownerProof
    else { return }
    proofs.underWay = nil
    do throws(ProofRefusal) {
      switch outcome {
      case .valid: break
      case .invalid: throw ProofRefusal(.signature, "the signature is not that of the key")
      case .unusableKey: throw ProofRefusal(.keyUnusable, "the numbers of the key are no key")
      }
      let claim = try rules.judge(token, bound: ownership.state.binding, at: now.wall)
      switch ownership.judge(claim.binding) {
      case .same:
        proofs.fileRefusal = nil
        answer(proof.bearer, .owner(ownerView))
      case .refused(let current):
        refuseRebinding(proof.bearer, claim.binding, current: current, at: now, using: &generator)
      case .first:
        if let wanted = claim.policyHash, wanted != policyHash(policyInForce.document) {
          throw ProofRefusal(.policy, "policy_sha256 is not the policy that is in force")
        }
        keep(claim.binding, for: proof)
      }
    } catch {
      refuse(proof.bearer, error, at: now, using: &generator)
    }
    proveNext(at: now, using: &generator)
  }

  private mutating func keep(_ binding: OwnerBinding, for proof: ProofState.Proof) {
    guard let podUID = settings.ownerProof?.podUID else { return }
    let id = change.nextKeep
    change.nextKeep += 1
    proofs.underWay = (proof, .disk(id, binding))
    emit(.keep(id, file: KeptOwner.file, bytes: KeptOwner(podUID: podUID, binding: binding).composed))
  }

  /// The outcome of `keep`; false when it was not about the owner.
  mutating func ownerKept(
    _ id: UInt64, _ outcome: StorageOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> Bool {
    guard let (proof, step) = proofs.underWay, case .disk(id, let binding) = step else { return false }
    proofs.underWay = nil
    switch outcome {
    case .ok: bind(binding, for: proof.bearer, at: now, using: &generator)
    case .failed(let reason):
      // What a restart would forget must not hold: records of one sandbox would name its owner and then nobody.
      emit(.log(LogEntry(.error, "the owner could not be kept and is not bound", [("reason", reason)])))
      recordOwner(
        .bind, old: nil, new: binding.owner, from: proof.bearer, refusal: "NOT_KEPT", detail: reason, at: now,
        using: &generator)
      answer(proof.bearer, .refusal(500, "the owner could not be kept: \(reason)", form: form(of: proof.bearer)))
    }
    proveNext(at: now, using: &generator)
    return true
  }

  private mutating func bind(
    _ binding: OwnerBinding, for bearer: ProofState.Bearer, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    // What was counted until now was nobody's.
    flushRollups(at: now, using: &generator)
    proofs.fileRefusal = nil
    ownership.bind(binding)
    audit.context.owner = ownership.state
    recordOwner(.bind, old: nil, new: binding.owner, from: bearer, at: now, using: &generator)
    emit(.log(LogEntry(.info, "the sandbox has an owner", [("binding", binding.bindingID)])))
    if ownership.isRequired {
      gate.isOwned = true
      moveGate(at: now)
    }
    answer(bearer, .owner(ownerView))
  }

  private mutating func refuseRebinding(
    _ bearer: ProofState.Bearer, _ binding: OwnerBinding, current: OwnerBinding, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    proofs.rebindsRefusedTotal += 1
    let isOther = binding.owner != current.owner
    let check = isOther ? "OWNER_BOUND" : "SESSION_BOUND"
    let detail =
      isOther
      ? "another owner is bound, for as long as the pod lives" : "the owner is bound for another session or claim"
    emit(.log(LogEntry(.warning, "a second binding was refused", [("check", check), ("source", source(of: bearer))])))
    recordOwner(
      .rebindRefused, old: current.owner, new: binding.owner, from: bearer, refusal: check, detail: detail, at: now,
      using: &generator)
    answer(bearer, .refusal(409, "\(check): \(detail)", form: form(of: bearer)))
  }

  private mutating func refuse(
    _ bearer: ProofState.Bearer, _ refusal: ProofRefusal, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    if case .file = bearer {
      guard proofs.fileRefusal != refusal.check else { return }
      proofs.fileRefusal = refusal.check
    }
    proofs.refusedTotal += 1
    emit(
      .log(
        LogEntry(
          .warning, "a token proves no owner",
          [("check", refusal.check.rawValue), ("detail", refusal.detail), ("source", source(of: bearer))])))
    recordOwner(
      .proofRefused, old: ownership.state.binding?.owner, new: nil, from: bearer, refusal: refusal.check.rawValue,
      detail: refusal.detail, at: now, using: &generator)
    answer(bearer, .unproved(refusal.description, form: form(of: bearer)))
  }

  /// After the record of it is stored.
  private mutating func answer(_ bearer: ProofState.Bearer, _ response: HTTPResponse) {
    if case .api(let connection, _) = bearer { evidence.replies.append(.respond(connection, response)) }
  }

  private func form(of bearer: ProofState.Bearer) -> ErrorForm {
    if case .api(_, let form) = bearer { form } else { .text }
  }

  private func source(of bearer: ProofState.Bearer) -> String {
    if case .api = bearer { "api" } else { "SALLYPORT_OWNER_TOKEN_FILE" }
  }

  /// No control record: whoever may send tokens must not use up the reserve.
  private mutating func recordOwner(
    _ operation: OwnerChangeDraft.Operation, old: OwnerID?, new: OwnerID?, from bearer: ProofState.Bearer,
    refusal: String? = nil, detail: String? = nil, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    let draft = OwnerChangeDraft(
      operation: operation, old: old, new: new, source: source(of: bearer), refusal: refusal, detail: detail)
    stage(audit.seal(.ownerChange(draft), at: now.wall, using: &generator))
  }

  /// The owner that this start of the daemon began with.
  mutating func recordFirstOwner(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard let binding = settings.owner.binding else { return }
    let isStatic = binding.source == .static
    record(
      .ownerChange(
        OwnerChangeDraft(
          operation: isStatic ? .bind : .restore, old: nil, new: binding.owner,
          source: isStatic ? "SALLYPORT_OWNER" : KeptOwner.file)), at: now, using: &generator)
  }

  var ownerView: OwnerView {
    let binding = ownership.state.binding.map {
      OwnerView.Binding(
        tenant: $0.owner.tenant, object: $0.owner.object, identifier: $0.bindingID, source: $0.source.rawValue,
        boundAt: $0.boundAt, session: $0.sessionID, claim: $0.claimUID)
    }
    return OwnerView(binding: binding, isRequired: ownership.isRequired)
  }
}
