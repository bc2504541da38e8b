import COpenSSL

/// How a JSON Web Signature was made (RFC 7518 §3.1, RFC 8037 §3.1). `none` and the HMAC kinds are not here on purpose.
package enum SignatureAlgorithm: String, Hashable, Sendable, CaseIterable {
  case rs256 = "RS256"
  case ps256 = "PS256"
  case es256 = "ES256"
  case edDSA = "EdDSA"
}

/// A public key by its numbers, as a JSON Web Key has them: big-endian octets.
package enum PublicKeyNumbers: Hashable, Sendable {
  case rsa(modulus: [UInt8], exponent: [UInt8])
  /// On the curve P-256: 32 octets each.
  case p256(x: [UInt8], y: [UInt8])
  /// 32 octets.
  case ed25519([UInt8])
}

/// A public key that signatures are checked with. Takes some 0.1 ms a signature: for a worker, or for once.
/// Safe, because the pointer is private and freed once, and the object stays on one thread (it is not Sendable).
@safe package final class SignatureVerifier {
  private let key: OpaquePointer
  private let numbers: PublicKeyNumbers

  /// Bits of an RSA modulus: NIST SP 800-131A forbids fewer than 2,048; more than 8,192 only cost time.
  package static let rsaBits = 2_048...8_192

  /// Nil for numbers that are no key of their kind, or a key that is too weak. The corresponding C function is
  /// `d2i_PUBKEY`.
  package init?(_ numbers: PublicKeyNumbers) {
    guard let encoded = subjectPublicKeyInfo(numbers) else { return nil }
    ERR_clear_error()
    let made = unsafe encoded.withUnsafeBufferPointer { octets -> OpaquePointer? in
      var at = octets.baseAddress
      return unsafe d2i_PUBKEY(nil, &at, Int(octets.count))
    }
    ERR_clear_error()
    guard let made = unsafe made else { return nil }
    if case .rsa = numbers, !SignatureVerifier.rsaBits.contains(Int(unsafe EVP_PKEY_get_bits(made))) {
      unsafe EVP_PKEY_free(made)
      return nil
    }
    unsafe key = unsafe made
    self.numbers = numbers
  }

  deinit { unsafe EVP_PKEY_free(key) }

  /// Whether `signature` (as JWS has it) is this key's over `message`. An algorithm of another kind of key is never
  /// valid.
  /// The corresponding C function is `EVP_DigestVerify`.
  package func isValid(_ signature: [UInt8], over message: [UInt8], _ algorithm: SignatureAlgorithm) -> Bool {
    var signature = signature
    switch (algorithm, numbers) {
    case (.rs256, .rsa), (.ps256, .rsa): break
    case (.edDSA, .ed25519): guard signature.count == 64 else { return false }
    case (.es256, .p256):
      // RFC 7518 §3.4: R and S, 32 octets each; OpenSSL reads the DER form of RFC 3279.
      guard signature.count == 64 else { return false }
      signature = der(0x30, derInteger(signature[..<32]) + derInteger(signature[32...]))
    case (.rs256, _), (.ps256, _), (.es256, _), (.edDSA, _): return false
    }
    defer { ERR_clear_error() }
    guard let context = unsafe EVP_MD_CTX_new() else { return false }
    defer { unsafe EVP_MD_CTX_free(context) }
    var parameters: OpaquePointer?
    let digest = unsafe algorithm == .edDSA ? nil : EVP_sha256()
    guard unsafe EVP_DigestVerifyInit(context, &parameters, digest, nil, key) == 1 else { return false }
    if algorithm == .ps256 {
      // RFC 7518 §3.5: the salt is as long as the digest (RSA_PSS_SALTLEN_DIGEST, -1).
      guard unsafe EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1,
        unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, -1) == 1
      else { return false }
    }
    return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

/// RFC 5280 §4.1.2.7 `SubjectPublicKeyInfo`, in DER: what OpenSSL reads every kind of key from.
private func subjectPublicKeyInfo(_ numbers: PublicKeyNumbers) -> [UInt8]? {
  switch numbers {
  case .rsa(let modulus, let exponent):
    // 16 KiB of modulus could be given; the range of bits is checked on the key. An exponent beyond 64 bits only costs
    // time.
    guard !modulus.isEmpty, modulus.count <= 1_025, (1...8).contains(exponent.count) else { return nil }
    // rsaEncryption 1.2.840.113549.1.1.1, NULL (RFC 3279 §2.3.1)
    let algorithm: [UInt8] = [
      0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ]
    let key = der(0x30, derInteger(modulus[...]) + derInteger(exponent[...]))
    return der(0x30, algorithm + der(0x03, [0] + key))
  case .p256(let x, let y):
    guard x.count == 32, y.count == 32 else { return nil }
    // id-ecPublicKey 1.2.840.10045.2.1, prime256v1 1.2.840.10045.3.1.7 (RFC 5480 §2.1.1)
    let algorithm: [UInt8] = [
      0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
      0x01, 0x07,
    ]
    // 4: an uncompressed point (SEC 1 §2.3.3); OpenSSL refuses one that is not on the curve.
    return der(0x30, algorithm + der(0x03, [0, 4] + x + y))
  case .ed25519(let point):
    guard point.count == 32 else { return nil }
    // id-Ed25519 1.3.101.112 (RFC 8410 §3)
    return der(0x30, [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70] + der(0x03, [0] + point))
  }
}

/// X.690 §8.1: tag, definite length, content; at most 64 KiB.
private func der(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
  let count = content.count
  let length: [UInt8] =
    count < 128
    ? [UInt8(count)]
    : count < 256
      ? [0x81, UInt8(count)] : [0x82, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
  return [tag] + length + content
}

/// X.690 §8.3: as few octets as hold it, and not negative.
private func derInteger(_ octets: ArraySlice<UInt8>) -> [UInt8] {
  let digits = Array(octets.drop { $0 == 0 })
  let isPositive = digits.first.map { $0 < 0x80 } ?? false
  return der(0x02, isPositive ? digits : [0] + digits)
}
