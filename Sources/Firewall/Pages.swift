/// Elements by place, in pages: to grow costs one page and copies nothing, so that nobody waits for a table of a hundred thousand to move, and no more
/// is taken than one page too many.
struct Pages<Element: Sendable>: Sendable {
  /// Elements of a page: 1,024, some 64 KiB of the largest that there are.
  private static var shift: Int { 10 }
  private static var mask: Int { 1 << shift - 1 }

  private var pages: [[Element]] = []
  private(set) var count = 0

  subscript(place: Int) -> Element {
    @inline(__always) get { pages[place >> Self.shift][place & Self.mask] }
    @inline(__always) _modify { yield &pages[place >> Self.shift][place & Self.mask] }
  }

  mutating func append(_ element: Element) {
    if count & Self.mask == 0 {
      var page: [Element] = []
      // The first page grows by itself: most tables stay small.
      if count > 0 { page.reserveCapacity(Self.mask + 1) }
      pages.append(page)
    }
    pages[pages.count - 1].append(element)
    count += 1
  }

  mutating func removeLast() {
    pages[pages.count - 1].removeLast()
    count -= 1
    if count & Self.mask == 0 { pages.removeLast() }
  }
}
