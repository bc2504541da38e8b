import JSONText
import Timekeeping

/// Who issues the tokens.
package enum OwnerIssuer: Hashable, Sendable {
  /// The platform: tokens made for one pod, `sub` is `TENANT/OID`. Nil: whoever holds one of the keys.
  case platform(String?)
  /// Microsoft Entra: a user's own access token. `tenant` in lower case.
  case entra(String, tenant: String, version: String)

  /// Issuers of Microsoft's clouds (Microsoft Learn, entra/identity-platform/access-token-claims-reference, `iss`): v1 ends with a slash.
  private static let hosts: [(prefix: String, suffix: String, version: String)] = [
    ("https://login.microsoftonline.com/", "/v2.0", "2.0"), ("https://login.microsoftonline.us/", "/v2.0", "2.0"),
    ("https://login.partner.microsoftonline.cn/", "/v2.0", "2.0"), ("https://sts.windows.net/", "/", "1.0"),
    ("https://sts.chinacloudapi.cn/", "/", "1.0"),
  ]

  /// The text of `SALLYPORT_OWNER_ISSUER`; nil for an issuer of Microsoft's that names no single tenant, such as `common`.
  package init?(_ text: String) {
    guard let (prefix, suffix, version) = Self.hosts.first(where: { text.lowercased().hasPrefix($0.prefix) }) else {
      self = .platform(text)
      return
    }
    guard text.hasPrefix(prefix), text.hasSuffix(suffix), text.utf8.count == prefix.utf8.count + 36 + suffix.utf8.count,
      let tenant = guidText(Array(text.utf8.dropFirst(prefix.utf8.count).prefix(36)))
    else { return nil }
    self = .entra(text, tenant: tenant, version: version)
  }

  package var isEntra: Bool { if case .entra = self { true } else { false } }
}

/// What a token must say to bind this pod's owner.
package struct OwnerProof: Hashable, Sendable {
  package var issuer: OwnerIssuer
  package var audience: String
  /// This pod, as a platform's token names it.
  package var podUID: String

  /// How far the issuer's clock may be off: 60 s.
  package static let skew = TimeSpan.seconds(60)
  /// The longest id in a token, in octets: a UUID has 36.
  static let idOctetsMax = 128
  /// The largest time in a token, in seconds since 1970: the end of the year 9999.
  static let secondsMax: Int64 = 253_402_300_799

  package init(issuer: OwnerIssuer, audience: String, podUID: String) {
    self.issuer = issuer
    self.audience = audience
    self.podUID = podUID
  }

  /// What a token that is proved says.
  package struct Claim: Hashable, Sendable {
    package var binding: OwnerBinding
    /// SHA-256 of the policy it was made for; nil when any will do.
    package var policyHash: [UInt8]?
  }

  /// Judges the claims of a token whose signature is valid.
  ///
  /// - Parameter bound: the binding that stands. The token that made it proves it again, also when its time is over.
  package func judge(_ token: SignedToken, bound: OwnerBinding?, at now: WallTime) throws(ProofRefusal) -> Claim {
    let claims = Claims(token.claims)
    switch issuer {
    case .platform(let wanted):
      if let wanted { try check(claims, issuer: wanted) } else { _ = try claims.text("iss") }
    case .entra(let wanted, _, _): try check(claims, issuer: wanted)
    }
    guard try claims.audiences().contains(audience) else { throw ProofRefusal(.audience, "aud is not \(audience)") }
    let claim = issuer.isEntra ? try entra(claims, at: now) : try platform(claims, at: now)
    let isRepeat = bound.map { $0.isSame(as: claim.binding) && $0.bindingID == claim.binding.bindingID } ?? false
    if !isRepeat { try checkTimes(claims, at: now) }
    return claim
  }

  private func check(_ claims: Claims, issuer wanted: String) throws(ProofRefusal) {
    guard try claims.text("iss") == wanted else { throw ProofRefusal(.issuer, "iss is not \(wanted)") }
  }

  private func platform(_ claims: Claims, at now: WallTime) throws(ProofRefusal) -> Claim {
    guard equalIDs(try claims.text("pod_uid"), podUID) else {
      throw ProofRefusal(.pod, "pod_uid is not that of this pod")
    }
    let owner: OwnerID
    do throws(OwnerID.ParseError) {
      owner = try OwnerID.parse(try subject(claims))
    } catch {
      throw ProofRefusal(.subject, "sub: \(error)")
    }
    let binding = OwnerBinding(
      owner: owner, bindingID: try claims.id("jti"), source: .token, boundAt: now,
      sessionID: try claims.optionalID("session_id"), claimUID: try claims.optionalID("claim_uid"))
    return Claim(binding: binding, policyHash: try claims.hash("policy_sha256"))
  }

  /// `sub` is text, or it is nobody's: a malformed one is a malformed subject.
  private func subject(_ claims: Claims) throws(OwnerID.ParseError) -> String {
    guard let text = claims.value("sub")?.string else { throw .notTwoParts }
    return text
  }

  /// A user's access token: `oid` in `tid` is who it is, for `sub` differs by application and names may change (Microsoft Learn, access-token-claims-reference).
  private func entra(_ claims: Claims, at now: WallTime) throws(ProofRefusal) -> Claim {
    guard case .entra(_, let tenant, let version) = issuer else { throw ProofRefusal(.issuer, "not Entra's") }
    guard try claims.text("ver") == version else { throw ProofRefusal(.version, "ver is not \(version)") }
    // Only tokens that an application holds for a user have scopes.
    guard let scopes = claims.value("scp")?.string, !scopes.isEmpty,
      claims.value("idtyp").map({ $0.string == "user" }) ?? true
    else { throw ProofRefusal(.notUser, "a user's token has scp, an application's has not") }
    guard try claims.text("tid").lowercased() == tenant else {
      throw ProofRefusal(.tenant, "tid is not the tenant of the issuer")
    }
    let owner: OwnerID
    do throws(OwnerID.ParseError) {
      owner = try OwnerID.parse("\(tenant)/\(claims.value("oid")?.string ?? "")")
    } catch {
      throw ProofRefusal(.subject, "oid: \(error)")
    }
    let issued = try claims.seconds("iat")
    return Claim(
      binding: OwnerBinding(
        owner: owner, bindingID: try claims.optionalID("uti") ?? "iat-\(issued)", source: .token, boundAt: now,
        sessionID: nil, claimUID: nil), policyHash: nil)
  }

  private func checkTimes(_ claims: Claims, at now: WallTime) throws(ProofRefusal) {
    let moment = { (seconds: Int64) in WallTime(microseconds: seconds * 1_000_000) }
    guard now < moment(try claims.seconds("exp")) + Self.skew else {
      throw ProofRefusal(.expired, "exp is more than \(Self.skew) ago")
    }
    for name in ["iat", "nbf"] where name == "iat" || claims.value(name) != nil {
      guard moment(try claims.seconds(name)) <= now + Self.skew else {
        throw ProofRefusal(.notYet, "\(name) is more than \(Self.skew) ahead")
      }
    }
  }
}

