import Addressing
import Timekeeping

/// What became of one notice.
package enum NoticeOutcome: Hashable, Sendable {
  /// The webhook answered with this status.
  case answered(Int)
  case failed(reason: String)
}

/// Denied names on their way to the webhook (`OPENSANDBOX_EGRESS_DENY_WEBHOOK`), one after the other. Best effort, as with OpenSandbox: what is promised whole
/// are the records.
struct DenialNotices: Sendable {
  /// Notices that wait: 256, as many as OpenSandbox keeps. Further ones are dropped and counted.
  static let waitingMax = 256
  /// Tries of one notice: the first and three more, as with OpenSandbox.
  static let triesMax = 4
  /// Before the second try; it doubles.
  static let firstWait = TimeSpan.seconds(1)

  enum Step: Sendable {
    case idle
    case lookUp(UInt64)
    /// The address waits for the kernel's permission.
    case permit
    case underWay(UInt64)
    case rest(until: Instant)
  }

  private var waiting: [[UInt8]] = []
  var step = Step.idle
  /// Where the webhook was found; nil: it is looked for before the next try.
  var endpoint: Endpoint?
  private var tries = 0
  private var nextID: UInt64 = 1
  /// That the webhook is too slow was said, and is worth a word again once it has caught up.
  private var hasSaidFull = false
  private(set) var sent: UInt64 = 0
  private(set) var dropped: UInt64 = 0

  /// The look-up under way.
  var lookup: UInt64? { if case .lookUp(let token) = step { token } else { nil } }
  var nextDeadline: Instant? { if case .rest(let until) = step { until } else { nil } }
  /// The notice to be sent next, or again.
  var first: [UInt8]? { waiting.first }

  /// - Returns: whether it is the first that finds no room since the webhook had caught up.
  mutating func add(_ body: [UInt8]) -> Bool {
    guard waiting.count >= Self.waitingMax else {
      waiting.append(body)
      return false
    }
    dropped += 1
    defer { hasSaidFull = true }
    return !hasSaidFull
  }

  /// Whether a try should begin now.
  func isDue(at now: Instant) -> Bool {
    guard !waiting.isEmpty else { return false }
    switch step {
    case .idle: return true
    case .rest(let until): return until <= now
    case .lookUp, .permit, .underWay: return false
    }
  }

  /// The try that begins.
  mutating func send() -> UInt64 {
    defer { nextID += 1 }
    step = .underWay(nextID)
    return nextID
  }

  /// The notice was taken.
  mutating func succeeded() {
    sent += 1
    next()
  }

  /// It never will be.
  mutating func gaveUp() {
    dropped += 1
    next()
  }

  /// The try failed.
  /// - Returns: whether there will be another.
  mutating func failed(at now: Instant) -> Bool {
    endpoint = nil
    tries += 1
    guard tries < Self.triesMax else {
      gaveUp()
      return false
    }
    step = .rest(until: now + Self.firstWait * (1 << (tries - 1)))
    return true
  }

  private mutating func next() {
    waiting.removeFirst()
    tries = 0
    step = .idle
    guard waiting.isEmpty else { return }
    hasSaidFull = false
    // Names move: the next notice, whenever it comes, asks again.
    endpoint = nil
  }
}
