import Addressing
import DNSWire
import Timekeeping

/// What the proxy is told once, and its fixed limits.
package struct DNSProxySettings: Sendable {
  /// Queries under way upstream, and separately answers waiting for a lease. At 30,000 queries a second this is a
  /// quarter of a second of a silent upstream; each holds under 1 KiB.
  package static let pendingQueriesMax = 8_192
  /// Octets of cached answers: some 10,000 of ordinary size.
  package static let cachedOctetsMax = 4 << 20
  /// A cached answer that is asked for in the last tenth of its time is fetched anew before it ends.
  package static let prefetchDivisor: Int64 = 10
  /// One that lives shorter is not: less than a second would be left for it.
  package static let prefetchLifetimeMin = TimeSpan.seconds(10)
  /// Queries under way beyond which nothing is fetched ahead: a quarter of the table.
  package static let prefetchPendingMax = 2_048
  /// The TTL of an answer whose time is up (RFC 8767 §4), seconds.
  package static let staleTTL: UInt32 = 30
  /// How long after a failure such an answer is given without asking again (RFC 8767 §5).
  package static let staleRecheck = TimeSpan.seconds(30)
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
  /// A reply over UDP that fills this many octets may have been cut by whoever read it: it is as good as truncated, and the upstream is asked by TCP.
  package static let datagramMax = 4_096
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
  /// `SALLYPORT_DNS_STALE`: how long after its end a cached answer may serve when no upstream answers; zero: not at all.
  package var staleSpan = TimeSpan.zero
  /// `SALLYPORT_DNS_DENY_CODE`: what a denied name is answered.
  package var denialCode = ResponseCode.nameError
  /// `SALLYPORT_DNS_SVCB=refuse`: HTTPS and SVCB are answered as if there were none.
  package var refusesServiceBindings = false
  /// `SALLYPORT_DNS_NAME_BUDGET`: different names a day under one wildcard rule; 0: any number.
  package var namesPerRule = 0
  /// `SALLYPORT_DNS_CHANNEL_BUDGET`: octets that they may carry; 0: any number.
  package var octetsPerRule = 0
  /// `SALLYPORT_DNS_CLIENT_RATE` and `SALLYPORT_DNS_RATE`: queries a second of one address, and of all; 0: any number.
  package var clientRate = 0
  package var totalRate = 0
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
