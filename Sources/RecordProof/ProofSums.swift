import FlowAudit

/// What the records count, each once: an attempt or a query that a roll-up counts counts as many.
package struct ProofSums: Hashable, Sendable {
  enum Column: UInt8, Hashable, Sendable {
    case allowed, adopted, inbound, own, denied, closed, queriesAllowed, queriesDenied, lostAllowed, lostDenied

    /// Nil when the line counts nothing.
    init?(_ line: AuditLine) {
      switch line.kind {
      case .flowOpen: self = line.isOwn ? .own : line.isAdopted ? .adopted : line.isInbound ? .inbound : .allowed
      case .flowDenied: self = .denied
      case .flowClose: self = .closed
      case .dnsAllowed: self = .queriesAllowed
      case .dnsDenied: self = .queriesDenied
      case .recordsDropped where line.dropped?.flows == "allowed": self = .lostAllowed
      case .recordsDropped where line.dropped?.flows == "denied": self = .lostDenied
      default: return nil
      }
    }
  }

  /// Flows that were let out (`FlowOpen`).
  package var allowed: UInt64 = 0
  /// Flows that lived at a start and were on the record before it.
  package var adopted: UInt64 = 0
  /// Flows into the pod.
  package var inbound: UInt64 = 0
  /// The daemon's own flows.
  package var own: UInt64 = 0
  /// Attempts that were denied.
  package var denied: UInt64 = 0
  /// Flows that ended (`FlowClose`).
  package var closed: UInt64 = 0
  package var queriesAllowed: UInt64 = 0
  package var queriesDenied: UInt64 = 0
  /// Flows that no record tells of, as the kernel counted them (`RecordsDropped`).
  package var lostAllowed: UInt64 = 0
  package var lostDenied: UInt64 = 0

  package init() {}

  mutating func add(_ count: UInt64, to column: Column) {
    switch column {
    case .allowed: allowed &+= count
    case .adopted: adopted &+= count
    case .inbound: inbound &+= count
    case .own: own &+= count
    case .denied: denied &+= count
    case .closed: closed &+= count
    case .queriesAllowed: queriesAllowed &+= count
    case .queriesDenied: queriesDenied &+= count
    case .lostAllowed: lostAllowed &+= count
    case .lostDenied: lostDenied &+= count
    }
  }
}
