import COpenSSL
import Synchronization

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
  /// 32 octets: the digest of the parts in order. One part takes the shortest way. The corresponding C functions are
  /// `SHA256`, `EVP_Digest…`.
  package static func digest(_ parts: [UInt8]...) -> [UInt8] {
    if parts.count == 1 { return digest(of: parts[0]) }
    let state = SHA256State()
    for part in parts { state.update(part) }
    return state.finish()
  }

  /// A function that gives the digest of one array, with a state of its own that it keeps between calls: shorter than
  /// `digest(of:)` where there are many.
  package static func kept() -> @Sendable ([UInt8]) -> [UInt8] {
    let kept = KeptState()
    return { bytes in
      kept.state.withLock { state in
        state.update(bytes)
        return state.finish()
      }
    }
  }

  private final class KeptState: Sendable {
    let state = Mutex(SHA256State())
  }

  /// The digest of one array. The corresponding C function is `SHA256`.
  package static func digest(of bytes: [UInt8]) -> [UInt8] {
    unsafe bytes.withUnsafeBufferPointer { input in
      unsafe [UInt8](unsafeUninitializedCapacity: 32) { output, count in
        // The output buffer has room for the 32 octets that SHA256 writes.
        _ = unsafe COpenSSL.SHA256(input.baseAddress, input.count, output.baseAddress)
        count = 32
      }
    }
  }
}

/// A digest under way, for input that comes in pieces; ready for the next after `finish`. Keeping one saves OpenSSL's
/// look-up of the algorithm. Safe, because the pointer is private and freed once, and the object stays on one thread
/// (it is not Sendable).
@safe package final class SHA256State {
  private let context: OpaquePointer

  /// Out of memory ends the process, as it does everywhere in Swift.
  package init() {
    guard let made = unsafe EVP_MD_CTX_new(), unsafe EVP_DigestInit_ex(made, EVP_sha256(), nil) == 1 else {
      preconditionFailure("OpenSSL has no SHA-256")
    }
    unsafe context = unsafe made
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  /// The corresponding C function is `EVP_DigestUpdate`.
  package func update(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { input in
      _ = unsafe EVP_DigestUpdate(context, input.baseAddress, input.count)
    }
  }

  /// 32 octets; the next `update` begins anew. The corresponding C function is `EVP_DigestFinal_ex`.
  package func finish() -> [UInt8] {
    let output = unsafe [UInt8](unsafeUninitializedCapacity: 32) { output, count in
      // The output buffer has room for the 32 octets of SHA-256.
      unsafe EVP_DigestFinal_ex(context, output.baseAddress, nil)
      count = 32
    }
    unsafe EVP_DigestInit_ex(context, nil, nil)
    return output
  }
}

/// HMAC with SHA-256 (RFC 2104). 32 octets. The corresponding C function is `HMAC`.
package func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
  var output = [UInt8](repeating: 0, count: 32)
  var length: UInt32 = 0
  // A null key pointer means "the key of the last call" to HMAC: an empty key points at something instead.
  let storage = key.isEmpty ? [0] : key
  _ = unsafe HMAC(EVP_sha256(), storage, Int32(key.count), message, message.count, &output, &length)
  precondition(length == 32, "HMAC failed")
  return output
}

/// Whether two secrets are the same, in a time that depends on their lengths only. The corresponding C function is
/// `CRYPTO_memcmp`.
package func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  guard left.count == right.count else { return false }
  return unsafe CRYPTO_memcmp(left, right, left.count) == 0
}

/// Octets from OpenSSL's generator, seeded by the kernel. The corresponding C function is `RAND_bytes`.
package func randomBytes(_ count: Int) throws(CryptographyFault) -> [UInt8] {
  var output = [UInt8](repeating: 0, count: count)
  guard unsafe RAND_bytes(&output, Int32(count)) == 1 else { throw .last("random octets") }
  return output
}
