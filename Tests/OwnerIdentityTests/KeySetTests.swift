import JSONText
import OwnerIdentity
import Testing

@Suite struct KeySetTests {
  private static let modulus = Base64.encodeURL([0xc1] + [UInt8](repeating: 0x55, count: 255))
  private static let coordinate = Base64.encodeURL([UInt8](repeating: 7, count: 32))
  private static let rsa = #"{"kty":"RSA","kid":"r","n":"\#(modulus)","e":"AQAB"}"#
  private static let curve = #"{"kty":"EC","crv":"P-256","kid":"k","x":"\#(coordinate)","y":"\#(coordinate)"}"#

  private func keys(_ texts: String...) throws -> KeySet {
    try KeySet.parse(Array(#"{"keys":[\#(texts.joined(separator: ","))]}"#.utf8))
  }

  private func check(_ keys: KeySet, _ header: String) throws -> ProofRefusal.Check? {
    let signed = try SignedToken.parse(token(header: header))
    return refusal { () throws(ProofRefusal) in _ = try keys.key(for: signed) }
  }

  @Test func keyIsFoundByKindAndName() throws {
    let keys = try keys(Self.rsa, Self.curve)
    #expect(try check(keys, #"{"alg":"ES256","kid":"k"}"#) == nil)
    #expect(try check(keys, #"{"alg":"RS256","kid":"r"}"#) == nil)
    #expect(try check(keys, #"{"alg":"RS256"}"#) == nil)
    #expect(try check(KeySet(), #"{"alg":"RS256"}"#) == .noKeys)
  }

  @Test(arguments: [
    #"{"alg":"RS256","kid":"k"}"#, #"{"alg":"ES256","kid":"r"}"#, #"{"alg":"RS256","kid":""}"#,
    #"{"alg":"RS256","kid":"../../../etc/passwd"}"#, #"{"alg":"RS256","kid":"R"}"#, #"{"alg":"RS256","kid":"r\u0000"}"#,
    #"{"alg":"RS256","kid":"https://evil.test/keys"}"#,
  ])
  func test_owner_T6_aKeyIsNeverLookedUpAnywhereElse(_ header: String) throws {
    #expect(try check(try keys(Self.rsa, Self.curve), header) == .keyUnknown)
  }

  @Test func withoutNameTheKeyMustBeTheOnlyOne() throws {
    let keys = try keys(Self.rsa, Self.rsa.replacing("\"r\"", with: "\"s\""))
    #expect(try check(keys, #"{"alg":"RS256"}"#) == .keyUnknown)
    #expect(try check(keys, #"{"alg":"RS256","kid":"s"}"#) == nil)
  }

  @Test func keysForOtherThingsArePassedOver() throws {
    let keys = try keys(
      #"{"kty":"oct","k":"AAAA","kid":"r"}"#, #"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
      Self.rsa.replacing("\"kid\"", with: "\"use\":\"enc\",\"kid\""),
      Self.rsa.replacing("\"kid\"", with: "\"alg\":\"PS256\",\"kid\""),
      Self.rsa.replacing("\"kid\"", with: "\"key_ops\":[\"encrypt\"],\"kid\""),
      Self.curve.replacing("P-256", with: "P-384"))
    #expect(keys.keys.isEmpty)
    #expect(
      try self.keys(
        Self.rsa.replacing(
          "\"kid\"", with: "\"key_ops\":[\"verify\"],\"use\":\"sig\",\"alg\":\"RS256\",\"x5c\":[\"A\"],\"kid\"")
      ).keys.count == 1)
  }

  @Test(arguments: [
    (Base64.encodeURL([UInt8](repeating: 0xff, count: 128)), "AQAB"),
    (Base64.encodeURL([0x7f] + [UInt8](repeating: 1, count: 255)), "AQAB"),
    (Base64.encodeURL([UInt8](repeating: 0xff, count: 1_025)), "AQAB"), (modulus, "AQ"), (modulus, "Ag"),
    (modulus, "AQAAAAE"),
  ])
  func test_owner_T6_aShortKeySignsNobody(_ modulus: String, _ exponent: String) throws {
    let keys = try keys(#"{"kty":"RSA","kid":"r","n":"\#(modulus)","e":"\#(exponent)"}"#)
    #expect(try check(keys, #"{"alg":"RS256","kid":"r"}"#) == .keyUnusable)
  }

  @Test(arguments: [
    ("", "$"), ("[]", "$.keys"), ("{}", "$.keys"), (#"{"keys":{}}"#, "$.keys"), (#"{"keys":[1]}"#, "$.keys[0]"),
    (#"{"keys":[{}]}"#, "$.keys[0].kty"), (#"{"keys":[{"kty":"RSA"}]}"#, "$.keys[0].n"),
    (#"{"keys":[{"kty":"RSA","n":"AQ=="}]}"#, "$.keys[0].n"),
    (#"{"keys":[{"kty":"RSA","n":"AQAB","e":""}]}"#, "$.keys[0].e"),
    (#"{"keys":[{"kty":"EC"}]}"#, "$.keys[0].crv"), (#"{"keys":[{"kty":"EC","crv":"P-256","x":"AQ"}]}"#, "$.keys[0].y"),
    (#"{"keys":[{"kty":"EC","d":"AQ"}]}"#, "$.keys[0].d"),
    (#"{"keys":[{"kty":"RSA","kid":1,"n":"AQAB"}]}"#, "$.keys[0].kid"),
    (#"{"keys":[],"keys":[]}"#, "$.keys"),
  ])
  func whatIsNoKeySetIsRefusedWithItsPath(_ text: String, _ path: String) {
    do throws(KeySet.Problem) {
      _ = try KeySet.parse(Array(text.utf8))
      Issue.record("\(text) is taken")
    } catch {
      #expect(error.path == path)
    }
  }

  @Test func ambiguousAndBoundlessSetsAreRefused() {
    #expect(throws: KeySet.Problem.self) { try keys(Self.rsa, Self.rsa) }
    let many = Array(repeating: #"{"kty":"oct"}"#, count: KeySet.keysMax + 1).joined(separator: ",")
    #expect(throws: KeySet.Problem.self) { try keys(many) }
    #expect(throws: KeySet.Problem.self) { try KeySet.parse([UInt8](repeating: 0x20, count: KeySet.octetsMax + 1)) }
  }

  @Test func noOctetsOfAKeySetDoHarm() {
    let good = Array(#"{"keys":[\#(Self.curve)]}"#.utf8)
    for index in good.indices {
      _ = try? KeySet.parse(Array(good[..<index]))
      for octet: UInt8 in [0, 0x22, 0x5b, 0x7d, 0xff] {
        var text = good
        text[index] = octet
        _ = try? KeySet.parse(text)
      }
    }
  }
}
