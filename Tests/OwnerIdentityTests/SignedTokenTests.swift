import JSONText
import OwnerIdentity
import Testing

@Suite struct SignedTokenTests {
  @Test func whatIsSignedIsTheTextAsItCame() throws {
    let text = token()
    let parsed = try SignedToken.parse(text)
    #expect(parsed.algorithm == .es256 && parsed.keyID == "k" && parsed.podUID == pod)
    #expect(parsed.message + Array(".c2ln".utf8) == text)
    #expect(parsed.signature == Array("sig".utf8))
  }

  @Test(arguments: ["none", "None", "NONE", "nOnE", "HS256", "HS512", "PS256", "RS384", "ES512", "EdDSA", "", "rs256"])
  func test_owner_T6_onlyTheTwoAlgorithmsAreTaken(_ name: String) {
    #expect(
      refusal { () throws(ProofRefusal) in _ = try SignedToken.parse(token(header: #"{"alg":"\#(name)"}"#)) }
        == .algorithm)
  }

  @Test(arguments: [
    (#"{}"#, ProofRefusal.Check.algorithm), (#"{"alg":256}"#, .algorithm), (#"{"alg":["RS256"]}"#, .algorithm),
    (#"{"alg":"RS256","crit":["exp"]}"#, .critical), (#"{"alg":"RS256","crit":[]}"#, .critical),
    (#"{"alg":"RS256","b64":false,"crit":["b64"]}"#, .critical), (#"{"alg":"RS256","kid":7}"#, .malformed),
    (#"{"alg":"RS256","alg":"none"}"#, .malformed), (#"{"alg":"RS256","\u0061lg":"none"}"#, .malformed),
    (#"["RS256"]"#, .malformed), (#"{"alg":"RS256""#, .malformed), (#"{"alg":"RS256"} x"#, .malformed),
    ("\u{feff}{\"alg\":\"RS256\"}", .malformed),
    ("{\"x\":" + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "}", .malformed),
  ])
  func test_owner_T6_badHeadersAreRefused(_ header: String, _ check: ProofRefusal.Check) {
    #expect(refusal { () throws(ProofRefusal) in _ = try SignedToken.parse(token(header: header)) } == check)
  }

  @Test func test_owner_T6_aTokenIsThreePartsOfStrictBase64url() throws {
    let good = String(decoding: token(), as: UTF8.self)
    let parts = good.split(separator: ".").map(String.init)
    let bad = [
      "", ".", "..", "...", good + ".", "." + good, parts[0], "\(parts[0]).\(parts[1])", "\(parts[0]).\(parts[1]).",
      "\(parts[0])..\(parts[2])", ".\(parts[1]).\(parts[2])", good + "=", good + "\n", " " + good,
      "\(parts[0])=.\(parts[1]).\(parts[2])", "\(parts[0]).\(parts[1]).c2l+", "\(parts[0]).\(parts[1]).c2lnA",
      // The last digit of `eg` has bits that carry nothing: `eh` would be a second spelling of the same octet.
      "\(parts[0]).\(parts[1]).eh", good.replacing(".", with: "\u{0}."),
    ]
    for text in bad {
      #expect(
        refusal { () throws(ProofRefusal) in _ = try SignedToken.parse(Array(text.utf8)) } == .malformed,
        "\(text.prefix(20))")
    }
    #expect(
      refusal { () throws(ProofRefusal) in _ = try SignedToken.parse([UInt8](repeating: 0xff, count: 90)) }
        == .malformed)
  }

  @Test func test_owner_T6_anOversizeTokenIsNotLookedAt() {
    let long = [UInt8](repeating: 0x2e, count: SignedToken.octetsMax + 1)
    #expect(refusal { () throws(ProofRefusal) in _ = try SignedToken.parse(long) } == .oversize)
  }

  @Test func repeatedClaimsAreRefused() {
    for claims in [#"{"sub":"a","sub":"b"}"#, #"{"sub":"a","s\u0075b":"b"}"#] {
      #expect(refusal { () throws(ProofRefusal) in _ = try SignedToken.parse(token(claims: claims)) } == .claimRepeated)
    }
  }

  /// Every cut and every changed octet of a good token is read or refused, never more.
  @Test func noOctetsOfATokenDoHarm() throws {
    let good = token()
    for index in good.indices {
      _ = try? SignedToken.parse(Array(good[..<index]))
      for octet: UInt8 in [0, 0x2e, 0x3d, 0x41, 0x7f, 0xff] {
        var text = good
        text[index] = octet
        _ = try? SignedToken.parse(text)
      }
    }
  }
}
