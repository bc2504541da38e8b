import Addressing
import DNSWire
import Timekeeping

/// Finds the rules of several lists that match a name or an address. Rules are numbered through, list after list, so that a smaller number wins.
struct RuleIndex: Sendable {
  let lists: [RuleList]
  /// The number of each list's first rule, and how many rules there are.
  private let starts: [Int]
  private var names: RuleTable
  private var hasWildcards = false
  /// Rules about addresses.
  private(set) var addresses: AddressIndex
  /// Rules about `*`, in order.
  private(set) var everything: [UInt32] = []

  init(_ lists: [RuleList]) {
    self.lists = lists
    var starts = [0]
    for list in lists { starts.append(starts[starts.count - 1] + list.count) }
    self.starts = starts
    names = RuleTable(count: starts[starts.count - 1])
    var blocks: [(CIDRBlock, UInt32)] = []
    // From the last to the first, since a chain grows at its front.
    for (start, list) in zip(starts, lists).reversed() {
      for index in list.indices.reversed() {
        let rule = UInt32(clamping: start + index)
        switch list.kind(index) {
        case .everything: everything.append(rule)
        case .block:
          if let block = list.block(index) { blocks.append((block, rule)) }
        case .name, .wildcard:
          if list.kind(index) == .wildcard { hasWildcards = true }
          if names.insert(rule, unlessKnown: list.targetHash(index)) { continue }
          names.insert(rule, list.targetHash(index)) { isSameTarget($0, list, index, lists, starts) }
        }
      }
    }
    everything.reverse()
    addresses = AddressIndex(blocks)
  }

  /// The list and the index in it of a rule.
  func place(_ rule: UInt32) -> (list: Int, index: Int) { locate(rule, starts) }

  /// The rules that name this name, exactly or by wildcard, in order.
  func rules(named name: DomainName) -> RuleNumbers {
    var found = RuleNumbers()
    var chains = 0
    var offsets = InlineArray<128, UInt8>(repeating: 0)
    var labels = 0
    var at = 0
    while name.wire[at] != 0, labels < 128 {
      offsets[labels] = UInt8(truncatingIfNeeded: at)
      labels += 1
      at += 1 + Int(name.wire[at])
    }
    var hash = NameHash()
    while labels > 0 {
      labels -= 1
      let offset = Int(offsets[labels])
      hash.add(name.wire.span, offset + 1..<offset + 1 + Int(name.wire[offset]))
      let isWildcard = labels > 0
      guard hasWildcards || !isWildcard else { continue }
      var rule = names.first(hash.value(isWildcard: isWildcard)) { rule in
        let (list, index) = place(rule)
        return (lists.span[list].kind(index) == .wildcard) == isWildcard
          && lists.span[list].isNamed(index, name.wire, from: offset)
      }
      if rule != RuleTable.none { chains += 1 }
      while rule != RuleTable.none {
        found.append(rule)
        rule = names.next(rule)
      }
    }
    return chains > 1 ? RuleNumbers(found.sorted()) : found
  }
}

/// Whether rule number `rule` has the same target as rule `index` of `list`, both with names.
private func isSameTarget(_ rule: UInt32, _ list: RuleList, _ index: Int, _ lists: [RuleList], _ starts: [Int]) -> Bool
{
  let (other, otherIndex) = locate(rule, starts)
  return lists.span[other].hasSameName(otherIndex, list, index)
}

private func locate(_ rule: UInt32, _ starts: [Int]) -> (list: Int, index: Int) {
  var list = starts.count - 2
  while list > 0, Int(rule) < starts[list] { list -= 1 }
  return (list, Int(rule) - starts[list])
}
