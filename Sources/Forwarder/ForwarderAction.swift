import Spool
import Timekeeping

/// What the forwarder asks for, in order.
package enum ForwarderAction: Hashable, Sendable {
  /// Send these bytes, then call `delivered` with the same id.
  case deliver(Delivery)
  /// Stop waiting for this delivery and close its connection: its time is over.
  case abandon(id: UInt64)
  /// Get a token, then call `tokenReady`.
  case needToken
  /// The token was refused; do not use it again.
  case invalidateToken
  /// Every record that the lane handed out up to this position was accepted (or is in quarantine).
  case acknowledge(through: SpoolPosition, count: Int, lane: SpoolLane)
  /// The sink will never take this record: keep it aside and report it as dropped. Precedes the acknowledgement that
  /// covers it.
  case quarantine(StoredRecord, QuarantineReason)
}

/// One attempt to send one batch.
package struct Delivery: Hashable, Sendable {
  /// New for every attempt.
  package var id: UInt64
  /// The same bytes at every attempt.
  package var body: [UInt8]
  package var contentType: String
  /// How many records.
  package var count: Int
  /// 1 for the first attempt of this body.
  package var attempt: Int
}

/// Why a record left the queue undelivered.
package enum QuarantineReason: Hashable, Sendable {
  /// The hub refused it standing alone.
  case refused(status: Int)
  /// Larger than a record or a body may be; not sent.
  case tooLarge
}

/// How an attempt ended.
package enum DeliveryOutcome: Hashable, Sendable {
  /// A complete answer; `retryAfter` is the header field's text, `bodyPrefix` at most 4 KiB.
  case response(status: Int, retryAfter: String?, bodyPrefix: [UInt8])
  /// Nothing was sent: no address, no connection, or (lines) the file refused.
  case notConnected(reason: String)
  /// Some of it was sent and no complete answer came: a reset, a timeout, a framing doubt.
  case ambiguous(reason: String)
  /// The peer's certificate or protocol was not acceptable.
  case tlsRefused(reason: String)
  /// Lines only: all bytes are in the file.
  case written
}

/// Why an attempt has to be repeated.
package enum RetryCause: String, Hashable, Sendable, CaseIterable {
  /// No address, no connection, or the proxy refused.
  case unreachable
  /// The peer did not prove who it is, or speaks no TLS we accept.
  case tls
  /// The connection ended, or what came was no complete answer.
  case ambiguous
  /// No answer in time.
  case silent
  /// 401.
  case unauthorized
  /// 403.
  case forbidden
  /// 404 and 410: no such hub.
  case missing
  /// 429, 503 and error 50002.
  case throttled
  /// 400 and 413: sent again in halves.
  case split
  /// Any other answer that is no 201.
  case other
  /// No token could be had.
  case noToken = "no_token"
}

/// What `GET /audit` tells of deliveries.
package struct ForwarderStatus: Sendable {
  package var consecutiveFailures = 0
  package var lastAcknowledgedAt: Moment?
  package var lastError: String?
  package var acknowledgedCount = 0
  package var quarantinedCount = 0
  /// Attempts made, and records waiting here.
  package var attempts = 0
  /// Requests that were accepted, and the octets of their bodies.
  package var batches = 0
  package var octets = 0
  /// Attempts that had to be repeated.
  package var retries: [RetryCause: Int] = [:]
  package var queuedCount = 0
}
