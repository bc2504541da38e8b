import Addressing
import FlowAudit
import Netfilter

extension FuzzTarget {
  /// Events of connection tracking: a datagram that ends early says no more than its whole messages, and what was understood reads back.
  static let conntrackEvents = FuzzTarget(name: "conntrack-events", octetsMax: 1_024) { octets in
    let events = ReceivedOctets.conntrack(octets, isAnswer: false)
    let half = ReceivedOctets.conntrack(Array(octets.prefix(octets.count / 2)), isAnswer: false)
    require(half.elementsEqual(events.prefix(half.count)), "a cut datagram says something else")
    require(ReceivedOctets.conntrack(octets, isAnswer: true).count >= events.count { $0.kind != .destroy }, "fewer")
    for event in events {
      require(event.kind != .snapshot, "an event that is an answer")
      require(isOfOneFamily(event.original) && isOfOneFamily(event.reply), "two families in one flow")
      require(ReceivedOctets.conntrack(composed(event), isAnswer: false) == [event], "it does not read back: \(event)")
    }
  }

  private static func isOfOneFamily(_ tuple: FlowTuple) -> Bool {
    tuple.source.address.isIPv4 == tuple.destination.address.isIPv4
  }

  /// As the kernel writes it (linux/netfilter/nfnetlink_conntrack.h), by numbers of its own.
  private static func composed(_ event: ConntrackEvent) -> [UInt8] {
    func number(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    func number(_ value: UInt64) -> [UInt8] { number(UInt32(value >> 32)) + number(UInt32(truncatingIfNeeded: value)) }
    var payload: [UInt8] = [2, 0, 0, 0]
    payload += attribute(1, tuple(event.original)) + attribute(2, tuple(event.reply))
    payload += attribute(12, number(event.identifier)) + attribute(8, number(event.mark))
    payload += attribute(3, number(event.status))
    if let state = event.tcpState { payload += attribute(4, attribute(1, attribute(1, [state.rawValue]))) }
    if let counters = event.counters {
      payload += attribute(9, attribute(1, number(counters.sentPackets)) + attribute(2, number(counters.sentBytes)))
      payload += attribute(
        10, attribute(1, number(counters.receivedPackets)) + attribute(2, number(counters.receivedBytes)))
    }
    let type: UInt16 = event.kind == .destroy ? 0x0102 : 0x0100
    let flags: UInt16 = event.kind == .new ? 0x0400 : 0
    let length = UInt32(payload.count + 16)
    return host(length) + host(type) + host(flags) + [UInt8](repeating: 0, count: 8) + payload
  }

  private static func tuple(_ tuple: FlowTuple) -> [UInt8] {
    let isIPv4 = tuple.source.address.isIPv4
    let addresses =
      attribute(isIPv4 ? 1 : 3, tuple.source.address.bytes)
      + attribute(isIPv4 ? 2 : 4, tuple.destination.address.bytes)
    func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    let ports =
      attribute(1, [tuple.transport.rawValue]) + attribute(2, word(tuple.source.port))
      + attribute(3, word(tuple.destination.port))
    return attribute(1, addresses) + attribute(2, ports)
  }

  private static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
    host(UInt16(value.count + 4)) + host(type) + value + [UInt8](repeating: 0, count: (4 - value.count & 3) & 3)
  }

  private static func host(_ value: UInt16) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8)] }
  private static func host(_ value: UInt32) -> [UInt8] {
    host(UInt16(truncatingIfNeeded: value)) + host(UInt16(truncatingIfNeeded: value >> 16))
  }

  /// Listings and events of nf_tables: every message is read inside its own octets, so a cut datagram says no more than its whole messages.
  static let rulesetListing = FuzzTarget(name: "ruleset-listing", octetsMax: 1_024) { octets in
    let found = ReceivedOctets.tables(octets, table: "sallyport")
    let half = ReceivedOctets.tables(Array(octets.prefix(octets.count / 2)), table: "sallyport")
    require(half.elementsEqual(found.prefix(half.count)), "a cut listing says something else")
  }
}
