import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// What the audit record of a query needs (audit.md, `DnsAllowed` and `DnsDenied`).
/// A class, since it travels with its reply through several queues: one reference to count instead of a dozen.
package final class DNSFacts: Sendable {
  package let source: Endpoint
  /// As it was asked for.
  package let name: DomainName
  package let type: RecordType
  package let recordClass: RecordClass
  package let responseCode: ResponseCode
  /// Whether the policy lets the answer pass. An allowed query can still have failed: see `responseCode` and `reason`.
  package let isAllowed: Bool
  /// The rule that decided; nil when something else did.
  package let rule: RuleReference?
  /// Why there is no answer: `DEFAULT_DENY`, `RULE_DENY`, `PRIVATE_ANSWER`, `PROTOCOL`, the gate's reason,
  /// `UPSTREAM_TIMEOUT`, `UPSTREAM_FAILED`, `INVALID_ANSWER`, `OVERLOAD`, the lease's reason, `LEASE_TIMEOUT`,
  /// `NAME_BUDGET`, `CHANNEL_BUDGET`, `CLIENT_RATE`, `TOTAL_RATE`; `TRUNCATED` when the client has to ask again by TCP.
  /// Nil for an answer, `STALE_ANSWER` for one that is past its time.
  package let reason: String?
  /// The addresses answered, or withheld when `reason` is `PRIVATE_ANSWER` or `RULE_DENY`.
  package let addresses: [AnsweredAddress]
  /// Where the chain of aliases ended; nil without aliases.
  package let canonicalName: DomainName?
  /// From the query to the reply.
  package let duration: TimeSpan
  package let sessionID: UInt64
  /// Who answered; nil when nobody was asked. Of a cached answer: who gave it.
  package let resolver: Endpoint?
  package let isCached: Bool
  /// What new names under the rule had carried when its budget refused this one: how many, and the estimate in bits.
  package let spent: (names: UInt64, bits: UInt64)?

  init(
    source: Endpoint, name: DomainName, type: RecordType, recordClass: RecordClass, responseCode: ResponseCode,
    isAllowed: Bool, rule: RuleReference?, reason: String?, addresses: [AnsweredAddress], canonicalName: DomainName?,
    duration: TimeSpan, sessionID: UInt64, resolver: Endpoint?, isCached: Bool,
    spent: (names: UInt64, bits: UInt64)? = nil
  ) {
    self.spent = spent
    self.source = source
    self.name = name
    self.type = type
    self.recordClass = recordClass
    self.responseCode = responseCode
    self.isAllowed = isAllowed
    self.rule = rule
    self.reason = reason
    self.addresses = addresses
    self.canonicalName = canonicalName
    self.duration = duration
    self.sessionID = sessionID
    self.resolver = resolver
    self.isCached = isCached
  }

  /// Appends what the answer says as text: the canonical name, then the addresses, parted by `;`.
  package func appendResponseName(to text: inout [UInt8]) {
    canonicalName?.appendText(to: &text)
    for (index, address) in addresses.enumerated() {
      if index > 0 || canonicalName != nil { text.append(0x3b) }
      address.address.appendText(to: &text)
    }
  }
}
