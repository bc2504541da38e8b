/// The words for `DNSFacts.reason`.
package enum DNSReason {
  package static let defaultDeny = "DEFAULT_DENY"
  package static let ruleDeny = "RULE_DENY"
  package static let privateAnswer = "PRIVATE_ANSWER"
  package static let `protocol` = "PROTOCOL"
  package static let upstreamTimeout = "UPSTREAM_TIMEOUT"
  package static let upstreamFailed = "UPSTREAM_FAILED"
  package static let invalidAnswer = "INVALID_ANSWER"
  package static let overload = "OVERLOAD"
  package static let leaseTimeout = "LEASE_TIMEOUT"
  package static let truncated = "TRUNCATED"
}
