import Spool
import Timekeeping

// Forwarder

package struct Forwarder: Sendable {
  package let settings: ForwarderSettings

  package init(_ settings: ForwarderSettings) { self.settings = settings }

  /// Bytes of records it can take now; 0 while it has enough.
  package var wants: Int { 0 }
  /// Takes records, in the spool's order.
  package mutating func offer(
    _ records: [StoredRecord], at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] { [] }
  package mutating func delivered(
    _ id: UInt64, _ outcome: DeliveryOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] { [] }
  /// A token is at hand (again).
  package mutating func tokenReady(at now: Moment) -> [ForwarderAction] { [] }
  /// There is none yet; whoever gets tokens keeps trying. For the status only.
  package mutating func tokenUnavailable(reason: String) {}
  package var nextDeadline: Instant? { nil }
  package mutating func deadlineReached(
    at now: Moment, using generator: inout some RandomNumberGenerator
  ) -> [ForwarderAction] { [] }
  /// From now on nothing lingers: the process is about to end.
  package mutating func drain(at now: Moment) -> [ForwarderAction] { [] }
  package var isIdle: Bool { true }
  package var status: ForwarderStatus { ForwarderStatus() }
}
