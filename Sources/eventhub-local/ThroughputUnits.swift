import Synchronization
import Timekeeping

/// What the service lets in: so many events a second, and as many kilobytes, whichever comes first; a second's worth may come at once
/// (MicrosoftDocs/azure-docs, event-hubs-tier-limits.md: a throughput unit is 1,000 events or 1 MB a second).
final class ThroughputUnits: Sendable {
  private struct State: Sendable {
    var left: Double
    var at: Instant?
  }

  private let rate: Double
  private let state: Mutex<State>

  init(eventsPerSecond: Int) {
    rate = Double(eventsPerSecond)
    state = Mutex(State(left: Double(eventsPerSecond), at: nil))
  }

  /// False when the request is over what is left. One that is larger than a second's worth passes when nothing was used.
  func take(events: Int, octets: Int, at now: Instant) -> Bool {
    let cost = max(Double(events), Double(octets) / 1_000)
    return state.withLock { state in
      if let at = state.at { state.left = min(rate, state.left + Double((now - at).nanoseconds) / 1e9 * rate) }
      state.at = now
      guard state.left >= min(cost, rate) else { return false }
      state.left -= cost
      return true
    }
  }
}
