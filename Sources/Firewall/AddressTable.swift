import Addressing
import EgressPolicy
import Timekeeping

/// What is known of each address. Nearly every one has one lease of one part and the one element that it makes: such a record lies here in 64 octets and
/// needs no memory of its own. The others stand whole beside it. A place stays an address' as long as the address is known, and may then be another's.
struct AddressTable: Sendable {
  private var index = HashIndex()
  private var slots = Pages<AddressSlot>()
  /// The first free place; each holds the next one as its name.
  private var free: Int?
  /// The records that do not fit into a slot, by place.
  private var whole: [Int: AddressRecord] = [:]
  private var ports = PortSetTable()
  private(set) var count = 0

  /// Every address, in no order that means anything.
  var keys: [IPAddress] {
    var keys: [IPAddress] = []
    keys.reserveCapacity(count)
    for place in 0..<slots.count where slots[place].form != .free { keys.append(slots[place].address) }
    return keys
  }

  @inline(__always)
  func index(forKey address: IPAddress) -> Int? { find(AddressSlot.key(address), HashIndex.hash(address)) }

  @inline(__always)
  private func find(_ key: AddressSlot.Key, _ hash: UInt32) -> Int? {
    index.find(hash) { slots[$0].high == key.high && slots[$0].low == key.low && slots[$0].isIPv4 == key.isIPv4 }
  }

  subscript(address: IPAddress) -> AddressRecord? {
    get { index(forKey: address).map { record(at: $0) } }
    set {
      if let newValue {
        put(newValue, for: address)
      } else if let place = index(forKey: address) {
        remove(at: place)
      }
    }
  }

  func record(at place: Int) -> AddressRecord {
    if slots[place].form == .whole { return whole[place] ?? AddressRecord() }
    return slots[place].record(ports: ports[slots[place].ports])
  }

  /// The place.
  @discardableResult
  mutating func put(_ record: AddressRecord, for address: IPAddress) -> Int {
    let hash = HashIndex.hash(address)
    let key = AddressSlot.key(address)
    if let place = find(key, hash) {
      replace(at: place, with: record)
      return place
    }
    let place = free ?? slots.count
    if place < slots.count {
      free = slots[place].nextFree
      slots[place] = AddressSlot(key)
    } else {
      slots.append(AddressSlot(key))
    }
    index.insert(place, hash)
    count += 1
    replace(at: place, with: record)
    return place
  }

  mutating func replace(at place: Int, with record: AddressRecord) {
    let wasWhole = slots[place].form == .whole
    if slots[place].take(record, &ports) {
      if wasWhole { whole[place] = nil }
    } else {
      slots[place].form = .whole
      whole[place] = record
    }
  }

  private mutating func remove(at place: Int) {
    index.remove(place, HashIndex.hash(slots[place].address))
    if slots[place].form == .whole { whole[place] = nil }
    slots[place].release(next: free)
    free = place
    count -= 1
  }

  /// The address of a timer, unless it is of another time or of whom the place was before.
  func address(at place: Int, scheduledFor deadline: Instant) -> IPAddress? {
    guard place < slots.count else { return nil }
    let scheduled: Instant? =
      switch slots[place].form {
      case .free: nil
      case .whole: whole[place]?.scheduled
      case .sole, .soleHeld: slots[place].scheduled
      }
    return scheduled == deadline ? slots[place].address : nil
  }

  // What every query looks at, without making a record of it.

  /// A name's hold on the address: when DNS' word ends, when the first of its parts does, and the transaction in which the address changed last.
  struct Standing {
    var until: Instant
    var shortest: Instant
    var changedIn: UInt64
  }

  func standing(of name: Int, at place: Int) -> Standing? {
    let slot = slots[place]
    if slot.form == .whole {
      guard let record = whole[place], let lease = record.leases.first(where: { $0.name == name }) else { return nil }
      return Standing(until: lease.until, shortest: lease.shortest, changedIn: record.changedIn)
    }
    guard Int(slot.name) == name else { return nil }
    return Standing(until: slot.until, shortest: slot.until, changedIn: slot.changedIn)
  }

  /// The session that told the address to this name last.
  mutating func note(session: UInt64, of name: Int, at place: Int) {
    guard slots[place].form == .whole else {
      slots[place].session = session
      return
    }
    if let lease = whole[place]?.leases.firstIndex(where: { $0.name == name }) {
      whole[place]?.leases[lease].session = session
    }
  }

  /// Whether its one element has to be sent, which it counts as from now on; nil for a record that stands whole.
  mutating func sendSole(at place: Int) -> (isNew: Bool, element: LeaseElement)? {
    switch slots[place].form {
    case .sole:
      slots[place].form = .soleHeld
      return (true, slots[place].element)
    case .soleHeld: return (false, slots[place].element)
    case .whole, .free: return nil
    }
  }

  /// The kernel's ends are later by this much, at most, or by what was known already.
  mutating func raise(lateness: TimeSpan, at place: Int) {
    if slots[place].form == .whole {
      if let known = whole[place]?.lateness, known < lateness { whole[place]?.lateness = lateness }
    } else if slots[place].lateness < lateness, !slots[place].put(lateness: lateness) {
      var record = record(at: place)
      record.lateness = lateness
      replace(at: place, with: record)
    }
  }
}

/// Sets of ports by number, of which rules have few.
struct PortSetTable: Sendable {
  /// The number of every port.
  static let everything: UInt16 = 0
  /// As many as a policy has rules; leases under others stand whole.
  private static let countMax = 4_096

  private var sets: [PortSet] = [.everything]
  private var numbers: [PortSet: UInt16] = [:]

  subscript(number: UInt16) -> PortSet { sets[Int(number)] }

  mutating func number(of ports: PortSet) -> UInt16? {
    if ports.isEverything { return Self.everything }
    if let number = numbers[ports] { return number }
    guard sets.count < Self.countMax else { return nil }
    numbers[ports] = UInt16(sets.count)
    sets.append(ports)
    return UInt16(sets.count - 1)
  }
}
