import Simulation

/// What the runs came to.
struct SimulationTally: Sendable {
  private(set) var runs: UInt64 = 0
  private var counts = RunCounts()
  /// Seeds that violated an invariant, or did not repeat.
  private(set) var failed: [UInt64] = []
  private let begun = ContinuousClock.now

  /// Failures are shown in full up to here: a broken build fails everywhere.
  static let failuresShown = 10
  /// How often progress is told.
  static let runsPerLine: UInt64 = 1_000

  /// What a person should see of this outcome; nil: nothing.
  mutating func add(_ outcome: SimulationOutcome) -> String? {
    runs += 1
    counts.add(outcome.report.counts)
    guard outcome.report.violation != nil || !outcome.isRepeated else {
      return runs % Self.runsPerLine == 0 ? description : nil
    }
    failed.append(outcome.report.seed)
    guard failed.count <= Self.failuresShown else { return nil }
    return outcome.isRepeated ? outcome.report.description : "seed \(outcome.report.seed) did not repeat"
  }

  var description: String {
    let seconds = Int((ContinuousClock.now - begun) / .seconds(1))
    return """
      \(runs) runs in \(seconds) s: \(counts.steps) steps, \(counts.answers) answers, \(counts.packetsPassed) packets passed, \
      \(counts.packetsStopped) stopped, \(counts.delivered) records delivered, \
      \(counts.daemonCrashes + counts.machineCrashes + counts.stops) deaths; \(failed.count) violations
      """
  }

  var verdict: String? {
    failed.isEmpty ? nil : "seeds with a violation: \(failed.sorted().map(String.init).joined(separator: " "))"
  }
}

/// One seed's run, and perhaps its repetition.
struct SimulationOutcome: Sendable {
  var report: RunReport
  var isRepeated = true

  init(seed: UInt64, _ plan: SimulationPlan) {
    report = SeededRun.run(seed: seed, linesMax: plan.lines)
    guard plan.repeats, report.violation == nil else { return }
    isRepeated = SeededRun.run(seed: seed, linesMax: 1).traceHash == report.traceHash
  }
}
