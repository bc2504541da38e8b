import Timekeeping

/// Every record that ever reached the disk's file, and what became of it.
struct RecordBook {
  struct Key: Hashable, Comparable {
    var boot: String
    var sequence: UInt64

    static func < (left: Self, right: Self) -> Bool { (left.boot, left.sequence) < (right.boot, right.sequence) }
  }

  struct Entry {
    var fingerprint: UInt64
    var at: Instant
    var file: String
    var isDurable = false
    var isDelivered = false
    /// The machine died before it was synced.
    var mayBeGone = false
    /// Its link, and the digest of itself without the member would need the link before it: the record without its own.
    var link: String
    var rest: [UInt8]
  }

  private(set) var entries: [Key: Entry] = [:]
  /// Ranges that `RecordsDropped` records name, of their own boot or of the one they name.
  private(set) var dropped: [(boot: String, range: ClosedRange<UInt64>)] = []
  /// Names and addresses whose record is in the file, or on the disk: `name address`.
  private(set) var told: Set<String> = []
  private(set) var toldDurably: Set<String> = []
  /// Written and not synced: the record, and what it tells.
  private var undurable: [(key: Key, told: [String])] = []

  /// The member that names the owner, as it must stand; nil when nobody owns the sandbox.
  let owner: String?

  init(owner: String?) { self.owner = owner }

  var count: Int { entries.count }

  /// A new boot does not know what an earlier one told.
  mutating func restart() {
    told = []
    toldDurably = []
    for index in undurable.indices { undurable[index].told = [] }
  }

  /// Records reached a file; not `isWhole`: as a part of a write that failed or was cut short, so that they may be cut off again.
  mutating func wrote(
    _ records: [NaiveRecord], in file: String, isWhole: Bool = true, at now: Instant
  ) -> Violation? {
    for record in records {
      let key = Key(boot: record.boot, sequence: record.sequence)
      let print = fingerprint(record.bytes)
      if record.member("SbxSeq") != String(record.sequence) {
        return Violation(.chainHolds, "record \(key) names another number")
      }
      if let old = entries[key] {
        guard old.fingerprint == print else { return Violation(.chainHolds, "record \(key) was written anew") }
        guard isWhole else { continue }
        entries[key]?.file = file
        entries[key]?.at = now
        entries[key]?.mayBeGone = false
        if old.mayBeGone || !old.isDurable { learn(record, key) }
        continue
      }
      if let problem = checkOwner(record, key) { return problem }
      let head = Array(#"{"SbxChain":""#.utf8)
      guard record.bytes.starts(with: head), record.bytes.count > head.count + 24 else {
        return Violation(.chainHolds, "record \(key) has no link")
      }
      entries[key] = Entry(
        fingerprint: print, at: now, file: file, mayBeGone: !isWhole,
        link: String(decoding: record.bytes[head.count..<(head.count + 22)], as: UTF8.self),
        rest: [0x7b] + record.bytes[(head.count + 24)...])
      if isWhole { learn(record, key) }
    }
    return nil
  }

  private func checkOwner(_ record: NaiveRecord, _ key: Key) -> Violation? {
    guard record.member("SrcUserId") == owner, record.member("SbxOwnerState") == (owner == nil ? "unbound" : "bound")
    else { return Violation(.ownerIsRight, "record \(key): \(record.member("SrcUserId") ?? "nobody")") }
    return nil
  }

  private mutating func learn(_ record: NaiveRecord, _ key: Key) {
    var tells: [String] = []
    switch record.kind {
    case "DnsAllowed":
      if let name = record.member("DnsQuery"), let answer = record.member("DnsResponseName") {
        tells = answer.split(separator: ";").map { "\(name) \($0)" }
      }
    case "RecordsDropped":
      if let from = record.member("SbxDroppedFromSeq").flatMap({ UInt64($0) }),
        let to = record.member("SbxDroppedToSeq").flatMap({ UInt64($0) }), from <= to
      {
        dropped.append((record.member("SbxDroppedBootId") ?? key.boot, from...to))
      }
    default: break
    }
    told.formUnion(tells)
    undurable.append((key, tells))
  }

  /// A sync of these files ended, which holds everything written to them before it began.
  mutating func synced(_ files: [String], began: Instant) {
    var rest: [(key: Key, told: [String])] = []
    for (key, tells) in undurable {
      if let entry = entries[key], entry.at <= began, files.contains(entry.file) {
        entries[key]?.isDurable = true
        toldDurably.formUnion(tells)
      } else {
        rest.append((key, tells))
      }
    }
    undurable = rest
  }

  /// What had not been synced may be gone.
  mutating func machineDied() {
    for (key, _) in undurable { entries[key]?.mayBeGone = true }
    undurable = []
  }

  mutating func delivered(_ bytes: [UInt8]) -> Violation? {
    let record = NaiveRecord(sequence: 0, bytes: bytes)
    guard let sequence = record.member("SbxSeq").flatMap({ UInt64($0) }) else {
      return Violation(.chainHolds, "the hub was sent a record without number")
    }
    let key = Key(boot: record.boot, sequence: sequence)
    guard let entry = entries[key] else { return Violation(.chainHolds, "the hub has \(key), which was never written") }
    guard entry.fingerprint == fingerprint(bytes) else {
      return Violation(.chainHolds, "the hub's copy of \(key) is not the written one")
    }
    entries[key]?.isDelivered = true
    return nil
  }

  /// Kept aside whole: not lost even when the report of it is.
  mutating func quarantined(_ bytes: [UInt8]) {
    let record = NaiveRecord(sequence: 0, bytes: bytes)
    guard let sequence = record.member("SbxSeq").flatMap({ UInt64($0) }) else { return }
    entries[Key(boot: record.boot, sequence: sequence)]?.isDelivered = true
  }

  func isDropped(_ key: Key) -> Bool { dropped.contains { $0.boot == key.boot && $0.range.contains(key.sequence) } }

  /// After everything has come to rest.
  func problem(before limit: Instant) -> Violation? {
    for key in entries.keys.sorted() {
      guard let entry = entries[key], entry.at < limit, !entry.isDelivered, !entry.mayBeGone else { continue }
      guard isDropped(key) else {
        return Violation(
          .noRecordIsLost, "record \(key), written at \(entry.at.nanoseconds / 1000) µs to \(entry.file), never arrived"
        )
      }
    }
    return chainProblem()
  }

  /// Numbers begin at 1 in each boot and have no gap that was not reported; each record is linked to the one before it.
  private func chainProblem() -> Violation? {
    var before: (key: Key, link: String)?
    for key in entries.keys.sorted() {
      // What may be gone says nothing of what came before it.
      guard let entry = entries[key], entry.isDelivered || !entry.mayBeGone else { continue }
      let last = before.flatMap { $0.key.boot == key.boot ? $0 : nil }
      let lastSequence = last?.key.sequence ?? 0
      if key.sequence == lastSequence + 1 {
        let wanted = base64URLText(Array(testDigest(Array((last?.link ?? key.boot).utf8) + entry.rest).prefix(16)))
        guard entry.link == wanted else {
          return Violation(.chainHolds, "record \(key) is not linked to the one before")
        }
      } else if let lost = (lastSequence + 1..<key.sequence).first(where: {
        !isDropped(Key(boot: key.boot, sequence: $0)) && entries[Key(boot: key.boot, sequence: $0)] == nil
      }) {
        return Violation(.noRecordIsLost, "number \(lost) before \(key) was never written and is not reported")
      }
      before = (key, entry.link)
    }
    return nil
  }
}
