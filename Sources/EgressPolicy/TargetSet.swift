/// The targets of a list's rules, found by their hash: a change names a few of them, and every rule of the policy is held against those.
struct TargetSet {
  private let rules: RuleList
  private var table: RuleTable

  /// None yet; `rules` holds those that `insert` takes in.
  init(of rules: RuleList) {
    self.rules = rules
    table = RuleTable(count: rules.count)
  }

  /// False when an equal target is there already.
  mutating func insert(_ index: Int) -> Bool {
    guard !contains(index, of: rules) else { return false }
    let rules = rules
    table.insert(UInt32(clamping: index), rules.targetHash(index)) { rules.hasSameTarget(Int($0), rules, index) }
    return true
  }

  /// Whether the target of rule `index` of `other` is there.
  func contains(_ index: Int, of other: RuleList) -> Bool {
    table.first(other.targetHash(index)) { rules.hasSameTarget(Int($0), other, index) } != RuleTable.none
  }
}
