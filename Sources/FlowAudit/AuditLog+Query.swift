import Addressing
import Timekeeping

/// DNS records: the path that 30,000 new names a second take, so nothing here makes a `String`.
extension AuditLog {
  /// Makes a `DnsAllowed` or `DnsDenied` record.
  package mutating func seal(
    _ draft: QueryDraft, at now: WallTime, using generator: inout some RandomNumberGenerator
  ) -> SealedRecord {
    let id = UniqueID(at: now, using: &generator)
    let kind = draft.isAllowed ? RecordKind.dnsAllowed : .dnsDenied
    begin(kind, at: now, id: id)
    appendSpan(from: draft.startedAt, to: draft.endedAt, count: draft.count)
    text.append(draft.isAllowed && draft.responseCode == 0 ? QueryMember.success : QueryMember.failure)
    text.append(severity(of: draft))
    text.append(Member.resultDetails)
    text.append(text: draft.responseCodeName)
    text.append(Member.originalDetails, text: draft.reason)
    text.append(Member.source)
    text.append(address: draft.client.address)
    text.append(Member.sourceAddress)
    text.append(address: draft.client.address)
    text.append(Member.sourcePort, number: UInt64(draft.client.port))
    text.append(draft.transport == .tcp ? QueryMember.tcp : QueryMember.udp)
    text.append(draft.client.address.isIPv4 ? QueryMember.ipv4 : QueryMember.ipv6)
    text.append(QueryMember.query)
    text.append(text: draft.name)
    text.append(QueryMember.type, number: UInt64(draft.type))
    text.append(QueryMember.typeName, text: draft.typeName)
    text.append(QueryMember.className, text: draft.className)
    text.append(QueryMember.responseCode, number: UInt64(draft.responseCode))
    text.append(QueryMember.responseCodeName, text: draft.responseCodeName)
    if !draft.answer.isEmpty {
      text.append(QueryMember.responseName)
      text.append(text: draft.answer)
    }
    text.append(QueryMember.duration, number: wholeMilliseconds(draft.duration))
    text.append(QueryMember.session)
    text.append(fixed.querySession)
    text.append(number: draft.session)
    text.append(0x22)
    text.append(QueryMember.rule, text: draft.rule)
    if draft.isOfDomain || draft.budget != nil { appendAdditional(draft) }
    return seal(kind)
  }

  /// Rare extras.
  private mutating func appendAdditional(_ draft: QueryDraft) {
    text.append(Member.additional)
    var separator = "{"
    if draft.isOfDomain {
      text.append(
        draft.name == [0x2e] ? "{\"RolledUp\":\"names of many domains\"" : "{\"RolledUp\":\"names of this domain\"")
      separator = ","
    }
    if let budget = draft.budget {
      text.append(separator)
      text.append("\"BudgetNames\":")
      text.append(number: budget.names)
      text.append(",\"BudgetBits\":")
      text.append(number: budget.bits)
    }
    text.append(0x7d)
  }

  private func severity(of draft: QueryDraft) -> String {
    if draft.isAllowed { return QueryMember.informational }
    return draft.reason == DenialReason.ownerUnbound.rawValue ? QueryMember.medium : QueryMember.low
  }
}

/// ASIM's durations are whole milliseconds in an `int`: below 2^31.
func wholeMilliseconds(_ span: TimeSpan) -> UInt64 { UInt64(min(max(span.milliseconds, 0), 2_147_483_647)) }

private enum QueryMember {
  static let success = ",\"EventResult\":\"Success\""
  static let failure = ",\"EventResult\":\"Failure\""
  static let informational = ",\"EventSeverity\":\"Informational\""
  static let low = ",\"EventSeverity\":\"Low\""
  static let medium = ",\"EventSeverity\":\"Medium\""
  static let udp = ",\"NetworkProtocol\":\"UDP\""
  static let tcp = ",\"NetworkProtocol\":\"TCP\""
  static let ipv4 = ",\"NetworkProtocolVersion\":\"IPv4\""
  static let ipv6 = ",\"NetworkProtocolVersion\":\"IPv6\""
  static let query = ",\"DnsQuery\":"
  static let type = ",\"DnsQueryType\":"
  static let typeName = ",\"DnsQueryTypeName\":"
  static let className = ",\"DnsQueryClassName\":"
  static let responseCode = ",\"DnsResponseCode\":"
  static let responseCodeName = ",\"DnsResponseCodeName\":"
  static let responseName = ",\"DnsResponseName\":"
  static let duration = ",\"DnsNetworkDuration\":"
  static let session = ",\"DnsSessionId\":"
  static let rule = ",\"RuleName\":"
}
