/// A query, parsed as far as a forwarder needs it: header, question, EDNS. Other records are walked over.
package struct Query: Sendable {
  package let header: Header
  package let question: Question
  /// The name asked for, in the case it was asked.
  package let name: DomainName
  package let edns: EDNS?

  package var type: RecordType { question.type }
  package var recordClass: RecordClass { question.recordClass }

  /// Exactly one question, at most one OPT, nothing after the last record. The header's flags are the caller's to
  /// judge.
  package static func parse(_ bytes: [UInt8]) throws(WireError) -> Query {
    let header = try Header.parse(bytes)
    guard header.questionCount == 1 else { throw WireError(.questionCount, at: 4) }
    let question = try Question.parse(bytes, at: Header.length)
    var edns: EDNS?
    var at = question.end
    for section in RecordSection.allCases {
      var left = header.count(of: section)
      while left > 0 {
        let record = try ResourceRecord.parse(bytes, at: at, in: section)
        if record.type == .opt {
          guard edns == nil else { throw WireError(.repeatedOPT, at: at) }
          edns = try EDNS.parse(bytes, record)
        }
        at = record.rdata.upperBound
        left -= 1
      }
    }
    guard at == bytes.count else { throw WireError(.trailing, at: at) }
    let name = DomainName(checkedWire: Array(bytes[Header.length..<question.end - 4]))
    return Query(header: header, question: question, name: name, edns: edns)
  }
}
