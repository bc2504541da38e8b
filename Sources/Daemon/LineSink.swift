import Forwarder
import LinuxIO
import Spool

/// Appends to the audit file beside the hub, in a thread of its own.
typealias SecondSinkWorker = WorkerThread<(id: UInt64, lines: [UInt8]), (id: UInt64, outcome: StorageOutcome)>

/// The audit file: NDJSON. `-` is standard output.
struct LineSink: Sendable {
  /// Nil: standard output.
  private let file: File?

  /// Opens it, before the privileges go: it may lie where only root may write. A line that a crash cut short is ended, so that the next one stands alone.
  init(_ path: String) throws(Errno) {
    guard path != "-" else {
      file = nil
      return
    }
    let file = try File(appending: path)
    self.file = file
    // Devices and pipes have no size.
    let size = try file.size()
    guard size > 0, try File(reading: path).read(at: size - 1, count: 1) != [0x0a] else { return }
    // Without room now there will be none for records either, and they say so; the record after it is then the torn one.
    try? file.write([0x0a])
  }

  func append(_ lines: [UInt8]) -> DeliveryOutcome {
    do throws(Errno) {
      guard let file else {
        try StandardStreams.output.write(lines)
        return .written
      }
      let size = try file.size()
      do throws(Errno) {
        try file.write(lines)
        try sync(file)
      } catch {
        // It is written again whole: half a line must not stand before it.
        try? file.truncate(to: size)
        throw error
      }
      return .written
    } catch {
      return .notConnected(reason: error.description)
    }
  }

  /// The same for the copy beside the hub.
  func copy(_ lines: [UInt8]) -> StorageOutcome {
    switch append(lines) {
    case .written: .ok
    case .notConnected(let reason), .ambiguous(let reason), .tlsRefused(let reason): .failed(reason: reason)
    case .response: .failed(reason: "no file answers")
    }
  }

  /// A device or a pipe has nothing to sync and says so (fdatasync(2)): that is no failure.
  private func sync(_ file: File) throws(Errno) {
    do throws(Errno) {
      try file.syncData()
    } catch {
      guard error == .invalidArgument || error == .readOnly || error == .notSupported else { throw error }
    }
  }
}
