import Spool
import Timekeeping

@testable import Forwarder

/// A forwarder that is driven by hand; every action is kept.
struct Rig {
  var forwarder: Forwarder
  var generator = Seeded(state: 1)
  var now = Moment(instant: Instant(nanoseconds: 0), wall: WallTime(microseconds: 0))
  var actions: [ForwarderAction] = []

  init(_ settings: ForwarderSettings) { forwarder = Forwarder(settings) }

  var delivery: Delivery? {
    for case .deliver(let delivery) in actions.reversed() { return delivery }
    return nil
  }

  var deliveries: [Delivery] {
    actions.compactMap { if case .deliver(let delivery) = $0 { delivery } else { nil } }
  }

  var acknowledgedThrough: Int? {
    for case .acknowledge(let position, _, _) in actions.reversed() { return position.offset }
    return nil
  }

  var quarantined: [UInt64] {
    actions.compactMap { if case .quarantine(let record, _) = $0 { record.sequence } else { nil } }
  }

  mutating func offer(_ records: [StoredRecord]) {
    actions += forwarder.offer(records, at: now, using: &generator)
  }

  mutating func answer(_ outcome: DeliveryOutcome) {
    guard let id = delivery?.id else { return }
    actions += forwarder.delivered(id, outcome, at: now, using: &generator)
  }

  mutating func answer(_ status: Int, retryAfter: String? = nil, body: String = "") {
    answer(.response(status: status, retryAfter: retryAfter, bodyPrefix: Array(body.utf8)))
  }

  /// Goes to the next deadline; how long that was.
  @discardableResult
  mutating func wait() -> TimeSpan {
    guard let next = forwarder.nextDeadline else { return .zero }
    let span = next - now.instant
    now.instant = next
    actions += forwarder.deadlineReached(at: now, using: &generator)
    return span
  }
}

/// Records 1 to `count`; record n ends at offset n of segment 1.
func records(_ range: ClosedRange<Int>, _ text: (Int) -> String = { "{\"SbxSeq\":\($0)}" }) -> [StoredRecord] {
  range.map {
    StoredRecord(
      sequence: UInt64($0), bytes: Array(text($0).utf8), end: SpoolPosition(segment: 1, offset: $0))
  }
}

func hub(_ change: (inout ForwarderSettings) -> Void = { _ in }) -> ForwarderSettings {
  var settings = ForwarderSettings(sink: .eventHubs(host: "contoso.servicebus.windows.net", hub: "audit"))
  change(&settings)
  return settings
}

/// SplitMix64.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}
