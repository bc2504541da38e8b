import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// A query in our hands: what it takes to answer it.
struct Asking: Sendable {
  enum Origin: Sendable {
    case client(UInt64, Endpoint, isTCP: Bool)
    case daemon(UInt64)
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

  /// The most octets the reply may have.
  var replySizeMax: Int {
    guard case .client(_, _, let isTCP) = origin, !isTCP else { return Int(UInt16.max) }
    guard hasEDNS else { return DNSProxySettings.replySizeMin }
    return min(max(Int(payloadSize), DNSProxySettings.replySizeMin), DNSProxySettings.replySizeMax)
  }

  /// What else than name and type tells cached answers apart: DO and CD.
  var cacheVariant: UInt8 { (isDNSSECWanted ? 1 : 0) | (header.isCheckingDisabled ? 2 : 0) }
}

/// A query under way upstream.
struct Transaction: Sendable {
  var asking: Asking
  /// As sent: the reply must repeat its question octet for octet.
  var query: [UInt8]
  /// Where the question of `query` ends.
  var questionEnd: Int
  var id: UInt16 = 0
  var socket: UInt32 = 0
  var isTCP = false
  /// Index into the upstreams.
  var upstream = 0
  var tries = 0
  /// Tries that were answered, but with a failure.
  var failures = 0
  /// What the last try ended in.
  var lastFailure = UpstreamFailure.timeout

  /// The key of `inFlight`.
  var key: UInt64 { Self.key(socket: socket, isTCP: isTCP, id: id) }

  static func key(socket: UInt32, isTCP: Bool, id: UInt16) -> UInt64 {
    UInt64(socket) << 17 | (isTCP ? 0x1_0000 : 0) | UInt64(id)
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
}

/// What policy and gate say of a query.
struct Decision: Sendable {
  var isAllowed: Bool
  var rule: RuleReference?
  var reason: String?
}
