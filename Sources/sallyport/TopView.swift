import Timekeeping

/// Draws frames as text, and remembers the last one for the rates.
struct TopView {
  private let isColoured: Bool
  private var last: (at: Instant, octets: [String: (sent: Int64, received: Int64)])?

  init(isColoured: Bool) { self.isColoured = isColoured }

  private struct Row {
    var flow: TopFrame.Flow
    var up: Int64
    var down: Int64
  }

  /// The view in lines of at most `columns` letters; with `rows` in one less than so many lines, so that a terminal does not roll. What does not fit is counted.
  mutating func draw(_ frame: TopFrame, columns: Int, rows: Int?) -> String {
    let width = max(columns, 60)
    let flows = rates(frame)
    var lines = head(frame, flows, width: width)
    let room = rows.map { max($0 - lines.count - 5, 2) } ?? Int.max / 4
    // Denials get a third of the room, and what the flows leave.
    let deniedShown = min(frame.denied.count, max(room / 3, room - flows.count))
    let flowsShown = min(flows.count, max(room - deniedShown, 1))
    lines.append("")
    lines += table(flows, shown: flowsShown, width: width)
    lines.append("")
    lines += table(frame.denied, shown: deniedShown, width: width)
    return lines.joined(separator: "\n") + "\n"
  }

  private mutating func rates(_ frame: TopFrame) -> [Row] {
    let seconds = last.map { max((frame.at - $0.at).milliseconds, 1) } ?? 0
    let rows = frame.flows.map { flow in
      // Of a flow that was not there before, all of it came since.
      let before = last?.octets[flow.session] ?? (0, 0)
      func rate(_ now: Int64, _ then: Int64) -> Int64 {
        seconds == 0 ? 0 : Int64((Double(max(now - then, 0)) * 1_000 / Double(seconds)).rounded())
      }
      return Row(flow: flow, up: rate(flow.sent, before.sent), down: rate(flow.received, before.received))
    }
    last = (
      frame.at, Dictionary(frame.flows.map { ($0.session, ($0.sent, $0.received)) }, uniquingKeysWith: { $1 })
    )
    return rows.sorted {
      ($0.up + $0.down, $0.flow.sent + $0.flow.received, $1.flow.session)
        > ($1.up + $1.down, $1.flow.sent + $1.flow.received, $0.flow.session)
    }
  }

  private func head(_ frame: TopFrame, _ flows: [Row], width: Int) -> [String] {
    let state = frame.reasons.isEmpty ? "enforcing" : "not ready: " + frame.reasons.joined(separator: "; ")
    let sent = flows.reduce(Int64(0)) { $0 &+ $1.flow.sent }
    let received = flows.reduce(Int64(0)) { $0 &+ $1.flow.received }
    let up = flows.reduce(Int64(0)) { $0 &+ $1.up }
    let down = flows.reduce(Int64(0)) { $0 &+ $1.down }
    let waiting = frame.oldestWaiting.map { ", oldest waits \(duration($0))" } ?? ""
    return [
      bold("owner  ") + printable(frame.owner ?? "unbound", width: width - 7),
      bold("state  ") + printable(state, width: width - 7),
      bold("flows  ")
        + printable(
          "\(flows.count) live, \(octets(sent)) sent, \(octets(received)) received, \(octets(up))/s up, \(octets(down))/s down",
          width: width - 7),
      bold("record ")
        + printable("number \(frame.sequence), \(frame.dropped) dropped, \(frame.delivery)\(waiting)", width: width - 7),
    ]
  }

  private func table(_ flows: [Row], shown: Int, width: Int) -> [String] {
    let rows = flows.prefix(shown).map { row in
      let flow = row.flow
      return [
        flow.name ?? (flow.isInbound ? "(into the pod)" : "-"), flow.address, "\(flow.port)/\(flow.transport)",
        octets(flow.sent), octets(flow.received), octets(row.up), octets(row.down), duration(flow.age), flow.rule,
      ]
    }
    var lines = aligned(
      [["FLOW", "ADDRESS", "PORT", "SENT", "RECEIVED", "UP/s", "DOWN/s", "AGE", "RULE"]] + rows, texts: [0, 1, 8],
      width: width)
    lines[0] = bold(lines[0])
    if flows.isEmpty { lines.append("no flow lives") }
    if shown < flows.count { lines.append("and \(flows.count - shown) more") }
    return lines
  }

  private func table(_ denied: [TopFrame.Denial], shown: Int, width: Int) -> [String] {
    let rows = denied.prefix(shown).map { line in
      [
        line.name ?? "-", line.address ?? "-", line.port.map { "\($0)/\(line.transport)" } ?? line.transport,
        String(line.count), duration(line.age), line.reason, line.rule ?? "",
      ]
    }
    var lines = aligned(
      [["DENIED", "ADDRESS", "PORT", "TRIES", "AGO", "REASON", "RULE"]] + rows, texts: [0, 1, 5, 6], width: width)
    lines[0] = bold(lines[0])
    if isColoured { for index in lines.indices.dropFirst() { lines[index] = "\u{1b}[31m\(lines[index])\u{1b}[0m" } }
    if denied.isEmpty { lines.append("nothing was denied") }
    if shown < denied.count { lines.append("and \(denied.count - shown) more") }
    return lines
  }

  /// Rows in columns as wide as they need. Where all is wider than `width`, first the last column gives way, then the first. `texts` stand at the left, numbers at
  /// the right.
  private func aligned(_ rows: [[String]], texts: Set<Int>, width: Int) -> [String] {
    guard let count = rows.first?.count else { return [] }
    var widths = (0..<count).map { column in rows.map { $0[column].unicodeScalars.count }.max() ?? 0 }
    for (column, least) in [(count - 1, 8), (0, 14)] {
      let surplus = widths.reduce(count - 1, +) - width
      widths[column] -= min(max(surplus, 0), max(widths[column] - least, 0))
    }
    return rows.map { row in
      row.enumerated().map { column, text in
        texts.contains(column) ? left(text, widths[column]) : right(text, widths[column])
      }.joined(separator: " ").trimmed(to: width)
    }
  }

  private func bold(_ text: String) -> String { isColoured ? "\u{1b}[1m\(text)\u{1b}[0m" : text }

  private func left(_ text: String, _ width: Int) -> String {
    let text = printable(text, width: width)
    return text + String(repeating: " ", count: width - text.count)
  }

  private func right(_ text: String, _ width: Int) -> String {
    let text = printable(text, width: width)
    return String(repeating: " ", count: width - text.count) + text
  }

  /// `999`, `1.2K`, `34M`: powers of 1,024.
  private func octets(_ count: Int64) -> String {
    var value = Double(count)
    for unit in ["", "K", "M", "G", "T"] {
      if value < 1_000 || unit == "T" {
        let tenths = (value * 10).rounded() / 10
        if unit.isEmpty { return String(count) }
        return tenths < 10 ? "\(tenths)\(unit)" : "\(Int64(value.rounded()))\(unit)"
      }
      value /= 1_024
    }
    return String(count)
  }

  private func duration(_ seconds: Int64) -> String {
    switch seconds {
    case ..<100: "\(seconds)s"
    case ..<6_000: "\(seconds / 60)m"
    case ..<360_000: "\(seconds / 3_600)h"
    default: "\(seconds / 86_400)d"
    }
  }
}

extension String {
  fileprivate func trimmed(to width: Int) -> String {
    var text = prefix(width)
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
