import Addressing

/// The values of a key, one a part and as `KeyPart` says. Up to 24 octets stand here, since every lease is written by one: an address of 16 with
/// protocol and port. Longer ones, by which dropped packets of IPv6 are counted, take memory of their own.
package struct ElementValues: Hashable, Sendable {
  /// Octets that need no memory.
  static let inlineOctetsMax = 24
  /// Parts of which the ends are kept in one word.
  static let inlinePartsMax = 4

  private var words: InlineWords = .init()
  /// Where each part ends, eight bits each.
  private var ends: UInt32 = 0
  package private(set) var count = 0
  private var long: [[UInt8]]?

  /// Octet i stands in bits 8·(i mod 8) of word i / 8.
  private struct InlineWords: Hashable, Sendable {
    var first: UInt64 = 0
    var second: UInt64 = 0
    var third: UInt64 = 0

    subscript(index: Int) -> UInt8 {
      get {
        let word = index < 8 ? first : index < 16 ? second : third
        return UInt8(truncatingIfNeeded: word >> UInt64(8 * (index & 7)))
      }
      set {
        let bits = UInt64(newValue) << UInt64(8 * (index & 7))
        if index < 8 { first |= bits } else if index < 16 { second |= bits } else { third |= bits }
      }
    }
  }

  package init() {}

  package init(_ parts: [[UInt8]]) {
    let total = parts.reduce(0) { $0 + $1.count }
    guard parts.count <= Self.inlinePartsMax, total <= Self.inlineOctetsMax else {
      long = parts
      count = parts.count
      return
    }
    for part in parts {
      let start = end
      for (index, octet) in part.enumerated() { words[start + index] = octet }
      close(start + part.count)
    }
  }

  /// Appends a number's octets, most significant first. There must be room.
  package mutating func append(bigEndian number: some FixedWidthInteger & UnsignedInteger) {
    let start = end
    put(number, at: start)
    close(start + number.bitWidth / 8)
  }

  /// Appends 4 or 16 octets. There must be room.
  package mutating func append(_ address: IPAddress) {
    switch address {
    case .v4(let address): append(bigEndian: address.bits)
    case .v6(let address):
      let start = end
      put(address.high, at: start)
      put(address.low, at: start + 8)
      close(start + 16)
    }
  }

  private mutating func put(_ number: some FixedWidthInteger & UnsignedInteger, at start: Int) {
    let octets = number.bitWidth / 8
    for index in 0..<octets { words[start + index] = UInt8(truncatingIfNeeded: number >> (8 * (octets - 1 - index))) }
  }

  private mutating func close(_ end: Int) {
    ends |= UInt32(end) << UInt32(8 * count)
    count += 1
  }

  /// Where the last part ends.
  private var end: Int { end(of: count - 1) }

  private func end(of part: Int) -> Int { part < 0 ? 0 : Int(ends >> UInt32(8 * part) & 0xff) }

  /// Octets of a part.
  package func length(of part: Int) -> Int { long.map { $0[part].count } ?? end(of: part) - end(of: part - 1) }

  /// Calls `body` with each octet of a part, in order.
  package func forEachOctet(of part: Int, _ body: (UInt8) -> Void) {
    if let long { return long[part].forEach(body) }
    for index in end(of: part - 1)..<end(of: part) { body(words[index]) }
  }
}

extension ElementValues: RandomAccessCollection, ExpressibleByArrayLiteral, CustomStringConvertible {
  package var description: String { Array(self).description }

  package init(arrayLiteral elements: [UInt8]...) { self.init(elements) }

  package var startIndex: Int { 0 }
  package var endIndex: Int { count }

  package subscript(part: Int) -> [UInt8] {
    var octets: [UInt8] = []
    forEachOctet(of: part) { octets.append($0) }
    return octets
  }
}
