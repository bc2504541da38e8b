import Forwarder
import Timekeeping

/// The Event Hubs endpoint: what it answers, and what it kept.
struct SimulatedHub {
  enum Answer {
    case outcome(DeliveryOutcome)
    case silence
  }

  private(set) var ledger: [[UInt8]] = []
  private(set) var batches = 0
  var generator: SeededGenerator
  var sabotage: Sabotage?

  init(generator: SeededGenerator) { self.generator = generator }

  /// Takes a body, or does not. `taken`: the records that are in the ledger from now on.
  mutating func receive(_ body: [UInt8], _ plan: FaultPlan) -> (answer: Answer, taken: [[UInt8]]) {
    batches += 1
    if generator.chance(plan.hubUnreachable) { return (.outcome(.notConnected(reason: "connection refused")), []) }
    if generator.chance(plan.hubUnavailable) {
      return (response(503, retryAfter: generator.chance(300) ? "2" : nil), [])
    }
    if generator.chance(plan.hubUnauthorized) { return (response(401), []) }
    let records = recordsDelivered(body)
    if records.contains(where: { isPoison($0, plan) }) { return (response(400), []) }
    if generator.chance(plan.hubSilent) {
      if generator.chance(500) { ledger += records }
      return (.silence, [])
    }
    if sabotage != .hubForgets { ledger += records }
    if generator.chance(plan.hubResets) { return (.outcome(.ambiguous(reason: "reset after the request")), records) }
    return (response(201), records)
  }

  /// Some records it will never take: which ones depends on their octets alone.
  func isPoison(_ record: [UInt8], _ plan: FaultPlan) -> Bool {
    plan.hubPoison > 0 && fingerprint(record) % 1000 < UInt64(plan.hubPoison)
  }

  private func response(_ status: Int, retryAfter: String? = nil) -> Answer {
    .outcome(.response(status: status, retryAfter: retryAfter, bodyPrefix: []))
  }
}
