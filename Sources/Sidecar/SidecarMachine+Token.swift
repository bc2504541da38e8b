import Addressing
import DNSProxy
import Firewall
import Forwarder
import Spool
import Timekeeping

/// An access token for the hub by workload identity: where the authority is, and the exchange under way.
struct TokenState: Sendable {
  var schedule = TokenSchedule()
  var lookup: UInt64?
  /// Resolved and permitted, not yet committed.
  var endpoint: Endpoint?
  /// The exchange that was handed out last.
  var exchange: UInt64 = 0

  /// How long the authority's address may be reached: 60 s, more than an exchange takes.
  static let permission = TimeSpan.seconds(60)
}

/// Workload identity: asked for when the forwarder needs a token and again at half of its life.
extension SidecarMachine {
  /// The forwarder needs a token. Of other kinds one is made or read at once.
  mutating func tokenNeeded(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard settings.authority != nil else { return emit(.fetchToken) }
    if token.schedule.isUsable(at: now.instant) {
      return perform(forwarder.tokenReady(at: now), at: now, using: &generator)
    }
    if token.schedule.wanted(at: now.instant) { beginExchange(at: now, using: &generator) }
  }

  mutating func tokenInvalid(at now: Moment) {
    token.schedule.invalidate(at: now.instant)
    emit(.forgetToken)
  }

  mutating func tokenDeadlineReached(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard settings.authority != nil else { return }
    while true {
      switch token.schedule.deadlineReached(at: now.instant) {
      case .nothing: return
      case .begin: beginExchange(at: now, using: &generator)
      case .ended:
        emit(.forgetToken)
        tokenUnavailable("the token ends and there is no new one yet")
      }
    }
  }

  private mutating func beginExchange(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard let authority = settings.authority else { return }
    switch authority.host {
    case .address(let address): permitAuthority(Endpoint(address, authority.port), at: now, using: &generator)
    case .name(let name):
      let id = delivery.nextLookup
      delivery.nextLookup += 1
      token.lookup = id
      proxy.resolveForDaemon(name, token: id, at: now, using: &generator)
    }
  }

  /// The outcome of the look-up; false when it was not the authority's.
  mutating func authorityResolved(
    _ id: UInt64, _ addresses: [IPAddress], at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> Bool {
    guard id == token.lookup, let authority = settings.authority else { return false }
    token.lookup = nil
    let candidates = addresses.filter(\.isIPv4).isEmpty ? addresses : addresses.filter(\.isIPv4)
    if let address = candidates.randomElement(using: &generator) {
      permitAuthority(Endpoint(address, authority.port), at: now, using: &generator)
    } else {
      exchangeFailed("the authority's name has no address", nil, at: now, using: &generator)
    }
    return true
  }

  mutating func authorityLookupFailed(
    _ id: UInt64, _ reason: String, at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> Bool {
    guard id == token.lookup else { return false }
    token.lookup = nil
    exchangeFailed("the authority's address cannot be had: \(reason)", nil, at: now, using: &generator)
    return true
  }

  private mutating func permitAuthority(
    _ endpoint: Endpoint, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    // A proxy leads to both; the hub's permission has no end, and keeps none.
    let span = endpoint == delivery.former ? nil : TokenState.permission
    guard firewall.permitOwn(endpoint, [.tcp], for: span, at: now) else {
      return exchangeFailed("too many destinations of the daemon's own", nil, at: now, using: &generator)
    }
    token.endpoint = endpoint
  }

  /// After a commit: the authority's address is permitted now.
  mutating func releaseExchange() {
    guard !resolution.isCommitting, let endpoint = token.endpoint else { return }
    token.endpoint = nil
    token.exchange += 1
    emit(.exchangeToken(token.exchange, at: endpoint))
  }

  /// The kernel refused a transaction, which may have been the one with the authority's address.
  mutating func failWaitingExchange(
    _ reason: String, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard token.endpoint != nil else { return }
    token.endpoint = nil
    exchangeFailed(reason, nil, at: now, using: &generator)
  }

  mutating func tokenExchanged(
    _ id: UInt64, _ outcome: TokenOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard id == token.exchange else { return }
    switch outcome {
    case .issued(let lifetime):
      token.schedule.issued(lifetime: lifetime, at: now.instant)
      guard token.schedule.isUsable(at: now.instant) else {
        emit(.forgetToken)
        return tokenUnavailable("the authority's token lives only \(lifetime)")
      }
      emit(.log(LogEntry(.debug, "a token for the hub is there", [("lifetime", lifetime.description)])))
      perform(forwarder.tokenReady(at: now), at: now, using: &generator)
    case .failed(let reason, let retryAfter):
      exchangeFailed(reason, retryAfter, at: now, using: &generator)
    }
  }

  private mutating func exchangeFailed(
    _ reason: String, _ retryAfter: TimeSpan?, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    token.schedule.failed(retryAfter: retryAfter, at: now.instant, using: &generator)
    if token.schedule.isUsable(at: now.instant) {
      emit(.log(LogEntry(.warning, "the hub's token is not renewed; it is tried again", [("reason", reason)])))
    } else {
      tokenUnavailable(reason)
    }
  }
}
