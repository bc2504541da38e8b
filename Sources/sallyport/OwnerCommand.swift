import EgressPolicy
import JSONText
import LinuxIO
import OwnerIdentity
import Timekeeping
import Transport

/// `sallyport owner`: the issuer's side, for trying it and for scripts, and what a sidecar would say of a token.
enum OwnerCommand {
  static let help = """
    sallyport owner keys FILE…
    sallyport owner sign --key FILE --subject TENANT/OID --pod-uid UID [--issuer TEXT] [--audience TEXT]
                         [--lifetime DURATION] [--session-id TEXT] [--claim-uid TEXT] [--policy FILE]
    sallyport owner verify --keys FILE [--pod-uid UID] [--issuer TEXT] [--audience TEXT] [FILE]

    keys     shows the public halves of private keys as a JWK Set, for SALLYPORT_OWNER_JWKS_FILE
    sign     shows a token that binds one pod's owner, for PUT /owner or SALLYPORT_OWNER_TOKEN_FILE
    verify   says what a sidecar would make of the token in FILE, or on standard input without one

      --key FILE          private key in PEM, RSA or P-256, without passphrase: openssl genpkey -algorithm RSA
      --subject TENANT/OID  the owner, two GUIDs
      --pod-uid UID       the pod: metadata.uid
      --issuer TEXT       iss (sallyport)
      --audience TEXT     aud (egress-sidecar)
      --lifetime DURATION how long the token may be used to bind (5m)
      --session-id TEXT, --claim-uid TEXT   go into every record of the sandbox
      --policy FILE       binds only while this policy is in force
      --keys FILE         a JWK Set

    Exit code: 0 done; verify: 0 it would bind, 1 it would not; 2 wrong usage, or a file that cannot be used.

    """

  /// The longest file of a key or token, in octets: an RSA key of 8,192 bits has 6 KiB in PEM.
  private static let fileOctetsMax = 64 << 10
  /// How long a token may be used to bind, without --lifetime: 5 min, so that one that leaks is soon worth nothing.
  private static let lifetime = TimeSpan.seconds(300)
  private static let audience = "egress-sidecar"

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    guard let name = words.first else { throw UsageError("one of keys, sign and verify is expected") }
    let rest = words.dropFirst()
    switch name {
    case "keys": return try keys(rest)
    case "sign": return try sign(rest)
    case "verify": return try verify(rest)
    default: throw UsageError("'\(name)' is none of keys, sign and verify")
    }
  }

  private static func keys(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let files = try Arguments(words).operands
    guard !files.isEmpty else { throw UsageError("no FILE is given") }
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("keys")
    writer.beginArray()
    for file in files { PublicKeyText(try privateKey(file)).write(into: &writer) }
    writer.endArray()
    writer.endObject()
    show(String(decoding: writer.bytes, as: UTF8.self) + "\n")
    return .success
  }

  private static func sign(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(
      words,
      values: [
        "--key", "--subject", "--pod-uid", "--issuer", "--audience", "--lifetime", "--session-id", "--claim-uid",
        "--policy",
      ])
    try arguments.refuseOperands()
    let key = try privateKey(try required("--key", arguments))
    let owner: OwnerID
    let subject = try required("--subject", arguments)
    do throws(OwnerID.ParseError) {
      owner = try OwnerID.parse(subject)
    } catch {
      throw UsageError("--subject: \(error)")
    }
    let issued = SystemTime.wall().microseconds / 1_000_000
    let lifetime = try arguments.values["--lifetime"].map(span) ?? Self.lifetime
    let text = PublicKeyText(key)
    var header = JSONWriter()
    header.beginObject()
    header.members([("alg", text.algorithm), ("kid", text.keyID), ("typ", "JWT")])
    header.endObject()
    var claims = JSONWriter()
    claims.beginObject()
    claims.members([
      ("iss", arguments.values["--issuer"] ?? "sallyport"), ("aud", arguments.values["--audience"] ?? audience),
      ("sub", owner.description), ("pod_uid", try required("--pod-uid", arguments)),
      ("claim_uid", arguments.values["--claim-uid"]), ("session_id", arguments.values["--session-id"]),
      ("policy_sha256", try arguments.values["--policy"].map(policyHash)),
      ("jti", Base64.encodeURL(SystemRandom.bytes(16))),
    ])
    claims.key("iat")
    claims.integer(issued)
    claims.key("exp")
    claims.integer(issued + max(lifetime.seconds, 1))
    claims.endObject()
    let message = "\(Base64.encodeURL(header.bytes)).\(Base64.encodeURL(claims.bytes))"
    do throws(CryptographyFault) {
      show("\(message).\(Base64.encodeURL(try key.sign(Array(message.utf8))))\n")
    } catch {
      throw UsageError("\(error)")
    }
    return .success
  }

  private static func verify(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(words, values: ["--keys", "--pod-uid", "--issuer", "--audience"])
    guard arguments.operands.count <= 1 else { throw UsageError("unexpected argument '\(arguments.operands[1])'") }
    var issuer: OwnerIssuer?
    if let text = arguments.values["--issuer"] {
      issuer = OwnerIssuer(text)
      if issuer == nil { throw UsageError("--issuer: an issuer of Microsoft Entra names one tenant") }
    }
    let keysFile = try required("--keys", arguments)
    let keysText = try contents(keysFile, KeySet.octetsMax)
    let keys: KeySet
    do throws(KeySet.Problem) {
      keys = try KeySet.parse(keysText)
    } catch {
      throw UsageError("\(keysFile): \(error)")
    }
    // Without a pod the token's own is taken: then everything else is judged.
    let file = try contents(arguments.operands.first ?? "/dev/stdin", TokenFile.octetsMax)
    guard let token = TokenFile.token(in: file) else {
      throw UsageError("there is no token in \(arguments.operands.first ?? "standard input")")
    }
    do throws(ProofRefusal) {
      let signed = try SignedToken.parse(token)
      let key = try keys.key(for: signed)
      guard let verifier = SignatureVerifier(PublicKeyNumbers(key.numbers)) else {
        throw ProofRefusal(.keyUnusable, "the numbers of the key are no key")
      }
      guard verifier.isValid(signed.signature, over: signed.message, key.numbers.algorithm == .rs256 ? .rs256 : .es256)
      else { throw ProofRefusal(.signature, "the signature is not that of the key") }
      let proof = OwnerProof(
        issuer: issuer ?? .platform(nil), audience: arguments.values["--audience"] ?? audience,
        podUID: arguments.values["--pod-uid"] ?? signed.podUID ?? "")
      show(try proof.judge(signed, bound: nil, at: SystemTime.wall()).text)
      return .success
    } catch {
      show("refused  \(error)\n")
      return .negative
    }
  }

  private static func required(_ name: String, _ arguments: Arguments) throws(UsageError) -> String {
    guard let value = arguments.values[name] else { throw UsageError("\(name) is missing") }
    return value
  }

  private static func contents(_ file: String, _ limit: Int) throws(UsageError) -> [UInt8] {
    do throws(Errno) {
      return try File.readWhole(file, limit: limit)
    } catch {
      throw UsageError("\(error)")
    }
  }

  private static func privateKey(_ file: String) throws(UsageError) -> SigningKey {
    let bytes = try contents(file, fileOctetsMax)
    do throws(CryptographyFault) {
      return try SigningKey(pem: bytes)
    } catch {
      throw UsageError("\(file): \(error)")
    }
  }

  /// `30s`, `5m`, `1h`.
  private static func span(_ text: String) throws(UsageError) -> TimeSpan {
    let units: [(Character, Int64)] = [("s", 1), ("m", 60), ("h", 3_600)]
    guard let unit = units.first(where: { $0.0 == text.last }), let count = Int64(text.dropLast()),
      (1...86_400).contains(count)
    else { throw UsageError("--lifetime is a number from 1 to 86400 with s, m or h") }
    return .seconds(count * unit.1)
  }

  /// Over the policy as `GET /policy` shows it and the records of its changes hash it.
  private static func policyHash(_ file: String) throws(UsageError) -> String {
    switch PolicyFile.read(file) {
    case .failure(let found): throw UsageError("\(file): \(found.problems.first?.description ?? "not usable")")
    case .success(let document): return hexadecimal(SHA256.digest(document.json()))
    }
  }
}

