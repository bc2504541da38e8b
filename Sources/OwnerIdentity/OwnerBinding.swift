import Timekeeping

/// How an owner was proved; the raw value is `SbxOwnerSource` in records.
package enum OwnerSource: String, Hashable, Sendable {
  /// The setting `SALLYPORT_OWNER`: whoever made the pod says so.
  case `static`
  /// A signed binding token.
  case token
}

/// Who owns the sandbox, and which binding says so.
package struct OwnerBinding: Hashable, Sendable {
  package var owner: OwnerID
  /// Names this binding in records (`SbxOwnerBindingId`): the token's id, or one made for a static owner.
  package var bindingID: String
  package var source: OwnerSource
  package var boundAt: WallTime
  /// What the platform calls this use of the sandbox (`SbxSessionId`); nil when the token says nothing of it.
  package var sessionID: String?
  /// The claim that took the sandbox out of its pool (`SbxClaimUid`); nil when the token says nothing of it.
  package var claimUID: String?

  package init(
    owner: OwnerID, bindingID: String, source: OwnerSource, boundAt: WallTime, sessionID: String? = nil,
    claimUID: String? = nil
  ) {
    self.owner = owner
    self.bindingID = bindingID
    self.source = source
    self.boundAt = boundAt
    self.sessionID = sessionID
    self.claimUID = claimUID
  }

  /// The same owner in the same session and claim. What a new token leaves open agrees with what stands; what it says must not differ, or records would
  /// name another session than the one it was made for.
  package func isSame(as new: OwnerBinding) -> Bool {
    func agrees(_ new: String?, _ standing: String?) -> Bool { new == nil || new == standing }
    return owner == new.owner && agrees(new.sessionID, sessionID) && agrees(new.claimUID, claimUID)
  }
}

/// Whether the sandbox has an owner.
package enum OwnerState: Hashable, Sendable {
  case unbound
  case bound(OwnerBinding)

  package var binding: OwnerBinding? {
    switch self {
    case .unbound: nil
    case .bound(let binding): binding
    }
  }

  /// `bound` or `unbound`: `SbxOwnerState` in records.
  package var text: String {
    switch self {
    case .unbound: "unbound"
    case .bound: "bound"
    }
  }
}
