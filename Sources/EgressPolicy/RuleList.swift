import Addressing
import DNSWire
import Timekeeping

/// Rules in order, as an array of `PolicyRule` would hold them, in the octets of their targets and twelve more each: a million names must fit
/// beside a workload. Elements are made when asked for.
package struct RuleList: RandomAccessCollection, Sendable, ExpressibleByArrayLiteral {
  /// Where a target ends in `texts` (it begins where the one before ends), and what else there is to know of its rule.
  private struct Entry: Sendable {
    var textEnd: UInt32
    /// See `targetHash`: a change of one rule looks at the hashes of all.
    var hash: UInt32
    /// Bit 0: allow. Bits 1 and 2: the kind of target. The rest: 0, or 1 + index into `conditions`.
    var bits: UInt32
  }

  private var texts: [UInt8] = []
  private var entries: [Entry] = []
  /// Rules share equal ones: a million rules for `443/tcp` cost one.
  private var conditions: [RuleCondition] = []
  /// By condition: every port that it does not name.
  private var rests: [PortSet] = []
  private var indexes: [RuleCondition: UInt32] = [:]

  package init() {}

  package init(_ rules: some Sequence<PolicyRule>) {
    for rule in rules { append(rule) }
  }

  package init(arrayLiteral elements: PolicyRule...) { self.init(elements) }

  /// Room for so many more rules with targets of so many octets: growing by doubling leaves holes as large as what is kept.
  mutating func reserve(_ count: Int, octets: Int) {
    entries.reserveCapacity(entries.count + count)
    texts.reserveCapacity(texts.count + octets)
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { entries.count }

  package subscript(_ index: Int) -> PolicyRule {
    let text = String(decoding: texts[textRange(index)], as: UTF8.self)
    let condition = condition(index) ?? .none
    return PolicyRule(
      action: action(index), target: PolicyTarget(kind: kind(index), text: text) ?? .everything, targetText: text,
      portTexts: condition.portTexts, ports: condition.ports, expiresAt: condition.expiresAt, reason: condition.reason)
  }

  /// Adds a rule at the end. A `targetText` that does not say `target` is replaced by the target's own text.
  package mutating func append(_ rule: PolicyRule) {
    let agrees = PolicyTarget(rule.targetText) == rule.target
    append(
      rule.action, rule.target.kind, Array((agrees ? rule.targetText : rule.target.description).utf8),
      RuleCondition(
        portTexts: rule.portTexts, ports: rule.ports, expiresAt: rule.expiresAt, reason: rule.reason))
  }

  /// Adds a rule whose target was checked.
  mutating func append(_ action: PolicyAction, _ kind: TargetKind, _ target: [UInt8], _ condition: RuleCondition) {
    texts.append(contentsOf: target)
    let bits = index(of: condition) << 3 | UInt32(kind.rawValue) << 1 | (action == .allow ? 1 : 0)
    entries.append(Entry(textEnd: UInt32(clamping: texts.count), hash: 0, bits: bits))
    entries[entries.count - 1].hash = hashOfTarget(entries.count - 1)
  }

  /// Adds rules of another list, in their order.
  mutating func append(_ range: Range<Int>, of other: RuleList) {
    guard !range.isEmpty else { return }
    let first = other.textRange(range.lowerBound).lowerBound
    // What a position in `other.texts` becomes here.
    let shift = texts.count - first
    texts.append(contentsOf: other.texts[first..<Int(other.entries[range.upperBound - 1].textEnd)])
    entries.reserveCapacity(entries.count + range.count)
    // The other list's conditions by their number there: most rules share a few. `unknown` was not looked up yet.
    let unknown = UInt32.max
    var numbers = [UInt32](repeating: unknown, count: other.conditions.count + 1)
    numbers[0] = 0
    for index in range {
      let entry = other.entries[index]
      let number = Int(entry.bits >> 3)
      if numbers[number] == unknown { numbers[number] = self.index(of: other.conditions[number - 1]) }
      let mine = numbers[number]
      entries.append(
        Entry(textEnd: UInt32(clamping: Int(entry.textEnd) + shift), hash: entry.hash, bits: mine << 3 | entry.bits & 7)
      )
    }
  }

  /// Takes the last rule back. What only it said of ports stays until the list goes.
  mutating func removeLast() {
    guard !entries.isEmpty else { return }
    texts.removeSubrange(textRange(entries.count - 1))
    entries.removeLast()
  }

  func action(_ index: Int) -> PolicyAction { entries[index].bits & 1 == 1 ? .allow : .deny }

  func kind(_ index: Int) -> TargetKind {
    TargetKind(rawValue: UInt8(truncatingIfNeeded: entries[index].bits >> 1 & 3)) ?? .everything
  }

  /// Nil when there is none: every port, for ever.
  func condition(_ index: Int) -> RuleCondition? {
    let number = entries[index].bits >> 3
    return number == 0 ? nil : conditions[Int(number) - 1]
  }

  func expiresAt(_ index: Int) -> WallTime? {
    let number = entries[index].bits >> 3
    return number == 0 ? nil : conditions[Int(number) - 1].expiresAt
  }

  /// The ports of a rule, and all others.
  func shares(_ index: Int) -> (own: PortSet, rest: PortSet) {
    let number = Int(entries[index].bits >> 3)
    return number == 0 ? (.everything, .nothing) : (conditions[number - 1].ports, rests[number - 1])
  }

  /// Which of the list's conditions it is; nil when there is none.
  func conditionNumber(_ index: Int) -> Int? {
    let number = entries[index].bits >> 3
    return number == 0 ? nil : Int(number)
  }

  /// Octets of all targets.
  var textCount: Int { texts.count }

  func text(_ index: Int) -> ArraySlice<UInt8> { texts[textRange(index)] }

  /// Every time at which a rule of this list stops.
  var expiries: [WallTime] { conditions.compactMap(\.expiresAt) }

  private func textRange(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : Int(entries[index - 1].textEnd))..<Int(entries[index].textEnd)
  }

  private mutating func index(of condition: RuleCondition) -> UInt32 {
    if condition.isNone { return 0 }
    // Rules that are alike come one after the other.
    if conditions.last == condition { return UInt32(clamping: conditions.count) }
    if let index = indexes[condition] { return index }
    conditions.append(condition)
    rests.append(PortSet.everything.subtracting(condition.ports))
    indexes[condition] = UInt32(clamping: conditions.count)
    return UInt32(clamping: conditions.count)
  }
}

