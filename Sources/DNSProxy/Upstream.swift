import Addressing
import Timekeeping

/// A resolver that queries go to.
package struct Upstream: Hashable, Sendable {
  package var endpoint: Endpoint
  /// Whom its certificate must name: DNS over TLS (RFC 7858). Nil: UDP, and TCP where an answer does not fit.
  package var serverName: String?

  package init(_ endpoint: Endpoint, serverName: String? = nil) {
    self.endpoint = endpoint
    self.serverName = serverName
  }

  var isSecure: Bool { serverName != nil }

  /// How the daemon may reach it.
  package var transports: [TransportProtocol] { isSecure ? [.tcp] : [.udp, .tcp] }
}

/// What was observed of an upstream: whether it is worth being asked first.
struct UpstreamHealth: Sendable {
  /// So many tries without a sign of life, one after the other, and others are asked first. One lost datagram is no more than that.
  static let missedMax = 2
  /// How often one that seems to be down is asked beside another, so that its return is noticed.
  static let probeInterval = TimeSpan.seconds(1)

  /// Tries since the last sign of life.
  private(set) var missed = 0
  private var lastSign: Instant?
  private var nextProbe = Instant(nanoseconds: 0)

  var isDown: Bool { missed >= Self.missedMax }

  /// It sent a message that belongs to a query, whatever it says.
  mutating func answered(at now: Instant) {
    missed = 0
    lastSign = now
  }

  /// A try that began at `start` was given up. A name that is slow at a resolver that answers others says nothing.
  mutating func ignored(since start: Instant) {
    if let lastSign, lastSign >= start { return }
    missed += 1
  }

  /// The network says that nobody is there.
  mutating func refused() { missed = max(missed, Self.missedMax) }

  /// Whether it is down and should be asked again now, to see.
  mutating func wantsProbe(at now: Instant) -> Bool {
    guard isDown, nextProbe <= now else { return false }
    nextProbe = now + Self.probeInterval
    return true
  }
}
