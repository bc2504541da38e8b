/// The owner of this pod, bound at most once.
package struct Ownership: Hashable, Sendable {
  /// What became of a binding.
  package enum Outcome: Hashable, Sendable {
    /// The sandbox has an owner from now on.
    case bound
    /// The owner was bound already; the first binding stands.
    case same
    /// Another owner is bound; nothing changed.
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

  package mutating func bind(_ binding: OwnerBinding) -> Outcome {
    switch state {
    case .unbound:
      state = .bound(binding)
      return .bound
    case .bound(let current): return current.owner == binding.owner ? .same : .refused(current: current)
    }
  }
}
