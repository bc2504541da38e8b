import Timekeeping

/// How often each rule decided, and when last. Rules are told apart by their text, as grants are.
package struct RuleUse: Sendable {
  /// Rules that are counted: 16,384, four times a policy's most; some 3 MiB at most. Later ones go uncounted.
  package static let rulesMax = 16_384

  package struct Count: Hashable, Sendable {
    /// Queries and new flows that the rule decided.
    package var hits: UInt64
    package var lastUsed: WallTime
  }

  private var counts: [String: Count] = [:]

  package init() {}

  package subscript(_ text: String) -> Count? { counts[text] }

  package mutating func count(_ text: String, at now: WallTime) {
    if let index = counts.index(forKey: text) {
      counts.values[index].hits &+= 1
      counts.values[index].lastUsed = now
    } else if counts.count < Self.rulesMax {
      counts[text] = Count(hits: 1, lastUsed: now)
    }
  }

  /// After a change of the policy: rules that it no longer has are forgotten.
  package mutating func keep(only policy: RuleSet) {
    guard policy.ruleCount <= RuleSet.labelsMax else { return }
    var kept = counts.filter { $0.key.hasPrefix("default ") }
    for label in policy.labels {
      // Most often the rules that were used are all found before the last one is looked up.
      guard kept.count < counts.count else { return }
      if let count = counts[label.text] { kept[label.text] = count }
    }
    counts = kept
  }
}

extension RuleSet {
  /// The rules in order of precedence, the default last: nil for a list of more than some thousand.
  package var rules: [RuleReference]? {
    guard ruleCount <= Self.labelsMax else { return nil }
    return (0..<ruleCount).map { reference(UInt32($0)) } + [defaultRule]
  }

  /// `defaultAction` as a rule.
  package var defaultReference: RuleReference { defaultRule }
}
