import JSONText
import Testing
import Transport

@Suite struct DigestTests {
  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// FIPS 180-4 examples (NIST), and the empty message.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ]) func sha256OfNIST(_ text: String, _ expected: String) {
    let bytes = Array(text.utf8)
    #expect(hexadecimal(SHA256.digest(bytes)) == expected)
    #expect(hexadecimal(SHA256.digest(Array(bytes.prefix(1)), Array(bytes.dropFirst(1)))) == expected)
    let kept = SHA256.kept()
    for _ in 0..<2 { #expect(hexadecimal(kept(bytes)) == expected) }
    let state = SHA256State()
    for _ in 0..<2 {
      for byte in bytes { state.update([byte]) }
      #expect(hexadecimal(state.finish()) == expected)
    }
  }

  /// RFC 4231 §4.2, §4.3, §4.7 (a key longer than a block); and the empty key, which OpenSSL's HMAC could take for "the
  /// last key".
  @Test(arguments: [
    (
      [UInt8](repeating: 0x0b, count: 20), "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    ),
    (
      Array("Jefe".utf8), "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (
      [UInt8](repeating: 0xaa, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    ),
    ([], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
  ]) func hmacOfRFC4231(_ key: [UInt8], _ message: String, _ expected: String) {
    #expect(hexadecimal(hmacSHA256(key: key, Array(message.utf8))) == expected)
  }

  /// Agreed by azure-eventhub 5.15.1 and `openssl dgst`: the key is its text, not what its base64 says.
  @Test func sharedAccessSignatureOfTheSDK() {
    let text = "https%3A%2F%2Fcontoso.servicebus.windows.net%2Fsandbox-audit-fast\n1800000000"
    let signature = hmacSHA256(key: Array("c2VjcmV0LWtleS1ub3QtZGVjb2RlZA==".utf8), Array(text.utf8))
    #expect(Base64.encode(signature) == "XamKeYXBNABhd16rTaJJgJsv6lYgAcQbo1cluumEnyU=")
  }

  /// RFC 4648 §10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ]) func base64OfRFC4648(_ text: String, _ encoded: String) {
    #expect(Base64.encode(Array(text.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(text.utf8))
    let bare = String(encoded.prefix { $0 != "=" })
    #expect(Base64.encodeURL(Array(text.utf8)) == bare)
    #expect(Base64.decodeURL(bare) == Array(text.utf8))
  }

  @Test func everyOctetSurvivesBothAlphabets() {
    let bytes = (0...255).map { UInt8($0) }
    #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    #expect(Base64.decodeURL(Base64.encodeURL(bytes)) == bytes)
    #expect(Base64.encode([0xfb, 0xff]) == "+/8=")
    #expect(Base64.encodeURL([0xfb, 0xff]) == "-_8")
  }

  @Test(arguments: ["Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm-v", "====", "Z===", "=Zg="])
  func looseBase64IsRefused(_ text: String) { #expect(Base64.decode(text) == nil) }

  @Test(arguments: ["Zg==", "Zh", "Zm9", "Z", "Zm+v", "Zm/v", "Zm 9v"])
  func looseBase64URLIsRefused(_ text: String) { #expect(Base64.decodeURL(text) == nil) }

  @Test func secretsAreEqualOnlyWhole() {
    #expect(constantTimeEqual([], []))
    #expect(constantTimeEqual([1, 2], [1, 2]))
    #expect(!constantTimeEqual([1, 2], [1, 3]))
    #expect(!constantTimeEqual([1, 2], [1, 2, 3]))
  }

  @Test func randomOctetsDoNotRepeat() throws { #expect(try randomBytes(32) != randomBytes(32)) }
}
