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
// Records leave in the order of the spool: a backlog is drained before new records.

package struct Forwarder: Sendable {
  package let settings: ForwarderSettings

  let framing: BatchFraming
  var counters = ForwarderStatus()
  var queue: [Queued] = []
  var queuedBytes = 0
  var batch: Batch?
  var state = State.idle
  var isDraining = false
  var nextID: UInt64 = 1

  var hasToken = false
  var isTokenRetryUsed = false
  var tokenInvalidatedAt: Instant?

  var quarantinesSinceAcceptance = 0

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
    self.settings = settings
    framing = BatchFraming(settings)
  }

  /// Bytes of records it can take now: up to two batches are kept; 0 while less than a quarter of one is missing.
  package var wants: Int {
    let missing = 2 * settings.bodyMax - queuedBytes
    return missing >= settings.bodyMax / 4 ? missing : 0
  }

  /// Whether nothing is queued or under way.
  package var isIdle: Bool { batch == nil && queue.isEmpty }

  package var status: ForwarderStatus {
    var status = counters
    status.queuedCount = queue.count + (batch?.remainingCount ?? 0)
    return status
  }

  /// Takes records, in the spool's order.
  package mutating func offer(
    _ records: [StoredRecord], at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    for record in records {
      queue.append(Queued(record: record, arrivedAt: now.instant))
      queuedBytes += record.bytes.count + framing.overhead
    }
    return pump(at: now)
  }

  /// When `deadlineReached` is due.
  package var nextDeadline: Instant? {
    switch state {
    case .idle: queue.first.map { $0.arrivedAt + settings.flushInterval }
    case .sending(_, let until), .waiting(let until), .waitingForToken(let until): until
    }
  }

  package mutating func deadlineReached(
    at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] {
    switch state {
    case .idle: return pump(at: now)
    case .sending(let id, let until) where until <= now.instant:
      fail("no answer within \(settings.attemptTimeout)", floor: .zero, at: now, using: &generator)
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
    while batch == nil, let first = queue.first {
      guard
        isDraining || queuedBytes >= settings.bodyMax || queue.count >= settings.eventsMax
          || first.arrivedAt + settings.flushInterval <= now.instant
      else { break }
      guard framing.fits(first.record.bytes) else {
        dequeue(1)
        actions += quarantine(first.record, .tooLarge)
        continue
      }
      let formed = framing.compose(queue.lazy.map(\.record))
      dequeue(formed.records.count)
      batch = formed
      actions += send(at: now)
    }
    return actions
  }

  private mutating func dequeue(_ count: Int) {
    for queued in queue.prefix(count) { queuedBytes -= queued.record.bytes.count + framing.overhead }
    queue.removeFirst(count)
  }

  /// Sends the batch's next piece, or asks for the token that it needs.
  mutating func send(at now: Moment) -> [ForwarderAction] {
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
    state = .sending(id: id, until: now.instant + settings.attemptTimeout)
    return [
      .deliver(
        Delivery(
          id: id, body: piece.body, contentType: framing.contentType, count: piece.range.count,
          attempt: piece.attempt))
    ]
  }

  mutating func quarantine(_ record: StoredRecord, _ reason: QuarantineReason) -> [ForwarderAction] {
    counters.quarantinedCount += 1
    return [.quarantine(record, reason), .acknowledge(through: record.end, count: 1)]
  }
}
