import Testing

@testable import Forwarder

@Suite struct SASTokenTests {
  /// Made by azure-eventhub 5.15.1 and by `openssl dgst -sha256 -hmac`.
  @Test func tokenIsThatOfTheReference() {
    var asked: [[UInt8]] = []
    let signature: [UInt8] = [
      0x5d, 0xa9, 0x8a, 0x79, 0x85, 0xc1, 0x34, 0x00, 0x61, 0x77, 0x5e, 0xab, 0x4d, 0xa2, 0x49, 0x80, 0x9b, 0x2f, 0xea,
      0x56, 0x20, 0x01, 0xc4, 0x1b, 0xa3, 0x57, 0x25, 0xba, 0xe9, 0x84, 0x9f, 0x25,
    ]
    let token = SASToken.compose(
      uri: "https://contoso.servicebus.windows.net/sandbox-audit-fast", keyName: "SendRule",
      key: "c2VjcmV0LWtleS1ub3QtZGVjb2RlZA==", expiry: 1_800_000_000
    ) { key, message in
      asked = [key, message]
      return signature
    }
    #expect(asked.first == Array("c2VjcmV0LWtleS1ub3QtZGVjb2RlZA==".utf8))
    #expect(
      asked.last == Array("https%3A%2F%2Fcontoso.servicebus.windows.net%2Fsandbox-audit-fast\n1800000000".utf8))
    #expect(
      token == "SharedAccessSignature sr=https%3A%2F%2Fcontoso.servicebus.windows.net%2Fsandbox-audit-fast"
        + "&sig=XamKeYXBNABhd16rTaJJgJsv6lYgAcQbo1cluumEnyU%3D&se=1800000000&skn=SendRule")
  }

  @Test func base64IsThatOfTheStandard() {
    // RFC 4648 §10.
    let cases = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ]
    for (text, expected) in cases { #expect(SASToken.base64(Array(text.utf8)) == expected) }
  }
}
