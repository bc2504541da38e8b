/// An IP protocol number (IANA "Protocol Numbers").
package struct TransportProtocol: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let icmp = Self(rawValue: 1)
  package static let tcp = Self(rawValue: 6)
  package static let udp = Self(rawValue: 17)
  package static let icmpv6 = Self(rawValue: 58)
  package static let sctp = Self(rawValue: 132)

  /// IANA's keyword in lower case where we know it, else the number.
  package var description: String {
    switch self {
    case .icmp: "icmp"
    case .tcp: "tcp"
    case .udp: "udp"
    case .icmpv6: "icmpv6"
    case .sctp: "sctp"
    default: String(rawValue)
    }
  }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
