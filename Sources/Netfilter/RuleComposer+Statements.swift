import CNetlink
import Firewall

/// A set without a name that one rule looks values up in.
struct AnonymousSet {
  var type: KeyType
  /// Single values, or inclusive ranges when `last` is given.
  var elements: [SetElement]
  var isInterval: Bool { elements.contains { $0.last != nil } }
}

// Statements as expressions, the same that `nft` makes of the text in the comments of `Statement`.
extension RuleComposer {
  /// Statements of one rule: a rule stays below 32 KiB, half of what `LibnftnlMessage` holds.
  static let statementsMax = 64

  /// `addSet` puts an anonymous set into the batch before the rule and returns its identifier there.
  mutating func append(_ statement: Statement, addSet: (AnonymousSet) -> UInt32) {
    switch statement {
    case .socketUser(let user, let comparison):
      loadMeta(NFT_META_SKUID)
      compare(comparison, hostOrderBytes(user))
    case .packetMark(let mark):
      loadMeta(NFT_META_MARK)
      compare(.equal, hostOrderBytes(mark))
    case .outputInterface(let name, let comparison):
      loadMeta(NFT_META_OIFNAME)
      compare(comparison, interfaceName(name))
    case .inputInterface(let name, let comparison):
      loadMeta(NFT_META_IIFNAME)
      compare(comparison, interfaceName(name))
    case .family(let ipv4):
      requireFamily(ipv4 ? ProtocolFamily.ipv4 : ProtocolFamily.ipv6)
    case .protocols(let numbers):
      if numbers.count == 1 {
        requireProtocol(numbers[0])
      } else {
        loadMeta(NFT_META_L4PROTO)
        lookUpAnonymous(
          AnonymousSet(type: KeyPart.protocolNumber.type, elements: numbers.map { SetElement([[$0]]) }), addSet)
      }
    case .destinationPort(let port, let comparison):
      load(.destinationPort)
      compare(comparison, bigEndianPort(port))
    case .sourcePort(let port, let comparison):
      load(.sourcePort)
      compare(comparison, bigEndianPort(port))
    case .destinationPorts(let ranges):
      load(.destinationPort)
      let elements = ranges.map { SetElement([bigEndianPort($0.lowerBound)], last: [bigEndianPort($0.upperBound)]) }
      lookUpAnonymous(AnonymousSet(type: KeyPart.port.type, elements: elements), addSet)
    case .sourcePorts(let ranges):
      load(.sourcePort)
      let elements = ranges.map { SetElement([bigEndianPort($0.lowerBound)], last: [bigEndianPort($0.upperBound)]) }
      lookUpAnonymous(AnonymousSet(type: KeyPart.port.type, elements: elements), addSet)
    case .sourcePrefix(let octets, let ipv4, let comparison):
      requireFamily(ipv4 ? ProtocolFamily.ipv4 : ProtocolFamily.ipv6)
      loadPayload(NFT_PAYLOAD_NETWORK_HEADER, offset: ipv4 ? 12 : 8, length: UInt32(octets.count))
      compare(comparison, octets)
    case .destinationAddress(let address):
      load(address.count == 4 ? .ipv4Destination : .ipv6Destination)
      compare(.equal, address)
    case .isConnectionRequest:
      // Octet 13 of the TCP header; FIN 1, SYN 2, RST 4, ACK 16 (RFC 9293 §3.1).
      requireProtocol(6)
      loadPayload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 13, length: 1)
      mask([0x17])
      compare(.equal, [0x02])
    case .icmpv6Types(let types):
      requireFamily(ProtocolFamily.ipv6)
      requireProtocol(58)
      loadPayload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, length: 1)
      lookUpAnonymous(AnonymousSet(type: .icmpv6Type, elements: types.map { SetElement([[$0]]) }), addSet)
    case .connectionState(let state):
      loadConntrack(NFT_CT_STATE)
      mask(hostOrderBytes(state.rawValue))
      compare(.notEqual, hostOrderBytes(0))
    case .direction(let isReply):
      loadConntrack(NFT_CT_DIRECTION)
      compare(.equal, [isReply ? 1 : 0])
    case .connectionMark(let mark):
      load(.connectionMark)
      compare(.equal, hostOrderBytes(mark))
    case .connectionMarkMasked(let bits, let value, let comparison):
      load(.connectionMark)
      mask(hostOrderBytes(bits))
      compare(comparison, hostOrderBytes(value))
    case .connectionMarkIn(let set):
      load(.connectionMark)
      lookUp(set.rawValue)
    case .familyIn(let set):
      loadMeta(NFT_META_NFPROTO)
      lookUp(set.rawValue)
    case .fieldsIn(let set, let fields):
      load(fields)
      lookUp(set.rawValue)
    case .countIn(let set, let fields):
      load(fields)
      count(in: set.rawValue)
    case .setConnectionMark(let mark):
      immediate(hostOrderBytes(mark))
      setConntrackMark()
    case .setConnectionMarkFrom(let map, let fields):
      load(fields)
      lookUp(map.rawValue, intoRegister: true)
      setConntrackMark()
    case .countsBytes:
      loadConntrack(NFT_CT_BYTES, direction: 0)
      toNetworkOrder(size: 8, length: 8)
      compare(NFT_CMP_GT, [UInt8](repeating: 0, count: 8))
    case .counter:
      counter()
    case .notrack:
      notrack()
    case .redirect(let port):
      immediate(bigEndianPort(port))
      redirect()
    case .log(let group):
      log(group: group)
    case .accept: verdict(1)
    case .drop: verdict(0)
    case .jump(let chain): verdict(NFT_JUMP.rawValue, chain: chain)
    case .goTo(let chain): verdict(NFT_GOTO.rawValue, chain: chain)
    case .returnToCaller: verdict(NFT_RETURN.rawValue)
    }
  }

  private mutating func load(_ field: PacketField) { load([field]) }

  /// Loads fields one behind the other, each padded to four octets. What an address depends on is compared first.
  private mutating func load(_ fields: [PacketField]) {
    for field in fields {
      switch field {
      case .ipv4Source, .ipv4Destination, .ipv4OriginalDestination: requireFamily(ProtocolFamily.ipv4)
      case .ipv6Source, .ipv6Destination, .ipv6OriginalDestination: requireFamily(ProtocolFamily.ipv6)
      case .protocolNumber, .sourcePort, .destinationPort, .connectionMark: break
      }
    }
    var register = Self.firstRegister
    for field in fields {
      switch field {
      case .ipv4Source: loadPayload(NFT_PAYLOAD_NETWORK_HEADER, offset: 12, length: 4, register: register)
      case .ipv4Destination: loadPayload(NFT_PAYLOAD_NETWORK_HEADER, offset: 16, length: 4, register: register)
      case .ipv6Source: loadPayload(NFT_PAYLOAD_NETWORK_HEADER, offset: 8, length: 16, register: register)
      case .ipv6Destination: loadPayload(NFT_PAYLOAD_NETWORK_HEADER, offset: 24, length: 16, register: register)
      case .protocolNumber: loadMeta(NFT_META_L4PROTO, register: register)
      case .sourcePort: loadPayload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, length: 2, register: register)
      case .destinationPort: loadPayload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2, register: register)
      case .connectionMark: loadConntrack(NFT_CT_MARK, register: register)
      case .ipv4OriginalDestination: loadConntrack(NFT_CT_DST_IP, direction: 0, register: register)
      case .ipv6OriginalDestination: loadConntrack(NFT_CT_DST_IP6, direction: 0, register: register)
      }
      register += UInt32(field.keyPart.paddedLength) / 4
    }
  }

  private func lookUpAnonymous(_ set: AnonymousSet, _ addSet: (AnonymousSet) -> UInt32) {
    lookUp(NftablesBatch.anonymousSetName, identifier: addSet(set))
  }
}

extension PacketField {
  /// The type of key that this field is looked up as.
  var keyPart: KeyPart {
    switch self {
    case .ipv4Source, .ipv4Destination, .ipv4OriginalDestination: .ipv4Address
    case .ipv6Source, .ipv6Destination, .ipv6OriginalDestination: .ipv6Address
    case .protocolNumber: .protocolNumber
    case .sourcePort, .destinationPort: .port
    case .connectionMark: .mark
    }
  }
}

/// The octets of a number as they lie in this machine's memory, which is how the kernel compares marks and user numbers.
func hostOrderBytes(_ number: UInt32) -> [UInt8] {
  let number = number.bigEndian
  return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
}

private func bigEndianPort(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(port & 0xff)] }

/// A name as the kernel holds it: IFNAMSIZ (16) octets, the last a zero.
private func interfaceName(_ name: String) -> [UInt8] {
  var octets = Array(name.utf8.prefix(15))
  octets.append(contentsOf: repeatElement(0, count: 16 - octets.count))
  return octets
}
