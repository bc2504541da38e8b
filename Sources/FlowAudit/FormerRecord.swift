import Addressing
import JSONText
import Timekeeping

/// The members of a record that tell which flow it is about.
struct FormerRecord {
  /// Octets of a session's name: ours have 34 and a number.
  static let sessionOctetsMax = 64

  /// Octets in which a record of ours names its kind: it stands fifth, after less than 300.
  private static let kindOctetsMax = 512

  var kind: RecordKind
  var generatedAt: WallTime
  var hasPreviousBoot = false
  /// Of a denial that counts many destinations the ports are 0.
  var tuple: FlowTuple?
  /// It counts ports of an address, or many addresses, if its protocol has ports.
  var isRolledUp = false
  var startedAt: WallTime?
  var endedAt: WallTime?
  var session: String
  var count: Int
  var isInbound: Bool
  var name: String?
  var names: [String]
  var rule: String?

  /// Nil when it is no record of ours.
  init?(_ bytes: [UInt8]) {
    var reader = JSONReader(bytes)
    guard let members = try? Self.members(&reader) else { return nil }
    guard let kind = members["SbxRecordKind"].flatMap(RecordKind.init(rawValue:)),
      let generatedAt = members["TimeGenerated"].flatMap({ WallTime($0) })
    else { return nil }
    self.kind = kind
    self.generatedAt = generatedAt
    hasPreviousBoot = members["SbxPrevBootId"] != nil
    startedAt = members["EventStartTime"].flatMap { WallTime($0) }
    endedAt = members["EventEndTime"].flatMap { WallTime($0) }
    session = String(decoding: (members["NetworkSessionId"] ?? "").utf8.prefix(Self.sessionOctetsMax), as: UTF8.self)
    count = members["EventCount"].flatMap { Int($0) } ?? 1
    isInbound = members["NetworkDirection"] == "Inbound"
    name = members["DstFQDN"]
    names = members["SbxDstNames"]?.split(separator: ",").map(String.init) ?? []
    rule = members["NetworkRuleName"]
    isRolledUp = kind == .flowDenied && members["DstPortNumber"] == nil && members["NetworkIcmpType"] == nil
    // The daemon's own flows are opened and never closed.
    if members["SbxOwnFlow"] == nil { tuple = Self.tuple(members, hasPorts: !isRolledUp) }
  }

  /// Whether it is plainly a record of a DNS query, the most frequent kind: reading it costs far more than this.
  static func isAboutName(_ bytes: [UInt8]) -> Bool {
    let end = min(bytes.count, kindOctetsMax) - queryKind.count
    guard end >= 0 else { return false }
    for at in 0...end where bytes[at] == 0x22 && bytes[at + 4] == queryKind[4] {
      if bytes[at..<at + queryKind.count].elementsEqual(queryKind) { return true }
    }
    return false
  }

  /// Texts and numbers, as text; of records that are not about flows only what stands before their kind.
  private static func members(_ reader: inout JSONReader) throws(JSONError) -> [String: String] {
    var members: [String: String] = [:]
    guard try reader.next() == .beginObject else { return [:] }
    while try reader.next() == .key {
      let isNeeded = needed.contains(reader.text)
      let key = isNeeded ? String(decoding: reader.text, as: UTF8.self) : ""
      let token = try reader.next()
      if isNeeded, token == .string || token == .number {
        let value = String(decoding: reader.text, as: UTF8.self)
        members[key] = value
        if key == kindName, !tellingKinds.contains(value) { return members }
      } else if isNeeded, token == .bool(true) {
        members[key] = "true"
      } else {
        try reader.skip(token)
      }
    }
    return members
  }

  private static func tuple(_ members: [String: String], hasPorts: Bool) -> FlowTuple? {
    guard let source = members["SrcIpAddr"].flatMap({ IPAddress($0) }),
      let destination = members["DstIpAddr"].flatMap({ IPAddress($0) }),
      let transport = members["NetworkProtocol"].flatMap(transport)
    else { return nil }
    func number<Number: FixedWidthInteger>(_ name: String) -> Number? { members[name].flatMap { Number($0) } }
    var ports: (source: UInt16, destination: UInt16) = (0, 0)
    switch transport {
    case _ where !hasPorts: break
    case .tcp, .udp, .sctp:
      guard let from: UInt16 = number("SrcPortNumber"), let to: UInt16 = number("DstPortNumber") else { return nil }
      ports = (from, to)
    case .icmp, .icmpv6:
      guard let type: UInt8 = number("NetworkIcmpType"), let code: UInt8 = number("NetworkIcmpCode") else { return nil }
      ports.destination = UInt16(type) << 8 | UInt16(code)
    default: break
    }
    return FlowTuple(
      source: Endpoint(source, ports.source), destination: Endpoint(destination, ports.destination),
      transport: transport)
  }

  private static func transport(_ name: String) -> TransportProtocol? {
    switch name {
    case "TCP": .tcp
    case "UDP": .udp
    case "ICMP": .icmp
    case "ICMPv6": .icmpv6
    case "SCTP": .sctp
    default: UInt8(name).map(TransportProtocol.init(rawValue:))
    }
  }

  private static let queryKind = Array("\"SbxRecordKind\":\"Dns".utf8)
  private static let kindName = "SbxRecordKind"
  private static let tellingKinds: Set<String> = [
    RecordKind.flowOpen.rawValue, RecordKind.flowUpdate.rawValue, RecordKind.flowClose.rawValue,
    RecordKind.flowDenied.rawValue, RecordKind.sidecarStart.rawValue,
  ]
  private static let needed: Set<[UInt8]> = Set(
    [
      kindName, "TimeGenerated", "SbxPrevBootId", "EventStartTime", "EventEndTime", "EventCount", "NetworkSessionId",
      "NetworkDirection", "NetworkProtocol", "SrcIpAddr", "SrcPortNumber", "DstIpAddr", "DstPortNumber",
      "NetworkIcmpType", "NetworkIcmpCode", "DstFQDN", "SbxDstNames", "NetworkRuleName",
      "SbxOwnFlow",
    ].map { Array($0.utf8) })
}
