import Addressing
import DNSProxy
import Firewall
import FlowAudit
import Forwarder
import HTTPWire
import Sidecar
import Spool
import Timekeeping

/// One run: the machine, everything around it, and what is known about both.
package final class SimulatedWorld {
  /// What may come out of the queue. What belongs to a daemon that has died is passed over.
  enum Happening {
    case event(generation: Int, SidecarEvent)
    /// The oldest task of the disk is done.
    case disk(generation: Int)
    /// A slow commit reaches the kernel.
    case commit(generation: Int, UInt64, KernelTransaction, asked: Set<String>)
    case readConntrack(generation: Int)
    case sweep(generation: Int)
    /// The authority's answer; nil: no token.
    case exchanged(generation: Int, UInt64, TimeSpan?)
    case workload
    case flow(FlowTuple, FlowStep)
    case start
    case endOfFaults
  }

  enum FlowStep {
    case answered, refused, packet, closed
  }

  struct Asked {
    var id: UInt16
    var name: String
    var at: Instant
  }

  struct Told {
    var name: String
    var address: IPAddress
    var until: Instant
    var at: Instant
    /// How many changes had been asked for; −1: one was under way.
    var changes: Int
  }

  let seed: UInt64
  package var plan: FaultPlan
  package let options: RunOptions
  let sabotage: Sabotage?

  var queue = EventQueue<Happening>()
  package internal(set) var now = Instant(nanoseconds: 1_000_000_000)
  package internal(set) var machine: SidecarMachine?
  var generation = 0
  /// The first daemon on this kernel.
  var firstGeneration = 0
  var isReady = false
  var isResting = false
  var settings: SidecarSettings?

  var kernel = SimulatedKernel()
  var disk = SimulatedDisk()
  var hub: SimulatedHub
  var upstream: SimulatedUpstream
  var workload: SimulatedWorkload
  var model: ReferenceModel
  var book: RecordBook

  var machineGenerator: SeededGenerator
  var kernelGenerator: SeededGenerator
  var diskGenerator: SeededGenerator
  var lifeGenerator: SeededGenerator
  var flowGenerator: SeededGenerator

  /// When the token ends that the shell holds; nil without one.
  var tokenEnds: Instant?

  var asked: [UInt64: Asked] = [:]
  var nextClient: UInt64 = 1
  var told: [Told] = []
  /// When a commit last left a lease of the address in place: a change of the policy may take it before the reply that it let go has left.
  var lastHeld: [IPAddress: Instant] = [:]
  var changes: [(connection: UInt64, policy: NaivePolicy)] = []
  var changesAsked = 0
  var readings: Set<UInt64> = []
  var nextConnection: UInt64 = 1
  var nextPort: UInt16 = 20_000
  var isReadingConntrack = false
  var isMergeUnderWay = false
  var policyLoaded: NaivePolicy
  var diskBusyUntil = Instant(nanoseconds: 0)
  /// Files in which a write has failed.
  var holedFiles: Set<String> = []
  /// Writes that were on their way when an earlier one failed.
  var overtakenWrites: Set<SpoolTicket> = []
  var effectsInStep = 0
  var isFed = false

  var trace: Trace
  package var counts = RunCounts()
  package internal(set) var violation: Violation?

  package init(
    seed: UInt64, plan: FaultPlan, options: RunOptions, policy: NaivePolicy? = nil, sabotage: Sabotage? = nil,
    linesMax: Int = 50
  ) {
    trace = Trace(linesMax: linesMax)
    let root = SeededGenerator(seed: seed)
    self.seed = seed
    self.plan = plan
    self.options = options
    self.sabotage = sabotage
    hub = SimulatedHub(generator: root.split("hub"))
    upstream = SimulatedUpstream(generator: root.split("upstream"))
    var workload = SimulatedWorkload(generator: root.split("workload"))
    machineGenerator = root.split("machine")
    kernelGenerator = root.split("kernel")
    diskGenerator = root.split("disk")
    lifeGenerator = root.split("life")
    flowGenerator = root.split("flow")
    let first = policy ?? workload.policy(at: Self.epoch)
    self.workload = workload
    policyLoaded = first
    model = ReferenceModel(
      policies: [first], leaseMin: .seconds(2), leaseMax: .seconds(60), grace: options.grace)
    book = RecordBook(owner: options.owner == .bound ? Self.ownerObject : nil)
    model.isClosedForEver = options.owner == .unboundAndRequired
    kernel.sabotage = sabotage
    disk.sabotage = sabotage
    hub.sabotage = sabotage
  }

  static let epoch = WallTime(microseconds: 1_900_000_000_000_000)
  static let ownerObject = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
  static let ownerTenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
  static let apiToken = "secret"

  /// Wall time runs with the other clock.
  var wall: WallTime { Self.epoch + TimeSpan(nanoseconds: now.nanoseconds) }
  var moment: Moment { Moment(instant: now, wall: wall) }
  var slack: TimeSpan { FaultPlan.commitDelayMax + .milliseconds(200) }

  package func note(_ line: @autoclosure () -> String) { trace.note(line(), at: now) }

  func fail(_ problem: Violation?) {
    guard violation == nil, let problem else { return }
    violation = problem
    note("VIOLATION \(problem.invariant): \(problem.what)")
  }

  func check(_ holds: Bool, _ invariant: Invariant, _ what: @autoclosure () -> String) {
    if !holds { fail(Violation(invariant, what())) }
  }

  func after(_ span: TimeSpan, _ happening: Happening) { queue.add(happening, at: now + span) }

  /// An event for the machine that lives now, some time from now.
  func later(_ span: TimeSpan, _ event: SidecarEvent) { after(span, .event(generation: generation, event)) }

  func feed(_ event: SidecarEvent) {
    guard machine != nil else { return }
    isFed = true
    note(Self.describe(event))
    machine?.handle(event, at: moment, using: &machineGenerator)
  }

  /// Moves on to what happens next and performs everything that follows from it at once; false when nothing will happen any more.
  package func step() -> Bool {
    let deadline = machine?.nextDeadline
    guard let next = [queue.nextTime, deadline].compactMap({ $0 }).min(), violation == nil else { return false }
    now = max(now, next)
    counts.steps += 1
    isFed = false
    while let happening = queue.take(at: now) { happen(happening) }
    var wasDue = false
    if let due = machine?.nextDeadline, due <= now {
      wasDue = true
      feed(.deadlineReached)
    }
    if isFed { endTurn() }
    if let due = machine?.nextDeadline {
      check(wasDue ? now < due : now <= due, .noSpin, "nextDeadline is \(due.nanoseconds / 1_000) µs after a step")
    }
    afterStep()
    return violation == nil
  }

  /// What was staged goes out; outcomes at hand go back in before the next effect is taken, as in the shell.
  func endTurn() {
    feed(.turnEnded)
    drain()
  }

  func drain() {
    effectsInStep = 0
    while let effect = machine?.nextEffect() {
      effectsInStep += 1
      let generation = generation
      for outcome in perform(effect) where generation == self.generation { feed(outcome) }
      if violation != nil { return }
    }
    check(effectsInStep <= Self.effectsMax, .bounded, "\(effectsInStep) effects in one step")
  }

  /// A turn carries at most a burst of the workload, each with its reply and its record.
  static let effectsMax = 2_000

  func happen(_ happening: Happening) {
    switch happening {
    case .event(let generation, let event): if generation == self.generation { feed(event) }
    case .disk(let generation): if generation == self.generation { diskFinished() }
    case .commit(let generation, let id, let transaction, let asked):
      // A transaction that is on its way reaches the kernel even when its daemon dies, but not the machine.
      guard generation >= firstGeneration || generation < 0 else { break }
      let outcome = commit(transaction, asked: asked)
      if generation == self.generation {
        later(.microseconds(Int64(kernelGenerator.number(1...100_000))), .kernelCommitted(id, outcome))
      }
    case .readConntrack(let generation): if generation == self.generation { readConntrack() }
    case .sweep(let generation):
      kernel.conntrack.expire(at: now) { self.losesConntrack() }
      guard generation == self.generation else { break }
      isFed = true
      after(.seconds(1), .sweep(generation: generation))
    case .exchanged(let generation, let id, let lifetime):
      if generation == self.generation { exchanged(id, lifetime) }
    case .workload: act()
    case .flow(let tuple, let step): go(on: tuple, step)
    case .start: start()
    case .endOfFaults: endFaults()
    }
  }
}
