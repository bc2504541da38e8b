import Addressing
import EgressPolicy
import Timekeeping

/// The record of an address with one lease of one part under a rule without an end, and the one element that it makes, which the kernel has been sent
/// as it is or not at all: in one line of a processor's cache.
///
/// The lease's `order` is not kept: alone it means nothing, and whatever comes later has a greater one.
struct AddressSlot: Sendable {
  typealias Key = (high: UInt64, low: UInt64, isIPv4: Bool)

  enum Form: UInt8, Sendable {
    case free, sole, soleHeld
    /// Only the key is here.
    case whole
  }

  private(set) var high: UInt64
  private(set) var low: UInt64
  private(set) var until = Instant(nanoseconds: 0)
  /// `Int64.min`: none.
  private var scheduledAt = Int64.min
  private(set) var name: UInt32 = 0
  private var grant: UInt32 = 0
  /// Nanoseconds.
  private var latenessBits: UInt32 = 0
  private var sessionBits = Bits48()
  private var changedInBits = Bits48()
  private(set) var ports: UInt16 = 0
  private var keyLow: UInt16 = 0
  private var keyHigh: UInt16 = 0
  private var transport: UInt8 = 0
  /// Bit 7: IPv4. Bits 5 and 4: the kind of the element's key. Bits 1 and 0: the form.
  private var kinds: UInt8 = 0

  init(_ key: Key) {
    (high, low) = (key.high, key.low)
    kinds = key.isIPv4 ? 0x80 : 0
  }

  static func key(_ address: IPAddress) -> Key {
    switch address {
    case .v4(let address): (0, UInt64(address.bits), true)
    case .v6(let address): (address.high, address.low, false)
    }
  }

  var isIPv4: Bool { kinds & 0x80 != 0 }

  var form: Form {
    get { Form(rawValue: kinds & 0x03) ?? .free }
    set { kinds = kinds & ~0x03 | newValue.rawValue }
  }

  private var key: ElementKey {
    get {
      let kind = ElementKey.Kind(rawValue: kinds >> 4 & 0x03) ?? .plain
      return ElementKey(kind: kind, transport: transport, low: keyLow, high: keyHigh)
    }
    set {
      kinds = kinds & ~0x30 | newValue.kind.rawValue << 4
      (transport, keyLow, keyHigh) = (newValue.transport, newValue.low, newValue.high)
    }
  }

  var address: IPAddress {
    isIPv4 ? .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: low))) : .v6(IPv6Address(high: high, low: low))
  }

  var scheduled: Instant? { scheduledAt == .min ? nil : Instant(nanoseconds: scheduledAt) }
  var changedIn: UInt64 { changedInBits.value }
  var lateness: TimeSpan { TimeSpan(nanoseconds: Int64(latenessBits)) }

  var session: UInt64 {
    get { sessionBits.value }
    set { sessionBits = Bits48(newValue) }
  }

  var element: LeaseElement { LeaseElement(key: key, mark: grant, until: until) }

  /// Of a free place, which holds it as its name.
  var nextFree: Int? { name == .max ? nil : Int(name) }

  mutating func release(next: Int?) {
    self = AddressSlot((0, 0, false))
    name = next.map { UInt32($0) } ?? .max
  }

  /// False: it does not fit.
  mutating func put(lateness: TimeSpan) -> Bool {
    guard let bits = UInt32(exactly: lateness.nanoseconds) else { return false }
    latenessBits = bits
    return true
  }

  func record(ports: PortSet) -> AddressRecord {
    let part = LeasePart(grant: grant, ports: ports, ruleEnds: nil)
    var record = AddressRecord()
    record.leases = Few(Lease(name: Int(name), until: until, order: 0, session: session, parts: Few(part)))
    record.wanted = Few(element)
    if form == .soleHeld { record.held = record.wanted }
    record.changedIn = changedIn
    record.scheduled = scheduled
    record.lateness = lateness
    return record
  }

  /// False: it does not fit, and nothing has changed.
  mutating func take(_ record: AddressRecord, _ ports: inout PortSetTable) -> Bool {
    guard record.leases.count == 1, record.wanted.count == 1, record.held.count <= 1,
      let lease = record.leases.first, lease.parts.count == 1, let part = lease.parts.first, part.ruleEnds == nil,
      let element = record.wanted.first, element.mark == part.grant, element.until == lease.until,
      record.held.isEmpty || record.held.first == element,
      let name = UInt32(exactly: lease.name), let lateness = UInt32(exactly: record.lateness.nanoseconds),
      let number = ports.number(of: part.ports)
    else { return false }
    form = record.held.isEmpty ? .sole : .soleHeld
    until = lease.until
    scheduledAt = record.scheduled?.nanoseconds ?? .min
    self.name = name
    grant = part.grant
    session = lease.session
    changedInBits = Bits48(record.changedIn)
    latenessBits = lateness
    self.ports = number
    key = element.key
    return true
  }
}

/// A number below 2^48, which no count of queries or transactions reaches: at a million a second it takes nine years. Of halves, so that it lies anywhere.
struct Bits48: Sendable {
  private var low: UInt16 = 0
  private var middle: UInt16 = 0
  private var high: UInt16 = 0

  init() {}

  init(_ value: UInt64) {
    low = UInt16(truncatingIfNeeded: value)
    middle = UInt16(truncatingIfNeeded: value >> 16)
    high = UInt16(truncatingIfNeeded: value >> 32)
  }

  var value: UInt64 { UInt64(high) << 32 | UInt64(middle) << 16 | UInt64(low) }
}
