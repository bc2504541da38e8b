/// Composes one message front to back: header, question, records by section, OPT last. Counts follow what is appended.
/// Owners, and names in the data of the types of RFC 1035, are compressed against everything written before (RFC 1035
/// §4.1.4).
package struct MessageComposer: Sendable {
  /// Names to compress against, labels: an alias chain of the longest allowed depth brings about this many; a name
  /// beyond costs octets, nothing else.
  private static let labelsMax = 96
  /// The last offset a compression pointer can name.
  private static let pointerMax = 0x3fff

  /// What was composed so far: a well-formed message at every step.
  package private(set) var bytes: [UInt8]
  /// Where labels begin that later names may point at; the question's are entered when first needed.
  private var labels: [Int] = []
  private let questionEnd: Int
  /// True once a service binding lost a parameter.
  package private(set) var didRewrite = false

  /// A message with the question that stands in `range` of `other`, name uncompressed, type and class included; without
  /// a question when `range` is empty.
  package init(_ header: Header, questionIn range: Range<Int>, of other: [UInt8], reserving capacity: Int = 512) {
    bytes = []
    bytes.reserveCapacity(capacity)
    appendWord(header.id, to: &bytes)
    appendWord(header.flags, to: &bytes)
    appendWord(range.isEmpty ? 0 : 1, to: &bytes)
    for _ in 0..<6 { bytes.append(0) }
    bytes.append(contentsOf: other[range])
    questionEnd = bytes.count
  }

  /// A message with a question of its own.
  package init(_ header: Header, name: DomainName, type: RecordType, recordClass: RecordClass = .in) {
    bytes = []
    bytes.reserveCapacity(Header.length + name.wire.count + 4 + ResourceRecord.lengthMin)
    appendWord(header.id, to: &bytes)
    appendWord(header.flags, to: &bytes)
    appendWord(1, to: &bytes)
    for _ in 0..<6 { bytes.append(0) }
    bytes.append(contentsOf: name.wire)
    appendWord(type.rawValue, to: &bytes)
    appendWord(recordClass.rawValue, to: &bytes)
    questionEnd = bytes.count
  }

  /// Appends a record of `message` with its names compressed anew, a service binding rewritten, and `ttl` seconds.
  /// Records come in the order of their sections. Throws when the record's data is malformed; what was composed is then
  /// not to be used.
  package mutating func append(_ record: ResourceRecord, of message: Message, ttl: UInt32) throws(WireError) {
    appendName(at: record.ownerOffset, of: message.bytes, isCompressible: true)
    appendWord(record.type.rawValue, to: &bytes)
    appendWord(record.recordClass.rawValue, to: &bytes)
    appendWord(UInt16(truncatingIfNeeded: ttl >> 16), to: &bytes)
    appendWord(UInt16(truncatingIfNeeded: ttl), to: &bytes)
    appendWord(0, to: &bytes)
    let start = bytes.count
    try appendData(of: record, in: message.bytes)
    guard bytes.count <= Int(UInt16.max) else { throw WireError(.tooLong, at: record.ownerOffset) }
    putWord(UInt16(truncatingIfNeeded: bytes.count - start), at: start - 2)
    countOne(at: 6 + 2 * Int(record.section.rawValue))
  }

  /// Appends OPT with, at most, an Extended DNS Error.
  package mutating func append(_ edns: EDNS) {
    appendOPT(edns, to: &bytes)
  }

  private mutating func appendData(of record: ResourceRecord, in other: [UInt8]) throws(WireError) {
    let data = record.rdata
    if record.type.isServiceBinding {
      if try ServiceBinding.appendRewritten(other, data, to: &bytes) { didRewrite = true }
    } else if record.type == .naptr {
      try appendNAPTR(data, of: other)
    } else if let layout = RecordDataLayout.of(record.type) {
      guard data.count > layout.prefix + layout.suffix else { throw WireError(.dataLength, at: data.lowerBound) }
      bytes.append(contentsOf: other[data.lowerBound..<data.lowerBound + layout.prefix])
      var at = data.lowerBound + layout.prefix
      for _ in 0..<layout.nameCount {
        let end = try endOfName(other, at: at)
        appendName(at: at, of: other, isCompressible: layout.isCompressible)
        at = end
      }
      guard at + layout.suffix == data.upperBound else { throw WireError(.dataLength, at: at) }
      bytes.append(contentsOf: other[at..<data.upperBound])
    } else {
      bytes.append(contentsOf: other[data])
    }
  }

  /// RFC 3403 §4.1: order, preference, three character strings, a name.
  private mutating func appendNAPTR(_ data: Range<Int>, of other: [UInt8]) throws(WireError) {
    var at = data.lowerBound + 4
    for _ in 0..<3 {
      guard at < data.upperBound else { throw WireError(.dataLength, at: data.lowerBound) }
      at += 1 + Int(other[at])
    }
    guard at < data.upperBound, try endOfName(other, at: at) == data.upperBound else {
      throw WireError(.dataLength, at: data.lowerBound)
    }
    bytes.append(contentsOf: other[data.lowerBound..<at])
    appendName(at: at, of: other, isCompressible: false)
  }

  /// The checked name at `start` of `other`, as labels and, when something equal was written before, a pointer.
  private mutating func appendName(at start: Int, of other: [UInt8], isCompressible: Bool) {
    guard isCompressible else {
      DNSWire.appendName(other, at: start, to: &bytes)
      return
    }
    if questionEnd > Header.length, namesAreEqual(bytes, Header.length, other, start), bytes[Header.length] != 0 {
      appendWord(0xc000 | UInt16(Header.length), to: &bytes)
      return
    }
    enterQuestionLabels()
    // This name's own labels are entered as it is written, and not compared with before it is complete.
    let known = labels.count
    var at = firstLabel(other, start)
    while other[at] != 0 {
      if let equal = writtenLabel(among: known, equalTo: at, of: other) {
        appendWord(0xc000 | UInt16(truncatingIfNeeded: equal), to: &bytes)
        return
      }
      if bytes.count <= Self.pointerMax, labels.count < Self.labelsMax { labels.append(bytes.count) }
      let next = at + 1 + Int(other[at])
      bytes.append(contentsOf: other[at..<next])
      at = firstLabel(other, next)
    }
    bytes.append(0)
  }

  /// Of the first `count` labels, the offset of the one that begins the same name.
  private func writtenLabel(among count: Int, equalTo at: Int, of other: [UInt8]) -> Int? {
    for index in 0..<count {
      let label = labels[index]
      // Most differ in the length or the first letter already.
      guard bytes[label] == other[at], lowercased(bytes[label + 1]) == lowercased(other[at + 1]) else { continue }
      if namesAreEqual(bytes, label, other, at) { return label }
    }
    return nil
  }

  private mutating func enterQuestionLabels() {
    guard labels.isEmpty, questionEnd > Header.length else { return }
    var at = Header.length
    while bytes[at] != 0 {
      labels.append(at)
      at += 1 + Int(bytes[at])
    }
  }

  private mutating func putWord(_ value: UInt16, at index: Int) {
    bytes[index] = UInt8(truncatingIfNeeded: value >> 8)
    bytes[index + 1] = UInt8(truncatingIfNeeded: value)
  }

  private mutating func countOne(at index: Int) { putWord(word(bytes, index) &+ 1, at: index) }
}

/// Appends OPT to a composed message and counts it.
func appendOPT(_ edns: EDNS, to bytes: inout [UInt8]) {
  bytes.append(0)
  appendWord(RecordType.opt.rawValue, to: &bytes)
  appendWord(edns.payloadSize, to: &bytes)
  bytes.append(edns.extendedResponseCode)
  bytes.append(edns.version)
  appendWord(edns.isDNSSECWanted ? 0x8000 : 0, to: &bytes)
  if let error = edns.extendedError {
    let text = error.text.prefix(ExtendedError.textLengthMax)
    appendWord(UInt16(truncatingIfNeeded: text.count + 6), to: &bytes)
    appendWord(EDNS.extendedErrorOption, to: &bytes)
    appendWord(UInt16(truncatingIfNeeded: text.count + 2), to: &bytes)
    appendWord(error.code.rawValue, to: &bytes)
    bytes.append(contentsOf: text)
  } else {
    appendWord(0, to: &bytes)
  }
  let count = word(bytes, 10) &+ 1
  bytes[10] = UInt8(truncatingIfNeeded: count >> 8)
  bytes[11] = UInt8(truncatingIfNeeded: count)
}
