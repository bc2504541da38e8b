import JSONText
import Testing
import Transport

@Suite struct SignatureVerifierTests {
  private func octets(_ text: String) -> [UInt8] { Base64.decodeURL(text) ?? [] }

  /// RFC 7515 A.3: key, signing input and signature.
  private let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
  private let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
  private let input =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
  private let signature =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

  @Test func es256OfRFC7515() throws {
    let verifier = try #require(SignatureVerifier(.p256(x: octets(x), y: octets(y))))
    var signature = octets(signature)
    let message = Array(input.utf8)
    #expect(verifier.isValid(signature, over: message, .es256))
    #expect(!verifier.isValid(signature, over: message + [0], .es256))
    #expect(!verifier.isValid(signature, over: message, .rs256))
    #expect(!verifier.isValid(signature, over: message, .edDSA))
    #expect(!verifier.isValid(Array(signature.dropLast()), over: message, .es256))
    #expect(!verifier.isValid([UInt8](repeating: 0, count: 64), over: message, .es256))
    signature[63] ^= 1
    #expect(!verifier.isValid(signature, over: message, .es256))
  }

  /// RFC 8037 A.4 and A.5.
  @Test func edDSAOfRFC8037() throws {
    let key = octets("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    let verifier = try #require(SignatureVerifier(.ed25519(key)))
    let message = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
    var signature = octets("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
    #expect(verifier.isValid(signature, over: message, .edDSA))
    signature[0] ^= 1
    #expect(!verifier.isValid(signature, over: message, .edDSA))
  }

  /// Key, message and signatures made by the `openssl` command.
  @Test(arguments: [SignatureAlgorithm.rs256, .ps256]) func rsaOfOpenSSL(_ algorithm: SignatureAlgorithm) throws {
    let made = try Certificates.made.get()
    let modulus = try made.read("rsa.modulus")
    let verifier = try #require(SignatureVerifier(.rsa(modulus: modulus, exponent: [1, 0, 1])))
    let signature = try made.read(algorithm == .rs256 ? "rsa.rs256" : "rsa.ps256")
    let message = try made.read("rsa.message")
    #expect(verifier.isValid(signature, over: message, algorithm))
    #expect(!verifier.isValid(signature, over: message, algorithm == .rs256 ? .ps256 : .rs256))
    #expect(!verifier.isValid(signature, over: message + [1], algorithm))
    #expect(!verifier.isValid([], over: message, algorithm))
  }

  @Test func whatIsNoKeyIsRefused() {
    let weak = [UInt8](repeating: 0xff, count: 128)
    let huge = [UInt8](repeating: 0xff, count: 1_025)
    let keys: [PublicKeyNumbers] = [
      .rsa(modulus: weak, exponent: [1, 0, 1]), .rsa(modulus: huge, exponent: [1, 0, 1]),
      .rsa(modulus: [], exponent: [3]), .rsa(modulus: weak + weak, exponent: []),
      .p256(x: [UInt8](repeating: 1, count: 32), y: [UInt8](repeating: 1, count: 32)),
      .p256(x: [], y: []), .ed25519([1, 2, 3]),
    ]
    for key in keys { #expect(SignatureVerifier(key) == nil) }
  }
}
