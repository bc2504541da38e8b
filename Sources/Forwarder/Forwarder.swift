import Spool
import Timekeeping

// Forwarder: records → batches → the hub, with retries, bisection and acknowledgement. One machine for the Event Hubs
// REST API and for lines in a file.
//
// Promise. Every record that is offered is, in order, either accepted by the sink or handed out as quarantined, and
// acknowledged only then. A record may be delivered twice (an attempt whose answer was lost), with exactly the same
// bytes; none is ever given up because time passed. Only a complete 201 acknowledges: 200, 202, 204 and redirections
// are failures.
//
// States.
//   idle            no batch; records wait for company until `flushInterval` after the first one, or until a batch is
//                   full
//   sending         one request is under way; nothing overtakes it
//   waiting         the last attempt failed; the same bytes go again at a set time
//   waitingForToken there is no token; delivery continues when there is one
//
// What an answer means (Microsoft Learn, rest/api/eventhub/send-batch-events, rest/api/servicebus/send-message-batch):
//   201             accepted
//   400, 413, 403 "too large"   the batch is halved and each half sent, until a record that is refused standing alone
//                               goes to quarantine. After eight in a row without an acceptance the hub, not the record,
//                               is suspected: one more each 30 s
//   401             the token is let go and one attempt follows at once with a new one; then it waits; new tokens 30 s
//                   apart
//   403             the role is missing or not yet known everywhere: retried
//   404, 410        there is no such hub: retried each 30 s, data kept
//   429, 503, 50002 throttled: at least 4 s
//   anything else, no connection, no answer, TLS refused    retried
//
// Waits have full jitter: uniform between zero and 0.5 s · 2ⁿ, at most 10 s. `Retry-After` is a floor, up to 30 s.
//
// Records leave in the order of the spool. While the spool has two lanes (a backlog that takes long, and what was made
// lately) batches are taken from them by turns. With a rate, requests are spaced: each waits until the one before it is
// paid for, retries included.

