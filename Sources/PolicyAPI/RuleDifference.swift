import EgressPolicy

/// What a change adds and removes, each in the order of its document. Rules are equal when everything about them is.
package struct RuleDifference: Hashable, Sendable {
  package private(set) var added: [PolicyRule] = []
  package private(set) var removed: [PolicyRule] = []
  /// Rules in both stand in another order, which may decide otherwise: the first match wins.
  package private(set) var isReordered: Bool

  package init(from old: PolicyDocument, to new: PolicyDocument) {
    var oldCounts: [PolicyRule: Int] = [:]
    var newCounts: [PolicyRule: Int] = [:]
    for rule in old.egress { oldCounts[rule, default: 0] += 1 }
    for rule in new.egress { newCounts[rule, default: 0] += 1 }
    let keptInNew = Self.split(new.egress, &oldCounts, others: &added)
    let keptInOld = Self.split(old.egress, &newCounts, others: &removed)
    isReordered = keptInNew != keptInOld
  }

  /// The rules that `counts` still has, in order; what it has not goes to `others`.
  private static func split(
    _ rules: RuleList, _ counts: inout [PolicyRule: Int], others: inout [PolicyRule]
  ) -> [PolicyRule] {
    var kept: [PolicyRule] = []
    for rule in rules {
      if let count = counts[rule], count > 0 {
        counts[rule] = count - 1
        kept.append(rule)
      } else {
        others.append(rule)
      }
    }
    return kept
  }
}
