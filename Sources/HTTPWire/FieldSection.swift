/// Reads field lines up to the empty line (RFC 9112 §5): the header section, and the trailer section, whose fields are dropped.
struct FieldSection: Sendable {
  private(set) var fields = HeaderFields()
  private var bytesLeft: Int
  private let fieldsMax: Int

  init(limits: HTTPLimits) {
    bytesLeft = limits.headerBytesMax
    fieldsMax = limits.headerFieldsMax
  }

  /// True when the empty line was read, false when more octets are needed.
  mutating func read(from buffer: inout InputBuffer) throws(HTTPFault) -> Bool {
    while let line = try buffer.line(limit: bytesLeft, tooLong: HTTPFault(431, "header fields too large")) {
      if line.isEmpty { return true }
      bytesLeft = max(0, bytesLeft - line.count - 2)
      guard fields.count < fieldsMax else { throw HTTPFault(431, "more than \(fieldsMax) header fields") }
      try read(line)
    }
    return false
  }

  private mutating func read(_ line: ArraySlice<UInt8>) throws(HTTPFault) {
    // RFC 9112 §5.2: a line that begins with white space folds the one before it, or the start line when it is the first.
    if line.first == 0x20 || line.first == 0x09 { throw HTTPFault(400, "folded header field") }
    guard let colon = line.firstIndex(of: 0x3a) else { throw HTTPFault(400, "header field without colon") }
    let name = line[..<colon]
    // RFC 9112 §5.1: white space before the colon has been read as part of the name by some and dropped by others.
    if name.last == 0x20 || name.last == 0x09 { throw HTTPFault(400, "white space before the colon of a header field") }
    guard isToken(name) else { throw HTTPFault(400, "invalid header field name") }
    let value = trimmed(line[(colon + 1)...])
    guard value.allSatisfy(isFieldValueOctet) else { throw HTTPFault(400, "invalid octet in a header field value") }
    fields.append(String(decoding: name, as: UTF8.self), Array(value))
  }
}
