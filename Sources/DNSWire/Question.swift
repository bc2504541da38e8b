/// A question (RFC 1035 §4.1.2), as offsets into its message.
///
///    /                     QNAME                     /
///    |                     QTYPE                     |
///    |                     QCLASS                    |
package struct Question: Hashable, Sendable {
  /// Where the name stands. Of a message's only question: always 12, and never compressed.
  package let nameOffset: Int
  package let type: RecordType
  package let recordClass: RecordClass
  /// The octet after the question.
  package let end: Int

  /// The question at `start`. A compressed name is refused: before the first question there is nothing to point at.
  static func parse(_ bytes: [UInt8], at start: Int) throws(WireError) -> Question {
    let nameEnd = try endOfName(bytes, at: start, compressed: false)
    guard nameEnd + 4 <= bytes.count else { throw WireError(.endsEarly, at: bytes.count) }
    return Question(
      nameOffset: start, type: RecordType(rawValue: word(bytes, nameEnd)),
      recordClass: RecordClass(rawValue: word(bytes, nameEnd + 2)), end: nameEnd + 4)
  }
}