package struct Forwarder: Sendable {
  package let settings: ForwarderSettings

  let framing: BatchFraming
  var counters = ForwarderStatus()
  var queues: [SpoolLane: Queue] = [.oldest: Queue(), .fresh: Queue()]
  /// Whose turn it was.
  var lastLane = SpoolLane.fresh
  var batch: Batch?
  /// With a rate: when what was sent is paid for.
  var pacedUntil = Instant(nanoseconds: 0)
  var state = State.idle
  var isDraining = false
  var nextID: UInt64 = 1

  var hasToken = false
  var isTokenRetryUsed = false
  var tokenInvalidatedAt: Instant?

  var quarantinesSinceAcceptance = 0

  struct Queue {
    var records: [Queued] = []
    /// Octets of their elements in a body, at least.
    var bytes = 0

    mutating func remove(_ count: Int, overhead: Int) {
      for queued in records.prefix(count) { bytes -= queued.record.bytes.count + overhead }
      records.removeFirst(count)
    }
  }

  struct Queued {
    var record: StoredRecord
    var arrivedAt: Instant
  }

  enum State {
    case idle
    case sending(id: UInt64, until: Instant)
    case waiting(until: Instant)
    case waitingForToken(askAgain: Instant)
  }

  package init(_ settings: ForwarderSettings) {
    // A batch is a second's worth at most: a long one would keep the next waiting for as long as it takes to be paid for.
    var settings = settings
    if let rate = settings.rateMax {
      settings.eventsMax = max(min(settings.eventsMax, rate), 1)
      settings.bodyMax = min(settings.bodyMax, max(rate * Self.octetsPerEvent, 2 * settings.eventMax + 2_048))
    }
    self.settings = settings
    framing = BatchFraming(settings)
  }

  /// Bytes of records of the lane it can take now: up to two batches are kept; 0 while less than a quarter of one is
  /// missing.
  package func wants(_ lane: SpoolLane = .oldest) -> Int {
    let missing = 2 * settings.bodyMax - (queues[lane]?.bytes ?? 0)
    return missing >= settings.bodyMax / 4 ? missing : 0
  }

  /// Whether nothing is queued or under way.
  package var isIdle: Bool { batch == nil && queues.values.allSatisfy(\.records.isEmpty) }

  package var status: ForwarderStatus {
    var status = counters
    status.queuedCount = queues.values.reduce(batch?.remainingCount ?? 0) { $0 + $1.records.count }
    return status
  }

  /// Takes records of a lane, in the spool's order.
  package mutating func offer(
    _ records: [StoredRecord], lane: SpoolLane = .oldest, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    var queue = queues.removeValue(forKey: lane) ?? Queue()
    for record in records {
      queue.records.append(Queued(record: record, arrivedAt: now.instant))
      queue.bytes += record.bytes.count + framing.overhead
    }
    queues[lane] = queue
    return pump(at: now)
  }

  /// When `deadlineReached` is due.
  package var nextDeadline: Instant? {
    switch state {
    case .idle: queues.values.compactMap { $0.records.first?.arrivedAt }.min().map { $0 + settings.flushInterval }
    case .sending(_, let until), .waiting(let until), .waitingForToken(let until): until
    }
  }

  package mutating func deadlineReached(
    at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    switch state {
    case .idle: return pump(at: now)
    case .sending(let id, let until) where until <= now.instant:
      fail("no answer within \(settings.attemptTimeout)", .silent, floor: .zero, at: now, using: &generator)
      return [.abandon(id: id)]
    case .waiting(let until) where until <= now.instant: return send(at: now)
    case .waitingForToken(let until) where until <= now.instant: return send(at: now)
    case .sending, .waiting, .waitingForToken: return []
    }
  }

  /// A token is at hand (again).
  package mutating func tokenReady(at now: Moment) -> [ForwarderAction] {
    hasToken = true
    guard case .waitingForToken = state else { return [] }
    return send(at: now)
  }

  /// There is no token yet; it is asked for again in time. For the status only.
  package mutating func tokenUnavailable(reason: String) {
    hasToken = false
    counters.lastError = "no token: " + reason
    counters.retries[.noToken, default: 0] += 1
  }

  /// From now on nothing lingers, and a retry that waits goes at once: the process is about to end.
  package mutating func drain(at now: Moment) -> [ForwarderAction] {
    isDraining = true
    if case .waiting = state { return send(at: now) }
    return pump(at: now)
  }

  /// Begins the next batch when there is none and one is due.
  mutating func pump(at now: Moment) -> [ForwarderAction] {
    var actions: [ForwarderAction] = []
    while batch == nil, let lane = nextLane(at: now), let queue = queues[lane], let first = queue.records.first {
      guard framing.fits(first.record.bytes) else {
        queues[lane]?.remove(1, overhead: framing.overhead)
        actions += quarantine(first.record, .tooLarge, lane)
        continue
      }
      let formed = framing.compose(queue.records.lazy.map(\.record), lane)
      queues[lane]?.remove(formed.records.count, overhead: framing.overhead)
      lastLane = lane
      batch = formed
      actions += send(at: now)
    }
    return actions
  }

  /// The lane whose batch is due, by turns when both are.
  private func nextLane(at now: Moment) -> SpoolLane? {
    let other: SpoolLane = lastLane == .oldest ? .fresh : .oldest
    return [other, lastLane].first { lane in
      guard let queue = queues[lane], let first = queue.records.first else { return false }
      return isDraining || queue.bytes >= settings.bodyMax || queue.records.count >= settings.eventsMax
        || first.arrivedAt + settings.flushInterval <= now.instant
    }
  }

  /// Sends the batch's next piece, or asks for the token that it needs.
  mutating func send(at now: Moment) -> [ForwarderAction] {
    if batch?.current != nil, now.instant < pacedUntil {
      state = .waiting(until: pacedUntil)
      return []
    }
    guard let piece = batch?.nextPiece() else {
      batch = nil
      state = .idle
      return pump(at: now)
    }
    if settings.usesToken, !hasToken {
      state = .waitingForToken(askAgain: now.instant + Self.tokenInterval)
      return [.needToken]
    }
    let id = nextID
    nextID += 1
    counters.attempts += 1
    if let rate = settings.rateMax {
      // A throughput unit is so many events or so many octets, whichever comes first.
      let cost = max(piece.range.count, (piece.body.count + Self.octetsPerEvent - 1) / Self.octetsPerEvent)
      pacedUntil = max(pacedUntil, now.instant) + .nanoseconds(Int64(cost) * 1_000_000_000 / Int64(rate))
    }
    state = .sending(id: id, until: now.instant + settings.attemptTimeout)
    return [
      .deliver(
        Delivery(
          id: id, body: piece.body, contentType: framing.contentType, count: piece.range.count,
          attempt: piece.attempt))
    ]
  }

  mutating func quarantine(
    _ record: StoredRecord, _ reason: QuarantineReason, _ lane: SpoolLane
  ) -> [ForwarderAction] {
    counters.quarantinedCount += 1
    return [.quarantine(record, reason), .acknowledge(through: record.end, count: 1, lane: lane)]
  }
}
