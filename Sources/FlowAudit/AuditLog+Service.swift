import OwnerIdentity
import Timekeeping

/// Records of schema AuditEvent: `Operation`, `Object` and `ObjectType` are mandatory in ASIM.
extension AuditLog {
  /// Makes a record of the sidecar itself. Its time of event is `now`.
  package mutating func seal(
    _ draft: ServiceDraft, at now: WallTime, using generator: inout some RandomNumberGenerator
  ) -> SealedRecord {
    let kind = draft.kind
    begin(kind, at: now, id: UniqueID(at: now, using: &generator))
    var count = 1
    if case .tamper(let tamper) = draft { count = tamper.count }
    appendSpan(from: now, to: now, count: count)
    switch draft {
    case .policyChange(let change): append(change)
    case .auditOverride(let override): append(override)
    case .ownerChange(let change): append(change)
    case .sidecarStart(let start): append(start)
    case .sidecarStop(let stop): append(stop)
    case .heartbeat(let heartbeat): append(heartbeat)
    case .recordsDropped(let dropped): append(dropped)
    case .tamper(let tamper): append(tamper)
    }
    return seal(kind)
  }

  /// What every AuditEvent says first.
  private struct Summary {
    var type: String
    var subtype: String?
    var operation: String
    var object: String
    var objectType: String
    var isFailure = false
    var severity = RecordSeverity.informational
  }

  private mutating func append(_ summary: Summary) {
    text.append(ServiceMember.type, text: summary.type)
    text.append(ServiceMember.subtype, text: summary.subtype)
    text.append(Member.result, text: summary.isFailure ? "Failure" : "Success")
    text.append(Member.severity, text: summary.severity.rawValue)
    text.append(ServiceMember.operation, text: summary.operation)
    text.append(ServiceMember.object, text: summary.object)
    text.append(ServiceMember.objectType, text: summary.objectType)
  }

  private mutating func append(_ change: PolicyChangeDraft) {
    append(
      Summary(
        type: change.change.rawValue, operation: change.operation, object: change.source, objectType: "Policy Rule",
        isFailure: change.refusal != nil, severity: change.refusal == nil ? .informational : .low))
    text.append(Member.originalDetails, text: change.refusal)
    text.append(ServiceMember.oldValue, text: change.old.map { "\($0.revision) \($0.hash)" })
    text.append(ServiceMember.newValue, text: change.new.map { "\($0.revision) \($0.hash)" })
    text.append(Member.additional)
    text.append(0x7b)
    appendFirst("OldRuleCount", number: UInt64(max(change.old?.ruleCount ?? 0, 0)))
    text.append(memberName("NewRuleCount"), number: UInt64(max(change.new?.ruleCount ?? 0, 0)))
    text.append(memberName("FlowsCut"), number: UInt64(max(change.flowsCut, 0)))
    text.append(memberName("GrantsEnded"), number: UInt64(max(change.grantsEnded, 0)))
    text.append(0x7d)
  }

  private mutating func append(_ override: AuditOverrideDraft) {
    let isSet = override.until != nil
    append(
      Summary(
        type: isSet ? "Set" : "Delete", operation: isSet ? "AuditOverride" : "AuditOverrideEnd", object: "audit gate",
        objectType: "Policy Rule", severity: .high))
    text.append(Member.originalDetails, text: override.missing)
    text.append(ServiceMember.oldValue, text: override.wasOverridden ? "overridden" : "enforced")
    text.append(ServiceMember.newValue, text: override.until.map { "overridden until \($0)" } ?? "enforced")
    text.append(Member.additional)
    text.append(0x7b)
    appendFirst("Reason", text: override.reason)
    text.append(0x7d)
  }

  private mutating func append(_ change: OwnerChangeDraft) {
    append(
      Summary(
        type: change.operation.eventType, operation: change.operation.rawValue,
        object: "sandbox/\(identity.sandboxID)",
        objectType: "Configuration Atom", isFailure: change.refusal != nil,
        severity: change.refusal == nil ? .informational : .medium))
    text.append(Member.originalDetails, text: change.refusal)
    text.append(ServiceMember.oldValue, text: change.old?.description)
    text.append(ServiceMember.newValue, text: change.new?.description)
    text.append(Member.additional)
    text.append(0x7b)
    appendFirst("Source", text: change.source)
    text.append(memberName("Detail"), text: change.detail)
    text.append(0x7d)
  }

  private mutating func append(_ start: SidecarStartDraft) {
    append(Summary(type: "Start", operation: "SidecarStart", object: "sallyport", objectType: "Service"))
    text.append(ServiceMember.previousBoot, text: start.previousBootID)
    if let sequence = start.previousLastSequence { text.append(ServiceMember.previousSequence, number: sequence) }
    append(carried: start.carried)
    text.append(ServiceMember.node, text: identity.nodeName)
    guard !start.notices.isEmpty else { return }
    text.append(Member.additional)
    text.append(0x7b)
    appendFirst("Notices", text: start.notices.joined(separator: "\n"))
    text.append(0x7d)
  }

  private mutating func append(_ stop: SidecarStopDraft) {
    append(Summary(type: "Stop", operation: "SidecarStop", object: "sallyport", objectType: "Service"))
    text.append(Member.originalDetails, text: stop.reason)
    text.append(memberName("SbxUnackedCount"), number: UInt64(max(stop.unacknowledgedCount, 0)))
    text.append(memberName("SbxSpoolBytes"), number: UInt64(max(stop.spoolBytes, 0)))
  }

