/// Why octets are not a message, and where.
package struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  package enum Reason: String, Hashable, Sendable {
    case endsEarly = "the message ends early"
    case labelType = "a label type other than 00 and 11"
    case pointerForward = "a compression pointer that does not point backwards"
    case nameTooLong = "a name of more than 255 octets"
    case questionCount = "a question count other than one"
    case recordCount = "more records announced than the octets can hold"
    case dataLength = "record data of the wrong length for its type"
    case dataCompressed = "a compressed name where none is allowed"
    case parameterOrder = "service parameters out of order"
    case repeatedOPT = "a second OPT record"
    case misplacedOPT = "an OPT record outside the additional section or with an owner"
    case trailing = "octets after the last record"
    case tooLong = "more than 65535 octets"
  }

  /// Into the message, octets.
  package let offset: Int
  package let reason: Reason

  package init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  package var description: String { "offset \(offset): \(reason.rawValue)" }
}
