/// Elements of which there is mostly one, which then needs no memory of its own.
struct Few<Element: Sendable>: Sendable {
  private(set) var first: Element?
  private var others: [Element] = []

  init() {}

  init(_ only: Element) { first = only }

  init(_ elements: some Sequence<Element>) { for element in elements { append(element) } }

  var count: Int { first == nil ? 0 : 1 + others.count }
  var isEmpty: Bool { first == nil }

  mutating func append(_ element: Element) {
    if first == nil { first = element } else { others.append(element) }
  }

  mutating func removeAll() {
    first = nil
    others.removeAll()
  }
}

extension Few: RandomAccessCollection, MutableCollection, ExpressibleByArrayLiteral {
  init(arrayLiteral elements: Element...) { self.init(elements) }

  var startIndex: Int { 0 }
  var endIndex: Int { count }

  subscript(index: Int) -> Element {
    get {
      if index == 0, let first { return first }
      return others[index - 1]
    }
    set { if index == 0 { first = newValue } else { others[index - 1] = newValue } }
  }

  func filter(_ isIncluded: (Element) -> Bool) -> Few {
    var kept = Few()
    for element in self where isIncluded(element) { kept.append(element) }
    return kept
  }
}

extension Few: Equatable where Element: Equatable {}
extension Few: Hashable where Element: Hashable {}
