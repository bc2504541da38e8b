import Timekeeping

/// When an access token is asked for, how long it is used, and when again. The token itself is elsewhere.
///
/// One exchange at a time. A token is renewed at half of its life and used until a minute before its end, so that an authority that is down for that long is not
/// noticed. A failed exchange is tried again after at most 1, 2, 4 … 30 s, half of it at random, or when the authority says.
package struct TokenSchedule: Hashable, Sendable {
  /// Before a token's end it is given up, for a clock that is off and a request on its way: 60 s; of a token that lives
  /// less than four minutes (none of Entra's does) the last quarter.
  static let margin = TimeSpan.seconds(60)
  /// The longest first wait after a failure; it doubles.
  static let firstWait = TimeSpan.seconds(1)
  /// The longest wait of ours.
  static let lastWait = TimeSpan.seconds(30)
  /// The longest wait that the authority may ask for: 5 min.
  static let askedWaitMax = TimeSpan.seconds(300)

  private enum Step: Hashable, Sendable {
    case idle
    /// Renewal, or the next try.
    case due(Instant)
    case underWay(since: Instant)
  }

  private var step = Step.idle
  private var usableUntil: Instant?
  private var failures: Int64 = 0

  package init() {}

  /// Whether there is a token that may be used.
  package func isUsable(at now: Instant) -> Bool { usableUntil.map { now < $0 } ?? false }

  package var isUnderWay: Bool { if case .underWay = step { true } else { false } }

  /// When something is to be done: `deadlineReached`.
  package var nextDeadline: Instant? {
    var due: Instant?
    if case .due(let instant) = step { due = instant }
    guard let usableUntil else { return due }
    return due.map { min($0, usableUntil) } ?? usableUntil
  }

  /// A token is wanted. True: begin an exchange now.
  package mutating func wanted(at now: Instant) -> Bool {
    guard !isUsable(at: now), step == .idle else { return false }
    step = .underWay(since: now)
    return true
  }

  /// What the time has brought.
  package enum Turn: Hashable, Sendable {
    case nothing
    /// Begin an exchange.
    case begin
    /// The token may not be used any more, and no other is there yet.
    case ended
  }

  package mutating func deadlineReached(at now: Instant) -> Turn {
    if let end = usableUntil, end <= now {
      usableUntil = nil
      return .ended
    }
    guard case .due(let due) = step, due <= now else { return .nothing }
    step = .underWay(since: now)
    return .begin
  }

  /// Its life counts from when it was asked for.
  package mutating func issued(lifetime: TimeSpan, at now: Instant) {
    guard case .underWay(let since) = step else { return }
    failures = 0
    usableUntil = since + lifetime - min(Self.margin, lifetime / 4)
    step = .due(max(since + lifetime / 2, now + Self.firstWait))
  }

  /// - Parameter retryAfter: what the authority asked for.
  package mutating func failed(
    retryAfter: TimeSpan?, at now: Instant, using generator: inout some RandomNumberGenerator
  ) {
    guard isUnderWay else { return }
    let half = min(Self.firstWait * (1 << min(failures, 5)), Self.lastWait).nanoseconds / 2
    // Sandboxes that lost the authority together must not come back together.
    let wait = TimeSpan(nanoseconds: half + ((0...half).randomElement(using: &generator) ?? 0))
    failures += 1
    step = .due(now + max(wait, min(retryAfter ?? .zero, Self.askedWaitMax)))
  }

  /// The hub refused the token: it is not used again. One that is on its way is another.
  package mutating func invalidate(at now: Instant) {
    usableUntil = nil
    if case .due = step, failures == 0 { step = .idle }
  }
}
