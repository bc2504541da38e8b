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
    let number: Int32 = self == .output ? 1 : 2
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

  package func write(_ text: String, patience: TimeSpan? = nil) throws(Errno) {
    try write(Array(text.utf8), patience: patience)
  }
}