/// What a rule says besides action and target.
struct RuleCondition: Hashable, Sendable {
  var portTexts: [String]?
  var ports = PortSet.everything
  var expiresAt: WallTime?
  var reason: String?

  /// Every port, for ever.
  static let none = RuleCondition()

  /// Whether it is `.none`.
  var isNone: Bool { portTexts == nil && expiresAt == nil && reason == nil && ports.isEverything }

  /// Whether a later rule about the same target under `other` could never match.
  func leavesNothing(for other: RuleCondition) -> Bool {
    guard ports == other.ports || portTexts == nil && ports.isEverything else { return false }
    guard let expiresAt else { return true }
    return other.expiresAt.map { $0 <= expiresAt } ?? false
  }
}

extension RuleList: Hashable {
  package static func == (left: Self, right: Self) -> Bool {
    guard left.count == right.count, left.texts == right.texts else { return false }
    return left.indices.allSatisfy { index in
      left.entries[index].textEnd == right.entries[index].textEnd
        && left.entries[index].bits & 7 == right.entries[index].bits & 7
        && left.condition(index) == right.condition(index)
    }
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(count)
    hasher.combine(texts)
  }
}

extension RuleList {
  /// Whether the rule's name (of a wildcard: what stands after `*.`) is the name that begins at `offset` of an uncompressed wire form.
  func isNamed(_ index: Int, _ wire: [UInt8], from offset: Int) -> Bool {
    let name = nameRange(index)
    var at = name.lowerBound
    var label = offset
    while wire[label] != 0 {
      let length = Int(wire[label])
      guard at + length <= name.upperBound else { return false }
      for step in 0..<length {
        let octet = lowercased(wire[label + 1 + step])
        // A dot inside a label is legal on the wire and is not a dot between labels.
        guard octet == lowercased(texts[at + step]), octet != 0x2e else { return false }
      }
      at += length
      label += 1 + length
      if wire[label] == 0 { break }
      guard at < name.upperBound, texts[at] == 0x2e else { return false }
      at += 1
    }
    return at == name.upperBound
  }

