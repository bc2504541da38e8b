import Addressing
import DNSWire
import Timekeeping

/// Answers by name, type and variant, until their time is up, and beyond it for when no upstream answers. Bounded in octets: when there is no room a hand goes round the
/// entries and takes out those that were not used since it last came by. Entries are found by a seeded hash and then compared whole; of two with one hash the later
/// stays.
struct AnswerCache: Sendable {
  /// An answer with its age in whole seconds, rounded up so that no TTL grows by reuse.
  struct Hit: Sendable {
    var answer: Answer
    var age: UInt32
    /// It is asked for shortly before its end: it should be fetched anew now, which is said once.
    var wantsRefresh: Bool
  }

  private struct Entry: Sendable {
    var hash: Int
    var name: DomainName
    var type: RecordType
    var variant: UInt8
    /// Nil: the place is free.
    var answer: Answer?
    var storedAt: Instant
    var expiresAt: Instant
    var octets: Int
    /// Since the hand last came by.
    var isUsed = false
    var isRefreshing = false
    /// When no upstream answered, last.
    var failedAt: Instant?
  }

  /// What an entry costs beside its octets: the structures around it and its places in both tables.
  private static let entryOctets = 320
  /// No answer takes more than a sixteenth of the cache.
  private static let shareDivisor = 16

  let octetsMax: Int
  /// How long after its end an answer may still serve when no upstream answers; zero: not at all (RFC 8767 §5).
  let staleSpan: TimeSpan
  private(set) var octets = 0
  private var entries: [Entry] = []
  private var free: [Int] = []
  private var hand = 0
  private var index: [Int: Int] = [:]

  /// `octetsMax` 0: nothing is kept.
  init(octetsMax: Int, staleSpan: TimeSpan = .zero) {
    self.octetsMax = octetsMax
    self.staleSpan = staleSpan
  }

  var count: Int { index.count }

  mutating func answer(_ name: DomainName, _ type: RecordType, _ variant: UInt8, at now: Instant) -> Hit? {
    guard octetsMax > 0, let at = find(name, type, variant), entries[at].expiresAt > now,
      let answer = entries[at].answer
    else { return nil }
    entries[at].isUsed = true
    let lifetime = entries[at].expiresAt - entries[at].storedAt
    let isEnding =
      lifetime >= DNSProxySettings.prefetchLifetimeMin
      && (entries[at].expiresAt - now) * DNSProxySettings.prefetchDivisor <= lifetime && !entries[at].isRefreshing
    if isEnding { entries[at].isRefreshing = true }
    let age = (now - entries[at].storedAt).nanoseconds
    return Hit(answer: answer, age: UInt32(clamping: (age + 999_999_999) / 1_000_000_000), wantsRefresh: isEnding)
  }

  /// An answer whose time is up, for when no upstream answers. `isKnownToFail`: only if none did a moment ago.
  func staleAnswer(
    _ name: DomainName, _ type: RecordType, _ variant: UInt8, isKnownToFail: Bool, at now: Instant
  ) -> Answer? {
    guard staleSpan > .zero, let at = find(name, type, variant), entries[at].expiresAt <= now,
      now - entries[at].expiresAt <= staleSpan
    else { return nil }
    if isKnownToFail {
      guard let failedAt = entries[at].failedAt, now - failedAt < DNSProxySettings.staleRecheck else { return nil }
    }
    return entries[at].answer
  }

  /// No upstream answered.
  mutating func noteFailure(_ name: DomainName, _ type: RecordType, _ variant: UInt8, at now: Instant) {
    guard octetsMax > 0, let at = find(name, type, variant) else { return }
    entries[at].isRefreshing = false
    entries[at].failedAt = now
  }

  mutating func store(_ answer: Answer, _ name: DomainName, _ type: RecordType, _ variant: UInt8, at now: Instant) {
    guard octetsMax > 0, answer.lifetime > 0 else { return }
    let octets =
      answer.reply.bytes.count + name.wire.count + answer.addresses.count * MemoryLayout<AnsweredAddress>.stride
      + Self.entryOctets
    guard octets <= octetsMax / Self.shareDivisor else { return }
    let hash = Self.hash(name, type, variant)
    if let at = index[hash] { remove(at) }
    while self.octets + octets > octetsMax { turnHand() }
    let entry = Entry(
      hash: hash, name: name, type: type, variant: variant, answer: answer, storedAt: now,
      expiresAt: now + .seconds(Int64(answer.lifetime)), octets: octets)
    self.octets += octets
    if let place = free.popLast() {
      entries[place] = entry
      index[hash] = place
    } else {
      index[hash] = entries.count
      entries.append(entry)
    }
  }

  /// Ends: each turn clears a mark or makes room.
  private mutating func turnHand() {
    if entries[hand].isUsed {
      entries[hand].isUsed = false
    } else {
      remove(hand)
    }
    hand = (hand + 1) % entries.count
  }

  private mutating func remove(_ at: Int) {
    guard entries[at].answer != nil else { return }
    octets -= entries[at].octets
    index[entries[at].hash] = nil
    entries[at].answer = nil
    entries[at].name = .root
    entries[at].isUsed = false
    free.append(at)
  }

  private func find(_ name: DomainName, _ type: RecordType, _ variant: UInt8) -> Int? {
    guard let at = index[Self.hash(name, type, variant)], entries[at].type == type, entries[at].variant == variant,
      entries[at].name == name
    else { return nil }
    return at
  }

  private static func hash(_ name: DomainName, _ type: RecordType, _ variant: UInt8) -> Int {
    var hasher = Hasher()
    hasher.combine(name)
    hasher.combine(UInt32(type.rawValue) << 8 | UInt32(variant))
    return hasher.finalize()
  }
}
