import CLinux
import Glibc

/// Signals as readiness (signalfd). Made before any thread: blocking a signal is inherited by threads made later.
package final class SignalDescriptor {
  package enum Signal: Hashable, Sendable {
    case terminate
    case interrupt
    case hangUp

    var number: Int32 {
      switch self {
      case .terminate: SIGTERM
      case .interrupt: SIGINT
      case .hangUp: SIGHUP
      }
    }
  }

  private let descriptor: FileDescriptor

  /// Blocks the three signals for the process and ignores SIGPIPE, so that a reader that went away is an error and not
  /// the end.
  package init() throws(Errno) {
    let signals = [SIGTERM, SIGINT, SIGHUP]
    _ = try retrying("signal SIGPIPE") { clinux_ignore_pipe_signal() }
    let number = try retrying("signalfd") { unsafe clinux_signalfd(signals, Int32(signals.count)) }
    descriptor = FileDescriptor(owning: number)
  }

  package var number: Int32 { descriptor.number }

  /// The next signal that came, nil when there is none (more).
  package func next() throws(Errno) -> Signal? {
    guard let number = try retryingUnlessBlocked("read signalfd", { clinux_signalfd_read(descriptor.number) }) else {
      return nil
    }
    return [Signal.terminate, .interrupt, .hangUp].first { $0.number == number }
  }
}
