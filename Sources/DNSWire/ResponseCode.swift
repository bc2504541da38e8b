/// A response code (IANA "DNS RCODEs"): four bits in the header, eight more in OPT (RFC 6891 §6.1.3).
package struct ResponseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// 0…4095.
  package let rawValue: UInt16

  package init(rawValue: UInt16) { self.rawValue = rawValue & 0x0fff }

  package static let noError = Self(rawValue: 0)
  package static let formatError = Self(rawValue: 1)
  package static let serverFailure = Self(rawValue: 2)
  package static let nameError = Self(rawValue: 3)
  package static let notImplemented = Self(rawValue: 4)
  package static let refused = Self(rawValue: 5)
  package static let badVersion = Self(rawValue: 16)

  /// IANA's name in the form of records: `NOERROR`, `NXDOMAIN`; `RCODE` and the number where we know none.
  package var description: String {
    switch rawValue {
    case 0: "NOERROR"
    case 1: "FORMERR"
    case 2: "SERVFAIL"
    case 3: "NXDOMAIN"
    case 4: "NOTIMP"
    case 5: "REFUSED"
    case 6: "YXDOMAIN"
    case 7: "YXRRSET"
    case 8: "NXRRSET"
    case 9: "NOTAUTH"
    case 10: "NOTZONE"
    case 16: "BADVERS"
    case 23: "BADCOOKIE"
    default: "RCODE\(rawValue)"
    }
  }
}

/// What a message asks for (IANA "DNS OpCodes").
package struct Opcode: RawRepresentable, Hashable, Sendable {
  /// 0…15.
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue & 0x0f }

  package static let query = Self(rawValue: 0)
}
