import OwnerIdentity

/// What holds for every record until it changes: rendered once for each change.
package struct RecordContext: Hashable, Sendable {
  package var owner: OwnerState
  /// `SbxPolicyRevision`; nil before the first policy is in force.
  package var policyRevision: String?
  package var enforcement: Enforcement
  /// `SbxClockSkewed`: wall time disagrees with the hub's or jumped.
  package var isClockSkewed: Bool

  package init(
    owner: OwnerState, policyRevision: String?, enforcement: Enforcement, isClockSkewed: Bool = false
  ) {
    self.owner = owner
    self.policyRevision = policyRevision
    self.enforcement = enforcement
    self.isClockSkewed = isClockSkewed
  }
}

/// `SbxEnforcement`.
package enum Enforcement: Hashable, Sendable, CustomStringConvertible {
  case enforce
  case observe
  /// What is missing, for instance `workload-capabilities`.
  case degraded(String)

  package var description: String {
    switch self {
    case .enforce: "enforce"
    case .observe: "observe"
    case .degraded(let what): "degraded:\(what)"
    }
  }
}
