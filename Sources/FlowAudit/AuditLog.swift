import Timekeeping

/// Numbers, chains and writes the records of one boot.
package struct AuditLog: Sendable {
  /// SHA-256: from octets to their 32-octet digest.
  package typealias Hash = @Sendable ([UInt8]) -> [UInt8]

  /// The longest record, in octets: one event of the hub may have no more (contract §2, `SALLYPORT_EVENTHUB_MAX_BODY`).
  package static let recordOctetsMax = 32 * 1_024

  /// `SbxBootId`.
  package let bootID: String
  /// `SbxSeq` of the last record, or of the last number skipped; 0 before the first.
  package private(set) var lastSequence: UInt64 = 0
  /// What every record says of owner, policy and enforcement. Flush the roll-ups before it changes, so that what they counted is said under the old one.
  package var context: RecordContext {
    didSet { if context != oldValue { fixed.render(context) } }
  }

  let identity: SandboxIdentity
  private let hash: Hash
  private var link: [UInt8]
  var fixed: FixedMembers
  var stamps = StampCache()
  /// The previous link and the record without its own: what the hash covers.
  var text = RecordText()

  /// `bootID` is drawn anew at each start and has at most 64 letters, digits and dashes; `hash` is SHA-256.
  package init(bootID: String, identity: SandboxIdentity, context: RecordContext, hash: @escaping Hash) {
    self.bootID = bootID
    self.identity = identity
    self.context = context
    self.hash = hash
    link = Array(bootID.utf8)
    fixed = FixedMembers(bootID: bootID, identity: identity, context: context)
  }

  /// A text fit for `bootID`: a UUID of version 7.
  package static func makeBootID(at wall: WallTime, using generator: inout some RandomNumberGenerator) -> String {
    let id = UniqueID(at: wall, using: &generator)
    var text = RecordText()
    text.append(uuid: id.high, id.low)
    return String(decoding: text.octets.dropFirst().dropLast(), as: UTF8.self)
  }

  /// Uses up `count` numbers for records that were lost before they were made, so that the gap shows; nil when `count` is 0.
  package mutating func skip(_ count: UInt64) -> ClosedRange<UInt64>? {
    guard count > 0 else { return nil }
    let first = lastSequence + 1
    lastSequence += count
    return first...lastSequence
  }

  /// Writes what every record begins with: the previous link, which only the hash sees, then number, stamp, id and the fixed members.
  mutating func begin(_ kind: RecordKind, at now: WallTime, id: UniqueID) {
    lastSequence += 1
    text.clear()
    text.append(link)
    text.append(Member.sequence)
    text.append(number: lastSequence)
    text.append(Member.generated)
    text.append(stamp: now, through: &stamps)
    text.append(Member.uniqueID)
    text.append(uuid: id.high, id.low)
    text.append(fixed.head(of: kind))
    text.append(fixed.common)
  }

  /// `,"EventStartTime":…,"EventEndTime":…,"EventCount":…`.
  mutating func appendSpan(from start: WallTime, to end: WallTime, count: Int) {
    text.append(Member.start)
    text.append(stamp: start, through: &stamps)
    text.append(Member.end)
    text.append(stamp: end, through: &stamps)
    text.append(Member.count, number: UInt64(max(count, 1)))
  }

  /// Closes the record and links it.
  mutating func seal(_ kind: RecordKind) -> SealedRecord {
    if text.isTruncated || fixed.isTruncated { text.append(Member.truncated) }
    text.append(0x7d)
    let previous = link.count
    link = RecordChain.link(over: text.octets, hash: hash)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.octets.count - previous + RecordChain.opening.count + link.count + 2)
    bytes.append(contentsOf: RecordChain.opening)
    bytes.append(contentsOf: link)
    bytes.append(0x22)
    bytes.append(0x2c)
    // After the previous link and the brace, which `opening` has written already.
    bytes.append(contentsOf: text.octets[(previous + 1)...])
    assert(bytes.count <= Self.recordOctetsMax)
    return SealedRecord(sequence: lastSequence, bytes: bytes, kind: kind)
  }
}
