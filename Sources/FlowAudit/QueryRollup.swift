import Timekeeping

/// Repeats of one query within 10 s become one record with an exact count.
///
/// Two queries are the same when name, type, verdict, response code and answer are: an answer with another address is a grant of its own and is on the record
/// at once. A window is opened by a query that is recorded at once; when it ends, what was counted since becomes one record, which keeps the words of the
/// last repeat. A crash loses the count of open windows, never the first query of one: 10 s of repeats at most.
///
/// Whoever tries names by the thousand must not fill the spool with their denials: the first names of a window are on the record each for itself, all further
/// ones are counted in a record for each registrable domain.
package struct QueryRollup: Sendable {
  /// How long repeats are counted: audit.md, "repeats within 10 s may roll up".
  package static let window = TimeSpan.seconds(10)
  /// Open windows: some 500 octets each with their texts, so 2 MiB at most. When one more is needed the oldest ends early, which may cost a record and loses
  /// nothing.
  package static let windowsMax = 4_096
  /// Denied names that are on the record each for itself in one window, and then domains that have a count of their own: 512, more than a program that is not up to
  /// something tries; some 80 KiB of records a second when it goes on for ever. What goes beyond is counted by its domain, and then in one record for all.
  package static let deniedNamesMax = 512

  private struct Window: Sendable {
    var key: UInt64
    var deadline: Instant
    /// The first query, then the last repeat.
    var draft: QueryDraft
    /// Repeats not yet on the record.
    var count = 0
    /// When the first of them was asked.
    var startedAt: WallTime
  }

  /// In order of deadline, since every window is equally long; `serials` finds one by its key.
  private var windows = RollupQueue<Window>()
  /// By a hash of the query; a collision only costs the roll-up of one of the two.
  private var serials: [UInt64: Int] = [:]
  /// Denied names on the record each for itself since `countedFrom`, and domains that are counted.
  private var deniedNames = 0
  private var countedDomains = 0
  private var countedFrom: Instant?
  /// When the oldest window ends.
  package private(set) var nextDeadline: Instant?

  package init() {}

  /// Appends what is to be recorded now, in order. False: the query was counted into a later record.
  @discardableResult
  package mutating func observe(_ draft: QueryDraft, at now: Instant, into drafts: inout [QueryDraft]) -> Bool {
    let isNew = count(draft, at: now, into: &drafts)
    if isNew { drafts.append(draft) }
    return isNew
  }

  /// As `observe`, but appends only what ended: the draft itself is to be recorded after that, unless it was counted into a later record. `domain` gives the
  /// registrable domain of a denied name.
  package mutating func count(
    _ draft: QueryDraft, at now: Instant, domain: () -> [UInt8]? = { nil }, into ended: inout [QueryDraft]
  ) -> Bool {
    if let nextDeadline, nextDeadline <= now { deadlineReached(at: now, into: &ended) }
    let key = hash(draft)
    if !draft.isAllowed, serials[key] == nil, !namesOneMore(at: now), let domain = domain() {
      countByDomain(draft, domain, at: now, into: &ended)
      return false
    }
    return count(draft, key, at: now, into: &ended)
  }

  private mutating func count(
    _ draft: QueryDraft, _ key: UInt64, at now: Instant, into ended: inout [QueryDraft]
  ) -> Bool {
    if let serial = serials[key] {
      // Looked at in place: a copy of a window counts a dozen references.
      var isRepeat = false
      windows.update(serial) { window in
        isRepeat = window.draft.isRepeated(by: draft)
        guard isRepeat else { return }
        if window.count == 0 { window.startedAt = draft.startedAt }
        window.count += draft.count
        window.draft = draft
      }
      return !isRepeat
    }
    open(Window(key: key, deadline: now + Self.window, draft: draft, startedAt: draft.startedAt), into: &ended)
    return true
  }

  private mutating func open(_ window: Window, into ended: inout [QueryDraft]) {
    if windows.count >= Self.windowsMax { endOldest(into: &ended) }
    serials[window.key] = windows.append(window)
    if nextDeadline == nil { nextDeadline = window.deadline }
  }

  /// Whether one more denied name is on the record by itself.
  private mutating func namesOneMore(at now: Instant) -> Bool {
    if countedFrom.map({ now - $0 >= Self.window }) ?? true {
      countedFrom = now
      deniedNames = 0
      countedDomains = 0
    }
    guard deniedNames < Self.deniedNamesMax else { return false }
    deniedNames += 1
    return true
  }

  private mutating func countByDomain(
    _ draft: QueryDraft, _ domain: [UInt8], at now: Instant, into ended: inout [QueryDraft]
  ) {
    var grouped = draft
    grouped.isOfDomain = true
    grouped.name = domain
    var key = groupHash(grouped)
    if serials[key] == nil {
      if countedDomains >= Self.deniedNamesMax {
        grouped.name = [0x2e]
        key = groupHash(grouped)
      } else {
        countedDomains += 1
      }
    }
    if serials[key] == nil {
      open(
        Window(key: key, deadline: now + Self.window, draft: grouped, count: draft.count, startedAt: draft.startedAt),
        into: &ended)
    } else if count(grouped, key, at: now, into: &ended) {
      // Two groups of one hash: the second is on the record at once.
      ended.append(grouped)
    }
  }

  package mutating func deadlineReached(at now: Instant, into drafts: inout [QueryDraft]) {
    while let deadline = nextDeadline, deadline <= now { endOldest(into: &drafts) }
  }

  /// Pending roll-ups become records: before the policy or the owner changes, and at a stop.
  package mutating func flush(into drafts: inout [QueryDraft]) {
    while !windows.isEmpty { endOldest(into: &drafts) }
  }

  private mutating func endOldest(into drafts: inout [QueryDraft]) {
    guard let window = windows.removeFirst() else { return }
    serials[window.key] = nil
    nextDeadline = nil
    windows.readFirst { nextDeadline = $0.deadline }
    guard window.count > 0 else { return }
    var draft = window.draft
    draft.count = window.count
    draft.startedAt = window.startedAt
    drafts.append(draft)
  }

  /// FNV-1a over what tells two queries apart. Whoever makes two names collide on purpose gets more records, not fewer.
  private func hash(_ draft: QueryDraft) -> UInt64 {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325
    for octet in draft.name { value = (value ^ UInt64(octet)) &* 0x100_0000_01b3 }
    value = (value ^ UInt64(draft.type)) &* 0x100_0000_01b3
    value = (value ^ UInt64(draft.responseCode) << 1 ^ (draft.isAllowed ? 1 : 0)) &* 0x100_0000_01b3
    return value
  }

  private func groupHash(_ draft: QueryDraft) -> UInt64 {
    var value = hash(draft) ^ 0x9e37_79b9_7f4a_7c15
    for octet in (draft.rule ?? "").utf8 { value = (value ^ UInt64(octet)) &* 0x100_0000_01b3 }
    for octet in (draft.reason ?? "").utf8 { value = (value ^ UInt64(octet)) &* 0x100_0000_01b3 }
    return value
  }
}

extension QueryDraft {
  fileprivate func isRepeated(by other: QueryDraft) -> Bool {
    isOfDomain == other.isOfDomain && type == other.type && isAllowed == other.isAllowed
      && responseCode == other.responseCode && name == other.name
      && answer == other.answer && rule == other.rule && reason == other.reason
  }
}
