import Addressing
import Timekeeping

/// What the proxy is told once, and its fixed limits.
package struct DNSProxySettings: Sendable {
  /// Queries under way upstream, and separately answers waiting for a lease. At 30,000 queries a second this is a
  /// quarter of a second of a silent upstream; each holds under 1 KiB.
  package static let pendingQueriesMax = 8_192
  /// Cached answers; each holds a few hundred octets.
  package static let cachedAnswersMax = 10_000
  /// Seconds a negative answer is reused at most (RFC 2308 §5 allows hours): a name that appears is seen within this.
  package static let negativeTTLMax: UInt32 = 300
  /// Seconds any TTL is believed at most: a day.
  package static let ttlMax: UInt32 = 86_400
  /// Aliases in a chain; resolvers stop between 8 and 16.
  package static let aliasesMax = 16
  /// Addresses in one answer: they are one kernel transaction.
  package static let answerAddressesMax = 512
  /// The UDP payload we offer upstream and to clients, octets (DNS flag day 2020: fits every path without fragments).
  package static let payloadSizeOffered: UInt16 = 1_232
  /// The largest UDP reply we send, octets, whatever the client offers.
  package static let replySizeMax = 4_096
  /// The UDP reply every client takes, octets (RFC 1035 §4.2.1).
  package static let replySizeMin = 512
  /// Sends of one query upstream at most, resending by TCP not counted; with more upstreams than this, one each.
  package static let triesMin = 3
  /// The next upstream is asked beside the first after this part of the time for a try: 250 ms of 2 s, longer than a
  /// cached answer takes from the other end of the world.
  package static let patienceDivisor: Int64 = 8
  /// Draws of socket and identifier until one is free: with full tables and one socket seven of eight draws are, so
  /// only a broken generator gets here.
  static let drawsMax = 64
  /// How long an answer waits for its lease: the kernel takes microseconds, the client gives up after five seconds.
  package static let leaseTimeout = TimeSpan.seconds(3)

  /// Resolvers, in the order of preference.
  package var upstreams: [Upstream]
  /// Per try (`SALLYPORT_DNS_UPSTREAM_TIMEOUT`).
  package var upstreamTimeout: TimeSpan
  /// `SALLYPORT_DNS_CACHE`.
  package var cacheIsEnabled: Bool
  /// UDP sockets the shell keeps for queries upstream; a query goes out on one of them at random. At least 1.
  package var upstreamSockets: UInt32
  /// `SALLYPORT_MODE=observe`: denied queries and withheld answers pass, and their facts say what would have been.
  package var isObserving: Bool

  package init(
    upstreams: [Upstream], upstreamTimeout: TimeSpan = .seconds(2), cacheIsEnabled: Bool = true,
    upstreamSockets: UInt32 = 16, isObserving: Bool = false
  ) {
    self.upstreams = Array(upstreams.prefix(Self.upstreamsMax))
    self.upstreamTimeout = upstreamTimeout
    self.cacheIsEnabled = cacheIsEnabled
    self.upstreamSockets = max(upstreamSockets, 1)
    self.isObserving = isObserving
  }

  /// Upstreams at most: a transaction counts its sends to each in four bits.
  package static let upstreamsMax = 16

  /// How long a query waits before someone else is asked too.
  var patience: TimeSpan { max(upstreamTimeout / Self.patienceDivisor, .milliseconds(1)) }
}
