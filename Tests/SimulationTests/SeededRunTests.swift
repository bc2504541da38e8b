import Foundation
import Simulation
import Testing

/// The seeds of `swift test`, or those of the environment: `SALLYPORT_SIM_SEED` the first, `SALLYPORT_SIM_RUNS` how many.
@Suite struct SeededRunTests {
  static let seeds: [UInt64] = {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["SALLYPORT_SIM_SEED"].flatMap { UInt64($0) }
    let count = environment["SALLYPORT_SIM_RUNS"].flatMap { UInt64($0) }
    guard first != nil || count != nil else { return Array(1...12) }
    let start = first ?? 1
    return (0..<(count ?? 1)).map { start &+ $0 }
  }()

  /// `SALLYPORT_SIM_LINES`: how many of the last events a failure shows.
  static let lines = ProcessInfo.processInfo.environment["SALLYPORT_SIM_LINES"].flatMap { Int($0) } ?? 50

  @Test func everySeedKeepsEveryInvariantAndRepeats() {
    var failed = 0
    for seed in Self.seeds {
      let report = SeededRun.run(seed: seed, linesMax: Self.lines)
      if report.violation != nil {
        failed += 1
        if failed <= 20 { Issue.record("\(report.description)") }
        continue
      }
      let again = SeededRun.run(seed: seed)
      #expect(report.traceHash == again.traceHash, "seed \(seed) did not repeat")
    }
  }
}
