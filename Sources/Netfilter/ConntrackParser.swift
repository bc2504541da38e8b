import Addressing
import FlowAudit

/// Reads what connection tracking sends (linux/netfilter/nfnetlink_conntrack.h): events, answers and dumps have one format.
/// Any octets can be read; what is no whole entry is left out.
enum ConntrackParser {
  /// Appends the entries of the first `length` octets of a datagram. `isAnswer`: they are snapshots and no events.
  static func parse(
    _ bytes: borrowing Span<UInt8>, length: Int, isAnswer: Bool, into events: inout [ConntrackEvent]
  ) {
    var offset = 0
    while let message = NetlinkMessage.read(at: &offset, in: bytes, end: length) {
      if let event = event(message, in: bytes, isAnswer: isAnswer) { events.append(event) }
    }
  }

  /// The entry in one message; nil for other messages and for entries without both tuples.
  static func event(
    _ message: NetlinkMessage, in bytes: borrowing Span<UInt8>, isAnswer: Bool
  ) -> ConntrackEvent? {
    let kind: ConntrackEvent.Kind
    switch message.type {
    case MessageType.conntrackNew where isAnswer: kind = .snapshot
    case MessageType.conntrackNew: kind = message.flags & NetlinkHeader.create != 0 ? .new : .update
    case MessageType.conntrackDelete: kind = .destroy
    default: return nil
    }
    var original: FlowTuple?
    var reply: FlowTuple?
    var identifier: UInt32 = 0
    var mark: UInt32 = 0
    var status: UInt32 = 0
    var state: TCPState?
    var sent: (packets: UInt64, octets: UInt64)?
    var received: (packets: UInt64, octets: UInt64)?
    var reader = message.attributes(in: bytes)
    while let attribute = reader.nextAttribute(in: bytes) {
      let start = attribute.value.lowerBound
      // A number is taken only from an attribute of its own length.
      let number = attribute.value.count == 4 ? bytes.bigEndian32(at: start) ?? 0 : 0
      switch attribute.type {
      case ConntrackAttribute.original: original = tuple(attribute.value, in: bytes)
      case ConntrackAttribute.reply: reply = tuple(attribute.value, in: bytes)
      case ConntrackAttribute.status: status = number
      case ConntrackAttribute.mark: mark = number
      case ConntrackAttribute.identifier: identifier = number
      case ConntrackAttribute.protocolInformation: state = tcpState(attribute.value, in: bytes)
      case ConntrackAttribute.countersOriginal: sent = counters(attribute.value, in: bytes)
      case ConntrackAttribute.countersReply: received = counters(attribute.value, in: bytes)
      default: break
      }
    }
    guard let original, let reply else { return nil }
    var event = ConntrackEvent(
      kind: kind, identifier: identifier, original: original, reply: reply, mark: mark, status: status, tcpState: state)
    if sent != nil || received != nil {
      event.counters = FlowCounters(
        sentBytes: sent?.octets ?? 0, sentPackets: sent?.packets ?? 0, receivedBytes: received?.octets ?? 0,
        receivedPackets: received?.packets ?? 0)
    }
    return event
  }

  /// CTA_TUPLE_IP and CTA_TUPLE_PROTO. For ICMP the ports are: source the identifier, destination `type << 8 | code`.
  private static func tuple(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> FlowTuple? {
    var source: IPAddress?
    var destination: IPAddress?
    var number: UInt8?
    var sourcePort: UInt16 = 0
    var destinationPort: UInt16 = 0
    var reader = AttributeReader(range, in: bytes)
    while let attribute = reader.nextAttribute(in: bytes) {
      var inner = AttributeReader(attribute.value, in: bytes)
      switch attribute.type {
      case ConntrackAttribute.tupleAddresses:
        while let address = inner.nextAttribute(in: bytes) {
          switch address.type {
          case ConntrackAttribute.ipv4Source, ConntrackAttribute.ipv6Source:
            source = self.address(address, in: bytes)
          case ConntrackAttribute.ipv4Destination, ConntrackAttribute.ipv6Destination:
            destination = self.address(address, in: bytes)
          default: break
          }
        }
      case ConntrackAttribute.tupleProtocol:
        while let part = inner.nextAttribute(in: bytes) {
          let start = part.value.lowerBound
          let octet = part.value.count == 1 ? bytes[start] : 0
          let port = part.value.count == 2 ? bytes.bigEndian16(at: start) ?? 0 : 0
          switch part.type {
          case ConntrackAttribute.protocolNumber: number = part.value.count == 1 ? octet : nil
          case ConntrackAttribute.sourcePort, ConntrackAttribute.icmpIdentifier, ConntrackAttribute.icmpv6Identifier:
            sourcePort = port
          case ConntrackAttribute.destinationPort: destinationPort = port
          case ConntrackAttribute.icmpType, ConntrackAttribute.icmpv6Type:
            destinationPort = UInt16(octet) << 8 | destinationPort & 0xff
          case ConntrackAttribute.icmpCode, ConntrackAttribute.icmpv6Code:
            destinationPort = destinationPort & 0xff00 | UInt16(octet)
          default: break
          }
        }
      default: break
      }
    }
    guard let source, let destination, let number, source.isIPv4 == destination.isIPv4 else { return nil }
    return FlowTuple(
      source: Endpoint(source, sourcePort), destination: Endpoint(destination, destinationPort),
      transport: TransportProtocol(rawValue: number))
  }

  private static func address(
    _ attribute: AttributeReader.Attribute, in bytes: borrowing Span<UInt8>
  ) -> IPAddress? {
    let start = attribute.value.lowerBound
    let isIPv4 =
      attribute.type == ConntrackAttribute.ipv4Source || attribute.type == ConntrackAttribute.ipv4Destination
    switch (isIPv4, attribute.value.count) {
    case (true, 4): return bytes.bigEndian32(at: start).map { .v4(IPv4Address(bits: $0)) }
    case (false, 16):
      guard let high = bytes.bigEndian64(at: start), let low = bytes.bigEndian64(at: start + 8) else { return nil }
      return .v6(IPv6Address(high: high, low: low))
    default: return nil
    }
  }

  private static func tcpState(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> TCPState? {
    var reader = AttributeReader(range, in: bytes)
    while let attribute = reader.nextAttribute(in: bytes) {
      guard attribute.type == ConntrackAttribute.tcp else { continue }
      var inner = AttributeReader(attribute.value, in: bytes)
      while let attribute = inner.nextAttribute(in: bytes) {
        guard attribute.type == ConntrackAttribute.tcpState, attribute.value.count == 1 else { continue }
        return TCPState(rawValue: bytes[attribute.value.lowerBound])
      }
    }
    return nil
  }

  private static func counters(
    _ range: Range<Int>, in bytes: borrowing Span<UInt8>
  ) -> (packets: UInt64, octets: UInt64)? {
    var result: (packets: UInt64, octets: UInt64) = (0, 0)
    var reader = AttributeReader(range, in: bytes)
    while let attribute = reader.nextAttribute(in: bytes) {
      guard attribute.value.count == 8, let number = bytes.bigEndian64(at: attribute.value.lowerBound) else { continue }
      if attribute.type == ConntrackAttribute.packets { result.packets = number }
      if attribute.type == ConntrackAttribute.octets { result.octets = number }
    }
    return result
  }
}
