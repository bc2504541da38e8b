/// The owner of this pod, bound at most once.
package struct Ownership: Hashable, Sendable {
  /// What a proved binding means.
  package enum Verdict: Hashable, Sendable {
    /// Nobody is bound: keep it, then `bind`.
    case first
    /// It is bound already; the first binding stands.
    case same
    /// Another owner, session or claim is bound; nothing changes.
    case refused(current: OwnerBinding)
  }

  package private(set) var state: OwnerState
  /// While this holds and nobody is bound, all egress of the workload is denied as `OWNER_UNBOUND`.
  package let isRequired: Bool

  package init(state: OwnerState = .unbound, isRequired: Bool) {
    self.state = state
    self.isRequired = isRequired
  }

  /// Egress may be decided by the policy: somebody is bound, or nobody needs to be.
  package var permitsEgress: Bool { state != .unbound || !isRequired }

  package func judge(_ binding: OwnerBinding) -> Verdict {
    switch state {
    case .unbound: .first
    case .bound(let current): current.isSame(as: binding) ? .same : .refused(current: current)
    }
  }

  /// Binds, unless somebody is bound: the first binding stands.
  package mutating func bind(_ binding: OwnerBinding) {
    if state == .unbound { state = .bound(binding) }
  }
}
