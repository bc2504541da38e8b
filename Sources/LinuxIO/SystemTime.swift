import Glibc
import Timekeeping

/// The clocks of the machine. Only the shell reads them.
package enum SystemTime {
  /// Both clocks: CLOCK_BOOTTIME, which counts through a suspended guest, and CLOCK_REALTIME.
  package static func now() -> Moment { Moment(instant: instant(), wall: wall()) }

  package static func instant() -> Instant {
    var time = timespec()
    unsafe clock_gettime(CLOCK_BOOTTIME, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  package static func wall() -> WallTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return WallTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }

  /// Blocks so long, or until a signal. For commands, never for the daemon. The corresponding C function is `nanosleep`.
  package static func sleep(_ span: TimeSpan) {
    var time = timespec(tv_sec: Int(span.nanoseconds / 1_000_000_000), tv_nsec: Int(span.nanoseconds % 1_000_000_000))
    _ = unsafe nanosleep(&time, nil)
  }
}
