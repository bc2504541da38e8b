/// A length of time in nanoseconds. Our own and not `Duration`, whose 128 bits cost on the query path.
package struct TimeSpan: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var nanoseconds: Int64

  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  package static let zero = Self(nanoseconds: 0)
  package static func nanoseconds(_ count: Int64) -> Self { Self(nanoseconds: count) }
  package static func microseconds(_ count: Int64) -> Self { Self(nanoseconds: count * 1_000) }
  package static func milliseconds(_ count: Int64) -> Self { Self(nanoseconds: count * 1_000_000) }
  package static func seconds(_ count: Int64) -> Self { Self(nanoseconds: count * 1_000_000_000) }

  /// Whole milliseconds, rounded down.
  package var milliseconds: Int64 { nanoseconds / 1_000_000 }
  /// Whole seconds, rounded down.
  package var seconds: Int64 { nanoseconds / 1_000_000_000 }

  package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
  package static func + (left: Self, right: Self) -> Self { Self(nanoseconds: left.nanoseconds + right.nanoseconds) }
  package static func - (left: Self, right: Self) -> Self { Self(nanoseconds: left.nanoseconds - right.nanoseconds) }
  package static func * (left: Self, right: Int64) -> Self { Self(nanoseconds: left.nanoseconds * right) }
  package static func / (left: Self, right: Int64) -> Self { Self(nanoseconds: left.nanoseconds / right) }

  /// The largest unit that states it exactly: `2s`, `1500ms`, `1h`.
  package var description: String {
    let units: [(Int64, String)] = [
      (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"),
    ]
    for (size, unit) in units where nanoseconds != 0 && nanoseconds % size == 0 {
      return "\(nanoseconds / size)\(unit)"
    }
    return nanoseconds == 0 ? "0s" : "\(nanoseconds)ns"
  }
}
