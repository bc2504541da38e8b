import Timekeeping

/// Numbers, chains and writes the records of one boot.
package struct AuditLog: Sendable {
  /// SHA-256: from octets to their 32-octet digest.
  package typealias Hash = @Sendable ([UInt8]) -> [UInt8]
  /// The longest record: what an event may have in the hub (audit.md, forwarder limits).
  package static let recordOctetsMax = 32 * 1_024

  package let bootID: String
  package private(set) var lastSequence: UInt64 = 0
  package var context: RecordContext

  package init(bootID: String, identity: SandboxIdentity, context: RecordContext, hash: @escaping Hash) {
    self.bootID = bootID
    self.context = context
  }

  package mutating func seal(_ draft: QueryDraft, at now: WallTime, using generator: inout some RandomNumberGenerator)
    -> SealedRecord
  { SealedRecord(sequence: 0, bytes: [], kind: .dnsAllowed) }
  package mutating func seal(_ draft: FlowDraft, at now: WallTime, using generator: inout some RandomNumberGenerator)
    -> SealedRecord
  { SealedRecord(sequence: 0, bytes: [], kind: .flowOpen) }
  package mutating func seal(_ draft: ServiceDraft, at now: WallTime, using generator: inout some RandomNumberGenerator)
    -> SealedRecord
  { SealedRecord(sequence: 0, bytes: [], kind: .heartbeat) }
  /// Uses up `count` numbers for records that could not be made; nil when `count` is 0.
  package mutating func skip(_ count: UInt64) -> ClosedRange<UInt64>? { nil }
}