/// A public key as JSON (RFC 7517 §4), named by its thumbprint (RFC 7638).
private struct PublicKeyText {
  let algorithm: String
  let keyID: String
  /// The required members in the order of their names, which is what the thumbprint is over.
  private let members: [(String, String?)]

  init(_ key: SigningKey) {
    switch key.publicNumbers {
    case .rsa(let modulus, let exponent):
      members = [("e", Base64.encodeURL(exponent)), ("kty", "RSA"), ("n", Base64.encodeURL(modulus))]
    case .p256(let x, let y):
      members = [("crv", "P-256"), ("kty", "EC"), ("x", Base64.encodeURL(x)), ("y", Base64.encodeURL(y))]
    case .ed25519(let point):
      members = [("crv", "Ed25519"), ("kty", "OKP"), ("x", Base64.encodeURL(point))]
    }
    algorithm = key.algorithm.rawValue
    var writer = JSONWriter()
    writer.beginObject()
    writer.members(members)
    writer.endObject()
    keyID = Base64.encodeURL(SHA256.digest(writer.bytes))
  }

  func write(into writer: inout JSONWriter) {
    writer.beginObject()
    writer.members(members + [("alg", algorithm), ("kid", keyID), ("use", "sig")])
    writer.endObject()
  }
}

extension JSONWriter {
  /// Those that have a text.
  fileprivate mutating func members(_ members: [(String, String?)]) {
    for (name, text) in members {
      guard let text else { continue }
      key(name)
      string(text)
    }
  }
}

extension PublicKeyNumbers {
  fileprivate init(_ numbers: KeyNumbers) {
    switch numbers {
    case .rsa(let modulus, let exponent): self = .rsa(modulus: modulus, exponent: exponent)
    case .p256(let x, let y): self = .p256(x: x, y: y)
    }
  }
}

extension OwnerProof.Claim {
  /// One line a fact.
  fileprivate var text: String {
    let facts: [(String, String?)] = [
      ("owner", binding.owner.description), ("binding", binding.bindingID), ("session", binding.sessionID),
      ("claim", binding.claimUID), ("policy", policyHash.map { hexadecimal($0) }),
    ]
    return facts.compactMap { name, text in
      text.map { "\(name)\(String(repeating: " ", count: 9 - name.count))\($0)\n" }
    }.joined()
  }
}

private func hexadecimal(_ octets: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
