/// What is to be run.
struct SimulationPlan: Sendable {
  var first: UInt64 = 1
  /// Nil: until stopped.
  var count: UInt64?
  /// How many of the last events a failure shows.
  var lines = 50
  /// Each seed a second time, the traces compared.
  var repeats = false

  /// Runs at a time: more than any machine that tests here has processors.
  static let runsAtATime = 16
  /// Events kept of a run; a whole run has some 10,000.
  static let linesMax: UInt64 = 100_000

  static let usage = "usage: simulation [--first SEED] [--count RUNS] [--lines EVENTS] [--repeat]\n"

  /// Nil: not understood.
  init?(_ arguments: some Sequence<String>) {
    var rest = Array(arguments)[...]
    while let option = rest.popFirst() {
      if option == "--repeat" {
        repeats = true
        continue
      }
      guard let number = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
      switch option {
      case "--first": first = number
      case "--count": count = number
      case "--lines" where number <= Self.linesMax: lines = Int(number)
      default: return nil
      }
    }
  }

  /// The seed of a run, by its place; nil beyond the last.
  func seed(_ place: UInt64) -> UInt64? { count.map { place >= $0 } ?? false ? nil : first &+ place }
}
