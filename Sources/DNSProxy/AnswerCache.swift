import DNSWire
import Timekeeping

/// Answers by name, type and variant, until their time is up. A ring: when it is full the oldest entry makes room.
/// Entries are found by a seeded hash and then compared whole; of two with one hash the later stays.
struct AnswerCache: Sendable {
  private struct Entry: Sendable {
    var hash: Int
    var name: DomainName
    var type: RecordType
    var variant: UInt8
    var answer: Answer
    var storedAt: Instant
    var expiresAt: Instant
  }

  let capacity: Int
  private var entries: [Entry] = []
  private var hand = 0
  private var index: [Int: Int] = [:]

  init(capacity: Int) { self.capacity = capacity }

  var count: Int { index.count }

  /// The answer and its age in whole seconds, rounded up so that no TTL grows by reuse.
  func answer(_ name: DomainName, _ type: RecordType, _ variant: UInt8, at now: Instant) -> (Answer, age: UInt32)? {
    guard capacity > 0, let at = index[Self.hash(name, type, variant)] else { return nil }
    guard entries[at].expiresAt > now, entries[at].type == type, entries[at].variant == variant,
      entries[at].name == name
    else { return nil }
    let age = (now - entries[at].storedAt).nanoseconds
    return (entries[at].answer, UInt32(clamping: (age + 999_999_999) / 1_000_000_000))
  }

  mutating func store(_ answer: Answer, _ name: DomainName, _ type: RecordType, _ variant: UInt8, at now: Instant) {
    guard capacity > 0, answer.lifetime > 0 else { return }
    let entry = Entry(
      hash: Self.hash(name, type, variant), name: name, type: type, variant: variant, answer: answer, storedAt: now,
      expiresAt: now + .seconds(Int64(answer.lifetime)))
    if let at = index[entry.hash] {
      entries[at] = entry
    } else if entries.count < capacity {
      index[entry.hash] = entries.count
      entries.append(entry)
    } else {
      index[entries[hand].hash] = nil
      entries[hand] = entry
      index[entry.hash] = hand
      hand = (hand + 1) % capacity
    }
  }

  private static func hash(_ name: DomainName, _ type: RecordType, _ variant: UInt8) -> Int {
    var hasher = Hasher()
    hasher.combine(name)
    hasher.combine(UInt32(type.rawValue) << 8 | UInt32(variant))
    return hasher.finalize()
  }
}
