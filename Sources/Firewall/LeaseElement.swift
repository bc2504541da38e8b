import Addressing
import EgressPolicy
import Timekeeping

/// The key of an element within one address: which map it is in and for which ports.
struct ElementKey: Hashable, Comparable, Sendable {
  enum Kind: UInt8, Hashable, Sendable {
    /// Every port and protocol.
    case plain
    /// Every protocol but TCP and UDP.
    case other
    /// One port of one protocol.
    case port
    /// A range of ports of one protocol.
    case range
  }

  var kind: Kind
  var transport: UInt8 = 0
  var low: UInt16 = 0
  var high: UInt16 = 0

  static let plain = ElementKey(kind: .plain)
  static let other = ElementKey(kind: .other)

  static func port(_ transport: UInt8, _ port: UInt16) -> ElementKey {
    ElementKey(kind: .port, transport: transport, low: port, high: port)
  }

  static func range(_ transport: UInt8, _ ports: ClosedRange<UInt16>) -> ElementKey {
    ElementKey(kind: .range, transport: transport, low: ports.lowerBound, high: ports.upperBound)
  }

  /// For an order that does not depend on hashing.
  private var order: UInt64 {
    UInt64(kind.rawValue) << 40 | UInt64(transport) << 32 | UInt64(low) << 16 | UInt64(high)
  }

  static func < (left: Self, right: Self) -> Bool { left.order < right.order }

  func set(isIPv4: Bool) -> SetName {
    let sets = AddressSets.of(isIPv4: isIPv4)
    return switch kind {
    case .plain: sets.lease
    case .other: sets.leaseOther
    case .port: sets.leasePort
    case .range: sets.leaseRange
    }
  }
}

/// An element of a lease map, for one address.
struct LeaseElement: Hashable, Sendable {
  var key: ElementKey
  var mark: UInt32
  var until: Instant

  func element(_ address: IPAddress, at now: Instant) -> SetElement {
    let left = Swift.max(until - now, .milliseconds(1))
    var values = ElementValues()
    values.append(address)
    if key.kind == .plain || key.kind == .other { return SetElement(values, mark: mark, timeout: left) }
    values.append(bigEndian: key.transport)
    values.append(bigEndian: key.low)
    guard key.kind == .range else { return SetElement(values, mark: mark, timeout: left) }
    return SetElement(
      values, last: [address.bytes, [key.transport], bigEndianBytes(key.high)], mark: mark, timeout: left)
  }
}

/// The ports of an address that one rule grants to one name.
struct LeasePart: Hashable, Sendable {
  var ports: PortSet
  /// The rule's end, if it has one: the part ends with it.
  var ruleEnds: Instant?
  var grant: UInt32

  init(grant: UInt32, ports: PortSet, ruleEnds: Instant?) {
    self.grant = grant
    self.ports = ports
    self.ruleEnds = ruleEnds
  }
}

/// One name's hold on one address.
struct Lease: Hashable, Sendable {
  var name: Int
  /// When DNS' word ends, the rules' ends not counted.
  var until: Instant
  /// Grows with each leasing: the latest gives the mark.
  var order: UInt64
  /// The DNS session that told the address last.
  var session: UInt64 = 0
  var parts: Few<LeasePart>

  func end(of part: LeasePart) -> Instant { part.ruleEnds.map { min($0, until) } ?? until }

  /// When the first of its parts ends.
  var shortest: Instant { parts.reduce(until) { min($0, end(of: $1)) } }
}

/// Everything about one address.
struct AddressRecord: Hashable, Sendable {
  var leases = Few<Lease>()
  /// What the kernel has been sent, with its ends as we know them; the kernel's are never earlier.
  var held = Few<LeaseElement>()
  /// What it should hold, ascending by key.
  var wanted = Few<LeaseElement>()
  /// The transaction in which it changed last.
  var changedIn: UInt64 = 0
  /// The deadline under which it stands in the queue.
  var scheduled: Instant?
  /// How much later than `held` says its elements end in the kernel, at most: they count from the commit.
  var lateness = TimeSpan.zero

  /// When something of it ends next: a lease, or an element that nobody wants any more.
  var nextEnd: Instant? {
    var next: Instant?
    for lease in leases { next = min(next ?? lease.shortest, lease.shortest) }
    for element in held { next = min(next ?? element.until + lateness, element.until + lateness) }
    return next
  }
}

/// What the kernel should hold for an address under these leases: where several grant one thing, the latest gives the mark and the longest the end.
/// It is let through while any of them holds.
func elements(of leases: Few<Lease>, enumeratedMax: Int) -> Few<LeaseElement> {
  if leases.count == 1, let lease = leases.first, lease.parts.count == 1, let part = lease.parts.first,
    part.ports.isEverything
  {
    return Few(LeaseElement(key: .plain, mark: part.grant, until: lease.end(of: part)))
  }
  var single: [ElementKey: LeaseElement] = [:]
  var ranges: [LeaseElement] = []
  for lease in leases.sorted(by: { $0.order < $1.order }) {
    for part in lease.parts {
      let until = lease.end(of: part)
      for key in keys(of: part.ports, enumeratedMax: enumeratedMax) {
        let element = LeaseElement(key: key, mark: part.grant, until: until)
        if key.kind == .range {
          ranges.append(element)
        } else {
          single[key] = LeaseElement(
            key: key, mark: part.grant, until: max(until, single[key]?.until ?? until))
        }
      }
    }
  }
  return Few(
    single.values.sorted { $0.key < $1.key }
      + (leases.count == 1 ? ranges.sorted { $0.key < $1.key } : disjoint(ranges)))
}

private func keys(of ports: PortSet, enumeratedMax: Int) -> [ElementKey] {
  if ports.isEverything { return [.plain] }
  var keys: [ElementKey] = ports.otherProtocols ? [.other] : []
  let pairs = (ports.tcp + ports.udp).reduce(0) { $0 + $1.count }
  for (transport, ranges) in [(TransportProtocol.tcp.rawValue, ports.tcp), (TransportProtocol.udp.rawValue, ports.udp)]
  {
    for range in ranges {
      if pairs <= enumeratedMax {
        for port in range { keys.append(.port(transport, port)) }
      } else {
        keys.append(.range(transport, range))
      }
    }
  }
  return keys
}

/// The kernel refuses ranges that overlap: cuts them where they do. Later ones in the array give the mark.
private func disjoint(_ ranges: [LeaseElement]) -> [LeaseElement] {
  var result: [LeaseElement] = []
  for transport in [TransportProtocol.tcp.rawValue, TransportProtocol.udp.rawValue] {
    let ofTransport = ranges.filter { $0.key.transport == transport }
    let bounds = Set(ofTransport.flatMap { [Int($0.key.low), Int($0.key.high) + 1] }).sorted()
    for (low, next) in zip(bounds, bounds.dropFirst()) {
      let covering = ofTransport.filter { Int($0.key.low) <= low && low <= Int($0.key.high) }
      guard let latest = covering.last else { continue }
      let until = covering.reduce(latest.until) { max($0, $1.until) }
      if let last = result.last, last.key.transport == transport, Int(last.key.high) + 1 == low,
        last.mark == latest.mark, last.until == until
      {
        result[result.count - 1].key.high = UInt16(next - 1)
      } else {
        result.append(
          LeaseElement(key: .range(transport, UInt16(low)...UInt16(next - 1)), mark: latest.mark, until: until))
      }
    }
  }
  return result
}
