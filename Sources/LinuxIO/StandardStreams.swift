import CLinux
import Glibc
import Timekeeping

/// Standard output and standard error, without stdio.
package enum StandardStreams {
  case output
  case error

  /// A write no larger than this goes into a pipe whole or not at all, and does not block when poll said there is room
  /// (pipe(7)).
  private static let pipeOctets = 4_096

  /// All of `bytes`. `patience`: how long to wait for a reader that does not read, nil without end; then EAGAIN, with a
  /// part possibly written. A log line is not worth a stalled loop; an audit record is.
  package func write(_ bytes: [UInt8], patience: TimeSpan? = nil) throws(Errno) {
    let deadline = patience.map { SystemTime.instant() + $0 }
    var done = 0
    while done < bytes.count {
      var entry = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
      let left = deadline.map { max($0 - SystemTime.instant(), .zero) }
      let ready = try interruptedAsNone(
        "poll", unsafe poll(&entry, 1, left.map { Int32(min($0.milliseconds + 1, 60_000)) } ?? -1))
      guard ready > 0 else {
        if let left, left == .zero { throw Errno(EAGAIN, "write to standard stream \(number)") }
        continue
      }
      let size = min(bytes.count - done, StandardStreams.pipeOctets)
      let wrote = try retryingUnlessBlocked("write to standard stream \(number)") {
        unsafe bytes.withUnsafeBytes { octets in
          unsafe Glibc.write(number, octets.baseAddress.map { unsafe $0 + done }, size)
        }
      }
      done += wrote ?? 0
    }
  }

  private var number: Int32 { self == .output ? 1 : 2 }

  /// The corresponding C function is `isatty`.
  package var isTerminal: Bool { isatty(number) == 1 }

  /// Letters in a line and lines of the terminal; nil when it does not say. The corresponding C function is `ioctl` (TIOCGWINSZ).
  package func terminalSize() -> (columns: Int, rows: Int)? {
    let size = clinux_terminal_size(number)
    guard size > 0 else { return nil }
    return (Int(size & 0xffff), Int(size >> 16))
  }

  package func write(_ text: String, patience: TimeSpan? = nil) throws(Errno) {
    try write(Array(text.utf8), patience: patience)
  }
}
