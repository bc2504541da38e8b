/// Rules in order, as an array of `PolicyRule` would hold them, in about forty octets each: a million names must fit beside a workload.
/// Elements are made when asked for.
package struct RuleList: RandomAccessCollection, Hashable, Sendable, ExpressibleByArrayLiteral {
  private var rules: [PolicyRule]

  package init() { rules = [] }
  package init(_ rules: some Sequence<PolicyRule>) { self.rules = Array(rules) }
  package init(arrayLiteral elements: PolicyRule...) { rules = elements }

  package var startIndex: Int { 0 }
  package var endIndex: Int { rules.count }
  package subscript(_ index: Int) -> PolicyRule { rules[index] }

  package mutating func append(_ rule: PolicyRule) { rules.append(rule) }
}
