// DNSProxy: the life of a query, from the workload's socket to its answer. Sans-I/O: inputs are methods, effects come
// out of `nextAction` in order.
//
// Constraints (contract §5, acceptance T1, T5, T8, T11, T13, T14, T18).
//   - Not a byte of a denied query goes upstream. The policy decides when the query comes, when its answer comes, and
//     before every further try.
//   - An address leaves only in a reply that was made after `leaseSettled` said it is held. Until then the reply does
//     not exist outside this machine.
//   - Nothing of the upstream's message passes as it came: the reply is composed anew from records that were
//     understood, and an address that does not belong to the question's chain of aliases, or that the policy withholds,
//     spoils the whole answer.
//   - A reply of the upstream counts only when address, socket, identifier and question, letter case included, are
//     those of a query under way.
//
// States of a query, and what passes in each:
//
//   receive ──denied──────────────────────────────────────────────▶ reply NXDOMAIN, nothing passes
//      │ allowed
//      ├──cached──────────────┐
//      ▼                      ▼
//   under way upstream ──▶ validated ──no address──▶ reply
//      │  ▲ next try          │ addresses, none withheld
//      ▼  │ beside the first  ▼
//   silent, failed         waiting for the lease ──held──▶ reply with TTLs no longer than the lease
//      │ tries used up        │ failed, or not in time
//      ▼                      ▼
//   reply SERVFAIL         reply SERVFAIL, no address passes
//
// Operations. One call per event, then `nextAction` until nil, then the timer is set to `nextDeadline`.
//
// Failures. Bytes that are no query are counted and dropped, or answered FORMERR when their header can be read. Tables
// that are full answer SERVFAIL. Every reply to a client that sent EDNS says why in an Extended DNS Error (RFC 8914).

import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// The DNS proxy as a state machine.
package struct DNSProxy: Sendable {
  package let settings: DNSProxySettings
  package internal(set) var counters = DNSCounters()

  /// Resolvers in the order of preference, and what was observed of each.
  package internal(set) var upstreams: [Upstream]
  var health: [UpstreamHealth]
  /// Queries under way upstream, by the order of their deadlines.
  var transactions = DeadlineSlab<Transaction>()
  /// Handles into `transactions` by socket, transport and identifier.
  var inFlight: [UInt64: UInt64] = [:]
  /// Answers whose addresses are not held yet.
  var waiting = DeadlineSlab<WaitingAnswer>()
  var cache: AnswerCache
  var budgets: NameBudgets
  var rates: QueryRates
  /// The daemon's own look-ups by their token.
  var daemonLookups: [UInt64: DaemonLookup] = [:]
  /// Numbers queries from 1, for records.
  var lastSessionID: UInt64 = 0
  /// The socket of the queries that leave at this moment, which one call sends, and the moment.
  var socket: (number: UInt32, drawnAt: Instant)?

  /// Nil where it was taken: moved out, since copying one counts a dozen references.
  private var actions: [DNSAction?] = []
  private var actionsTaken = 0

  package init(_ settings: DNSProxySettings) {
    self.settings = settings
    upstreams = settings.upstreams
    health = settings.upstreams.map { _ in UpstreamHealth() }
    cache = AnswerCache(
      octetsMax: settings.cacheIsEnabled ? DNSProxySettings.cachedOctetsMax : 0, staleSpan: settings.staleSpan)
    budgets = NameBudgets(namesPerRule: settings.namesPerRule, octetsPerRule: settings.octetsPerRule)
    rates = QueryRates(perClient: settings.clientRate, total: settings.totalRate)
  }

  /// The next effect to perform, in order; nil when there is none.
  package mutating func nextAction() -> DNSAction? {
    guard actionsTaken < actions.count else { return nil }
    let action = actions[actionsTaken].take()
    actionsTaken += 1
    if actionsTaken == actions.count {
      actions.removeAll(keepingCapacity: actions.capacity <= 1024)
      actionsTaken = 0
    }
    return action
  }

  /// When `deadlineReached` wants to be called; nil when nothing is under way.
  package var nextDeadline: Instant? {
    switch (transactions.nextDeadline, waiting.nextDeadline) {
    case (let first?, let second?): min(first, second)
    case (let first, let second): first ?? second
    }
  }

  /// Queries under way upstream and answers waiting for their lease.
  package var pendingCount: Int { transactions.count + waiting.count }

  /// Octets of the cached answers.
  package var cachedOctets: Int { cache.octets }

  mutating func emit(_ action: DNSAction) { actions.append(action) }
}
