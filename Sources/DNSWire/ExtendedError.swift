/// An INFO-CODE of an Extended DNS Error (RFC 8914 §4, IANA "Extended DNS Error Codes").
package struct ExtendedErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt16

  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let other = Self(rawValue: 0)
  package static let staleAnswer = Self(rawValue: 3)
  package static let notReady = Self(rawValue: 14)
  package static let blocked = Self(rawValue: 15)
  package static let censored = Self(rawValue: 16)
  package static let filtered = Self(rawValue: 17)
  package static let prohibited = Self(rawValue: 18)
  package static let notSupported = Self(rawValue: 21)
  package static let noReachableAuthority = Self(rawValue: 22)
  package static let networkError = Self(rawValue: 23)
  package static let invalidData = Self(rawValue: 24)

  /// IANA's purpose for the code.
  package var description: String {
    switch rawValue {
    case 0: "Other"
    case 3: "Stale Answer"
    case 14: "Not Ready"
    case 15: "Blocked"
    case 16: "Censored"
    case 17: "Filtered"
    case 18: "Prohibited"
    case 21: "Not Supported"
    case 22: "No Reachable Authority"
    case 23: "Network Error"
    case 24: "Invalid Data"
    default: String(rawValue)
    }
  }
}

/// An Extended DNS Error (RFC 8914 §2): option 15 of OPT.
///
///      0   1   2   3   4   5   6   7   8   9  10  11  12  13  14  15
///    +---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
///    |                            OPTION-CODE                        |
///    |                           OPTION-LENGTH                       |
///    |                            INFO-CODE                          |
///    /                             EXTRA-TEXT ...                    /
///    +---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
package struct ExtendedError: Hashable, Sendable {
  /// The longest text we send, octets: the rest of a 512 octet reply is for the question.
  package static let textLengthMax = 220

  package var code: ExtendedErrorCode
  /// UTF-8, for people; not ended by a zero octet.
  package var text: [UInt8]

  package init(_ code: ExtendedErrorCode, _ text: [UInt8]) {
    self.code = code
    self.text = text
  }
}
