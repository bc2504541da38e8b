import Timekeeping

/// Repeats of one query within 10 s become one record with an exact count.
package struct QueryRollup: Sendable {
  package init() {}

  /// Appends what is to be recorded now, in order. False: the query was counted into a later record.
  @discardableResult
  package mutating func observe(_ draft: QueryDraft, at now: Instant, into drafts: inout [QueryDraft]) -> Bool {
    drafts.append(draft)
    return true
  }
  package var nextDeadline: Instant? { nil }
  package mutating func deadlineReached(at now: Instant, into drafts: inout [QueryDraft]) {}
  /// Pending roll-ups become records: before the policy or the owner changes, and at a stop.
  package mutating func flush(into drafts: inout [QueryDraft]) {}
}
