import OwnerIdentity
import Testing
import Timekeeping

@Suite struct OwnerProofTests {
  private let platform = OwnerProof(issuer: .platform("platform"), audience: "egress-sidecar", podUID: pod)

  private func judge(_ claims: String, by proof: OwnerProof, bound: OwnerBinding? = nil) throws(ProofRefusal)
    -> OwnerProof.Claim
  {
    try proof.judge(try SignedToken.parse(token(claims: claims)), bound: bound, at: now)
  }

  private func entra(_ issuer: String = entraIssuer) throws -> OwnerProof {
    OwnerProof(issuer: try #require(OwnerIssuer(issuer)), audience: "api", podUID: pod)
  }

  @Test func aPlatformTokenNamesTheOwnerOfThisPod() throws {
    let claim = try judge(
      platformClaims([
        "session_id": "\"s-1\"", "claim_uid": "\"c-1\"", "policy_sha256": "\"\(String(repeating: "aB", count: 32))\"",
      ]),
      by: platform)
    #expect(claim.binding.owner.description == "\(tenant)/\(object)" && claim.binding.bindingID == "one")
    #expect(claim.binding.sessionID == "s-1" && claim.binding.claimUID == "c-1" && claim.binding.source == .token)
    #expect(claim.policyHash == [UInt8](repeating: 0xab, count: 32))
    #expect(try judge(platformClaims(["aud": "[\"other\",\"egress-sidecar\"]"]), by: platform).binding.sessionID == nil)
    #expect(try judge(platformClaims(["pod_uid": "\"\(pod.uppercased())\""]), by: platform).policyHash == nil)
    #expect(
      try judge(
        platformClaims(["iss": "\"anyone\""]),
        by: OwnerProof(issuer: .platform(nil), audience: "egress-sidecar", podUID: pod)
      ).policyHash == nil)
  }

