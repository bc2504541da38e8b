/// First in, first out, and every element can be found again by the serial number it was given. Memory follows the number of elements.
struct RollupQueue<Element: Sendable>: Sendable {
  private var elements: [Element?] = []
  /// Where the first element stands in `elements`; what is before it was removed.
  private var head = 0
  /// The serial number of `elements[0]`.
  private var base = 0

  init() {}

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }

  /// Looks at the oldest element, if there is one, without a copy of it.
  @inline(__always)
  func readFirst(_ body: (borrowing Element) -> Void) {
    guard !isEmpty else { return }
    switch elements.span[head] {
    case .some(let element): body(element)
    case nil: break
    }
  }

  /// The new element's serial number.
  mutating func append(_ element: Element) -> Int {
    elements.append(element)
    return base + elements.count - 1
  }

  mutating func removeFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[head].take()
    head += 1
    if isEmpty {
      base += head
      head = 0
      elements = []
    } else if head >= 64, head > elements.count / 2 {
      elements.removeFirst(head)
      base += head
      head = 0
    }
    return element
  }

  /// Changes the element in place; nothing when it was removed.
  mutating func update(_ serial: Int, _ change: (inout Element) -> Void) {
    let index = serial - base
    guard index >= head, index < elements.count, var element = elements[index].take() else { return }
    change(&element)
    elements[index] = element
  }
}
