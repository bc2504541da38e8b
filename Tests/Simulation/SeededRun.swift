import Timekeeping

/// A whole run: faults for a while, then none until everything has come to rest.
package enum SeededRun {
  /// How long the first phase lasts in the world's time, and the second: longer than every retry.
  static let faultsSpan = TimeSpan.seconds(60)
  static let restSpan = TimeSpan.seconds(150)
  /// A run that needs more steps than this spins.
  static let stepsMax = 40_000

  /// Everything is drawn from the seed.
  package static func run(seed: UInt64, sabotage: Sabotage? = nil, linesMax: Int = 50) -> RunReport {
    let root = SeededGenerator(seed: seed)
    var generator = root.split("plan")
    let plan = FaultPlan(using: &generator)
    let options = RunOptions(using: &generator)
    return run(seed: seed, plan: plan, options: options, sabotage: sabotage, linesMax: linesMax)
  }

  package static func run(
    seed: UInt64, plan: FaultPlan, options: RunOptions, sabotage: Sabotage? = nil, linesMax: Int = 50
  ) -> RunReport {
    let world = SimulatedWorld(seed: seed, plan: plan, options: options, sabotage: sabotage, linesMax: linesMax)
    world.after(.zero, .start)
    world.after(.milliseconds(1), .workload)
    world.after(faultsSpan, .endOfFaults)
    let end = world.now + faultsSpan + restSpan
    while world.now < end, world.counts.steps < stepsMax, world.step() {}
    if world.violation == nil {
      if world.counts.steps >= stepsMax {
        world.fail(Violation(.noSpin, "\(stepsMax) steps"))
      } else {
        world.checkRest()
      }
    }
    return RunReport(
      seed: seed, plan: "\(plan) \(options)", violation: world.violation, traceHash: world.trace.hash,
      lastEvents: world.trace.lastLines, counts: world.counts)
  }
}
