import OwnerIdentity
import Testing
import Timekeeping

@testable import FlowAudit

/// What the records of an earlier start account for of the kernel's counters.
@Suite struct FormerAccountTests {
  private var log = makeLog(unboundContext)
  private var generator = SeededGenerator(seed: 9)
  private var records: [[UInt8]] = []

  private mutating func add(_ draft: ServiceDraft) {
    records.append(log.seal(draft, at: epoch, using: &generator).bytes)
  }

  private mutating func add(
    _ stage: FlowDraft.Stage, _ verdict: FlowAttribution.Verdict, _ change: (inout FlowDraft) -> Void = { _ in }
  )
    throws
  {
    var draft = FlowDraft(
      stage: stage, session: 1, tuple: try tuple(), attribution: FlowAttribution(verdict), startedAt: epoch,
      endedAt: epoch)
    change(&draft)
    records.append(log.seal(draft, at: epoch, using: &generator).bytes)
  }

  private mutating func addHeartbeat(carried: FlowPair?, pending: UInt64 = 0, lost: FlowPair = FlowPair()) {
    var sums = FlowSums()
    sums.allowed = 40
    sums.denied = 30
    add(
      .heartbeat(
        HeartbeatDraft(
          acknowledgedSequence: nil, oldestUnacknowledged: nil, spoolBytes: 0, droppedTotal: 0, quarantinedTotal: 0,
          liveFlows: 0, recorded: sums, pendingDenied: pending, lost: lost, carried: carried)))
  }

  @Test mutating func aCheckpointAndWhatFollowsIt() throws {
    try add(.open, .allow)
    addHeartbeat(carried: FlowPair(allowed: 1_000, denied: 2_000), pending: 5, lost: FlowPair(allowed: 2, denied: 3))
    try add(.open, .allow)
    try add(.close(.terminated), .allow)
    try add(.denied(.defaultDeny), .deny(.defaultDeny)) { $0.count = 7 }
    add(.recordsDropped(RecordsDroppedDraft(count: 4, sequences: nil, reason: "EVENTS_LOST", flows: "denied")))
    records.append(log.seal(try query(at: epoch), at: epoch, using: &generator).bytes)
    // 2,000 carried, 30 recorded of which 5 are in no record yet, 3 and 4 lost, 7 in a roll-up.
    #expect(FormerAccount.read(records) == FlowPair(allowed: 1_043, denied: 2_039))
  }

  @Test mutating func whatIsNoNewFlowOfTheWorkloadDoesNotCount() throws {
    addHeartbeat(carried: FlowPair())
    try add(.open, .allow) { $0.origin = .adopted }
    try add(.open, .inbound)
    try add(.open, .own)
    try add(.denied(.protocol), .deny(.protocol)) { $0.origin = .counted }
    add(.recordsDropped(RecordsDroppedDraft(count: 9, sequences: 4...12, reason: "STORE_FULL")))
    #expect(FormerAccount.read(records) == FlowPair(allowed: 40, denied: 30))
  }

  @Test mutating func aStartIsACheckpointOfNothing() throws {
    add(
      .sidecarStart(
        SidecarStartDraft(previousBootID: "b", previousLastSequence: 3, carried: FlowPair(allowed: 5, denied: 6))))
    try add(.open, .allow)
    #expect(FormerAccount.read(records) == FlowPair(allowed: 6, denied: 6))
  }

  @Test mutating func withoutACheckpointOfTheLastStartThereIsNoAccount() throws {
    #expect(FormerAccount.read([]) == nil)
    try add(.open, .allow)
    #expect(FormerAccount.read(records) == nil)
    records = []
    addHeartbeat(carried: nil)
    #expect(FormerAccount.read(records) == nil)
    records = []
    addHeartbeat(carried: FlowPair())
    log = makeLog(unboundContext, bootID: "boot-2")
    try add(.open, .allow)
    #expect(FormerAccount.read(records) == nil, "the checkpoint is another start's")
    #expect(FormerAccount.read([Array("{\"SbxBootId\":\"x\"".utf8), [0xff]]) == nil)
  }
}
