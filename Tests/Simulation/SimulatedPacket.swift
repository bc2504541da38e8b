import Addressing
import Firewall
import FlowAudit
import Timekeeping

/// A packet on its way through the rules.
struct SimulatedPacket {
  var tuple: FlowTuple
  /// The uid of the socket and the mark on it.
  var user: UInt32
  var packetMark: UInt32
  /// On its way in instead of out.
  var isInbound = false
  var isConnectionRequest = false
  /// A packet of a flow that conntrack knows.
  var isEstablished = false
  var isReply = false
  var connectionMark: UInt32 = 0
  /// Where address translation sent it.
  var redirected: Endpoint?

  var destination: Endpoint { redirected ?? tuple.destination }
  /// The output interface is that of the original destination.
  var isLoopback: Bool { isLoopbackAddress(tuple.destination.address) }
}

func isLoopbackAddress(_ address: IPAddress) -> Bool {
  switch address {
  case .v4(let address): address.bits >> 24 == 127
  case .v6(let address): address.high == 0 && address.low == 1
  }
}

/// What became of it.
struct PacketVerdict: Hashable {
  var isAccepted: Bool
  var mark: UInt32
  /// Sent to this local endpoint instead of where it wanted to go.
  var redirected: Endpoint?

  /// It left for where it wanted to go.
  var hasLeft: Bool { isAccepted && redirected == nil }
}

extension SimulatedKernel {
  private enum Verdict {
    case accept, drop
  }

  /// The verdict on a packet; without rules everything passes, as in a real kernel.
  func judge(_ packet: SimulatedPacket, at now: Instant) -> PacketVerdict {
    var packet = packet
    if packet.isInbound {
      let verdict = traverse(.into, &packet, at: now) ?? .accept
      return PacketVerdict(isAccepted: verdict == .accept, mark: packet.connectionMark)
    }
    // A nat chain sees the first packet of a flow alone.
    if !packet.isEstablished, traverse(.steer, &packet, at: now) == .drop {
      return PacketVerdict(isAccepted: false, mark: packet.connectionMark)
    }
    let policy: Verdict = chains[.out]?.base?.drops ?? false ? .drop : .accept
    let verdict = traverse(.out, &packet, at: now) ?? policy
    return PacketVerdict(isAccepted: verdict == .accept, mark: packet.connectionMark, redirected: packet.redirected)
  }

  private func traverse(_ name: ChainName, _ packet: inout SimulatedPacket, at now: Instant) -> Verdict? {
    guard let chain = chains[name] else { return nil }
    for rule in chain.rules {
      statements: for statement in rule {
        switch statement {
        case .accept: return .accept
        case .drop: return .drop
        case .redirect(let port):
          let loopback: IPAddress =
            packet.tuple.destination.address.isIPv4
            ? .v4(IPv4Address(127, 0, 0, 1)) : .v6(IPv6Address(high: 0, low: 1))
          packet.redirected = Endpoint(loopback, port)
          return .accept
        case .jump(let other):
          if let verdict = traverse(other, &packet, at: now) { return verdict }
        case .goTo(let other): return traverse(other, &packet, at: now)
        case .returnToCaller: return nil
        default: guard holds(statement, &packet, at: now) else { break statements }
        }
      }
    }
    return nil
  }

  private func holds(_ statement: Statement, _ packet: inout SimulatedPacket, at now: Instant) -> Bool {
    let transport = packet.tuple.transport.rawValue
    let hasPorts = transport == 6 || transport == 17
    switch statement {
    case .socketUser(let user, let comparison): return (packet.user == user) == (comparison == .equal)
    case .packetMark(let mark): return packet.packetMark == mark
    case .outputInterface(let name, let comparison):
      return ((name == "lo") == packet.isLoopback) == (comparison == .equal)
    case .inputInterface(let name, let comparison): return (name == "eth0") == (comparison == .equal)
    case .family(let isIPv4): return packet.tuple.destination.address.isIPv4 == isIPv4
    case .protocols(let numbers): return numbers.contains(transport)
    case .destinationPort(let port, let comparison):
      return hasPorts && (packet.destination.port == port) == (comparison == .equal)
    case .sourcePort(let port, let comparison):
      return hasPorts && (packet.tuple.source.port == port) == (comparison == .equal)
    case .destinationPorts(let ranges): return hasPorts && ranges.contains { $0.contains(packet.destination.port) }
    case .sourcePorts(let ranges): return hasPorts && ranges.contains { $0.contains(packet.tuple.source.port) }
    case .sourcePrefix(let octets, let isIPv4, let comparison):
      let source = packet.tuple.source.address
      return source.isIPv4 == isIPv4 && source.bytes.starts(with: octets) == (comparison == .equal)
    case .destinationAddress(let bytes): return packet.destination.address.bytes == bytes
    case .isConnectionRequest: return packet.isConnectionRequest
    case .icmpv6Types(let types): return transport == 58 && types.contains(UInt8(packet.tuple.destination.port >> 8))
    case .connectionState(let state):
      return state.contains(packet.isEstablished ? .established : .new)
    case .direction(let isReply): return packet.isReply == isReply
    case .connectionMark(let mark): return packet.connectionMark == mark
    case .connectionMarkMasked(let mask, let value, let comparison):
      return (packet.connectionMark & mask == value) == (comparison == .equal)
    case .connectionMarkIn(let name):
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: packet.connectionMark >> UInt32($0 * 8)) }
      return sets[name]?.lookUp([bytes], at: now) != nil
    case .familyIn(let name):
      return sets[name]?.lookUp([[packet.tuple.destination.address.isIPv4 ? 2 : 10]], at: now) != nil
    case .fieldsIn(let name, let fields):
      guard let values = values(fields, packet) else { return false }
      return sets[name]?.lookUp(values, at: now) != nil
    case .setConnectionMark(let mark):
      packet.connectionMark = mark
      return true
    case .setConnectionMarkFrom(let name, let fields):
      guard let values = values(fields, packet), let mark = sets[name]?.lookUp(values, at: now)?.mark else {
        return false
      }
      packet.connectionMark = mark
      return true
    case .countIn(_, let fields): return values(fields, packet) != nil
    case .countsBytes, .counter, .log, .notrack: return true
    case .accept, .drop, .redirect, .jump, .goTo, .returnToCaller: return true
    }
  }

  private func values(_ fields: [PacketField], _ packet: SimulatedPacket) -> [[UInt8]]? {
    var values: [[UInt8]] = []
    for field in fields {
      switch field {
      case .ipv4Destination, .ipv6Destination:
        let address = packet.destination.address
        guard address.isIPv4 == (field == .ipv4Destination) else { return nil }
        values.append(address.bytes)
      case .ipv4OriginalDestination, .ipv6OriginalDestination:
        let address = packet.tuple.destination.address
        guard address.isIPv4 == (field == .ipv4OriginalDestination) else { return nil }
        values.append(address.bytes)
      case .ipv4Source, .ipv6Source:
        let address = packet.tuple.source.address
        guard address.isIPv4 == (field == .ipv4Source) else { return nil }
        values.append(address.bytes)
      case .protocolNumber: values.append([packet.tuple.transport.rawValue])
      case .sourcePort, .destinationPort:
        let port = field == .sourcePort ? packet.tuple.source.port : packet.destination.port
        values.append([UInt8(port >> 8), UInt8(truncatingIfNeeded: port)])
      case .connectionMark:
        values.append((0..<4).map { UInt8(truncatingIfNeeded: packet.connectionMark >> UInt32($0 * 8)) })
      }
    }
    return values
  }
}
