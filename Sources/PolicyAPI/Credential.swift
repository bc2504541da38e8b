import HTTPWire

/// Whether a request presents `token`, in OpenSandbox's header or as a bearer token (RFC 6750 §2.1). Either is enough.
func presents(_ token: [UInt8], _ headers: HeaderFields) -> Bool {
  var isPresented = false
  for name in ["OPENSANDBOX-EGRESS-AUTH", "Authorization"] {
    // Repeated lines are not tried one after the other: several guesses in one request are no way to ask.
    guard let value = headers.values(name).first else { continue }
    let presented = name == "Authorization" ? bearerToken(value) : value
    if let presented, isEqual(presented, token) { isPresented = true }
  }
  return isPresented
}

/// The scheme's name is compared without case (RFC 9110 §11.1).
private func bearerToken(_ value: [UInt8]) -> [UInt8]? {
  let scheme = Array("bearer ".utf8)
  guard value.count > scheme.count, zip(value, scheme).allSatisfy({ $0 | 0x20 == $1 }) else { return nil }
  return Array(value[scheme.count...].drop { $0 == 0x20 })
}

/// Compares in a time that depends on the length of what was presented alone: neither on where the first difference lies, nor on the secret's length.
func isEqual(_ presented: [UInt8], _ secret: [UInt8]) -> Bool {
  guard !secret.isEmpty else { return false }
  var difference: UInt8 = presented.count == secret.count ? 0 : 1
  var position = 0
  for octet in presented {
    difference |= octet ^ secret[position]
    position += 1
    if position == secret.count { position = 0 }
  }
  return difference == 0
}
