/// Values by key, as a dictionary, for tables of a hundred thousand that grow while names wait: keys and values lie close together in order of
/// coming, and growth moves them without hashing. A place is good until the next removal, which puts the last one into the gap.
struct DenseTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private var index = HashIndex()
  /// In no order that means anything.
  private(set) var keys: [Key] = []
  /// By place.
  var values: [Value] = []

  var count: Int { keys.count }

  func index(forKey key: Key) -> Int? { place(key, HashIndex.hash(key)) }

  subscript(key: Key) -> Value? {
    get { index(forKey: key).map { values[$0] } }
    set {
      let hash = HashIndex.hash(key)
      switch (place(key, hash), newValue) {
      case (let place?, let value?): values[place] = value
      case (let place?, nil): remove(place, hash)
      case (nil, let value?):
        index.insert(keys.count, hash)
        keys.append(key)
        values.append(value)
      case (nil, nil): break
      }
    }
  }

  mutating func removeValue(forKey key: Key) -> Value? {
    let hash = HashIndex.hash(key)
    guard let place = place(key, hash) else { return nil }
    let value = values[place]
    remove(place, hash)
    return value
  }

  @inline(__always)
  private func place(_ key: Key, _ hash: UInt32) -> Int? { index.find(hash) { keys.span[$0] == key } }

  private mutating func remove(_ place: Int, _ hash: UInt32) {
    index.remove(place, hash)
    let last = keys.count - 1
    if place < last {
      index.renumber(last, to: place, HashIndex.hash(keys[last]))
      keys.swapAt(place, last)
      values.swapAt(place, last)
    }
    keys.removeLast()
    values.removeLast()
  }
}
