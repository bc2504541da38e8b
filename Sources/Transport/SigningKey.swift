import COpenSSL

/// A private key that signs tokens: RSA, or an elliptic curve's on P-256. For the command line; the daemon has none. Safe, because the pointer is private and
/// freed once, and the object stays on one thread (it is not Sendable).
@safe package final class SigningKey {
  private let key: OpaquePointer
  /// RS256 or ES256, as the key is.
  package let algorithm: SignatureAlgorithm
  package let publicNumbers: PublicKeyNumbers

  /// Reads PEM (RFC 7468), PKCS #8 or the older forms, not encrypted. The corresponding C function is
  /// `PEM_read_bio_PrivateKey`.
  package init(pem: [UInt8]) throws(CryptographyFault) {
    ERR_clear_error()
    defer { ERR_clear_error() }
    // The BIO reads the octets where they are: they must stay there until it is freed.
    let made = unsafe pem.withUnsafeBytes { octets -> OpaquePointer? in
      guard let source = unsafe BIO_new_mem_buf(octets.baseAddress, Int32(clamping: octets.count)) else { return nil }
      defer { unsafe BIO_free(source) }
      // A passphrase is never asked for: the callback gives none.
      return unsafe PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in 0 }, nil)
    }
    guard let made = unsafe made else { throw .last("no private key in PEM without a passphrase") }
    guard let (numbers, algorithm) = unsafe numbersAndAlgorithm(of: made) else {
      unsafe EVP_PKEY_free(made)
      throw CryptographyFault("the key is neither RSA of 2048 to 8192 bits nor on the curve P-256")
    }
    unsafe key = unsafe made
    publicNumbers = numbers
    self.algorithm = algorithm
  }

  deinit { unsafe EVP_PKEY_free(key) }

  /// The signature as JWS has it (RFC 7518 §3.3, §3.4). The corresponding C function is `EVP_DigestSign`.
  package func sign(_ message: [UInt8]) throws(CryptographyFault) -> [UInt8] {
    ERR_clear_error()
    guard let context = unsafe EVP_MD_CTX_new() else { throw .last("signature") }
    defer { unsafe EVP_MD_CTX_free(context) }
    var count = 0
    guard unsafe EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
      unsafe EVP_DigestSign(context, nil, &count, message, message.count) == 1
    else { throw .last("signature") }
    var signature = [UInt8](repeating: 0, count: count)
    guard unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1 else {
      throw .last("signature")
    }
    signature.removeLast(signature.count - count)
    guard algorithm == .es256 else { return signature }
    guard let fixed = fixedLength(signature) else { throw CryptographyFault("the signature is not in DER") }
    return fixed
  }
}

private func numbersAndAlgorithm(of key: OpaquePointer) -> (PublicKeyNumbers, SignatureAlgorithm)? {
  if unsafe EVP_PKEY_is_a(key, "RSA") == 1 {
    guard SignatureVerifier.rsaBits.contains(Int(unsafe EVP_PKEY_get_bits(key))),
      let modulus = unsafe number(key, "n"), let exponent = unsafe number(key, "e")
    else { return nil }
    return (.rsa(modulus: modulus, exponent: exponent), .rs256)
  }
  guard unsafe EVP_PKEY_is_a(key, "EC") == 1 else { return nil }
  var name = [CChar](repeating: 0, count: 32)
  var length = 0
  guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1,
    String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self) == "prime256v1",
    let x = unsafe number(key, "qx"), let y = unsafe number(key, "qy"), x.count <= 32, y.count <= 32
  else { return nil }
  func padded(_ octets: [UInt8]) -> [UInt8] { [UInt8](repeating: 0, count: 32 - octets.count) + octets }
  return (.p256(x: padded(x), y: padded(y)), .es256)
}

/// One of a key's numbers, big-endian without leading zeros (EVP_PKEY-RSA(7), EVP_PKEY-EC(7)).
private func number(_ key: OpaquePointer, _ name: String) -> [UInt8]? {
  var value: OpaquePointer?
  guard unsafe EVP_PKEY_get_bn_param(key, name, &value) == 1, let value = unsafe value else { return nil }
  defer { unsafe BN_free(value) }
  var octets = [UInt8](repeating: 0, count: Int(unsafe BN_num_bits(value) + 7) / 8)
  guard unsafe Int(BN_bn2bin(value, &octets)) == octets.count else { return nil }
  return octets
}

/// From RFC 3279 §2.2.3, a sequence of two integers, to R and S of 32 octets each. P-256's fit short lengths.
private func fixedLength(_ encoded: [UInt8]) -> [UInt8]? {
  guard encoded.count > 2, encoded[0] == 0x30, Int(encoded[1]) == encoded.count - 2 else { return nil }
  var rest = encoded[2...]
  var fixed: [UInt8] = []
  for _ in 0..<2 {
    guard rest.popFirst() == 0x02, let length = rest.popFirst(), rest.count >= Int(length) else { return nil }
    let digits = rest.prefix(Int(length)).drop { $0 == 0 }
    guard digits.count <= 32 else { return nil }
    fixed += [UInt8](repeating: 0, count: 32 - digits.count) + digits
    rest = rest.dropFirst(Int(length))
  }
  return rest.isEmpty ? fixed : nil
}
