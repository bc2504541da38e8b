import Simulation
import Testing

/// The faults that the promise about the record names, one at a time, hard, in the simulated world: each record is at the hub, in the spool, or reported
/// as dropped; the hub's copy is the written one; and when the fault ends, everything arrives. The same faults happen to the real binary in
/// `Tests/EndToEnd/test_faults_*.py`, and to the parts alone in `SpoolTests` and `ForwarderTests`.
@Suite struct FaultTests {
  /// Runs some seeds with this one fault, and says how much of it there was.
  private func run(
    _ seeds: ClosedRange<UInt64> = 1...2, options: RunOptions = RunOptions(), _ fault: (inout FaultPlan) -> Void
  ) -> RunCounts {
    var plan = FaultPlan()
    fault(&plan)
    var all = RunCounts()
    for seed in seeds {
      let report = SeededRun.run(seed: seed, plan: plan, options: options)
      #expect(report.violation == nil, "\(report.description)")
      #expect(report.counts.delivered > 20, "seed \(seed) delivered nothing to speak of: \(report.counts)")
      all.add(report.counts)
    }
    return all
  }

  @Test func test_F1_killedBetweenAppendAndSend() {
    let counts = run {
      $0.daemonCrash = 50
      $0.hubUnreachable = 400
    }
    #expect(counts.daemonCrashes > 3)
  }

  @Test func test_F2_killedBetweenTheAnswerAndTheCursor() {
    let counts = run {
      $0.daemonCrash = 50
      $0.diskSlow = 800
      $0.hubResets = 300
    }
    #expect(counts.daemonCrashes > 3)
  }

  @Test func test_F3_powerCut() {
    let counts = run {
      $0.machineCrash = 40
      $0.diskSlow = 500
    }
    #expect(counts.machineCrashes > 3)
  }

  @Test(arguments: [true, false]) func test_F6_diskRefusesWrites(_ failsClosed: Bool) {
    var options = RunOptions()
    options.failsClosed = failsClosed
    #expect(run(options: options) { $0.writeFails = 250 }.diskFailures > 20)
  }

  @Test func test_F7_diskRefusesSyncs() {
    #expect(run { $0.syncFails = 400 }.diskFailures > 20)
  }

  @Test(arguments: [true, false]) func test_F8_hubIsGoneForTheWholeTime(_ failsClosed: Bool) {
    var options = RunOptions()
    options.failsClosed = failsClosed
    options.spoolBytesMax = 64 << 10
    #expect(run(options: options) { $0.hubUnreachable = 1_000 }.failedDeliveries > 4)
  }

  @Test func test_F9_throttled() {
    #expect(run { $0.hubUnavailable = 800 }.failedDeliveries > 4)
  }

  @Test func test_F10_poisonedRecords() {
    #expect(run { $0.hubPoison = 50 }.quarantined > 3)
  }

  @Test func test_F12_tokensRefused() {
    var options = RunOptions()
    options.usesToken = true
    options.usesAuthority = true
    let counts = run(options: options) { $0.hubUnauthorized = 400 }
    #expect(counts.failedDeliveries > 4 && counts.exchanges > 3)
    // At most two a minute after the first of each start, of a world that lasts three and a half.
    #expect(counts.exchanges < 3 * 30)
  }

  @Test func test_F14_authorityFails() {
    var options = RunOptions()
    options.usesToken = true
    options.usesAuthority = true
    #expect(run(options: options) { $0.exchangeFails = 800 }.exchangesFailed > 5)
  }

  @Test func test_F16_answersAreLost() {
    let counts = run {
      $0.hubSilent = 200
      $0.hubResets = 400
    }
    #expect(counts.failedDeliveries > 4)
  }

  @Test func test_F19_toldToStopWithABacklog() {
    let counts = run {
      $0.stop = 30
      $0.hubUnavailable = 500
    }
    #expect(counts.stops > 3)
  }

  @Test func test_F20_withoutOwnerNobodysNameIsGuessed() {
    var options = RunOptions()
    options.owner = .unboundAndOptional
    #expect(run(options: options) { $0.daemonCrash = 40 }.daemonCrashes > 2)
  }
}

extension RunCounts {
  fileprivate mutating func add(_ other: RunCounts) {
    daemonCrashes += other.daemonCrashes
    machineCrashes += other.machineCrashes
    stops += other.stops
    failedDeliveries += other.failedDeliveries
    diskFailures += other.diskFailures
    quarantined += other.quarantined
    exchanges += other.exchanges
    exchangesFailed += other.exchangesFailed
  }
}
