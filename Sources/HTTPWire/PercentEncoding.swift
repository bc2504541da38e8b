/// Percent-decoding, strict (RFC 3986 §2.1); nil when a `%` is not followed by two hexadecimal digits, or the result holds NUL or is not UTF-8.
package func percentDecoded(_ octets: some Sequence<UInt8>) -> String? { decoded(octets, plusIsSpace: false) }

/// The parameters of a query or an `application/x-www-form-urlencoded` body, in order; `+` is a space, empty members are left out, a member
/// without `=` has the empty value. Nil when a member does not decode.
package func parseForm(_ octets: some Collection<UInt8>) -> [QueryParameter]? {
  var parameters: [QueryParameter] = []
  for member in octets.split(separator: 0x26) {
    let equals = member.firstIndex(of: 0x3d)
    guard let name = decoded(member[..<(equals ?? member.endIndex)], plusIsSpace: true) else { return nil }
    var value: String? = ""
    if let equals { value = decoded(member[member.index(after: equals)...], plusIsSpace: true) }
    guard let value else { return nil }
    parameters.append(QueryParameter(name, value))
  }
  return parameters
}

/// An `application/x-www-form-urlencoded` body or a query.
package func composeForm(_ parameters: [QueryParameter]) -> [UInt8] {
  var octets: [UInt8] = []
  for parameter in parameters {
    if !octets.isEmpty { octets.append(0x26) }
    octets += percentEncoded(parameter.name.utf8)
    octets.append(0x3d)
    octets += percentEncoded(parameter.value.utf8)
  }
  return octets
}

/// Everything but the unreserved characters of RFC 3986 §2.3 encoded: fit for a path segment, a query value and a SAS signature alike.
package func percentEncoded(_ octets: some Sequence<UInt8>) -> [UInt8] {
  var result: [UInt8] = []
  for octet in octets {
    switch octet {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: result.append(octet)
    default: appendEncoded(octet, to: &result)
    }
  }
  return result
}

func appendEncoded(_ octet: UInt8, to octets: inout [UInt8]) {
  let digits: [UInt8] = Array("0123456789ABCDEF".utf8)
  octets += [0x25, digits[Int(octet >> 4)], digits[Int(octet & 15)]]
}

private func decoded(_ octets: some Sequence<UInt8>, plusIsSpace: Bool) -> String? {
  var result: [UInt8] = []
  var iterator = octets.makeIterator()
  while let octet = iterator.next() {
    switch octet {
    case 0x25:
      guard let high = iterator.next().flatMap(hexValue), let low = iterator.next().flatMap(hexValue) else {
        return nil
      }
      result.append(high << 4 | low)
    case 0x2b where plusIsSpace: result.append(0x20)
    default: result.append(octet)
    }
  }
  guard !result.contains(0) else { return nil }
  return strictText(result)
}
