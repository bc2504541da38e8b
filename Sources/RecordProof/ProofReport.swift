/// A `RecordsDropped`: who answers for missing numbers.
package struct ProofDrop: Hashable, Sendable {
  /// The boot whose record says so, and that record's number.
  package var toldBy: String
  package var at: UInt64
  /// Nil when what is missing never had numbers.
  package var sequences: ClosedRange<UInt64>?
  package var count: UInt64
  package var reason: String
}

/// What is true of the records of one start of the daemon.
package struct BootReport: Hashable, Sendable {
  /// `SbxBootId`.
  package var boot: String
  /// Different records, without duplicates.
  package var records = 0
  /// The last number that is known: of its own records, or by the start that follows.
  package var last: UInt64 = 0
  /// The start before it and its last number, as its `SidecarStart` says.
  package var previous: String?
  package var previousLast: UInt64?
  /// The starts that say they follow it: one, or none for the newest.
  package var successors: [String] = []
  /// It ended with a `SidecarStop` that nothing follows.
  package var isStopped = false
  /// Numbers that no record has and no `RecordsDropped` answers for.
  package var missing = NumberRanges()
  /// Numbers that no record has and a `RecordsDropped` answers for.
  package var dropped = NumberRanges()
  /// What was dropped of this boot, by whom it is told.
  package var drops: [ProofDrop] = []
  /// Of `dropped`, more than the records counted.
  package var uncounted: UInt64 = 0
  /// Records whose link does not follow from the record before and their own octets.
  package var altered = NumberRanges()
  /// Numbers that two different records claim.
  package var contradicted = NumberRanges()
  /// Records whose `EventOriginalUid` another, different record has.
  package var reusedIDs = NumberRanges()
  /// Records whose predecessor is not there: their link cannot be computed.
  package var unproved = NumberRanges()
  /// The sandboxes that its records name when there are several.
  package var otherSandboxes: [String] = []
  package var sums = ProofSums()

  package init(boot: String) { self.boot = boot }

  /// Nothing is missing, altered or contradictory.
  package var isComplete: Bool { faults.isEmpty }

  /// What is wrong, one sentence each.
  package var faults: [String] {
    var faults: [String] = []
    func say(_ ranges: NumberRanges, _ what: String) {
      if !ranges.isEmpty { faults.append("\(what) \(ranges) (\(ranges.count))") }
    }
    if records == 0, missing.isEmpty, dropped.isEmpty { faults.append("no record of it is here") }
    say(missing, "missing")
    say(altered, "altered")
    say(contradicted, "two different records claim")
    say(reusedIDs, "EventOriginalUid of another record in")
    if uncounted > 0 { faults.append("\(uncounted) of the dropped records are counted by no RecordsDropped") }
    if successors.count > 1 {
      faults.append("\(successors.count) starts say they follow it: \(successors.joined(separator: ", "))")
    }
    if !otherSandboxes.isEmpty { faults.append("its records name \(otherSandboxes.joined(separator: ", ")) too") }
    return faults
  }
}

/// The starts of one sandbox, each after the one it follows.
package struct SandboxReport: Hashable, Sendable {
  /// `SbxSandboxId`.
  package var sandbox: String
  package var boots: [BootReport]
}

/// What the records prove.
package struct ProofReport: Hashable, Sendable {
  package var sandboxes: [SandboxReport]
  /// Different records.
  package var records: Int
  /// Lines that another line equals octet by octet.
  package var duplicates: UInt64
  /// Lines that came after a later record of their boot.
  package var outOfOrder: UInt64

  /// Whether there are records, and nothing of them is missing, altered or contradictory.
  package var isComplete: Bool { records > 0 && sandboxes.allSatisfy { $0.boots.allSatisfy(\.isComplete) } }

  package var boots: [BootReport] { sandboxes.flatMap(\.boots) }
}
