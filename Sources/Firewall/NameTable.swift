import DNSWire

/// The names that have leases or grants, by number. Their octets lie one behind the other: a name needs some 40 octets and no memory of its own.
struct NameTable: Sendable {
  private struct Slot: Sendable {
    /// Of the octets; of a free number the next free one.
    var start: UInt32
    var leases: Int32 = 0
    /// Its first grant; 0: none.
    var grant: UInt32 = 0
    /// Of the octets, lower-case wire form; 0: the number is free.
    var length: UInt8
    var hasMoreGrants = false
  }

  /// Octets that nobody needs are cleared away when they are more than the others, and more than this: 64 KiB.
  private static let unusedMin = 64 << 10

  private var index = HashIndex()
  private var slots = Pages<Slot>()
  private var octets: [UInt8] = []
  private var unused = 0
  private var free: Int?
  /// Further grants of names that have several, each of another rule.
  private var moreGrants: [Int: [UInt32]] = [:]

  var count: Int { index.count }

  /// Of all names, and of those that are gone and not cleared away.
  var octetsHeld: Int { octets.count }

  subscript(number: Int) -> DomainName? {
    guard number < slots.count, slots[number].length > 0 else { return nil }
    return DomainName(checkedWire: Array(octets[range(of: number)]))
  }

  private func range(of number: Int) -> Range<Int> {
    let start = Int(slots[number].start)
    return start..<start + Int(slots[number].length)
  }

  /// The number of a name, made when there is none.
  mutating func number(of name: DomainName) -> Int {
    let hash = HashIndex.hash(name)
    if let known = find(name, hash) { return known }
    let slot = Slot(start: UInt32(octets.count), length: UInt8(name.wire.count))
    octets.append(contentsOf: name.lowercase.wire)
    let number = free ?? slots.count
    if number < slots.count {
      free = slots[number].start == .max ? nil : Int(slots[number].start)
      slots[number] = slot
    } else {
      slots.append(slot)
    }
    index.insert(number, hash)
    return number
  }

  private func find(_ name: DomainName, _ hash: UInt32) -> Int? {
    let octets = octets.span
    return index.find(hash) { name.isSpelled(by: octets.extracting(range(of: $0))) }
  }

  /// Leases of a name.
  func leases(of number: Int) -> Int { Int(slots[number].leases) }

  mutating func countLeases(of number: Int, by step: Int) { slots[number].leases += Int32(step) }

  func firstGrant(of number: Int, where isWanted: (UInt32) -> Bool) -> UInt32? {
    let slot = slots[number]
    if slot.grant != 0, isWanted(slot.grant) { return slot.grant }
    return slot.hasMoreGrants ? moreGrants[number]?.first(where: isWanted) : nil
  }

  mutating func add(grant: UInt32, to number: Int) {
    if slots[number].grant == 0 {
      slots[number].grant = grant
    } else {
      slots[number].hasMoreGrants = true
      moreGrants[number, default: []].append(grant)
    }
  }

  mutating func remove(grant: UInt32, from number: Int) {
    if slots[number].grant == grant {
      slots[number].grant = 0
      guard slots[number].hasMoreGrants else { return }
      slots[number].grant = moreGrants[number]?.removeFirst() ?? 0
    } else {
      moreGrants[number]?.removeAll { $0 == grant }
    }
    if moreGrants[number]?.isEmpty ?? true {
      moreGrants[number] = nil
      slots[number].hasMoreGrants = false
    }
  }

  /// Forgets a name that nothing needs any more.
  mutating func release(_ number: Int) {
    guard slots[number].leases == 0, slots[number].grant == 0, let name = self[number] else { return }
    index.remove(number, HashIndex.hash(name))
    unused += name.wire.count
    slots[number] = Slot(start: free.map { UInt32($0) } ?? .max, length: 0)
    free = number
    if unused > Self.unusedMin, unused > octets.count / 2 { compact() }
  }

  private mutating func compact() {
    var kept: [UInt8] = []
    kept.reserveCapacity(octets.count - unused)
    for number in 0..<slots.count where slots[number].length > 0 {
      let start = kept.count
      kept.append(contentsOf: octets[range(of: number)])
      slots[number].start = UInt32(start)
    }
    octets = kept
    unused = 0
  }
}
