import DNSProxy
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import OwnerIdentity
import Spool
import Timekeeping

/// `GET /metrics`: the Prometheus text format, version 0.0.4.
extension SidecarMachine {
  func metrics(at now: Moment) -> [UInt8] {
    var text = MetricsText()
    let names = proxy.counters
    text.counter("dns_queries_total", "Queries that clients sent.", names.received)
    text.counter("dns_dropped_total", "Datagrams that are no query: too short, or a response.", names.dropped)
    text.counter("dns_malformed_total", "Queries answered FORMERR, NOTIMP or BADVERS.", names.malformed)
    text.counter("dns_denied_total", "Queries denied by policy or gate.", names.denied)
    text.counter("dns_refused_total", "Queries of types and classes that are never served.", names.refused)
    text.counter("dns_forwarded_total", "Queries sent upstream, further tries included.", names.forwarded)
    text.counter("dns_cache_hits_total", "Queries answered from the cache.", names.cacheHits)
    text.counter("dns_upstream_timeouts_total", "Tries of queries that no upstream answered in time.", names.timeouts)
    text.counter(
      "dns_upstream_failovers_total", "Queries answered by another upstream than the silent one asked first.",
      names.failovers)
    text.counter(
      "dns_resolvers_changed_total", "Times that the resolver file led to other upstreams.", resolvers.changed)
    text.counter(
      "dns_resolvers_refused_total", "Times that a changed resolver file named none, or none that may be reached.",
      resolvers.refused)
    text.counter("dns_upstream_unmatched_total", "Replies that belong to no query under way.", names.unmatched)
    text.counter("dns_answers_invalid_total", "Answers whose records do not belong together.", names.invalidAnswers)
    text.counter("dns_answers_withheld_total", "Answers withheld for an address.", names.withheld)
    text.counter("dns_overload_total", "Queries turned away because a table was full.", names.overload)
    text.gauge("dns_cache_bytes", "Octets of cached answers.", UInt64(proxy.cachedOctets))
    text.counter("dns_prefetches_total", "Cached answers fetched anew before their end.", names.prefetches)
    text.counter("dns_stale_answers_total", "Answers given past their time, since no upstream answered.", names.stale)
    text.counters(
      "dns_limit_reached_total", "Queries and answers turned away, by the limit that was reached.", label: "limit",
      names.limits.sorted { $0.key < $1.key })
    text.counter("leases_refused_total", "Answers withheld because an address could not be leased.", names.leasesFailed)
    let kernel = firewall.counts
    text.gauge("leases", "Pairs of name and address that the kernel holds.", UInt64(kernel.leases))
    text.gauge("grants", "Pairs of name and rule in force.", UInt64(kernel.grants))
    let flows = tracker.sums
    text.counter("flows_allowed_total", "New flows that left.", flows.allowed)
    text.counter("flows_denied_total", "New flows that were denied.", flows.denied)
    text.counter("flows_inbound_total", "New flows into the pod.", flows.inbound)
    text.counter(
      "packets_dropped_total", "Dropped packets of no flow: other protocols, forwarded, from outside.", flows.dropped)
    text.gauge("flows_live", "Flows that live.", UInt64(tracker.liveCount))
    text.counter(
      "conntrack_reconciliations_total", "Dumps of the kernel's flows, the one at the start included.",
      life.reconciliations)
    text.gauge("records_sequence", "Sequence number of the last record.", audit.lastSequence)
    text.gauge("records_unacknowledged", "Records that the hub has not taken.", UInt64(spool.unacknowledgedCount))
    text.gauge("spool_bytes", "Bytes of the spool's segments.", UInt64(spool.storedBytes))
    text.counter("records_dropped_total", "Records lost, each on the record.", evidence.droppedTotal)
    text.counter("records_quarantined_total", "Records that the hub refused for good.", evidence.quarantinedTotal)
    let oldest = spool.oldestUnacknowledged.map { now.instant - $0.appendedAt.instant } ?? .zero
    text.gauge(
      "records_oldest_unacknowledged_seconds", "Age of the oldest record that waits.", UInt64(max(oldest.seconds, 0)))
    let delivery = forwarder.status
    text.counter("delivery_attempts_total", "Requests that were sent to the hub.", UInt64(delivery.attempts))
    text.counter("delivery_batches_total", "Requests that the hub accepted.", UInt64(delivery.batches))
    text.counter("delivery_bytes_total", "Bodies of the requests that the hub accepted.", UInt64(delivery.octets))
    text.counter(
      "delivery_records_total", "Records that the hub accepted.", UInt64(delivery.acknowledgedCount))
    text.counters(
      "delivery_retries_total", "Attempts that had to be repeated.", label: "cause",
      RetryCause.allCases.map { ($0.rawValue, UInt64(delivery.retries[$0] ?? 0)) })
    text.gauge(
      "delivery_failing", "Attempts that failed since the hub last accepted one.", UInt64(delivery.consecutiveFailures))
    if settings.audit.hasSecondSink {
      text.counter("audit_file_missing_records_total", "Records that the audit file lacks.", secondSink.missing)
    }
    if gate.lease != nil {
      let left = gate.leaseEnds.map { max($0 - now.instant, .zero) } ?? .zero
      text.gauge("audit_lease_seconds_left", "What is left of the audit lease.", UInt64(left.seconds))
    }
    text.gauge(
      "audit_override", "1 while an operator has set aside that new flows need evidence.",
      gate.overriddenUntil == nil ? 0 : 1)
    text.gauge("gate_open", "1 while new flows of the workload may pass.", gate.closedBy == nil ? 1 : 0)
    text.gauge("owner_bound", "1 while somebody owns the sandbox.", ownership.state == .unbound ? 0 : 1)
    text.counter("owner_proofs_refused_total", "Tokens that proved no owner.", proofs.refusedTotal)
    text.counter("owner_rebinds_refused_total", "Proved tokens of another owner.", proofs.rebindsRefusedTotal)
    text.counter(
      "log_skipped_total", "Allowed queries and flows that log_skip.always keeps from records.",
      evidence.skippedQueries + evidence.skippedFlows)
    text.counter("deny_webhook_sent_total", "Denied names that the webhook was told.", notices.sent)
    text.counter(
      "deny_webhook_dropped_total", "Denied names that the webhook was not told: it refused, failed or was too slow.",
      notices.dropped)
    text.counter("policy_file_refused_total", "Readings of watched files that were refused.", files.refused)
    text.gauge(
      "policy_file_bad", "1 while the policy file or a list is bad and an older one holds.",
      files.documentProblem == nil && files.listsProblem == nil ? 0 : 1)
    text.counter("seen_forgotten_total", "Names and destinations that suggestions cannot speak of.", seen.forgotten)
    text.gauge("observing", "1 in observe mode: nothing is blocked.", isObserving ? 1 : 0)
    text.gauge("ready", "1 while /readyz answers 200.", hindrances.isEmpty ? 1 : 0)
    text.source(change.source ?? settings.policySource)
    text.gauge("policy_revision", "Revision of the policy in force.", policyInForce.revision.number)
    text.gauge("policy_rules", "Rules of the policy in force.", UInt64(policyInForce.document.egress.count))
    return text.bytes
  }
}

