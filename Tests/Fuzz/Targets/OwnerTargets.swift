import OwnerIdentity
import Timekeeping

extension FuzzTarget {
  /// A token as it lies in a file, alone or among annotations: refused with its check, or what binds is exactly this pod's and within every limit.
  static let ownerToken = FuzzTarget(name: "owner-token", octetsMax: 2_048) { octets in
    if let kept = try? KeptOwner.parse(octets) {
      require((try? KeptOwner.parse(kept.composed)) == kept, "a kept owner that does not read back")
    }
    let text = TokenFile.token(in: octets) ?? octets
    guard let token = try? SignedToken.parse(text) else { return }
    require(text.count <= SignedToken.octetsMax && !token.signature.isEmpty, "beyond its limits")
    require(text.starts(with: token.message) && text[token.message.count] == 0x2e, "signed octets that were not sent")
    // Its two texts have one spelling each: a token and its copy with one more octet are not the same.
    require((try? SignedToken.parse(text + [0x3d])) == nil, "padding was taken")
    let now = WallTime(microseconds: 1_800_000_000_000_000)
    for issuer in ["https://platform.example", "https://sts.windows.net/6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b/"] {
      guard let issuer = OwnerIssuer(issuer) else { fatalError("an issuer of the play") }
      let proof = OwnerProof(issuer: issuer, audience: "egress-sidecar", podUID: "pod-1")
      guard let claim = try? proof.judge(token, bound: nil, at: now) else { continue }
      let owner = claim.binding.owner
      require((try? OwnerID.parse("\(owner.tenant)/\(owner.object)")) == owner, "an owner that does not read back")
      require(issuer.isEntra || token.podUID?.lowercased() == "pod-1", "a token of another pod binds")
      require(claim.policyHash.map { $0.count == 32 } ?? true, "a digest of another length")
      let kept = KeptOwner(podUID: "pod-1", binding: claim.binding)
      require((try? KeptOwner.parse(kept.composed)) == kept, "a binding that cannot be kept")
      let again = try? proof.judge(token, bound: claim.binding, at: now + .seconds(10_000_000))
      require(
        again?.binding.isSame(as: claim.binding) ?? false, "the token that made a binding does not prove it again")
    }
  }

  /// A JWK Set: refused with its place, or within every limit and free of private keys.
  static let ownerKeys = FuzzTarget(name: "owner-keys", octetsMax: 2_048) { octets in
    do throws(KeySet.Problem) {
      let set = try KeySet.parse(octets)
      require(set.keys.count <= KeySet.keysMax, "too many keys")
      for key in set.keys where key.weakness == nil {
        switch key.numbers {
        case .rsa(let modulus, let exponent):
          require(modulus.drop { $0 == 0 }.count * 8 >= KeySet.rsaBits.lowerBound, "a short key")
          require(exponent.last.map { $0 & 1 == 1 } ?? false, "an even exponent")
        case .p256(let x, let y): require(x.count == 32 && y.count == 32, "a coordinate of another length")
        }
      }
    } catch {
      require(error.path.hasPrefix("$") && !error.reason.isEmpty, "refused without a place")
    }
  }
}
