import CLinux
import Glibc

/// Lets any thread wake the poll of another: an eventfd. Signals before a drain merge into one.
package final class WakeupDescriptor: Sendable {
  private let descriptor: FileDescriptor

  package init() throws(Errno) {
    descriptor = FileDescriptor(owning: try retrying("eventfd") { clinux_eventfd(0) })
  }

  /// For `EventPoll.register`.
  package var number: Int32 { descriptor.number }

  /// From any thread. Cannot fail short of 2^64 - 2 signals without a drain.
  package func signal() {
    var one: UInt64 = 1
    _ = try? retrying("write eventfd") { unsafe write(descriptor.number, &one, MemoryLayout<UInt64>.size) }
  }

  /// Ends readiness; before looking at what the signals announced.
  package func drain() {
    var count: UInt64 = 0
    _ = try? retryingUnlessBlocked("read eventfd") {
      unsafe read(descriptor.number, &count, MemoryLayout<UInt64>.size)
    }
  }
}
