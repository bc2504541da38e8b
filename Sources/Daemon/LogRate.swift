import Sidecar
import Timekeeping

/// How often the same message may be written: whatever fails again and again, or a workload can provoke, must not fill the node's disk with lines.
struct LogRate {
  /// Lines of one message in one window: 5 in 10 s, enough to see what it is about.
  static let linesMax = 5
  static let window = TimeSpan.seconds(10)
  /// Messages that are remembered: 256; there are some dozens, since what varies is in the fields.
  static let messagesMax = 256

  private struct Window {
    var begun: Instant
    var written = 0
    var withheld = 0
  }

  private var windows: [String: Window] = [:]

  /// The line to write, which tells how many like it were not written before; nil when it is to be withheld itself.
  mutating func admit(_ entry: LogEntry, at now: Instant) -> LogEntry? {
    if windows.count >= Self.messagesMax { windows.removeAll() }
    var window = windows[entry.message] ?? Window(begun: now)
    var entry = entry
    if now - window.begun >= Self.window {
      if window.withheld > 0 { entry.fields.append((name: "withheld", value: String(window.withheld))) }
      window = Window(begun: now)
    }
    guard window.written < Self.linesMax else {
      window.withheld += 1
      windows[entry.message] = window
      return nil
    }
    window.written += 1
    windows[entry.message] = window
    return entry
  }
}
