/// A resource record type (IANA "Resource Record (RR) TYPEs").
package struct RecordType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt16

  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let a = Self(rawValue: 1)
  package static let ns = Self(rawValue: 2)
  package static let cname = Self(rawValue: 5)
  package static let soa = Self(rawValue: 6)
  package static let null = Self(rawValue: 10)
  package static let ptr = Self(rawValue: 12)
  package static let mx = Self(rawValue: 15)
  package static let txt = Self(rawValue: 16)
  package static let aaaa = Self(rawValue: 28)
  package static let srv = Self(rawValue: 33)
  package static let naptr = Self(rawValue: 35)
  package static let dname = Self(rawValue: 39)
  package static let opt = Self(rawValue: 41)
  package static let rrsig = Self(rawValue: 46)
  package static let svcb = Self(rawValue: 64)
  package static let https = Self(rawValue: 65)
  package static let ixfr = Self(rawValue: 251)
  package static let axfr = Self(rawValue: 252)
  package static let any = Self(rawValue: 255)

  /// A type that stands for no data of its own: the query and meta types (RFC 6895 §3.1), OPT, and the reserved 0.
  package var isMeta: Bool { (128...255).contains(rawValue) || rawValue == 41 || rawValue == 0 }

  /// An address, in a record of its own.
  package var isAddress: Bool { self == .a || self == .aaaa }

  /// SVCB or HTTPS (RFC 9460).
  package var isServiceBinding: Bool { self == .svcb || self == .https }

  /// IANA's mnemonic; `TYPE` and the number where we know none (RFC 3597 §5).
  package var description: String { Self.names[rawValue] ?? "TYPE\(rawValue)" }

  private static let names: [UInt16: String] = [
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS",
    12: "PTR",
    13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT", 24: "SIG",
    25: "KEY", 26: "PX", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT", 39: "DNAME", 41: "OPT",
    42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3",
    51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC",
    63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48", 109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR",
    252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA",
  ]
}

/// A record class (IANA "DNS CLASSes").
package struct RecordClass: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt16

  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let `in` = Self(rawValue: 1)
  package static let chaos = Self(rawValue: 3)
  package static let any = Self(rawValue: 255)

  /// IANA's mnemonic; `CLASS` and the number where we know none (RFC 3597 §5).
  package var description: String {
    switch rawValue {
    case 1: "IN"
    case 3: "CH"
    case 4: "HS"
    case 254: "NONE"
    case 255: "ANY"
    default: "CLASS\(rawValue)"
    }
  }
}
