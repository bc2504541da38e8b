/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to choose faults.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }

  /// A generator of its own for one part of the world, told apart by `name`.
  package func split(_ name: String) -> SeededGenerator {
    var child = SeededGenerator(seed: state ^ fingerprint(Array(name.utf8)))
    child.state = child.next()
    return child
  }

  /// True in so many of a thousand draws.
  package mutating func chance(_ perMille: Int) -> Bool { next() % 1000 < UInt64(perMille) }

  /// A number of the range. The bias of the remainder does not matter here.
  package mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
  }

  /// One of the elements, which are not empty.
  package mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[number(0...elements.count - 1)]
  }
}

/// FNV-1a, 64 bits: for traces and for telling things apart, not against anybody.
package func fingerprint(_ octets: [UInt8], _ start: UInt64 = 0xcbf2_9ce4_8422_2325) -> UInt64 {
  var hash = start
  var index = 0
  while index < octets.count {
    hash = (hash ^ UInt64(octets[index])) &* 0x100_0000_01b3
    index += 1
  }
  return hash
}

/// 32 octets for the chain of records: the machine takes any pure function, and this one is quick without optimisation.
package func testDigest(_ octets: [UInt8]) -> [UInt8] {
  var generator = SeededGenerator(seed: fingerprint(octets) ^ UInt64(octets.count))
  return (0..<4).flatMap { _ in
    let word = generator.next()
    return (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
  }
}