  private mutating func append(_ heartbeat: HeartbeatDraft) {
    append(
      Summary(
        type: "Other", subtype: "Heartbeat", operation: "Heartbeat", object: "sallyport", objectType: "Service"))
    text.append(memberName("SbxLastSeq"), number: lastSequence)
    if let sequence = heartbeat.acknowledgedSequence { text.append(memberName("SbxAckedSeq"), number: sequence) }
    if let age = heartbeat.oldestUnacknowledged {
      text.append(memberName("SbxOldestUnackedMs"), number: UInt64(max(age.milliseconds, 0)))
    }
    text.append(memberName("SbxSpoolBytes"), number: heartbeat.spoolBytes)
    text.append(memberName("SbxDroppedTotal"), number: heartbeat.droppedTotal)
    text.append(memberName("SbxQuarantinedTotal"), number: heartbeat.quarantinedTotal)
    text.append(memberName("SbxLiveFlows"), number: UInt64(max(heartbeat.liveFlows, 0)))
    text.append(memberName("SbxRecordedAllowed"), number: heartbeat.recorded.allowed)
    text.append(memberName("SbxRecordedDenied"), number: heartbeat.recorded.denied)
    text.append(memberName("SbxRecordedDropped"), number: heartbeat.recorded.dropped)
    text.append(memberName("SbxRecordedInbound"), number: heartbeat.recorded.inbound)
    text.append(memberName("SbxRecordedRecovered"), number: heartbeat.recorded.recovered)
    text.append(memberName("SbxRecordedUntracked"), number: heartbeat.recorded.untracked)
    text.append(memberName("SbxRecordedAdopted"), number: heartbeat.recorded.adopted)
    text.append(memberName("SbxRecordedOwn"), number: heartbeat.recorded.own)
    text.append(memberName("SbxUnreconciled"), number: heartbeat.recorded.unreconciled)
    text.append(memberName("SbxSkippedFlows"), number: heartbeat.skippedFlows)
    text.append(memberName("SbxSkippedQueries"), number: heartbeat.skippedQueries)
    text.append(memberName("SbxPendingDenied"), number: heartbeat.pendingDenied)
    text.append(memberName("SbxLostAllowed"), number: heartbeat.lost.allowed)
    text.append(memberName("SbxLostDenied"), number: heartbeat.lost.denied)
    append(carried: heartbeat.carried)
    if let count = heartbeat.kernelAllowed { text.append(memberName("SbxKernelAllowed"), number: count) }
    if let count = heartbeat.kernelDenied { text.append(memberName("SbxKernelDenied"), number: count) }
    if let count = heartbeat.kernelDropped { text.append(memberName("SbxKernelDropped"), number: count) }
  }

  private mutating func append(carried: FlowPair?) {
    guard let carried else { return }
    text.append(memberName("SbxCarriedAllowed"), number: carried.allowed)
    text.append(memberName("SbxCarriedDenied"), number: carried.denied)
  }

  private mutating func append(_ dropped: RecordsDroppedDraft) {
    append(
      Summary(
        type: "Other", subtype: "RecordsDropped", operation: "RecordsDropped", object: "audit-log",
        objectType: "Event Log", isFailure: true, severity: .high))
    text.append(Member.originalDetails, text: dropped.reason)
    text.append(memberName("SbxDroppedCount"), number: dropped.count)
    if let sequences = dropped.sequences {
      text.append(memberName("SbxDroppedFromSeq"), number: sequences.lowerBound)
      text.append(memberName("SbxDroppedToSeq"), number: sequences.upperBound)
      if let boot = dropped.bootID, boot != bootID { text.append(memberName("SbxDroppedBootId"), text: boot) }
    }
    guard let flows = dropped.flows else { return }
    text.append(Member.additional)
    text.append(0x7b)
    appendFirst("Flows", text: flows)
    text.append(0x7d)
  }

  private mutating func append(_ tamper: TamperDraft) {
    append(
      Summary(
        type: "Other", subtype: "Tamper", operation: "KernelTableChanged", object: tamper.object,
        objectType: "Policy Rule", isFailure: true, severity: .high))
    text.append(Member.originalDetails, text: tamper.isRestored ? "RESTORED" : "NOT_RESTORED")
    text.append(Member.additional)
    text.append(0x7b)
    appendFirst("What", text: tamper.what)
    text.append(0x7d)
  }

  /// The first member of an object, so without a comma.
  private mutating func appendFirst(_ name: String, text value: String) {
    text.append(Array("\"\(name)\":".utf8))
    text.append(text: value)
  }

  private mutating func appendFirst(_ name: String, number: UInt64) {
    text.append(Array("\"\(name)\":".utf8))
    text.append(number: number)
  }
}

extension OwnerChangeDraft.Operation {
  /// `EventType`: a refused binding is a creation that failed.
  fileprivate var eventType: String {
    switch self {
    case .bind, .rebindRefused, .proofRefused: "Create"
    case .restore: "Initialize"
    case .tokenVanished: "Other"
    }
  }
}

extension ServiceDraft {
  var kind: RecordKind {
    switch self {
    case .policyChange, .auditOverride: .policyChange
    case .ownerChange: .ownerChange
    case .sidecarStart: .sidecarStart
    case .sidecarStop: .sidecarStop
    case .heartbeat: .heartbeat
    case .recordsDropped: .recordsDropped
    case .tamper: .tamper
    }
  }
}

private enum ServiceMember {
  static let type = ",\"EventType\":"
  static let subtype = ",\"EventSubType\":"
  static let operation = ",\"Operation\":"
  static let object = ",\"Object\":"
  static let objectType = ",\"ObjectType\":"
  static let oldValue = ",\"OldValue\":"
  static let newValue = ",\"NewValue\":"
  static let previousBoot = ",\"SbxPrevBootId\":"
  static let previousSequence = ",\"SbxPrevLastSeq\":"
  static let node = ",\"SbxNodeName\":"
}
