import Addressing
import Timekeeping

@testable import Firewall

/// The kernel's sets with the kernel's manners: a key that is there with another mark, a deletion of what is not there, and ranges that overlap refuse
/// the whole transaction.
struct StrictKernel {
  struct Held: Equatable {
    var element: SetElement
    var until: Instant?
  }

  struct Refusal: Error, CustomStringConvertible {
    var description: String
  }

  var sets: [SetName: SetDefinition] = [:]
  var elements: [SetName: [Held]] = [:]
  var rules: [ChainName: [[Statement]]] = [:]

  mutating func commit(_ transaction: KernelTransaction, at now: Instant) throws {
    var next = self
    for change in transaction.changes { try next.apply(change, at: now) }
    self = next
  }

  func live(_ set: SetName, at now: Instant) -> [SetElement] {
    elements[set, default: []].filter { $0.until.map { now < $0 } ?? true }.map(\.element)
  }

  private mutating func apply(_ change: KernelChange, at now: Instant) throws {
    switch change {
    case .addTable: break
    case .deleteTable: self = StrictKernel()
    case .addSet(let set):
      if let old = sets[set.name], old != set { throw Refusal(description: "set \(set.name.rawValue) differs") }
      sets[set.name] = set
    case .deleteSet(let name):
      sets[name] = nil
      elements[name] = nil
    case .addChain(let chain): rules[chain.name] = rules[chain.name] ?? []
    case .flushChain(let name):
      guard rules[name] != nil else { throw Refusal(description: "no chain \(name.rawValue)") }
      rules[name] = []
    case .appendRule(let rule): rules[rule.chain, default: []].append(rule.statements)
    case .addElements(let name, let elements): for element in elements { try add(element, name, at: now) }
    case .renewElements(let name, let elements):
      for element in elements {
        try add(element, name, at: now)
        try delete(element, name, at: now)
        try add(element, name, at: now)
      }
    case .deleteElements(let name, let elements): for element in elements { try delete(element, name, at: now) }
    case .destroyElements(let name, let elements):
      for element in elements {
        try add(element, name, at: now)
        try delete(element, name, at: now)
      }
    case .flushSet(let name): elements[name] = []
    }
  }

  private mutating func add(_ element: SetElement, _ name: SetName, at now: Instant) throws {
    guard let set = sets[name] else { throw Refusal(description: "no set \(name.rawValue)") }
    guard set.key.map(\.length) == element.key.map(\.count), set.mapsToMark == (element.mark != nil),
      set.isInterval == (element.last != nil), set.hasTimeouts || element.timeout == nil,
      element.timeout.map({ $0 > .zero }) ?? true
    else { throw Refusal(description: "\(name.rawValue) cannot hold \(element)") }
    var held = elements[name, default: []].filter { $0.until.map { now < $0 } ?? true }
    if let there = held.first(where: { $0.element.key == element.key && $0.element.last == element.last }) {
      guard there.element.mark == element.mark else {
        throw Refusal(description: "\(name.rawValue): \(nft(element)) is there with mark \(there.element.mark ?? 0)")
      }
    } else {
      if set.isInterval, let other = held.first(where: { overlaps($0.element, element) }) {
        throw Refusal(description: "\(name.rawValue): \(nft(element)) overlaps \(nft(other.element))")
      }
      held.append(Held(element: element, until: element.timeout.map { now + $0 }))
      if let size = set.sizeMax, held.count > size { throw Refusal(description: "\(name.rawValue) is full") }
    }
    elements[name] = held
  }

  private mutating func delete(_ element: SetElement, _ name: SetName, at now: Instant) throws {
    let index = elements[name, default: []].firstIndex {
      $0.element.key == element.key && $0.element.last == element.last && ($0.until.map { now < $0 } ?? true)
    }
    guard let index else { throw Refusal(description: "\(name.rawValue): \(nft(element)) is not there") }
    elements[name]?.remove(at: index)
  }

  private func nft(_ element: SetElement) -> String { "\(element.key)…\(element.last ?? [])" }

  private func overlaps(_ left: SetElement, _ right: SetElement) -> Bool {
    zip(zip(left.key, left.last ?? left.key), zip(right.key, right.last ?? right.key)).allSatisfy { a, b in
      !(a.1.lexicographicallyPrecedes(b.0)) && !(b.1.lexicographicallyPrecedes(a.0))
    }
  }

  /// What chain `steer` makes of a new flow of the workload that does not go to loopback, the DNS port apart: the mark, and whether it is let out.
  func verdict(_ address: IPAddress, port: UInt16, transport: TransportProtocol, at now: Instant) -> (UInt32, Bool) {
    let sets = AddressSets.of(isIPv4: address.isIPv4)
    let hasPorts = transport == .tcp || transport == .udp
    guard live(.gate, at: now).contains(where: { $0.key == [[address.isIPv4 ? 2 : 10]] }) else {
      return (FlowMark.deniedByGate, false)
    }
    let service = [address.bytes, [transport.rawValue], bigEndianBytes(port)]
    let order: [(SetName, [[UInt8]])] =
      hasPorts
      ? [
        (sets.leasePort, service), (sets.leaseRange, service), (sets.lease, [address.bytes]),
        (sets.blockExact, service), (sets.blockPort, service), (sets.block, [address.bytes]),
      ] : [(sets.leaseOther, [address.bytes]), (sets.lease, [address.bytes]), (sets.block, [address.bytes])]
    for (name, key) in order {
      guard let mark = lookUp(key, name, at: now) else { continue }
      if isInForce(mark, at: now) { return (mark, true) }
      return (FlowMark.isDenyRule(mark) ? mark : FlowMark.deniedByDefault, false)
    }
    return (FlowMark.deniedByDefault, false)
  }

  func isInForce(_ mark: UInt32, at now: Instant) -> Bool {
    live(.grants, at: now).contains { $0.key == [hostOrderBytes(mark)] }
  }

  func lookUp(_ key: [[UInt8]], _ name: SetName, at now: Instant) -> UInt32? {
    live(name, at: now).first { element in
      zip(key, zip(element.key, element.last ?? element.key)).allSatisfy { value, range in
        !value.lexicographicallyPrecedes(range.0) && !range.1.lexicographicallyPrecedes(value)
      }
    }?.mark
  }
}
