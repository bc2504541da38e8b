import Firewall
import FlowAudit
import Timekeeping

/// What others do to the rules, from its discovery until it is undone and on the record (Promise T1 and T2).
struct TamperState: Sendable {
  /// Discovered, and its undoing is staged or under way.
  var found: ForeignChange?
  /// `found` is part of the transaction to come.
  var isStaged = false
  /// The transaction that undoes it.
  var transaction: UInt64?
  /// The kernel refused that, which is on the record: to be tried again.
  var isRefused = false
  var retryAt: Instant?
  /// Undone, and merged into one record until `nextRecordAt`.
  var merged: (change: ForeignChange, count: Int)?
  var nextRecordAt: Instant?
  /// What of the earlier process' ruleset was another at the start.
  var atStart: ForeignChange?
  /// Chains of others that translate what leaves.
  var interceptors: [String] = []

  var nextDeadline: Instant? {
    guard let retryAt else { return merged == nil ? nil : nextRecordAt }
    return merged == nil ? retryAt : nextRecordAt.map { min($0, retryAt) } ?? retryAt
  }
}

extension SidecarMachine {
  /// Someone else changed our table: everything is put back in the next transaction, which is this turn's.
  mutating func rulesetChanged(_ change: ForeignChange, at now: Moment) {
    guard phase != .starting, phase != .ended else { return }
    if tamper.found == nil { tamper.found = change } else { tamper.found?.merge(change) }
    stageRestoration(wholly: change.isStructural, at: now)
  }

  private mutating func stageRestoration(wholly: Bool, at now: Moment) {
    firewall.restore(wholly: wholly, at: now)
    tamper.isStaged = true
    tamper.retryAt = nil
  }

  /// A transaction was taken: what was staged for it is in it.
  mutating func restorationTaken(in id: UInt64) {
    guard tamper.isStaged else { return }
    tamper.isStaged = false
    tamper.transaction = id
  }

  mutating func restorationSettled(
    _ id: UInt64, _ outcome: CommitOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard tamper.transaction == id else {
      // What was staged on top of a refused transaction is undone with it.
      if tamper.isStaged, case .refused = outcome { stageRestoration(wholly: true, at: now) }
      return
    }
    tamper.transaction = nil
    switch outcome {
    case .committed:
      tamper.isRefused = false
      emit(.rememberRuleset)
      guard !tamper.isStaged, let change = tamper.found else { return }
      tamper.found = nil
      emit(.log(LogEntry(.warning, "someone else changed the rules; they are put back", [("what", change.text)])))
      recordTamper(change, at: now, using: &generator)
    case .refused(let refusal):
      guard tamper.found?.isStructural ?? true else {
        // A set that is gone cannot be filled: it takes the whole table.
        tamper.found?.merge(.unknown)
        return stageRestoration(wholly: true, at: now)
      }
      if !tamper.isRefused, let change = tamper.found {
        let draft = TamperDraft(
          object: change.object, what: "\(change.text); the kernel refuses to put it back: \(refusal.reason)",
          isRestored: false)
        record(.tamper(draft), at: now, using: &generator)
      }
      tamper.isRefused = true
      tamper.isStaged = false
      tamper.retryAt = now.instant + SidecarSettings.restorationRetry
    }
  }

  /// The first is on the record at once; what follows within `tamperRecordInterval` becomes one more, exactly counted.
  private mutating func recordTamper(
    _ change: ForeignChange, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    if let next = tamper.nextRecordAt, now.instant < next {
      if tamper.merged == nil {
        tamper.merged = (change, 1)
      } else {
        tamper.merged?.change.merge(change)
        tamper.merged?.count += 1
      }
      return
    }
    tamper.nextRecordAt = now.instant + SidecarSettings.tamperRecordInterval
    record(
      .tamper(TamperDraft(object: change.object, what: change.text, isRestored: true)), at: now, using: &generator)
  }

  mutating func tamperDeadlineReached(at now: Moment, using generator: inout some RandomNumberGenerator) {
    if let retryAt = tamper.retryAt, retryAt <= now.instant { stageRestoration(wholly: true, at: now) }
    if let next = tamper.nextRecordAt, next <= now.instant { flushTamper(at: now, using: &generator) }
  }

  mutating func flushTamper(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard let merged = tamper.merged else { return }
    tamper.merged = nil
    tamper.nextRecordAt = now.instant + SidecarSettings.tamperRecordInterval
    let draft = TamperDraft(
      object: merged.change.object, what: merged.change.text, isRestored: true, count: merged.count)
    record(.tamper(draft), at: now, using: &generator)
  }

  /// Others translate what leaves, or no longer do: what they take passes none of our marks and so does not leave, but it does not work either.
  mutating func interceptorsFound(
    _ chains: [String], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard chains != tamper.interceptors else { return }
    let new = chains.filter { !tamper.interceptors.contains($0) }
    tamper.interceptors = chains
    for chain in new {
      emit(.log(LogEntry(.error, "another interception layer is present", [("chain", chain)])))
      record(
        .tamper(TamperDraft(object: chain, what: "nat rules of others on OUTPUT appeared", isRestored: false)), at: now,
        using: &generator)
    }
  }

  /// Why the rules are not what they should be; empty when they are.
  var tamperReasons: [String] {
    (!tamper.isRefused ? [] : ["the rules were changed by someone else and the kernel refuses to put them back"])
      + tamper.interceptors.map { "another interception layer is present on nat OUTPUT: \($0)" }
  }
}
