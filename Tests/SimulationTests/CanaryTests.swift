import Simulation
import Testing

/// Bugs planted outside the production code: an invariant that catches nothing is worse than none.
@Suite struct CanaryTests {
  @Test(arguments: [
    (Sabotage.commitClaimedEarly, [Invariant.commitBeforeReply, .ownTrafficPasses, .changeIsInForce]),
    (.writeClaimedEarly, [.recordBeforeReply]),
    (.destroyIgnored, [.changeIsInForce]),
    (.segmentForgotten, [.noRecordIsLost]),
    (.hubForgets, [.noRecordIsLost]),
    (.replyRepeated, [.queryEndsOnce]),
    (.timeoutIgnored, [.onlyAllowedPasses, .changeIsInForce]),
  ])
  func plantedBugIsCaughtByTheInvariantItBreaks(_ sabotage: Sabotage, _ invariants: [Invariant]) {
    var plan = FaultPlan()
    plan.daemonCrash = sabotage == .segmentForgotten ? 20 : 0
    plan.hubUnavailable = 200
    var caught: Violation?
    for seed in UInt64(1)...6 where caught == nil {
      caught = SeededRun.run(seed: seed, plan: plan, options: RunOptions(), sabotage: sabotage).violation
    }
    #expect(caught.map { invariants.contains($0.invariant) } ?? false, "\(sabotage): \(String(describing: caught))")
  }

  @Test func nothingIsCaughtWithoutABug() {
    for seed in UInt64(1)...3 {
      let report = SeededRun.run(seed: seed, plan: FaultPlan(), options: RunOptions())
      #expect(report.violation == nil, "\(report.description)")
      #expect(report.counts.answers > 20 && report.counts.delivered > 20 && report.counts.packetsPassed > 0)
    }
  }
}
