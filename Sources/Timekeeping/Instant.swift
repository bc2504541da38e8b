/// A point on the monotonic clock (CLOCK_BOOTTIME): only differences and order mean anything.
package struct Instant: Hashable, Comparable, Sendable {
  /// Nanoseconds since the machine booted.
  package var nanoseconds: Int64

  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
  package static func + (left: Self, right: TimeSpan) -> Self {
    Self(nanoseconds: left.nanoseconds + right.nanoseconds)
  }
  package static func - (left: Self, right: TimeSpan) -> Self {
    Self(nanoseconds: left.nanoseconds - right.nanoseconds)
  }
  package static func - (left: Self, right: Self) -> TimeSpan {
    TimeSpan(nanoseconds: left.nanoseconds - right.nanoseconds)
  }
}

/// The time at which an event happened, on both clocks.
package struct Moment: Hashable, Sendable {
  /// For deadlines and durations.
  package var instant: Instant
  /// For records and for what people wrote (`expiresAt`).
  package var wall: WallTime

  package init(instant: Instant, wall: WallTime) {
    self.instant = instant
    self.wall = wall
  }
}
