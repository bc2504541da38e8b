import Addressing
import Timekeeping

/// What rules about addresses say of a range.
package struct AddressPlanEntry: Hashable, Sendable {
  package var first: IPAddress
  /// Inclusive, of the same family.
  package var last: IPAddress
  /// A partition of all ports, the default's remainder included, in the order of precedence.
  package var verdicts: [PortVerdict]

  package init(first: IPAddress, last: IPAddress, verdicts: [PortVerdict]) {
    self.first = first
    self.last = last
    self.verdicts = verdicts
  }
}

extension RuleSet {
  /// What the rules about addresses (and `*`) say by themselves: disjoint ranges in order, IPv4 first, equal neighbours merged. Ranges where only the
  /// default deny applies are left out; with `defaultAction` allow, or a rule about `*`, every address is covered.
  package func addressPlan(at now: WallTime) -> [AddressPlanEntry] {
    plan(isIPv4: true, now) + plan(isIPv4: false, now)
  }

  /// Two blocks are disjoint or one holds the other, so those around a point are a stack.
  private func plan(isIPv4: Bool, _ now: WallTime) -> [AddressPlanEntry] {
    let end: UInt128 = isIPv4 ? UInt128(UInt32.max) : .max
    var sweep = Sweep(set: self, isIPv4: isIPv4, now: now)
    var open: [AddressIndex.Entry] = []
    for block in index.addresses.blocks(isIPv4: isIPv4) {
      while let last = open.last, last.last < block.first {
        sweep.emit(to: last.last, open)
        open.removeLast()
      }
      if sweep.start < block.first { sweep.emit(to: block.first - 1, open) }
      open.append(block)
    }
    while let last = open.last {
      sweep.emit(to: last.last, open)
      open.removeLast()
    }
    sweep.emit(to: end, open)
    return sweep.entries
  }
}

/// Walks a family's addresses from the first to the last.
private struct Sweep {
  let set: RuleSet
  let isIPv4: Bool
  let now: WallTime
  var entries: [AddressPlanEntry] = []
  /// The first address not yet covered.
  var start: UInt128 = 0
  private var isDone = false

  init(set: RuleSet, isIPv4: Bool, now: WallTime) {
    self.set = set
    self.isIPv4 = isIPv4
    self.now = now
  }

  /// Covers what is left up to `end` with the rules of the blocks around it.
  mutating func emit(to end: UInt128, _ blocks: [AddressIndex.Entry]) {
    guard !isDone, start <= end else { return }
    let first = IPAddress(number: start, isIPv4: isIPv4)
    isDone = end == (isIPv4 ? UInt128(UInt32.max) : .max)
    start = isDone ? end : end + 1
    let rules = (set.index.everything + blocks.map(\.rule)).sorted()
    if rules.isEmpty, set.document.defaultAction == .deny { return }
    let verdicts = set.verdicts(of: RuleNumbers(rules), ignoringNameAllows: false, at: now)
    if verdicts.count == 1, verdicts[0].rule.place == .defaultAction, verdicts[0].rule.action == .deny { return }
    let last = IPAddress(number: end, isIPv4: isIPv4)
    if let before = entries.last, before.last.number + 1 == first.number, before.verdicts == verdicts {
      entries[entries.count - 1].last = last
    } else {
      entries.append(AddressPlanEntry(first: first, last: last, verdicts: verdicts))
    }
  }
}
