import Spool
import Timekeeping

extension Forwarder {
  /// First ceiling of the waits: 0.5 s; and the last: 10 s, six of which fit the minute that a record may take.
  static let firstWait = TimeSpan.milliseconds(500)
  static let lastWait = TimeSpan.seconds(10)
  /// "Please wait 4 seconds and try again" (error 50002).
  static let throttleWait = TimeSpan.seconds(4)
  /// The most that `Retry-After` is followed: 30 s.
  static let retryAfterMax = TimeSpan.seconds(30)
  /// Between attempts that only an operator can mend: 30 s.
  static let slowWait = TimeSpan.seconds(30)
  /// Above a floor, waits are spread over 1 s.
  static let spread = TimeSpan.seconds(1)
  /// Between requests for a token: 30 s, so that a storm of 401 does not reach the authority.
  static let tokenInterval = TimeSpan.seconds(30)
  /// A throughput unit is 1,000 events or 1 MB a second: an event is worth this many octets
  /// (MicrosoftDocs/azure-docs, event-hubs-tier-limits.md).
  static let octetsPerEvent = 1_000
  /// Records refused standing alone, one after another, before the hub itself is suspected: 8.
  static let quarantinesMax = 8

  /// An attempt has ended. An id that is not under way any more is ignored.
  package mutating func delivered(
    _ id: UInt64, _ outcome: DeliveryOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    guard case .sending(let current, _) = state, current == id else { return [] }
    switch (outcome, settings.sink) {
    case (.written, .lines), (.response(201, _, _), .eventHubs): return accept(at: now)
    case (.response(let status, let retryAfter, let body), .eventHubs):
      return answered(status, retryAfter, body, at: now, using: &generator)
    case (.notConnected(let reason), _):
      fail("not connected: " + reason, .unreachable, floor: .zero, at: now, using: &generator)
    case (.ambiguous(let reason), _):
      fail("no complete answer: " + reason, .ambiguous, floor: .zero, at: now, using: &generator)
    case (.tlsRefused(let reason), _): fail("TLS: " + reason, .tls, floor: .zero, at: now, using: &generator)
    case (.written, .eventHubs), (.response, .lines):
      fail("an outcome that is not this sink's", .other, floor: .zero, at: now, using: &generator)
    }
    return []
  }

  private mutating func accept(at now: Moment) -> [ForwarderAction] {
    guard let piece = batch?.current, let last = piece.range.last, let end = batch?.records[last].end,
      let lane = batch?.lane
    else { return [] }
    batch?.finish()
    counters.batches += 1
    counters.octets += piece.body.count
    counters.consecutiveFailures = 0
    counters.lastAcknowledgedAt = now
    counters.lastError = nil
    counters.acknowledgedCount += piece.range.count
    quarantinesSinceAcceptance = 0
    isTokenRetryUsed = false
    return [.acknowledge(through: end, count: piece.range.count, lane: lane)] + send(at: now)
  }

  private mutating func answered(
    _ code: Int, _ retryAfter: String?, _ body: [UInt8], at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    let text = "the hub answered \(code)" + readable(body)
    var floor = TimeSpan.zero
    var cause = RetryCause.other
    switch code {
    case 400: return refused(code, isContent: true, text, at: now, using: &generator)
    case 413: return refused(code, isContent: false, text, at: now, using: &generator)
    case 403 where saysTooLarge(body): return refused(code, isContent: false, text, at: now, using: &generator)
    case 401: return unauthorized(text, at: now, using: &generator)
    case 403: cause = .forbidden
    case 404, 410:
      cause = .missing
      floor = Self.slowWait
    case 429, 503:
      cause = .throttled
      floor = Self.throttleWait
    default:
      if contains(body, "50002") {
        cause = .throttled
        floor = Self.throttleWait
      }
    }
    if let wait = RetryAfter.parse(retryAfter, at: now.wall) { floor = max(floor, min(wait, Self.retryAfterMax)) }
    fail(code < 400 ? text + ": not an acknowledgement" : text, cause, floor: floor, at: now, using: &generator)
    return []
  }

  private mutating func refused(
    _ code: Int, isContent: Bool, _ text: String, at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    guard let piece = batch?.current, let record = batch?.records[piece.range.lowerBound], let lane = batch?.lane
    else { return [] }
    counters.lastError = text
    guard piece.range.count == 1 else {
      counters.retries[.split, default: 0] += 1
      batch?.split(isContent: isContent)
      return send(at: now)
    }
    guard quarantinesSinceAcceptance < Self.quarantinesMax || piece.isHeld else {
      batch?.hold()
      fail(text + ": the hub refuses everything", .split, floor: Self.slowWait, at: now, using: &generator)
      return []
    }
    quarantinesSinceAcceptance += 1
    batch?.finish()
    return quarantine(record, .refused(status: code), lane) + send(at: now)
  }

  private mutating func unauthorized(
    _ text: String, at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    guard settings.usesToken else {
      fail(text, .unauthorized, floor: .zero, at: now, using: &generator)
      return []
    }
    if let last = tokenInvalidatedAt, now.instant - last < Self.tokenInterval {
      fail(text, .unauthorized, floor: .zero, at: now, using: &generator)
      return []
    }
    tokenInvalidatedAt = now.instant
    hasToken = false
    fail(text, .unauthorized, floor: .zero, at: now, using: &generator)
    // Once in a row of failures the new token is tried as soon as it is there.
    if !isTokenRetryUsed {
      isTokenRetryUsed = true
      state = .waitingForToken(askAgain: now.instant + Self.tokenInterval)
    }
    return [.invalidateToken, .needToken]
  }

  /// Sets the time of the next attempt of the same bytes.
  mutating func fail(
    _ text: String, _ cause: RetryCause, floor: TimeSpan, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    counters.retries[cause, default: 0] += 1
    let doublings = min(counters.consecutiveFailures, 5)
    counters.consecutiveFailures += 1
    counters.lastError = text
    var ceiling = min(Self.firstWait * (1 << Int64(doublings)), Self.lastWait)
    if floor > .zero { ceiling = min(ceiling, Self.spread) }
    let jitter = TimeSpan(nanoseconds: (0...ceiling.nanoseconds).randomElement(using: &generator) ?? 0)
    state = .waiting(until: now.instant + floor + jitter)
  }

  /// A short readable beginning of an answer's body, for people.
  private func readable(_ body: [UInt8]) -> String {
    let letters = body.prefix(200).filter { (0x20..<0x7f).contains($0) }
    return letters.isEmpty ? "" : " (" + String(decoding: letters, as: UTF8.self) + ")"
  }

  private func saysTooLarge(_ body: [UInt8]) -> Bool {
    ["too large", "toolarge", "size limit", "sizeexceeded", "maximum message size"].contains { contains(body, $0) }
  }

  /// Whether the text, in lower case, occurs in the body, in any case.
  private func contains(_ body: [UInt8], _ text: String) -> Bool {
    let text = Array(text.utf8)
    guard body.count >= text.count else { return false }
    return (0...(body.count - text.count)).contains { start in
      text.indices.allSatisfy { index in
        let octet = body[start + index]
        return ((0x41...0x5a).contains(octet) ? octet | 0x20 : octet) == text[index]
      }
    }
  }
}