/// UIDs are compared without case: they are hexadecimal.
private func equalIDs(_ left: String, _ right: String) -> Bool { left.lowercased() == right.lowercased() }

/// The claims of a token, read one by one.
private struct Claims {
  private let object: JSONValue

  init(_ object: JSONValue) { self.object = object }

  func value(_ name: String) -> JSONValue? { object[name] }

  private func required(_ name: String) throws(ProofRefusal) -> JSONValue {
    guard let value = object[name] else { throw ProofRefusal(.claimMissing, "there is no \(name)") }
    return value
  }

  func text(_ name: String) throws(ProofRefusal) -> String {
    guard let text = try required(name).string, !text.isEmpty else {
      throw ProofRefusal(.claimMalformed, "\(name) is no text")
    }
    return text
  }

  /// Printable and short, since it goes into every record.
  func id(_ name: String) throws(ProofRefusal) -> String {
    let text = try text(name)
    guard text.utf8.count <= OwnerProof.idOctetsMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw ProofRefusal(.claimMalformed, "\(name) is not 1 to \(OwnerProof.idOctetsMax) printable ASCII characters")
    }
    return text
  }

  func optionalID(_ name: String) throws(ProofRefusal) -> String? { object[name] == nil ? nil : try id(name) }

  /// RFC 7519 §4.1.3: one text, or an array of them.
  func audiences() throws(ProofRefusal) -> [String] {
    let value = try required("aud")
    if let text = value.string { return [text] }
    guard let array = value.array else {
      throw ProofRefusal(.claimMalformed, "aud is neither text nor an array of texts")
    }
    return array.compactMap(\.string)
  }

  /// Seconds since 1970 (RFC 7519 §2, NumericDate), whole.
  func seconds(_ name: String) throws(ProofRefusal) -> Int64 {
    guard let number = try required(name).integer, (0...OwnerProof.secondsMax).contains(number) else {
      throw ProofRefusal(.claimMalformed, "\(name) is not a number of whole seconds since 1970")
    }
    return number
  }

  /// 64 hexadecimal digits.
  func hash(_ name: String) throws(ProofRefusal) -> [UInt8]? {
    guard object[name] != nil else { return nil }
    let digits = Array(try text(name).utf8)
    var octets: [UInt8] = []
    for pair in stride(from: 0, to: digits.count - 1, by: 2) {
      guard let high = hexValue(digits[pair]), let low = hexValue(digits[pair + 1]) else { break }
      octets.append(high << 4 | low)
    }
    guard digits.count == 64, octets.count == 32 else {
      throw ProofRefusal(.claimMalformed, "\(name) is not 64 hexadecimal digits")
    }
    return octets
  }
}

private func hexValue(_ digit: UInt8) -> UInt8? {
  switch digit {
  case 0x30...0x39: digit - 0x30
  case 0x41...0x46: digit - 0x37
  case 0x61...0x66: digit - 0x57
  default: nil
  }
}
