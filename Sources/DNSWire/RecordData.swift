/// Where names stand inside the data of the types that may hold compressed ones (RFC 1035 §3.3, RFC 3597 §4). All other
/// data is opaque, and its names, if any, are never compressed.
struct RecordDataLayout {
  /// Octets before the first name.
  let prefix: Int
  /// Names, one after the other.
  let nameCount: Int
  /// Octets after the last name.
  let suffix: Int
  /// Whether a sender may compress them (only the types of RFC 1035: RFC 3597 §4).
  let isCompressible: Bool

  /// Nil for opaque data. NAPTR is dealt with by its own code, SVCB and HTTPS by `ServiceBinding`.
  static func of(_ type: RecordType) -> RecordDataLayout? {
    switch type.rawValue {
    case 2, 3, 4, 5, 7, 8, 9, 12: .init(prefix: 0, nameCount: 1, suffix: 0, isCompressible: true)
    case 6: .init(prefix: 0, nameCount: 2, suffix: 20, isCompressible: true)
    case 14: .init(prefix: 0, nameCount: 2, suffix: 0, isCompressible: true)
    case 15: .init(prefix: 2, nameCount: 1, suffix: 0, isCompressible: true)
    case 17: .init(prefix: 0, nameCount: 2, suffix: 0, isCompressible: false)
    case 18, 21, 36: .init(prefix: 2, nameCount: 1, suffix: 0, isCompressible: false)
    case 26: .init(prefix: 2, nameCount: 2, suffix: 0, isCompressible: false)
    case 33: .init(prefix: 6, nameCount: 1, suffix: 0, isCompressible: false)
    case 39: .init(prefix: 0, nameCount: 1, suffix: 0, isCompressible: false)
    default: nil
    }
  }
}

extension Message {
  /// Where the name stands that the data of a record points a client to for addresses: NS, CNAME, MX, SRV, SVCB, HTTPS.
  /// Nil for other types and for malformed data.
  package func referenceOffset(of record: ResourceRecord) -> Int? {
    let prefix: Int
    switch record.type {
    case .ns, .cname: prefix = 0
    case .mx, .svcb, .https: prefix = 2
    case .srv: prefix = 6
    default: return nil
    }
    guard record.rdata.count > prefix else { return nil }
    let start = record.rdata.lowerBound + prefix
    guard let end = try? endOfName(bytes, at: start), end <= record.rdata.upperBound else { return nil }
    return start
  }

  /// MINIMUM of a SOA record (RFC 1035 §3.3.13), seconds; nil for other types and for malformed data.
  package func negativeTTL(of record: ResourceRecord) -> UInt32? {
    guard record.type == .soa, let first = try? endOfName(bytes, at: record.rdata.lowerBound),
      let second = try? endOfName(bytes, at: first), second + 20 == record.rdata.upperBound
    else { return nil }
    return doubleWord(bytes, second + 16)
  }
}
