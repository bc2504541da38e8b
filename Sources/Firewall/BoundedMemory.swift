/// The last things seen, by key: when it is full the oldest goes.
struct BoundedMemory<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private var values: [Key: (order: UInt64, value: Value)] = [:]
  private var queue: [(order: UInt64, key: Key)] = []
  private var oldest = 0
  private var nextOrder: UInt64 = 0
  private let max: Int

  init(max: Int) { self.max = max }

  subscript(key: Key) -> Value? { values[key]?.value }

  mutating func remember(_ key: Key, _ value: Value) {
    values[key] = (nextOrder, value)
    queue.append((nextOrder, key))
    nextOrder += 1
    while queue.count - oldest > max {
      let entry = queue[oldest]
      if values[entry.key]?.order == entry.order { values[entry.key] = nil }
      oldest += 1
    }
    if oldest > max {
      queue.removeFirst(oldest)
      oldest = 0
    }
  }

  mutating func forget(_ key: Key) { values[key] = nil }
}
