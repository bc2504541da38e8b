import JSONText

/// A public key by its numbers, as a JSON Web Key has them: big-endian octets (RFC 7518 §6).
package enum KeyNumbers: Hashable, Sendable {
  case rsa(modulus: [UInt8], exponent: [UInt8])
  /// On the curve P-256: 32 octets each.
  case p256(x: [UInt8], y: [UInt8])

  /// What it signs with.
  package var algorithm: TokenAlgorithm {
    switch self {
    case .rsa: .rs256
    case .p256: .es256
    }
  }
}

/// The keys that may sign an owner: a JWK Set (RFC 7517 §5).
package struct KeySet: Hashable, Sendable {
  /// One of them.
  package struct Key: Hashable, Sendable {
    package var keyID: String?
    package var numbers: KeyNumbers
    /// Why it must not be used; nil for a good key.
    package var weakness: String?
  }

  /// What is wrong with a file of keys, and where.
  package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var reason: String
    package var description: String { "\(path): \(reason)" }
  }

  package private(set) var keys: [Key]

  /// The longest file of keys, in octets: Entra's own, with its certificates, has some 20 KiB.
  package static let octetsMax = 256 << 10
  /// Keys in a set: an issuer has a handful, and two of each while it rotates.
  package static let keysMax = 64
  /// Bits of an RSA modulus: NIST SP 800-131A forbids fewer than 2,048; more than 8,192 only cost time, 0.6 ms a signature at that length.
  package static let rsaBits = 2_048...8_192
  /// Octets of an RSA exponent: 65,537 takes three. A longer one only costs time.
  static let exponentOctetsMax = 4
  private static let depthMax = 8

  package init(keys: [Key] = []) { self.keys = keys }

  /// Keys for encryption, of other kinds and for other algorithms are passed over, as RFC 7517 §5 wants it; a private key is a fault, since what is here lies in
  /// every pod.
  package static func parse(_ bytes: [UInt8]) throws(Problem) -> KeySet {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue.parse(bytes, limits: JSONLimits(depthMax: depthMax, sizeMax: octetsMax))
    } catch {
      throw Problem(path: error.path, reason: error.reason)
    }
    guard let listed = value["keys"]?.array else {
      throw Problem(path: "$.keys", reason: "an array of keys is expected")
    }
    guard listed.count <= keysMax else { throw Problem(path: "$.keys", reason: "more than \(keysMax) keys") }
    var keys: [Key] = []
    for (index, member) in listed.enumerated() {
      guard let key = try key(member, "$.keys[\(index)]") else { continue }
      guard
        !keys.contains(where: {
          $0.keyID == key.keyID && $0.numbers.algorithm == key.numbers.algorithm && $0.keyID != nil
        })
      else { throw Problem(path: "$.keys[\(index)].kid", reason: "an earlier key of this kind has the same kid") }
      keys.append(key)
    }
    return KeySet(keys: keys)
  }

  /// The one key that a token names. Without a `kid` it must be the only one of its kind: trying one after the other would make the weakest of them the lock.
  package func key(for token: SignedToken) throws(ProofRefusal) -> Key {
    guard !keys.isEmpty else { throw ProofRefusal(.noKeys, "no key is known that may sign an owner") }
    let fitting = keys.filter {
      $0.numbers.algorithm == token.algorithm && (token.keyID == nil || $0.keyID == token.keyID)
    }
    guard let key = fitting.first, fitting.count == 1 else {
      throw ProofRefusal(
        .keyUnknown,
        fitting.isEmpty ? "no key of this kid and algorithm is known" : "the token names no kid, and several keys fit")
    }
    if let weakness = key.weakness { throw ProofRefusal(.keyUnusable, weakness) }
    return key
  }

  private static func key(_ value: JSONValue, _ path: String) throws(Problem) -> Key? {
    guard value.object != nil else { throw Problem(path: path, reason: "an object is expected") }
    guard let kind = value["kty"]?.string else { throw Problem(path: "\(path).kty", reason: "a string is expected") }
    guard kind == "RSA" || kind == "EC" else { return nil }
    guard value["d"] == nil else {
      throw Problem(path: "\(path).d", reason: "this is a private key; keep it with the issuer")
    }
    var keyID: String?
    if let member = value["kid"] {
      guard let text = member.string else { throw Problem(path: "\(path).kid", reason: "a string is expected") }
      keyID = text
    }
    let isForSignatures = value["use"].map { $0.string == "sig" } ?? true
    let isForVerifying = value["key_ops"].map { $0.array?.contains(.string("verify")) ?? false } ?? true
    guard isForSignatures, isForVerifying else { return nil }
    let numbers: KeyNumbers
    if kind == "RSA" {
      numbers = .rsa(modulus: try octets(value, "n", path), exponent: try octets(value, "e", path))
    } else {
      guard let curve = value["crv"]?.string else { throw Problem(path: "\(path).crv", reason: "a string is expected") }
      guard curve == "P-256" else { return nil }
      numbers = .p256(x: try octets(value, "x", path), y: try octets(value, "y", path))
    }
    // Entra's keys name none.
    if let algorithm = value["alg"], algorithm.string != numbers.algorithm.rawValue { return nil }
    return Key(keyID: keyID, numbers: numbers, weakness: weakness(of: numbers))
  }

  private static func octets(_ value: JSONValue, _ name: String, _ path: String) throws(Problem) -> [UInt8] {
    guard let text = value[name]?.string, let octets = Base64.decodeURL(text), !octets.isEmpty else {
      throw Problem(path: "\(path).\(name)", reason: "base64url without padding is expected")
    }
    return octets
  }

  private static func weakness(of numbers: KeyNumbers) -> String? {
    switch numbers {
    case .rsa(let modulus, let exponent):
      let significant = modulus.drop { $0 == 0 }
      let bits = significant.count * 8 - (significant.first.map { $0.leadingZeroBitCount } ?? 0)
      guard rsaBits.contains(bits) else {
        return "the RSA key has \(bits) bits, not \(rsaBits.lowerBound) to \(rsaBits.upperBound)"
      }
      let digits = exponent.drop { $0 == 0 }
      let isUsable =
        digits.count <= exponentOctetsMax && (digits.last.map { $0 & 1 == 1 } ?? false) && Array(digits) != [1]
      return isUsable ? nil : "the RSA key's exponent is even, 1 or longer than \(exponentOctetsMax) octets"
    case .p256(let x, let y): return x.count == 32 && y.count == 32 ? nil : "a coordinate does not have 32 octets"
    }
  }
}