  @Test(
    arguments: [
      ("iss", "\"other\"", ProofRefusal.Check.issuer), ("iss", nil, .claimMissing), ("iss", "7", .claimMalformed),
      ("iss", "\"platform/\"", .issuer), ("aud", "\"Egress-Sidecar\"", .audience), ("aud", "[]", .audience),
      ("aud", nil, .claimMissing), ("aud", "{}", .claimMalformed), ("aud", "[7]", .audience),
      ("pod_uid", "\"\(object)\"", .pod), ("pod_uid", nil, .claimMissing), ("pod_uid", "\"\"", .claimMalformed),
      ("sub", nil, .subject), ("sub", "\"someone@example.com\"", .subject), ("sub", "\"\(object)\"", .subject),
      ("sub", "7", .subject),
      ("sub", "\"\(tenant)/00000000-0000-0000-0000-000000000000\"", .subject), ("jti", nil, .claimMissing),
      ("jti", "\"a b\"", .claimMalformed), ("jti", "\"\(String(repeating: "a", count: 129))\"", .claimMalformed),
      ("session_id", "7", .claimMalformed), ("claim_uid", "\"\"", .claimMalformed),
      ("policy_sha256", "\"ab\"", .claimMalformed),
      ("policy_sha256", "\"\(String(repeating: "g", count: 64))\"", .claimMalformed), ("exp", nil, .claimMissing),
      ("exp", "\"1900000300\"", .claimMalformed), ("exp", "1900000300.5", .claimMalformed),
      ("exp", "1e12", .claimMalformed),
      ("exp", "99999999999999", .claimMalformed), ("exp", "-1", .claimMalformed), ("iat", nil, .claimMissing),
    ] as [(String, String?, ProofRefusal.Check)])
  func eachClaimIsChecked(_ name: String, _ value: String?, _ check: ProofRefusal.Check) {
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(platformClaims([name: value]), by: platform) } == check)
  }

  @Test func test_owner_T3_aTokenOfAnotherPodIsWorthNothing() {
    let claims = platformClaims(["pod_uid": "\"\(pod.dropLast())2\""])
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(claims, by: platform) } == .pod)
  }

  @Test(
    arguments: [
      (["exp": nowSeconds - 59], nil), (["exp": nowSeconds - 60], ProofRefusal.Check.expired),
      (["iat": nowSeconds + 60], nil),
      (["iat": nowSeconds + 61], .notYet), (["nbf": nowSeconds + 60], nil), (["nbf": nowSeconds + 61], .notYet),
      (["exp": 0], .expired),
    ] as [([String: Int64], ProofRefusal.Check?)])
  func test_owner_T7_clocksMayDifferBySixtySeconds(_ times: [String: Int64], _ check: ProofRefusal.Check?) {
    let claims = platformClaims(times.mapValues { "\($0)" })
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(claims, by: platform) } == check)
  }

  @Test func test_owner_T4_theTokenThatBoundProvesItAgainWhenItsTimeIsOver() throws {
    let bound = try judge(platformClaims(), by: platform).binding
    let late = platformClaims(["exp": "\(nowSeconds - 5_000)"])
    #expect(try judge(late, by: platform, bound: bound).binding.owner == bound.owner)
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(late, by: platform) } == .expired)
    let other = platformClaims(["exp": "\(nowSeconds - 5_000)", "jti": "\"two\""])
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(other, by: platform, bound: bound) } == .expired)
    let stolen = platformClaims(["exp": "\(nowSeconds - 5_000)", "sub": "\"\(object)/\(tenant)\""])
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(stolen, by: platform, bound: bound) } == .expired)
  }

  @Test func anEntraTokenNamesItsUserByTenantAndObject() throws {
    let binding = try judge(entraClaims(), by: try entra()).binding
    #expect(binding.owner.description == "\(tenant)/\(object)" && binding.bindingID == "u1")
    #expect(try judge(entraClaims(["uti": nil]), by: try entra()).binding.bindingID == "iat-\(nowSeconds - 10)")
    #expect(try judge(entraClaims(["idtyp": "\"user\""]), by: try entra()).binding.sessionID == nil)
  }

  @Test(
    arguments: [
      ("scp", nil, ProofRefusal.Check.notUser), ("scp", "\"\"", .notUser), ("scp", "[\"access\"]", .notUser),
      ("idtyp", "\"app\"", .notUser),
      ("tid", "\"\(object)\"", .tenant), ("tid", nil, .claimMissing), ("oid", nil, .subject),
      ("oid", "\"pairwise\"", .subject),
      ("aud", "\"00000003-0000-0000-c000-000000000000\"", .audience), ("exp", "\(nowSeconds - 61)", .expired),
    ] as [(String, String?, ProofRefusal.Check)])
  func test_owner_T14_onlyAUsersTokenBinds(_ name: String, _ value: String?, _ check: ProofRefusal.Check) throws {
    let proof = try entra()
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(entraClaims([name: value]), by: proof) } == check)
  }

  @Test func test_owner_T15_anIssuerOfOneVersionTakesNoTokenOfTheOther() throws {
    let old = "https://sts.windows.net/\(tenant)/"
    let (second, first) = (try entra(), try entra(old))
    let oldClaims = entraClaims(["iss": "\"\(old)\"", "ver": "\"1.0\""])
    #expect(try judge(oldClaims, by: first).binding.owner.object == object)
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(oldClaims, by: second) } == .issuer)
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(entraClaims(), by: first) } == .issuer)
    #expect(
      refusal { () throws(ProofRefusal) in _ = try judge(entraClaims(["ver": "\"1.0\""]), by: second) } == .version)
    #expect(refusal { () throws(ProofRefusal) in _ = try judge(platformClaims(), by: second) } == .issuer)
  }

  @Test(arguments: [
    "https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/organizations/v2.0",
    "https://login.microsoftonline.com/\(tenant)", "https://login.microsoftonline.com/\(tenant)/v2.0/",
    "https://sts.windows.net/\(tenant)", "HTTPS://login.microsoftonline.com/\(tenant)/v2.0",
    "https://sts.windows.net//",
  ])
  func anEntraIssuerNamesOneTenant(_ text: String) { #expect(OwnerIssuer(text) == nil) }

  @Test func otherIssuersAreThePlatforms() {
    #expect(OwnerIssuer("https://platform.test/") == .platform("https://platform.test/"))
  }
}
