// Simulation: the whole core in a world made from a seed.
//
//   seed ─► SeededGenerator ─┬─► FaultPlan           which faults this run has, and how likely (swarm)
//                            ├─► SimulatedWorkload   names asked for, packets sent, policies changed
//                            ├─► SimulatedUpstream   answers, delay, loss, duplicates, lies, TC
//                            ├─► SimulatedKernel     transactions, packets against the committed rules, conntrack
//                            ├─► SimulatedDisk       torn writes, unsynced bytes lost, no space
//                            └─► SimulatedHub        201, 503, 401, 400, reset after accepting, silence
//   EventQueue (time, then sequence) ─► SidecarMachine ─► effects ─► the parts above ─► EventQueue
//                                 └─► Invariants after every step          └─► Trace
//
// Constraints. A run is a function of its seed: each part draws from a generator of its own, so that one more draw in one of them does not
// move the others; no clock, no task, no order of a `Set` or `Dictionary`. What judges shares no code with what is judged, beyond plain values such as
// addresses and the transactions themselves: messages, records and policies are written and read here once more, naively.
//
// A run has two phases. In the first, faults happen and the daemon and the machine crash. In the second there are no faults: every query must end, the
// spool must drain, and the kernel must hold what the machine believes.
//
// Failures. The first violated invariant ends the run; `RunReport` says which, with the plan and the last events.

/// What a run found.
package struct RunReport: Sendable {
  package var seed: UInt64
  package var plan: String
  package var violation: Violation?
  /// Of everything that happened, in order.
  package var traceHash: UInt64
  package var lastEvents: [String]
  package var counts: RunCounts

  /// What a person needs to see it again.
  package var description: String {
    guard let violation else { return "seed \(seed): nothing found, trace \(traceHash), \(counts)" }
    return """
      seed \(seed) violates \(violation.invariant): \(violation.what)
      plan: \(plan)
      counts: \(counts)
      the last events:
      \(lastEvents.joined(separator: "\n"))
      replay: Tests/SimulationRun/run --first \(seed) --count 1 --lines 10000
      """
  }
}

/// How much happened: a run in which nothing did proves nothing.
package struct RunCounts: Hashable, Sendable {
  package var steps = 0
  package var queries = 0
  package var answers = 0
  package var commits = 0
  package var refusedCommits = 0
  package var packetsPassed = 0
  package var packetsStopped = 0
  package var changesAccepted = 0
  package var changesRefused = 0
  package var records = 0
  package var delivered = 0
  package var daemonCrashes = 0
  package var machineCrashes = 0
  package var stops = 0
  /// Deliveries that were not answered 201, and what the disk refused.
  package var failedDeliveries = 0
  package var diskFailures = 0
  package var quarantined = 0
  package var exchanges = 0
  package var exchangesFailed = 0

  package init() {}

  package mutating func add(_ more: RunCounts) {
    steps += more.steps
    queries += more.queries
    answers += more.answers
    commits += more.commits
    refusedCommits += more.refusedCommits
    packetsPassed += more.packetsPassed
    packetsStopped += more.packetsStopped
    changesAccepted += more.changesAccepted
    changesRefused += more.changesRefused
    records += more.records
    delivered += more.delivered
    daemonCrashes += more.daemonCrashes
    machineCrashes += more.machineCrashes
    stops += more.stops
    failedDeliveries += more.failedDeliveries
    diskFailures += more.diskFailures
    quarantined += more.quarantined
    exchanges += more.exchanges
    exchangesFailed += more.exchangesFailed
  }
}

/// Something that must never be.
package struct Violation: Error, Hashable, Sendable {
  package var invariant: Invariant
  package var what: String

  package init(_ invariant: Invariant, _ what: String) {
    self.invariant = invariant
    self.what = what
  }
}

package enum Invariant: String, Hashable, Sendable, CaseIterable {
  /// No reply names a leased address before the kernel holds it.
  case commitBeforeReply
  /// No reply names an address before its record is in the disk's file.
  case recordBeforeReply
  /// A packet of the workload passes only if the model allows it.
  case onlyAllowedPasses
  /// What was told with a TTL is reachable so long.
  case toldIsReachable
  /// After a change's answer nothing passes that the policy in force does not allow, live flows included.
  case changeIsInForce
  /// Each query ends exactly once.
  case queryEndsOnce
  /// No address is told that no upstream gave for the name.
  case noLieIsTold
  /// Each record is at the hub, in the spool, or reported as dropped.
  case noRecordIsLost
  /// Sequence numbers have no gap, the chain verifies, the hub's copy is the written one.
  case chainHolds
  /// Every record names the sandbox's owner and nobody else.
  case ownerIsRight
  /// Pending tables and the effects of one step are bounded.
  case bounded
  /// `nextDeadline` is not in the past after a step.
  case noSpin
  /// Without faults every query ends, the spool drains, and the kernel holds what the machine believes.
  case comesToRest
  /// The daemon's own traffic passes its own rules.
  case ownTrafficPasses
  /// By workload identity nothing leaves without a token that is valid.
  case deliveryHasToken
}
