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

  package init(owner: OwnerID, bindingID: String, source: OwnerSource, boundAt: WallTime) {
    self.owner = owner
    self.bindingID = bindingID
    self.source = source
    self.boundAt = boundAt
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
