/// An owner as Microsoft Entra names one: the tenant and, in it, the object. Both are GUIDs in lower case with dashes (RFC 9562 §4).
package struct OwnerID: Hashable, Sendable, CustomStringConvertible {
  /// The directory (tenant) id.
  package let tenant: String
  /// The object id of the user, `oid` in a token.
  package let object: String

  /// Why a text is not an owner.
  package enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not two parts with one `/` between them.
    case notTwoParts
    /// The first part is not a GUID of the form 8-4-4-4-12.
    case badTenant
    /// The second part is not a GUID of the form 8-4-4-4-12.
    case badObject
    /// One of the parts is the nil GUID, which names nobody.
    case zeros

    package var description: String {
      switch self {
      case .notTwoParts: "not TENANT/OID: one '/' between two GUIDs is expected"
      case .badTenant: "the tenant is not a GUID of the form 01234567-89ab-cdef-0123-456789abcdef"
      case .badObject: "the object id is not a GUID of the form 01234567-89ab-cdef-0123-456789abcdef"
      case .zeros: "a GUID of zeros names nobody"
      }
    }
  }

  /// `TENANT/OID`, both GUIDs with dashes and without braces, in either case. Nothing else is accepted, spaces least of all.
  package static func parse(_ text: some StringProtocol) throws(ParseError) -> OwnerID {
    let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw .notTwoParts }
    guard let tenant = guidText(Array(parts[0])) else { throw .badTenant }
    guard let object = guidText(Array(parts[1])) else { throw .badObject }
    guard tenant != zeroGUID, object != zeroGUID else { throw .zeros }
    return OwnerID(tenant: tenant, object: object)
  }

  private init(tenant: String, object: String) {
    self.tenant = tenant
    self.object = object
  }

  /// `TENANT/OID`: reads back as the same owner.
  package var description: String { "\(tenant)/\(object)" }
}

private let zeroGUID = "00000000-0000-0000-0000-000000000000"

/// The text in lower case when it is 8-4-4-4-12 hexadecimal digits.
func guidText(_ octets: [UInt8]) -> String? {
  guard octets.count == 36 else { return nil }
  var text: [UInt8] = []
  text.reserveCapacity(octets.count)
  for (index, octet) in octets.enumerated() {
    switch (index, octet) {
    case (8, 0x2d), (13, 0x2d), (18, 0x2d), (23, 0x2d): text.append(octet)
    case (8, _), (13, _), (18, _), (23, _): return nil
    case (_, 0x30...0x39), (_, 0x61...0x66): text.append(octet)
    case (_, 0x41...0x46): text.append(octet | 0x20)
    default: return nil
    }
  }
  return String(decoding: text, as: UTF8.self)
}
