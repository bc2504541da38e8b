import Addressing

/// A message, parsed whole: every name, count and length checked. Records are offsets into `bytes`.
package struct Message: Sendable {
  package let bytes: [UInt8]
  package let header: Header
  /// Nil when the message has none, as some refusals have.
  package let question: Question?
  /// In the order of the message, OPT left out.
  package let records: [ResourceRecord]
  package let edns: EDNS?

  /// Refuses more than one question, counts that the octets cannot hold, a second or misplaced OPT, and octets after
  /// the last record.
  package static func parse(_ bytes: [UInt8]) throws(WireError) -> Message {
    guard bytes.count <= Int(UInt16.max) else { throw WireError(.tooLong, at: bytes.count) }
    let header = try Header.parse(bytes)
    guard header.questionCount <= 1 else { throw WireError(.questionCount, at: 4) }
    let question = header.questionCount == 1 ? try Question.parse(bytes, at: Header.length) : nil
    var at = question?.end ?? Header.length
    let announced = RecordSection.allCases.reduce(0) { $0 + header.count(of: $1) }
    guard announced * ResourceRecord.lengthMin <= bytes.count - at else { throw WireError(.recordCount, at: 6) }
    var records: [ResourceRecord] = []
    records.reserveCapacity(announced)
    var edns: EDNS?
    for section in RecordSection.allCases {
      var left = header.count(of: section)
      while left > 0 {
        let record = try ResourceRecord.parse(bytes, at: at, in: section)
        if record.type == .opt {
          guard edns == nil else { throw WireError(.repeatedOPT, at: at) }
          edns = try EDNS.parse(bytes, record)
        } else {
          records.append(record)
        }
        at = record.rdata.upperBound
        left -= 1
      }
    }
    guard at == bytes.count else { throw WireError(.trailing, at: at) }
    return Message(bytes: bytes, header: header, question: question, records: records, edns: edns)
  }

  /// Header and OPT together.
  package var responseCode: ResponseCode {
    ResponseCode(rawValue: UInt16(edns?.extendedResponseCode ?? 0) << 4 | header.responseCode.rawValue)
  }

  /// The name at an offset that this message's question or records gave, or that `target(of:)` uses.
  package func name(at offset: Int) -> DomainName {
    var wire: [UInt8] = []
    wire.reserveCapacity(64)
    appendName(bytes, at: offset, to: &wire)
    return DomainName(checkedWire: wire)
  }

  /// Whether two names of this message are the same, ASCII case ignored. Offsets as for `name(at:)`.
  package func namesAreEqual(_ left: Int, _ right: Int) -> Bool {
    left == right || DNSWire.namesAreEqual(bytes, left, bytes, right)
  }

  /// Whether the name at `offset` is `other` or lies below it. Offsets as for `name(at:)`.
  package func name(at offset: Int, isWithin other: Int) -> Bool {
    var at = firstLabel(bytes, offset)
    while true {
      if namesAreEqual(at, other) { return true }
      if bytes[at] == 0 { return false }
      at = firstLabel(bytes, at + 1 + Int(bytes[at]))
    }
  }

  /// The address of an A or AAAA record; nil for other types.
  package func address(of record: ResourceRecord) -> IPAddress? {
    let at = record.rdata.lowerBound
    switch record.type {
    case .a: return .v4(IPv4Address(bits: doubleWord(bytes, at)))
    case .aaaa:
      return .v6(
        IPv6Address(
          high: UInt64(doubleWord(bytes, at)) << 32 | UInt64(doubleWord(bytes, at + 4)),
          low: UInt64(doubleWord(bytes, at + 8)) << 32 | UInt64(doubleWord(bytes, at + 12))))
    default: return nil
    }
  }

  /// Where the name stands that a CNAME record leads to; nil for other types.
  package func targetOffset(of record: ResourceRecord) -> Int? {
    record.type == .cname ? record.rdata.lowerBound : nil
  }
}
