import Configuration
import JSONText
import LinuxIO
import Sidecar
import Timekeeping

/// JSON lines on standard error.
package struct Log: Sendable {
  /// A reader that does not read for this long loses lines: 20 ms, so that the loop never waits for a log.
  private static let patience = TimeSpan.milliseconds(20)

  private let least: LogEntry.Level

  /// `level`: the least that is written (`SALLYPORT_LOG_LEVEL`).
  package init(_ level: LogLevel) {
    switch level {
    case .debug: least = .debug
    case .info: least = .info
    case .warning: least = .warning
    case .error: least = .error
    }
  }

  package func write(_ entry: LogEntry) {
    guard entry.level >= least else { return }
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("time")
    writer.string(SystemTime.wall().utf8)
    writer.key("level")
    writer.string(name(of: entry.level))
    writer.key("message")
    writer.string(entry.message)
    for field in entry.fields {
      writer.key(field.name)
      writer.string(field.value)
    }
    writer.endObject()
    // A log that cannot be written is not worth a word anywhere else.
    try? StandardStreams.error.write(writer.bytes + [0x0a], patience: Self.patience)
  }

  package func info(_ message: String, _ fields: [(name: String, value: String)] = []) {
    write(LogEntry(.info, message, fields))
  }

  package func warning(_ message: String, _ fields: [(name: String, value: String)] = []) {
    write(LogEntry(.warning, message, fields))
  }

  package func error(_ message: String, _ fields: [(name: String, value: String)] = []) {
    write(LogEntry(.error, message, fields))
  }

  private func name(of level: LogEntry.Level) -> String {
    switch level {
    case .debug: "debug"
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    }
  }
}
