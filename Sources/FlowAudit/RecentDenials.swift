import Addressing
import Timekeeping

/// What was denied last, for whoever looks on (`GET /flows`): repeats of one destination or name stand in one line.
package struct RecentDenials: Sendable {
  /// Lines: two screens full.
  package static let linesMax = 64

  package struct Line: Hashable, Sendable {
    /// A name that was asked for, or the last known name of a destination.
    package var name: String?
    /// Nil for a name that was asked for.
    package var destination: Endpoint?
    package var transport: TransportProtocol?
    /// `EventOriginalResultDetails`.
    package var reason: String
    package var rule: String?
    /// Of this line since it is here, each try once.
    package var count: UInt64
    package var lastAt: Moment
  }

  /// The newest last.
  package private(set) var lines: [Line] = []

  package init() {}

  /// What is put on the record, so that a roll-up costs one look.
  package mutating func observe(_ draft: FlowDraft, at now: Moment) {
    guard case .denied(let reason) = draft.stage else { return }
    add(
      Line(
        name: draft.attribution.name, destination: draft.tuple.destination, transport: draft.tuple.transport,
        reason: reason.rawValue, rule: draft.attribution.rule, count: UInt64(max(draft.count, 0)), lastAt: now))
  }

  /// As for a flow.
  package mutating func observe(_ draft: QueryDraft, at now: Moment) {
    guard !draft.isAllowed else { return }
    add(
      Line(
        name: String(decoding: draft.name, as: UTF8.self), destination: nil, transport: nil,
        reason: draft.reason ?? draft.responseCodeName, rule: draft.rule, count: UInt64(max(draft.count, 0)),
        lastAt: now))
  }

  private mutating func add(_ line: Line) {
    var line = line
    if let place = lines.lastIndex(where: { line.repeats($0) }) {
      line.count += lines[place].count
      lines.remove(at: place)
    } else if lines.count >= Self.linesMax {
      lines.removeFirst()
    }
    lines.append(line)
  }
}

extension RecentDenials.Line {
  fileprivate func repeats(_ other: Self) -> Bool {
    destination == other.destination && transport == other.transport && name == other.name && reason == other.reason
  }
}