private struct MetricsText {
  var bytes: [UInt8] = []

  mutating func counter(_ name: String, _ meaning: String, _ value: UInt64) { add("counter", name, meaning, value) }
  mutating func gauge(_ name: String, _ meaning: String, _ value: UInt64) { add("gauge", name, meaning, value) }

  /// One line for each value of a label.
  mutating func counters(_ name: String, _ meaning: String, label: String, _ values: [(key: String, value: UInt64)]) {
    bytes += Array("# HELP sallyport_\(name) \(meaning)\n# TYPE sallyport_\(name) counter\n".utf8)
    for (key, value) in values { bytes += Array("sallyport_\(name){\(label)=\"\(key)\"} \(value)\n".utf8) }
  }

  /// One series whose label says where the policy in force came from.
  mutating func source(_ source: String) {
    let escaped = source.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ")
    bytes += Array(
      """
      # HELP sallyport_policy_source Where the policy in force came from.
      # TYPE sallyport_policy_source gauge
      sallyport_policy_source{source="\(escaped)"} 1\n
      """.utf8)
  }

  private mutating func add(_ kind: String, _ name: String, _ meaning: String, _ value: UInt64) {
    bytes += Array(
      "# HELP sallyport_\(name) \(meaning)\n# TYPE sallyport_\(name) \(kind)\nsallyport_\(name) \(value)\n".utf8)
  }
}
