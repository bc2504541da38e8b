import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// A query in our hands: what it takes to answer it.
struct Asking: Sendable {
  enum Origin: Sendable {
    case client(UInt64, Endpoint, isTCP: Bool)
    case daemon(UInt64)
    /// Nobody waits: a cached answer is fetched anew.
    case refresh
  }

  var origin: Origin
  /// The client's message.
  var bytes: [UInt8]
  var questionEnd: Int
  var header: Header
  var name: DomainName
  var type: RecordType
  var recordClass: RecordClass
  /// Whether the client sent EDNS; only then may the reply hold OPT.
  var hasEDNS: Bool
  var payloadSize: UInt16
  var isDNSSECWanted: Bool
  var startedAt: Instant
  var sessionID: UInt64

  var isClient: Bool { if case .client = origin { true } else { false } }
  var isDaemon: Bool { if case .daemon = origin { true } else { false } }

  /// The most octets the reply may have.
  var replySizeMax: Int {
    guard case .client(_, _, let isTCP) = origin, !isTCP else { return Int(UInt16.max) }
    guard hasEDNS else { return DNSProxySettings.replySizeMin }
    return min(max(Int(payloadSize), DNSProxySettings.replySizeMin), DNSProxySettings.replySizeMax)
  }

  /// What else than name and type tells cached answers apart: DO and CD.
  var cacheVariant: UInt8 { (isDNSSECWanted ? 1 : 0) | (header.isCheckingDisabled ? 2 : 0) }
}

/// One sending of a query.
struct Attempt: Sendable {
  var upstream: Upstream
  var id: UInt16 = 0
  /// UDP: the slot of the socket. By TCP and TLS one connection to each upstream carries everything, and this is 0.
  var socket: UInt32 = 0
  /// Over a stream: TCP or TLS.
  var isTCP = false
  /// As sent: the reply must repeat its question, over UDP octet for octet.
  var query: [UInt8]
  var sentAt: Instant

  /// The key of `inFlight`.
  var key: UInt64 { Self.key(socket: socket, isTCP: isTCP, id: id) }

  static func key(socket: UInt32, isTCP: Bool, id: UInt16) -> UInt64 {
    UInt64(socket) << 17 | (isTCP ? 0x1_0000 : 0) | UInt64(id)
  }
}

/// A query under way upstream.
struct Transaction: Sendable {
  var asking: Asking
  /// Where the question of the query ends.
  var questionEnd: Int
  /// The last sending; nil once it has failed.
  var last: Attempt?
  /// Earlier ones that may still be answered.
  var earlier: [Attempt] = []
  /// Sends, those by TCP after UDP and probes not counted.
  var tries = 0
  /// Sends to each upstream, four bits each by its index.
  var asked: UInt64 = 0
  /// When the last one was.
  var sentAt: Instant
  /// Upstreams that failed it.
  var failures = 0
  /// What the last try that ended did so in.
  var lastFailure = UpstreamFailure.timeout
  /// TCP was tried because of a reply in another spelling.
  var hasFallenBack = false
  /// It was sent again because a kept connection had ended.
  var hasReconnected = false

  var isOutstanding: Bool { last != nil || !earlier.isEmpty }

  /// How often the upstream of this index was asked.
  func timesAsked(_ index: Int) -> UInt64 { asked >> UInt64(index * 4) & 15 }

  mutating func countAsked(_ index: Int) {
    if timesAsked(index) < 15 { asked += 1 << UInt64(index * 4) }
  }

  /// Calls `body` with every sending that may be answered.
  func forEachAttempt(_ body: (Attempt) -> Void) {
    if let last { body(last) }
    for attempt in earlier { body(attempt) }
  }

  /// Takes out the sendings that satisfy `isWanted`.
  mutating func removeAttempts(where isWanted: (Attempt) -> Bool) {
    if let last, isWanted(last) { self.last = nil }
    if !earlier.isEmpty { earlier.removeAll(where: isWanted) }
  }
}

/// How a try upstream ended without an answer.
enum UpstreamFailure: Hashable, Sendable {
  case timeout
  case network
  case malformed
  case answered(ResponseCode)
}

/// An answer whose addresses are not held yet.
struct WaitingAnswer: Sendable {
  var asking: Asking
  var answer: Answer
  /// Seconds since the upstream gave the answer.
  var age: UInt32
  var decision: Decision
  var isCached: Bool
  /// Its time is up, and no upstream answered.
  var isStale = false
}

/// What policy and gate say of a query.
struct Decision: Sendable {
  var isAllowed: Bool
  var rule: RuleReference?
  var reason: String?
  /// Of a refusal for a budget's sake.
  var spent: NameBudgets.Spent?
}
