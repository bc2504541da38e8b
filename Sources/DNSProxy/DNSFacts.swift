import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// What the audit record of a query needs (audit.md, `DnsAllowed` and `DnsDenied`).
package struct DNSFacts: Sendable {
  package var source: Endpoint
  /// As it was asked for.
  package var name: DomainName
  package var type: RecordType
  package var recordClass: RecordClass
  package var responseCode: ResponseCode
  /// Whether the policy lets the answer pass. An allowed query can still have failed: see `responseCode` and `reason`.
  package var isAllowed: Bool
  /// The rule that decided; nil when something else did.
  package var rule: RuleReference?
  /// Why there is no answer: `DEFAULT_DENY`, `RULE_DENY`, `PRIVATE_ANSWER`, `PROTOCOL`, the gate's reason,
  /// `UPSTREAM_TIMEOUT`, `UPSTREAM_FAILED`, `INVALID_ANSWER`, `OVERLOAD`, the lease's reason, `LEASE_TIMEOUT`;
  /// `TRUNCATED` when the client has to ask again by TCP. Nil for an answer.
  package var reason: String?
  /// The addresses answered, or withheld when `reason` is `PRIVATE_ANSWER` or `RULE_DENY`.
  package var addresses: [AnsweredAddress]
  /// Where the chain of aliases ended; nil without aliases.
  package var canonicalName: DomainName?
  /// From the query to the reply.
  package var duration: TimeSpan
  package var sessionID: UInt64
  /// Who answered; nil when nobody was asked. Of a cached answer: who gave it.
  package var resolver: Endpoint?
  package var isCached: Bool

  /// Appends what the answer says as text: the canonical name, then the addresses, parted by `;`.
  package func appendResponseName(to text: inout [UInt8]) {
    canonicalName?.appendText(to: &text)
    for (index, address) in addresses.enumerated() {
      if index > 0 || canonicalName != nil { text.append(0x3b) }
      text += Array(address.address.description.utf8)
    }
  }
}
