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
  var first: Element? { isEmpty ? nil : elements[head] }

  /// The new element's serial number.
  mutating func append(_ element: Element) -> Int {
    elements.append(element)
    return base + elements.count - 1
  }

  mutating func removeFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[head]
    elements[head] = nil
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
    guard index >= head, index < elements.count, var element = elements[index] else { return }
    elements[index] = nil
    change(&element)
    elements[index] = element
  }

  /// The element with this serial number, nil when it was removed.
  subscript(serial: Int) -> Element? {
    let index = serial - base
    return index >= head && index < elements.count ? elements[index] : nil
  }
}
