import OwnerIdentity
import Timekeeping

/// What a record of schema AuditEvent says: what was done to the sidecar or by it.
package enum ServiceDraft: Hashable, Sendable {
  case policyChange(PolicyChangeDraft)
  case auditOverride(AuditOverrideDraft)
  case ownerChange(OwnerChangeDraft)
  case sidecarStart(SidecarStartDraft)
  case sidecarStop(SidecarStopDraft)
  case heartbeat(HeartbeatDraft)
  case recordsDropped(RecordsDroppedDraft)
  case tamper(TamperDraft)
}

/// A change of policy, or the refusal of one.
package struct PolicyChangeDraft: Hashable, Sendable {
  /// `EventType`.
  package enum Change: String, Hashable, Sendable {
    /// The first policy.
    case create = "Create"
    case set = "Set"
    case delete = "Delete"
  }

  /// One side of the change.
  package struct Version: Hashable, Sendable {
    package var revision: String
    /// SHA-256 of the document, hexadecimal.
    package var hash: String
    package var ruleCount: Int

    package init(revision: String, hash: String, ruleCount: Int) {
      self.revision = revision
      self.hash = hash
      self.ruleCount = ruleCount
    }
  }

  package var change: Change
  /// `Operation`, for instance `PolicyReplace`.
  package var operation: String
  /// `Object`: where the policy came from, for instance `SALLYPORT_POLICY_FILE` or `api`.
  package var source: String
  package var old: Version?
  package var new: Version?
  /// Why it was refused; nil when it is in force.
  package var refusal: String?
  /// Live flows that the change cut.
  package var flowsCut: Int
  /// Grants that it ended.
  package var grantsEnded: Int

  package init(
    change: Change, operation: String, source: String, old: Version?, new: Version?, refusal: String? = nil,
    flowsCut: Int = 0, grantsEnded: Int = 0
  ) {
    self.change = change
    self.operation = operation
    self.source = source
    self.old = old
    self.new = new
    self.refusal = refusal
    self.flowsCut = flowsCut
    self.grantsEnded = grantsEnded
  }
}

/// An operator set aside that new flows need evidence, or that ended.
package struct AuditOverrideDraft: Hashable, Sendable {
  /// `NewValue`; nil when it ended.
  package var until: WallTime?
  /// `AdditionalFields.Reason`: the operator's words, or `EXPIRED`.
  package var reason: String
  /// `EventOriginalResultDetails`: what would refuse new flows at this moment; nil when nothing would.
  package var missing: String?
  /// It followed another override.
  package var wasOverridden: Bool

  package init(until: WallTime?, reason: String, missing: String?, wasOverridden: Bool) {
    self.until = until
    self.reason = reason
    self.missing = missing
    self.wasOverridden = wasOverridden
  }
}

/// An owner was bound, or a binding was refused.
package struct OwnerChangeDraft: Hashable, Sendable {
  /// `Operation`.
  package enum Operation: String, Hashable, Sendable {
    /// The owner holds from this record on.
    case bind = "OwnerBind"
    /// The binding of an earlier start of the daemon in the same pod holds on.
    case restore = "OwnerRestore"
    /// A token that is proved names another owner than the one that is bound.
    case rebindRefused = "OwnerRebindRefused"
    /// A token proves nothing.
    case proofRefused = "OwnerProofRefused"
    /// What brought the token is empty or gone. The binding holds on.
    case tokenVanished = "OwnerTokenVanished"
  }

  package var operation: Operation
  package var old: OwnerID?
  package var new: OwnerID?
  /// `AdditionalFields.Source`: what said so, a setting's name, a file or `api`.
  package var source: String
  /// `EventOriginalResultDetails`: the check that failed, by name; nil when it is bound.
  package var refusal: String?
  /// `AdditionalFields.Detail`: what the check wanted, for people.
  package var detail: String?

  package init(
    operation: Operation, old: OwnerID?, new: OwnerID?, source: String, refusal: String? = nil, detail: String? = nil
  ) {
    self.operation = operation
    self.old = old
    self.new = new
    self.source = source
    self.refusal = refusal
    self.detail = detail
  }
}

/// The first record of a boot.
package struct SidecarStartDraft: Hashable, Sendable {
  /// `SbxPrevBootId`; nil when the state directory knows of none.
  package var previousBootID: String?
  /// `SbxPrevLastSeq`.
  package var previousLastSequence: UInt64?
  /// `SbxCarriedAllowed` and `SbxCarriedDenied`.
  package var carried: FlowPair?
  /// What degrades enforcement or was configured without effect; joined into `AdditionalFields`.
  package var notices: [String]

  package init(
    previousBootID: String? = nil, previousLastSequence: UInt64? = nil, carried: FlowPair? = nil,
    notices: [String] = []
  ) {
    self.previousBootID = previousBootID
    self.previousLastSequence = previousLastSequence
    self.carried = carried
    self.notices = notices
  }
}

/// The last record of a boot that ended as it should.
package struct SidecarStopDraft: Hashable, Sendable {
  /// `EventOriginalResultDetails`, for instance `signal`.
  package var reason: String
  /// `SbxUnackedCount`: records before this one that the hub has not taken; they wait in the spool for the next start.
  package var unacknowledgedCount: Int
  /// `SbxSpoolBytes`.
  package var spoolBytes: Int

  package init(reason: String, unacknowledgedCount: Int, spoolBytes: Int) {
    self.reason = reason
    self.unacknowledgedCount = unacknowledgedCount
    self.spoolBytes = spoolBytes
  }
}

