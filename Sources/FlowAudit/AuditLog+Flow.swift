import Addressing
import Timekeeping

extension AuditLog {
  /// Makes a `FlowOpen`, `FlowUpdate`, `FlowClose` or `FlowDenied` record.
  package mutating func seal(
    _ draft: FlowDraft, at now: WallTime, using generator: inout some RandomNumberGenerator
  ) -> SealedRecord {
    let kind = draft.kind
    begin(kind, at: now, id: UniqueID(at: now, using: &generator))
    appendSpan(from: draft.startedAt, to: draft.endedAt, count: draft.count)
    text.append(Member.severity, text: draft.severity.rawValue)
    text.append(Member.resultDetails, text: draft.resultDetails)
    text.append(Member.originalDetails, text: draft.originalDetails)
    if kind == .flowClose, let former = draft.formerSession {
      text.append(FlowMember.session, text: former)
    } else {
      text.append(FlowMember.session)
      text.append(fixed.flowSession)
      text.append(number: draft.session)
      text.append(0x22)
    }
    text.append(
      FlowMember.direction,
      text: draft.attribution.verdict == .inbound || draft.origin == .uninvited ? "Inbound" : "Outbound")
    appendTuple(draft.tuple, hasPorts: draft.rollup == nil && !draft.origin.isCounted)
    appendAttribution(draft.attribution)
    if let counters = draft.counters {
      text.append(FlowMember.sentBytes, number: counters.sentBytes)
      text.append(FlowMember.receivedBytes, number: counters.receivedBytes)
      text.append(FlowMember.sentPackets, number: counters.sentPackets)
      text.append(FlowMember.receivedPackets, number: counters.receivedPackets)
    }
    if kind == .flowUpdate || kind == .flowClose {
      text.append(FlowMember.duration, number: wholeMilliseconds(draft.duration))
    }
    if draft.attribution.verdict == .own { text.append(FlowMember.own) }
    if draft.origin != .seen || draft.rollup != nil { appendAdditional(draft) }
    return seal(kind)
  }

  private mutating func appendAdditional(_ draft: FlowDraft) {
    text.append(Member.additional)
    text.append(FlowMember.origin)
    text.append(text: draft.origin.rawValue)
    if draft.kind == .flowOpen { text.append(FlowMember.formerSession, text: draft.formerSession) }
    text.append(FlowMember.rolledUp, text: draft.rollup?.rawValue)
    text.append(0x7d)
  }

  private mutating func appendTuple(_ tuple: FlowTuple, hasPorts: Bool) {
    text.append(Member.networkProtocol, text: protocolName(tuple.transport))
    text.append(Member.protocolVersion, text: tuple.destination.address.isIPv4 ? "IPv4" : "IPv6")
    text.append(Member.source)
    text.append(address: tuple.source.address)
    text.append(FlowMember.destination)
    text.append(address: tuple.destination.address)
    text.append(Member.sourceAddress)
    text.append(address: tuple.source.address)
    text.append(FlowMember.destinationAddress)
    text.append(address: tuple.destination.address)
    guard hasPorts else { return }
    switch tuple.transport {
    case .tcp, .udp, .sctp:
      text.append(Member.sourcePort, number: UInt64(tuple.source.port))
      text.append(FlowMember.destinationPort, number: UInt64(tuple.destination.port))
    case .icmp, .icmpv6:
      text.append(FlowMember.icmpType, text: String(tuple.destination.port >> 8))
      text.append(FlowMember.icmpCode, number: UInt64(tuple.destination.port & 255))
    default: break
    }
  }

  private mutating func appendAttribution(_ attribution: FlowAttribution) {
    text.append(FlowMember.name, text: attribution.name)
    if !attribution.names.isEmpty {
      text.append(FlowMember.names, text: attribution.names.joined(separator: ","))
    }
    text.append(FlowMember.rule, text: attribution.rule)
    if let session = attribution.querySession {
      text.append(FlowMember.querySession)
      text.append(fixed.querySession)
      text.append(number: session)
      text.append(0x22)
    }
  }
}

extension FlowDraft {
  var kind: RecordKind {
    switch stage {
    case .open: .flowOpen
    case .update: .flowUpdate
    case .close: .flowClose
    case .denied: .flowDenied
    }
  }

  fileprivate var severity: RecordSeverity {
    guard case .denied(let reason) = stage else { return .informational }
    if attribution.isTampering { return .high }
    return reason == .ownerUnbound ? .medium : .low
  }

  /// ASIM lists no value for a denial or an opening: `NA`.
  fileprivate var resultDetails: String {
    switch stage {
    case .open, .update, .denied: "NA"
    case .close(.terminated): "Terminated"
    case .close(.timeout): "Timeout"
    case .close(.reset): "Reset"
    case .close(.revoked), .close(.unknown): "NA"
    }
  }

  fileprivate var originalDetails: String? {
    switch stage {
    case .denied(let reason): reason.rawValue
    case .close(.revoked): "REVOKED"
    case .open, .update, .close: nil
    }
  }
}

/// IANA's keyword in upper case, as ASIM writes it, else the number.
private func protocolName(_ transport: TransportProtocol) -> String {
  switch transport {
  case .tcp: "TCP"
  case .udp: "UDP"
  case .icmp: "ICMP"
  case .icmpv6: "ICMPv6"
  case .sctp: "SCTP"
  default: transport.description
  }
}

private enum FlowMember {
  static let session = ",\"NetworkSessionId\":"
  static let direction = ",\"NetworkDirection\":"
  static let destination = ",\"Dst\":"
  static let destinationAddress = ",\"DstIpAddr\":"
  static let destinationPort = ",\"DstPortNumber\":"
  static let icmpType = ",\"NetworkIcmpType\":"
  static let icmpCode = ",\"NetworkIcmpCode\":"
  static let name = ",\"DstFQDN\":"
  static let names = ",\"SbxDstNames\":"
  static let rule = ",\"NetworkRuleName\":"
  static let querySession = ",\"SbxDnsSessionId\":"
  static let sentBytes = ",\"SrcBytes\":"
  static let receivedBytes = ",\"DstBytes\":"
  static let sentPackets = ",\"SrcPackets\":"
  static let receivedPackets = ",\"DstPackets\":"
  static let duration = ",\"NetworkDuration\":"
  static let own = ",\"SbxOwnFlow\":true"
  static let origin = "{\"Origin\":"
  static let rolledUp = ",\"RolledUp\":"
  static let formerSession = ",\"FormerSessionId\":"
}
