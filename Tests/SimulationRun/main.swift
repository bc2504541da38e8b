// simulation: seed after seed through the simulated world, on all processors, so many or until it is stopped. See `run` beside this.
import LinuxIO

guard let plan = SimulationPlan(CommandLine.arguments.dropFirst()) else {
  try? StandardStreams.error.write(SimulationPlan.usage)
  ProcessIdentity.exit(2)
}
func show(_ text: String) { try? StandardStreams.output.write(text + "\n") }

let tally = await withTaskGroup(of: SimulationOutcome.self, returning: SimulationTally.self) { group in
  var tally = SimulationTally()
  var place: UInt64 = 0
  while place < SimulationPlan.runsAtATime, let seed = plan.seed(place) {
    group.addTask { SimulationOutcome(seed: seed, plan) }
    place += 1
  }
  while let outcome = await group.next() {
    if let seed = plan.seed(place) {
      group.addTask { SimulationOutcome(seed: seed, plan) }
      place += 1
    }
    if let text = tally.add(outcome) { show(text) }
  }
  return tally
}
show(tally.description)
if let verdict = tally.verdict { show(verdict) }
ProcessIdentity.exit(tally.failed.isEmpty ? 0 : 1)
