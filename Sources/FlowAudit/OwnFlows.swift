import Addressing
import Timekeeping

/// The daemon's own flows: to its resolvers and its hub. The first to each destination is on the record at once, further ones of an hour are counted in one record: a hub
/// that is away would otherwise fill the spool with the attempts to reach it. Only openings are recorded.
struct OwnFlows: Sendable {
  /// How long further ones are counted.
  static let window = TimeSpan.seconds(3_600)
  /// Destinations with an open window: more than the resolvers and addresses of a hub. Beyond it the one that ends first ends early, and nothing is lost.
  static let windowsMax = 64

  private struct Key: Hashable, Sendable {
    var destination: Endpoint
    var transport: TransportProtocol
  }

  private struct Window: Sendable {
    var deadline: Instant
    var draft: FlowDraft
    var count = 0
    var startedAt: WallTime
  }

  private var windows: [Key: Window] = [:]
  private(set) var nextDeadline: Instant?

  /// Appends what is to be recorded now.
  mutating func observe(_ draft: FlowDraft, at now: Instant, into actions: inout [FlowAction]) {
    deadlineReached(at: now, into: &actions)
    let key = Key(destination: draft.tuple.destination, transport: draft.tuple.transport)
    if var window = windows[key] {
      if window.count == 0 { window.startedAt = draft.startedAt }
      window.count += draft.count
      window.draft = draft
      windows[key] = window
      return
    }
    if windows.count >= Self.windowsMax, let first = windows.min(by: { $0.value.deadline < $1.value.deadline }) {
      end(first.key, into: &actions)
    }
    windows[key] = Window(deadline: now + Self.window, draft: draft, startedAt: draft.startedAt)
    nextDeadline = nextDeadline.map { min($0, now + Self.window) } ?? now + Self.window
    actions.append(.record(draft))
  }

  mutating func deadlineReached(at now: Instant, into actions: inout [FlowAction]) {
    guard let due = nextDeadline, due <= now else { return }
    for (key, _) in windows.filter({ $0.value.deadline <= now }).sorted(by: { $0.value.deadline < $1.value.deadline }) {
      end(key, into: &actions)
    }
    nextDeadline = windows.values.map(\.deadline).min()
  }

  /// What was counted becomes records.
  mutating func flush(into actions: inout [FlowAction]) {
    for (key, _) in windows.sorted(by: { $0.value.deadline < $1.value.deadline }) { end(key, into: &actions) }
    nextDeadline = nil
  }

  private mutating func end(_ key: Key, into actions: inout [FlowAction]) {
    guard let window = windows.removeValue(forKey: key), window.count > 0 else { return }
    var draft = window.draft
    draft.count = window.count
    draft.startedAt = window.startedAt
    actions.append(.record(draft))
  }
}