/// The pulse, every 30 s, with the checkpoint.
package struct HeartbeatDraft: Hashable, Sendable {
  /// `SbxAckedSeq`: every record of this boot up to it was acknowledged; nil when none was.
  package var acknowledgedSequence: UInt64?
  /// `SbxOldestUnackedMs`; nil when everything is acknowledged.
  package var oldestUnacknowledged: TimeSpan?
  /// `SbxSpoolBytes`.
  package var spoolBytes: UInt64
  /// `SbxDroppedTotal`: records lost since the boot.
  package var droppedTotal: UInt64
  /// `SbxQuarantinedTotal`: records the hub refused for good.
  package var quarantinedTotal: UInt64
  /// `SbxLiveFlows`.
  package var liveFlows: Int
  /// `SbxRecorded…`: what the records say.
  package var recorded: FlowSums
  /// `SbxSkippedFlows`: of the recorded ones, those that `log_skip.always` keeps from a record of their own.
  package var skippedFlows: UInt64
  /// `SbxSkippedQueries`: the same of queries.
  package var skippedQueries: UInt64
  /// `SbxPendingDenied`: of the recorded ones, those that a roll-up counts which is not on the record yet.
  package var pendingDenied: UInt64
  /// `SbxLostAllowed` and `SbxLostDenied`: flows that no record tells of, counted in `RecordsDropped`.
  package var lost: FlowPair
  /// `SbxCarriedAllowed` and `SbxCarriedDenied`: what the kernel's counters had for earlier starts to account for; nil when that is not known yet.
  package var carried: FlowPair?
  /// `SbxKernelAllowed`: new flows by the kernel's counter, without those carried; nil when not read.
  package var kernelAllowed: UInt64?
  /// `SbxKernelDenied`: new TCP and UDP flows that were refused, likewise.
  package var kernelDenied: UInt64?
  /// `SbxKernelDropped`: packets that were dropped and made no entry.
  package var kernelDropped: UInt64?

  package init(
    acknowledgedSequence: UInt64?, oldestUnacknowledged: TimeSpan?, spoolBytes: UInt64, droppedTotal: UInt64,
    quarantinedTotal: UInt64, liveFlows: Int, recorded: FlowSums, skippedFlows: UInt64 = 0,
    skippedQueries: UInt64 = 0, pendingDenied: UInt64 = 0, lost: FlowPair = FlowPair(), carried: FlowPair? = nil,
    kernelAllowed: UInt64? = nil, kernelDenied: UInt64? = nil, kernelDropped: UInt64? = nil
  ) {
    self.acknowledgedSequence = acknowledgedSequence
    self.oldestUnacknowledged = oldestUnacknowledged
    self.spoolBytes = spoolBytes
    self.droppedTotal = droppedTotal
    self.quarantinedTotal = quarantinedTotal
    self.liveFlows = liveFlows
    self.recorded = recorded
    self.skippedFlows = skippedFlows
    self.skippedQueries = skippedQueries
    self.pendingDenied = pendingDenied
    self.lost = lost
    self.carried = carried
    self.kernelAllowed = kernelAllowed
    self.kernelDenied = kernelDenied
    self.kernelDropped = kernelDropped
  }
}

/// Records, or events that never became records, are missing.
package struct RecordsDroppedDraft: Hashable, Sendable {
  /// `SbxDroppedCount`.
  package var count: UInt64
  /// `SbxDroppedFromSeq` and `SbxDroppedToSeq`; nil when what is missing never had numbers.
  package var sequences: ClosedRange<UInt64>?
  /// `SbxDroppedBootId`: whose numbers they are when not this boot's.
  package var bootID: String?
  /// `EventOriginalResultDetails`, for instance `STORE_FULL`, `CORRUPT`, `REJECTED_400`, `EVENTS_LOST`.
  package var reason: String
  /// `AdditionalFields.Flows`: what is missing is flows, `allowed` or `denied` ones, of which the kernel's counters know.
  package var flows: String?

  package init(
    count: UInt64, sequences: ClosedRange<UInt64>?, bootID: String? = nil, reason: String, flows: String? = nil
  ) {
    self.flows = flows
    self.count = count
    self.sequences = sequences
    self.bootID = bootID
    self.reason = reason
  }

  /// The same in as few reports as can be: ranges of one boot that follow each other, dropped for one reason, are one.
  package static func joined(_ drafts: [Self]) -> [Self] {
    var joined: [Self] = []
    let sorted = drafts.sorted { ($0.sequences?.lowerBound ?? 0) < ($1.sequences?.lowerBound ?? 0) }
    for draft in sorted {
      if let last = joined.last, last.bootID == draft.bootID, last.reason == draft.reason,
        let before = last.sequences, let after = draft.sequences, before.upperBound &+ 1 == after.lowerBound
      {
        joined[joined.count - 1].sequences = before.lowerBound...after.upperBound
        joined[joined.count - 1].count += draft.count
      } else {
        joined.append(draft)
      }
    }
    return joined
  }
}

/// Someone else changed our table in the kernel, or came between it and the workload.
package struct TamperDraft: Hashable, Sendable {
  /// `Object`: what was changed, for instance `chain out`.
  package var object: String
  /// `AdditionalFields.What`: what was found.
  package var what: String
  /// Whether it was put back.
  package var isRestored: Bool
  /// `EventCount`: how often, since the record before.
  package var count: Int

  package init(object: String, what: String, isRestored: Bool, count: Int = 1) {
    self.object = object
    self.what = what
    self.isRestored = isRestored
    self.count = count
  }
}
