/// `SbxRecordKind`: what a record is about.
package enum RecordKind: String, Hashable, Sendable, CaseIterable {
  case flowOpen = "FlowOpen"
  case flowUpdate = "FlowUpdate"
  case flowClose = "FlowClose"
  case flowDenied = "FlowDenied"
  case dnsAllowed = "DnsAllowed"
  case dnsDenied = "DnsDenied"
  case policyChange = "PolicyChange"
  case ownerChange = "OwnerChange"
  case sidecarStart = "SidecarStart"
  case sidecarStop = "SidecarStop"
  case heartbeat = "Heartbeat"
  case recordsDropped = "RecordsDropped"
  case tamper = "Tamper"
}

/// A record whose bytes will never change again.
package struct SealedRecord: Hashable, Sendable {
  /// `SbxSeq`.
  package let sequence: UInt64
  /// The JSON object, without a newline.
  package let bytes: [UInt8]
  package let kind: RecordKind

  package init(sequence: UInt64, bytes: [UInt8], kind: RecordKind) {
    self.sequence = sequence
    self.bytes = bytes
    self.kind = kind
  }
}

/// Why something was denied; the raw value is `EventOriginalResultDetails` (audit.md, `FlowDenied`).
package enum DenialReason: String, Hashable, Sendable, CaseIterable {
  /// No rule speaks of it.
  case defaultDeny = "DEFAULT_DENY"
  /// A rule denies it.
  case ruleDeny = "RULE_DENY"
  /// Nobody owns the sandbox yet.
  case ownerUnbound = "OWNER_UNBOUND"
  /// The address was leased once, and is no longer.
  case leaseExpired = "LEASE_EXPIRED"
  /// DNS answered with an address of a special-purpose range.
  case privateAnswer = "PRIVATE_ANSWER"
  /// The spool is full and the setting says closed.
  case auditStoreFull = "AUDIT_STORE_FULL"
  /// No delivery was acknowledged for as long as the audit lease.
  case auditLeaseExpired = "AUDIT_LEASE_EXPIRED"
  /// A protocol or query type that never passes.
  case `protocol` = "PROTOCOL"
}

/// `EventSeverity`.
package enum RecordSeverity: String, Hashable, Sendable {
  case informational = "Informational"
  case low = "Low"
  case medium = "Medium"
  case high = "High"
}
