import EgressPolicy
import Timekeeping

extension DNSProxy {
  /// From now on these resolvers are asked, in this order. What was observed of those that stay is kept; a query that waits for one that goes is asked anew at once,
  /// and what that one still says is not believed.
  package mutating func replaceUpstreams(
    _ new: [Upstream], policy: RuleSet, gate: DNSGate, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    let new = Array(new.prefix(DNSProxySettings.upstreamsMax))
    guard new != upstreams else { return }
    health = new.map { upstream in upstreams.firstIndex(of: upstream).map { health[$0] } ?? UpstreamHealth() }
    upstreams = new
    for handle in transactions.handles(where: { _ in true }) {
      guard var transaction = transactions.remove(handle) else { continue }
      guard isStillAllowed(transaction, policy, gate, at: now) else { continue }
      transaction.forEachAttempt { if !new.contains($0.upstream) { inFlight[$0.key] = nil } }
      let query = transaction.last?.query
      transaction.removeAttempts { !new.contains($0.upstream) }
      // They are counted by the places of the former list.
      transaction.asked = 0
      transaction.failures = 0
      var places: [Int] = []
      transaction.forEachAttempt { attempt in
        if let index = new.firstIndex(of: attempt.upstream) { places.append(index) }
      }
      for index in places { transaction.countAsked(index) }
      transaction.tries = places.count
      if transaction.isOutstanding {
        if transaction.last == nil { transaction.last = transaction.earlier.removeLast() }
        hold(transaction, at: now)
      } else if let query, !new.isEmpty {
        sendAgain(transaction, query, at: now, &generator)
      } else {
        giveUp(transaction, policy, gate, at: now)
      }
    }
  }
}
