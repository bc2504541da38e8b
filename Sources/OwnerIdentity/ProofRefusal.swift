/// Why a token binds nobody: the check that failed first, and in words what it wanted. Nothing of the token itself is in either.
package struct ProofRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  /// The check by name, as records have it in `EventOriginalResultDetails`.
  package enum Check: String, Hashable, Sendable, CaseIterable {
    /// No key is configured, so nobody can prove anything.
    case noKeys = "NO_KEYS"
    case oversize = "TOKEN_OVERSIZE"
    /// Not three parts of strict base64url, or not JSON objects in the first two.
    case malformed = "TOKEN_MALFORMED"
    /// `none`, HMAC, or anything else but RS256 and ES256.
    case algorithm = "ALGORITHM_REFUSED"
    /// `crit` names an extension that must be understood.
    case critical = "CRITICAL_HEADER"
    case keyUnknown = "KEY_UNKNOWN"
    /// The key is too short, or no point of its curve.
    case keyUnusable = "KEY_UNUSABLE"
    case signature = "SIGNATURE_INVALID"
    case claimRepeated = "CLAIM_REPEATED"
    case claimMissing = "CLAIM_MISSING"
    case claimMalformed = "CLAIM_MALFORMED"
    case issuer = "ISSUER_WRONG"
    case audience = "AUDIENCE_WRONG"
    case pod = "POD_WRONG"
    case subject = "SUBJECT_MALFORMED"
    case tenant = "TENANT_WRONG"
    case version = "VERSION_WRONG"
    /// A token of an application and not of a user.
    case notUser = "NOT_A_USER"
    case expired = "TOKEN_EXPIRED"
    case notYet = "TOKEN_NOT_YET_VALID"
    case policy = "POLICY_MISMATCH"
    /// A user's own token in a file, where it must not be.
    case place = "TOKEN_IN_FILE"
  }

  package var check: Check
  /// One line for people.
  package var detail: String

  package init(_ check: Check, _ detail: String) {
    self.check = check
    self.detail = detail
  }

  package var description: String { "\(check.rawValue): \(detail)" }
}
