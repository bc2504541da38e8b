import JSONText

/// The signatures that are accepted (RFC 7518 §3.1). No HMAC, whose key every reader would hold, and no `none`.
package enum TokenAlgorithm: String, Hashable, Sendable, CaseIterable {
  case rs256 = "RS256"
  case es256 = "ES256"
}

/// A JWS in compact form taken apart (RFC 7515 §7.1). Nothing of it is believed before its signature is.
package struct SignedToken: Hashable, Sendable {
  package let algorithm: TokenAlgorithm
  /// Which key is said to have signed it; compared and never looked up anywhere.
  package let keyID: String?
  /// What the signature is over: the first two parts as they came.
  package let message: [UInt8]
  package let signature: [UInt8]
  /// The members of the second part.
  let claims: JSONValue

  /// The pod that it says it is for; nil when it says none. Not proved.
  package var podUID: String? { claims["pod_uid"]?.string }

  /// The longest token that is looked at, in octets: a binding with an RSA-4096 signature takes 1.5 KiB, a user's token with groups a few.
  package static let octetsMax = 16 << 10
  /// Objects inside one another in a part: an Entra token has two.
  private static let depthMax = 8

  /// Strictly: no white space, no padding, no repeated member, one spelling of every octet.
  package static func parse(_ text: [UInt8]) throws(ProofRefusal) -> SignedToken {
    guard text.count <= octetsMax else { throw ProofRefusal(.oversize, "the token has more than \(octetsMax) octets") }
    let parts = text.split(separator: 0x2e, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw ProofRefusal(.malformed, "not three parts with dots between them") }
    let header = try object(parts[0], "header", repeated: .malformed)
    let (algorithm, keyID) = try reading(header)
    guard let signature = Base64.decodeURL(parts[2]), !signature.isEmpty else {
      throw ProofRefusal(.malformed, "the signature is not base64url")
    }
    return SignedToken(
      algorithm: algorithm, keyID: keyID, message: Array(text[..<parts[1].endIndex]), signature: signature,
      claims: try object(parts[1], "claims", repeated: .claimRepeated))
  }

  private static func reading(_ header: JSONValue) throws(ProofRefusal) -> (TokenAlgorithm, keyID: String?) {
    guard let name = header["alg"]?.string, let algorithm = TokenAlgorithm(rawValue: name) else {
      let names = TokenAlgorithm.allCases.map(\.rawValue).joined(separator: " and ")
      throw ProofRefusal(.algorithm, "only \(names) are accepted")
    }
    guard header["crit"] == nil else { throw ProofRefusal(.critical, "no extension named in crit is understood") }
    guard let member = header["kid"] else { return (algorithm, nil) }
    guard let keyID = member.string else { throw ProofRefusal(.malformed, "kid is not a string") }
    return (algorithm, keyID)
  }

  private static func object(
    _ part: ArraySlice<UInt8>, _ name: String, repeated: ProofRefusal.Check
  ) throws(ProofRefusal) -> JSONValue {
    guard let octets = Base64.decodeURL(part), !octets.isEmpty else {
      throw ProofRefusal(.malformed, "the \(name) part is not base64url")
    }
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue.parse(octets, limits: JSONLimits(depthMax: depthMax, sizeMax: octetsMax))
    } catch {
      throw ProofRefusal(
        error.isRepeatedMember ? repeated : .malformed,
        "the \(name) part: " + (error.isRepeatedMember ? "a member is repeated" : "not JSON"))
    }
    guard value.object != nil else { throw ProofRefusal(.malformed, "the \(name) part is no JSON object") }
    return value
  }
}
