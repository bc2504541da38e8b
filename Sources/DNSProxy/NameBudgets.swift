import DNSWire
import EgressPolicy
import Timekeeping

/// New names under wildcard rules (T15): whoever may ask for any name below `example.com` can write into the names what he wants to carry out. So each such rule has a
/// budget of different names, and one of what they may carry; names that were asked before cost nothing.
///
/// The estimate is made from a name's spelling below the rule's domain: octets it shares with the beginning of the name before it are free, the others cost what
/// one of their alphabet can tell (a digit 3.3 bits, a letter or digit 5.2). Numbered names cost little, encoded data costs what it carries.
struct NameBudgets: Sendable {
  /// How long an account is kept before a rule has its full budget again: a day.
  static let period = TimeSpan.seconds(86_400)
  /// Rules with an account at a time, the most a policy has by default; some 200 octets each.
  static let accountsMax = 4_096
  /// Names remembered of all rules together: four to nine octets each, 2 MiB.
  static let namesMax = 262_144
  /// What of a name's estimate is not charged: the 32 bits of a short ordinary word, as names of machines and buckets have.
  static let freeBits: UInt64 = 32

  /// What left under a rule in its present period.
  struct Spent: Hashable, Sendable {
    /// Different names.
    var names: UInt64 = 0
    /// The estimate of all of them, bits.
    var bits: UInt64 = 0
  }

  private struct Account: Sendable {
    var begunAt: Instant
    /// Two names with one hash cost as one.
    var names = HashMarks()
    var bits: UInt64 = 0
    /// Of `bits`, what was charged.
    var charged: UInt64 = 0
    /// What the last new name had before the rule's domain.
    var last: [UInt8] = []
  }

  /// Different names a rule may let through in a period; 0: any number.
  let namesPerRule: Int
  /// Octets they may carry, less what is free; 0: any number.
  let octetsPerRule: Int
  private var accounts: [String: Account] = [:]
  private var nameCount = 0

  init(namesPerRule: Int, octetsPerRule: Int) {
    self.namesPerRule = namesPerRule
    self.octetsPerRule = octetsPerRule
  }

  /// Nil: the name may go upstream, and is charged if it is new. Else the budget is used up, and this is what left.
  mutating func refusal(_ name: DomainName, _ rule: RuleReference, at now: Instant) -> (limit: String, spent: Spent)? {
    guard namesPerRule > 0 || octetsPerRule > 0, let base = rule.wildcardLength else { return nil }
    if let begun = accounts[rule.text]?.begunAt {
      if now - begun >= Self.period { close(rule.text) }
    } else {
      if accounts.count >= Self.accountsMax { closeOldest() }
      accounts[rule.text] = Account(begunAt: now)
    }
    guard let place = accounts.index(forKey: rule.text) else { return nil }
    var hasher = Hasher()
    hasher.combine(name)
    let hash = hasher.finalize()
    if accounts.values[place].names.contains(hash) { return nil }
    // The rule's domain and the root's octet are not the workload's to choose.
    let free = Array(name.wire.prefix(max(name.wire.count - base - 2, 0)).lazy.map(lowercased))
    let bits = Self.estimate(free, after: accounts.values[place].last)
    let charge = bits - min(bits, Self.freeBits)
    let names = accounts.values[place].names.count
    let isOverNames = namesPerRule > 0 && names >= namesPerRule
    let isOverOctets = octetsPerRule > 0 && accounts.values[place].charged + charge > UInt64(octetsPerRule) * 8
    guard !isOverNames, !isOverOctets, nameCount < Self.namesMax else {
      return (
        isOverOctets ? DNSReason.channelBudget : DNSReason.nameBudget,
        Spent(names: UInt64(names), bits: accounts.values[place].bits)
      )
    }
    accounts.values[place].names.insert(hash)
    accounts.values[place].bits += bits
    accounts.values[place].charged += charge
    accounts.values[place].last = free
    nameCount += 1
    return nil
  }

  private mutating func close(_ rule: String) {
    nameCount -= accounts.removeValue(forKey: rule)?.names.count ?? 0
  }

  private mutating func closeOldest() {
    let oldest = accounts.min { ($0.value.begunAt, $0.key) < ($1.value.begunAt, $1.key) }
    if let oldest { close(oldest.key) }
  }

  /// Bits that `octets`, labels in wire form and lower case, may carry for someone who knows the name before.
  static func estimate(_ octets: [UInt8], after last: [UInt8]) -> UInt64 {
    var shared = 0
    while shared < octets.count, shared < last.count, octets[shared] == last[shared] { shared += 1 }
    guard shared < octets.count else { return octets.count < last.count ? 1 : 0 }
    var isDecimal = true
    var isHexadecimal = true
    var isOrdinary = true
    for octet in octets[shared...] {
      switch octet {
      case 0x30...0x39: break
      case 0x61...0x66: isDecimal = false
      // A length octet or a dash: a word is no more than letters.
      case 0x67...0x7a, 0x2d, 0x5f, 0...0x1f:
        isDecimal = false
        isHexadecimal = false
      default:
        isDecimal = false
        isHexadecimal = false
        isOrdinary = false
      }
    }
    // Hundredths of a bit: log2 of 10, 16, 37 and 256.
    let each: UInt64 = isDecimal ? 332 : isHexadecimal ? 400 : isOrdinary ? 521 : 800
    // Where the name begins to differ tells something too.
    var start: UInt64 = 0
    while 1 << start < octets.count { start += 1 }
    return (UInt64(octets.count - shared) * each + 99) / 100 + (last.isEmpty ? 0 : start)
  }
}

extension RuleReference {
  /// Octets of the domain of a rule for every name below it, as text: 11 of `allow *.example.com 443/tcp`. Nil for other rules.
  fileprivate var wildcardLength: Int? {
    var octets = text.utf8[...]
    guard let space = octets.firstIndex(of: 0x20) else { return nil }
    octets = octets[octets.index(after: space)...]
    guard octets.starts(with: [0x2a, 0x2e]) else { return nil }
    let end = octets.firstIndex(of: 0x20) ?? octets.endIndex
    let length = octets.distance(from: octets.startIndex, to: end) - 2
    return octets[..<end].last == 0x2e ? length - 1 : length
  }
}
