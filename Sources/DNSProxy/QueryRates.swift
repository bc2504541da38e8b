import Addressing
import Timekeeping

/// How many queries a second are looked at, of one client address and of all: token buckets that hold a second's worth.
struct QueryRates: Sendable {
  /// Client addresses with a bucket of their own: a pod has a handful. When there are more, all of them begin anew.
  static let clientsMax = 1_024

  private struct Bucket: Sendable {
    /// Billionths of a query.
    var tokens: Int64
    var filledAt: Instant

    /// `rate`: queries a second.
    mutating func take(_ rate: Int64, at now: Instant) -> Bool {
      let full = rate * 1_000_000_000
      let span = min(max((now - filledAt).nanoseconds, 0), 1_000_000_000)
      tokens = min(full, tokens + span * rate)
      filledAt = now
      guard tokens >= 1_000_000_000 else { return false }
      tokens -= 1_000_000_000
      return true
    }
  }

  /// Queries a second; 0: any number.
  let perClient: Int64
  let total: Int64
  private var clients: [IPAddress: Bucket] = [:]
  private var all: Bucket?

  init(perClient: Int, total: Int) {
    self.perClient = Int64(perClient)
    self.total = Int64(total)
  }

  /// Nil: go on. Else the limit that is reached.
  mutating func refusal(_ client: IPAddress, at now: Instant) -> String? {
    if perClient > 0 {
      if clients[client] == nil {
        if clients.count >= Self.clientsMax { clients.removeAll(keepingCapacity: true) }
        clients[client] = Bucket(tokens: perClient * 1_000_000_000, filledAt: now)
      }
      if clients[client]?.take(perClient, at: now) == false { return DNSReason.clientRate }
    }
    if total > 0 {
      var bucket = all ?? Bucket(tokens: total * 1_000_000_000, filledAt: now)
      defer { all = bucket }
      if !bucket.take(total, at: now) { return DNSReason.totalRate }
    }
    return nil
  }
}
