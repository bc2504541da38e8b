import CLinux
import Timekeeping

/// Which descriptors are ready: level-triggered epoll. One thread owns it.
package final class EventPoll {
  /// What to be told of. That the peer closed its sending half is told to readers; errors and the end of both halves are
  /// always told.
  package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let read = Self(rawValue: 1)
    package static let write = Self(rawValue: 2)
    /// Stays registered and says nothing unless the connection is gone: back-pressure.
    package static let none: Self = []
  }

  package struct Event: Sendable, Hashable {
    /// What the descriptor was registered with.
    package let token: UInt64
    package let readable: Bool
    package let writable: Bool
    /// The peer closed (its sending half at least) or the descriptor has an error: read, and the end or the error comes
    /// out.
    package let hangup: Bool
  }

  /// What one wait hands out at most; the rest stays ready. 256 events are 3 KiB of stack in the C wrapper.
  package static let eventsPerWait = 256

  /// The events of the last wait.
  package private(set) var events: [Event] = []

  private let descriptor: FileDescriptor
  private var ready = [clinux_ready](repeating: clinux_ready(), count: EventPoll.eventsPerWait)

  package init() throws(Errno) {
    descriptor = FileDescriptor(owning: try retrying("epoll_create1") { clinux_epoll_create() })
    events.reserveCapacity(EventPoll.eventsPerWait)
  }

  /// `token` comes back with every event of the descriptor. The corresponding C function is `epoll_ctl`.
  package func register(_ number: Int32, token: UInt64, interest: Interest) throws(Errno) {
    _ = try retrying("epoll_ctl add") { clinux_epoll_add(descriptor.number, number, token, interest.rawValue) }
  }

  package func modify(_ number: Int32, token: UInt64, interest: Interest) throws(Errno) {
    _ = try retrying("epoll_ctl mod") { clinux_epoll_modify(descriptor.number, number, token, interest.rawValue) }
  }

  /// Before the descriptor is closed. Events of it that the last wait already handed out remain in `events`: tokens are
  /// never reused.
  package func remove(_ number: Int32) throws(Errno) {
    _ = try retrying("epoll_ctl del") { clinux_epoll_remove(descriptor.number, number) }
  }

  /// Fills `events` (and returns them); empty when `timeout` passed or a signal came. Nil waits without end, zero and
  /// less does not wait.
  /// The corresponding C function is `epoll_pwait2`.
  @discardableResult
  package func wait(timeout: TimeSpan?) throws(Errno) -> [Event] {
    let nanoseconds = timeout.map { max($0.nanoseconds, 0) } ?? -1
    events.removeAll(keepingCapacity: true)
    // Not restarted after EINTR: the deadline would be counted anew. The caller computes its timeout again anyway.
    let result = unsafe clinux_epoll_wait(
      descriptor.number, &ready, Int32(EventPoll.eventsPerWait), nanoseconds)
    let count = try interruptedAsNone("epoll_pwait2", result)
    for index in 0..<count {
      let flags = ready[index].events
      events.append(
        Event(
          token: ready[index].token, readable: flags & UInt32(CLINUX_READ) != 0,
          writable: flags & UInt32(CLINUX_WRITE) != 0, hangup: flags & UInt32(CLINUX_HANGUP) != 0))
    }
    return events
  }
}
