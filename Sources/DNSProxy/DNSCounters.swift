/// What happened so far; every count only grows.
package struct DNSCounters: Hashable, Sendable {
  /// Everything a client sent.
  package var received: UInt64 = 0
  /// Dropped: under 12 octets, or a response.
  package var dropped: UInt64 = 0
  /// Answered FORMERR, NOTIMP or BADVERS.
  package var malformed: UInt64 = 0
  /// Types and classes that are never served.
  package var refused: UInt64 = 0
  /// Names the policy or the gate denied.
  package var denied: UInt64 = 0
  package var cacheHits: UInt64 = 0
  /// Messages sent upstream, further tries included.
  package var forwarded: UInt64 = 0
  /// Messages from upstream that belong to no query under way.
  package var unmatched: UInt64 = 0
  /// Queries that another upstream answered while the one asked first was silent.
  package var failovers: UInt64 = 0
  /// Tries of queries that nobody answered in time.
  package var timeouts: UInt64 = 0
  /// Tries that were refused by the network, or answered with a failure or with octets that are no message.
  package var upstreamFailures: UInt64 = 0
  /// Replies cut short that were asked for again by TCP.
  package var truncatedUpstream: UInt64 = 0
  /// Answers whose records do not belong together.
  package var invalidAnswers: UInt64 = 0
  /// Answers withheld for an address.
  package var withheld: UInt64 = 0
  /// Queries turned away because a table was full.
  package var overload: UInt64 = 0
  /// How often each limit was reached, by the limit's name.
  package var limits: [String: UInt64] = [:]
  /// Answers fetched ahead of their end.
  package var prefetches: UInt64 = 0
  /// Answers given after their end.
  package var stale: UInt64 = 0
  package var leasesAsked: UInt64 = 0
  package var leasesFailed: UInt64 = 0
  /// Replies sent cut short because the client's UDP size is too small.
  package var truncatedReplies: UInt64 = 0
  package var replies: UInt64 = 0
}