  /// Whether two rules with names have the same target.
  func hasSameName(_ index: Int, _ other: RuleList, _ otherIndex: Int) -> Bool {
    guard kind(index) == other.kind(otherIndex) else { return false }
    let mine = nameRange(index)
    let theirs = other.nameRange(otherIndex)
    guard mine.count == theirs.count else { return false }
    for (left, right) in zip(mine, theirs) where lowercased(texts[left]) != lowercased(other.texts[right]) {
      return false
    }
    return true
  }

  /// Whether two rules have the same target.
  func hasSameTarget(_ index: Int, _ other: RuleList, _ otherIndex: Int) -> Bool {
    guard kind(index) == other.kind(otherIndex) else { return false }
    switch kind(index) {
    case .everything: return true
    case .block: return block(index) == other.block(otherIndex)
    case .name, .wildcard: return hasSameName(index, other, otherIndex)
    }
  }

  /// Whether two rules are equal to the letter.
  func isSame(_ index: Int, _ other: RuleList, _ otherIndex: Int) -> Bool {
    let mine = entries[index]
    let theirs = other.entries[otherIndex]
    guard mine.hash == theirs.hash, mine.bits & 7 == theirs.bits & 7 else { return false }
    let (range, otherRange) = (textRange(index), other.textRange(otherIndex))
    guard range.count == otherRange.count else { return false }
    // In place: a change compares every rule with its former self.
    for offset in 0..<range.count
    where texts[range.lowerBound + offset] != other.texts[otherRange.lowerBound + offset] { return false }
    return mine.bits | theirs.bits < 8 || condition(index) == other.condition(otherIndex)
  }

  /// The same for rules with the same target; of a name that under which it is found, see `NameHash`.
  func targetHash(_ index: Int) -> UInt32 { entries[index].hash }

  private func hashOfTarget(_ index: Int) -> UInt32 {
    switch kind(index) {
    case .everything: return 0
    case .name, .wildcard: return nameHash(index)
    case .block:
      guard let block = block(index) else { return 0 }
      var hash = NameHash()
      let octets = block.first.bytes
      hash.add(octets.span, octets.indices)
      // Case folding may join two addresses here; the comparison parts them.
      return hash.value(isWildcard: false) &+ UInt32(truncatingIfNeeded: block.prefixLength)
    }
  }

  /// The block of a rule about addresses.
  func block(_ index: Int) -> CIDRBlock? { CIDRBlock(octets: texts.span.extracting(textRange(index))) }

  private func nameHash(_ index: Int) -> UInt32 {
    let name = nameRange(index)
    var hash = NameHash()
    var end = name.upperBound
    while true {
      var start = end
      while start > name.lowerBound, texts[start - 1] != 0x2e { start -= 1 }
      hash.add(texts.span, start..<end)
      if start == name.lowerBound { return hash.value(isWildcard: kind(index) == .wildcard) }
      end = start - 1
    }
  }

  /// Without the `*.` of a wildcard and the trailing dot.
  private func nameRange(_ index: Int) -> Range<Int> {
    let range = textRange(index)
    let low = range.lowerBound + (kind(index) == .wildcard ? 2 : 0)
    let high = texts[range.upperBound - 1] == 0x2e ? range.upperBound - 1 : range.upperBound
    return low..<(high < low ? low : high)
  }
}
