import Addressing
import Timekeeping

/// What a `DnsAllowed` or `DnsDenied` record says. Values only: the log knows nothing of DNS.
package struct QueryDraft: Hashable, Sendable {
  /// `DnsAllowed`, else `DnsDenied`.
  package var isAllowed: Bool
  /// `DnsQuery`: presentation form without the trailing dot.
  package var name: [UInt8]
  /// `DnsQueryType`.
  package var type: UInt16
  /// `DnsQueryTypeName`, for instance `AAAA`.
  package var typeName: String
  /// `DnsQueryClassName`, for instance `IN`.
  package var className: String
  /// `DnsResponseCode`.
  package var responseCode: UInt16
  /// `DnsResponseCodeName` and `EventResultDetails`, for instance `NXDOMAIN`.
  package var responseCodeName: String
  /// `DnsResponseName`: the answer as text; absent when empty.
  package var answer: [UInt8]
  /// `DnsNetworkDuration`: from query to answer.
  package var duration: TimeSpan
  /// `DnsSessionId` is made of the boot id and this number; flows name it as `SbxDnsSessionId`.
  package var session: UInt64
  /// `RuleName`: the rule that decided.
  package var rule: String?
  /// `EventOriginalResultDetails`: a `DenialReason` in text, or why an allowed query failed.
  package var reason: String?
  /// Who asked.
  package var client: Endpoint
  /// Over which transport it was asked, TCP or UDP.
  package var transport: TransportProtocol
  /// What had left under a wildcard rule when its budget of new names refused this one: `AdditionalFields`.
  package var budget: NameBudgetDraft?
  /// Names of one domain are counted here, and `name` is the domain; `.` when it stands for all: `AdditionalFields` says so.
  package var isOfDomain = false
  /// `EventCount`.
  package var count: Int
  /// When the first query of the record was asked.
  package var startedAt: WallTime
  /// When the last query of the record was answered.
  package var endedAt: WallTime

  package init(
    isAllowed: Bool, name: [UInt8], type: UInt16, typeName: String, className: String = "IN", responseCode: UInt16,
    responseCodeName: String, answer: [UInt8] = [], duration: TimeSpan, session: UInt64, rule: String?,
    reason: String? = nil, client: Endpoint, transport: TransportProtocol = .udp, count: Int = 1,
    startedAt: WallTime, endedAt: WallTime
  ) {
    self.isAllowed = isAllowed
    self.name = name
    self.type = type
    self.typeName = typeName
    self.className = className
    self.responseCode = responseCode
    self.responseCodeName = responseCodeName
    self.answer = answer
    self.duration = duration
    self.session = session
    self.rule = rule
    self.reason = reason
    self.client = client
    self.transport = transport
    self.count = count
    self.startedAt = startedAt
    self.endedAt = endedAt
  }
}

/// What new names under one wildcard rule may have carried out.
package struct NameBudgetDraft: Hashable, Sendable {
  /// Different names that were let through in the present window.
  package var names: UInt64
  /// The estimate of what they carried, bits.
  package var bits: UInt64

  package init(names: UInt64, bits: UInt64) {
    self.names = names
    self.bits = bits
  }
}
