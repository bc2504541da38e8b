import FlowAudit
import HTTPWire
import PolicyAPI
import Spool
import Timekeeping

/// An operator lets new flows pass although evidence cannot be kept or delivered. It is on the record before it holds, and the kernel ends it by itself.
extension SidecarMachine {
  mutating func receive(
    _ request: OverrideRequest, on connection: UInt64, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard phase != .starting, spool.isReady else {
      return emit(.respond(connection, .refusal(503, "records cannot be written yet", form: request.form)))
    }
    // What was staged before has its own ticket: the one that follows tells of this record alone.
    flushEvidence(at: now, using: &generator)
    let before = evidence.lastTicket
    let end = request.span.map { now.wall + $0 }
    record(
      .auditOverride(
        AuditOverrideDraft(
          until: end, reason: request.reason, missing: gate.missing?.rawValue,
          wasOverridden: gate.overriddenUntil != nil)),
      at: now, using: &generator)
    flushEvidence(at: now, using: &generator)
    guard let ticket = evidence.lastTicket, ticket != before else {
      return emit(.respond(connection, .refusal(503, "no room for the record of the override", form: request.form)))
    }
    gate.override(until: request.span.map { now.instant + $0 })
    let text =
      end.map { "new flows pass without evidence until \($0): \(request.reason)" } ?? "the override is taken back"
    emit(.log(LogEntry(.warning, "the audit gate is overridden", [("what", text)])))
    moveGate(at: now)
    evidence.held.append((ticket, [.respond(connection, .override(until: end))]))
  }

  mutating func overrideEnded(at now: Moment, using generator: inout some RandomNumberGenerator) {
    record(
      .auditOverride(
        AuditOverrideDraft(until: nil, reason: "EXPIRED", missing: gate.missing?.rawValue, wasOverridden: true)),
      at: now, using: &generator)
    emit(.log(LogEntry(.warning, "the override of the audit gate has ended")))
  }
}
