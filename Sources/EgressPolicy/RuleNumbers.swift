/// Numbers of rules in the order of precedence. Of one or none, which is what a query mostly finds, no memory is taken.
struct RuleNumbers: Sendable, Sequence {
  private(set) var first: UInt32?
  private var others: [UInt32] = []

  init() {}

  init(_ numbers: [UInt32]) { for number in numbers { append(number) } }

  var isEmpty: Bool { first == nil }
  /// The only one; nil when there is none, or more.
  var only: UInt32? { others.isEmpty ? first : nil }

  mutating func append(_ number: UInt32) {
    if first == nil { first = number } else { others.append(number) }
  }

  func merged(with more: [UInt32]) -> RuleNumbers { more.isEmpty ? self : RuleNumbers((Array(self) + more).sorted()) }

  struct Iterator: IteratorProtocol {
    fileprivate let numbers: RuleNumbers
    fileprivate var taken = 0

    mutating func next() -> UInt32? {
      defer { taken += 1 }
      if taken == 0 { return numbers.first }
      return taken <= numbers.others.count ? numbers.others[taken - 1] : nil
    }
  }

  func makeIterator() -> Iterator { Iterator(numbers: self) }
}
