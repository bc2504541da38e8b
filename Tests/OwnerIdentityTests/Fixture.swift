import JSONText
import OwnerIdentity
import Timekeeping

let tenant = "11111111-2222-3333-4444-555555555555"
let object = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
let pod = "0c4c1b3e-9d0f-4a53-8b7e-0f6f0f3d7a11"
/// 2030-03-17T17:46:40Z.
let nowSeconds: Int64 = 1_900_000_000
let now = WallTime(microseconds: nowSeconds * 1_000_000)

/// A token with these parts and a signature that nobody made: signatures are not this module's to judge.
func token(
  header: String = #"{"alg":"ES256","kid":"k"}"#, claims: String = platformClaims(), signature: String = "c2ln"
) -> [UInt8] {
  Array("\(Base64.encodeURL(Array(header.utf8))).\(Base64.encodeURL(Array(claims.utf8))).\(signature)".utf8)
}

/// The claims of a good platform token as JSON, with some replaced; nil takes one away. Values are JSON.
func platformClaims(_ changes: [String: String?] = [:]) -> String {
  claims(
    [
      "iss": "\"platform\"", "aud": "\"egress-sidecar\"", "sub": "\"\(tenant)/\(object)\"", "pod_uid": "\"\(pod)\"",
      "iat": "\(nowSeconds - 10)", "exp": "\(nowSeconds + 300)", "jti": "\"one\"",
    ], changes)
}

let entraIssuer = "https://login.microsoftonline.com/\(tenant)/v2.0"

func entraClaims(_ changes: [String: String?] = [:]) -> String {
  claims(
    [
      "iss": "\"\(entraIssuer)\"", "aud": "\"api\"", "sub": "\"pairwise\"", "tid": "\"\(tenant)\"",
      "oid": "\"\(object)\"",
      "scp": "\"access\"", "ver": "\"2.0\"", "iat": "\(nowSeconds - 10)", "exp": "\(nowSeconds + 300)", "uti": "\"u1\"",
      "preferred_username": "\"someone@example.com\"",
    ], changes)
}

private func claims(_ good: [String: String], _ changes: [String: String?]) -> String {
  var members: [String: String?] = good
  members.merge(changes) { _, new in new }
  return "{"
    + members.sorted { $0.key < $1.key }.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }
    .joined(separator: ",") + "}"
}

/// Which check refuses; nil when none does.
func refusal(_ body: () throws(ProofRefusal) -> Void) -> ProofRefusal.Check? {
  do throws(ProofRefusal) {
    try body()
    return nil
  } catch {
    return error.check
  }
}
