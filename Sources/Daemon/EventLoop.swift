import FlowAudit
import LinuxIO
import Netfilter
import Sidecar
import Timekeeping

/// Wait, take what is ready, hand it to the machine, end the turn, perform what it wants.
struct EventLoop: ~Copyable {
  /// How often connections are looked over for ones that say nothing: 1 s.
  private static let sweepInterval = TimeSpan.seconds(1)
  /// Between two readings of all flows after events were lost: 1 s at least, since each of them takes as long as there are flows.
  private static let reconcileInterval = TimeSpan.seconds(1)

  private let poll: EventPoll
  private let signals: SignalDescriptor
  private var monitor: ConntrackMonitor
  private var rules: RulesetMonitor
  private var addresses: AddressMonitor
  private let runner: EffectRunner
  private let files: PolicyFiles
  private var machine: SidecarMachine
  private var random = SystemRandom()
  private let upstreamPatience: TimeSpan
  private var nextSweep: Instant
  private var lastReconcile: Instant?
  /// The event socket failed: it is asked again at the next sweep, since it would stay ready.
  private var monitorRests = false

  init(
    _ machine: SidecarMachine, _ runner: EffectRunner, _ poll: EventPoll, _ signals: SignalDescriptor,
    _ monitor: consuming ConntrackMonitor, _ rules: consuming RulesetMonitor, _ addresses: consuming AddressMonitor,
    _ files: PolicyFiles,
    upstreamPatience: TimeSpan
  ) throws(Errno) {
    self.machine = machine
    self.runner = runner
    self.poll = poll
    self.signals = signals
    self.monitor = monitor
    self.rules = rules
    self.addresses = addresses
    self.files = files
    self.upstreamPatience = upstreamPatience
    nextSweep = SystemTime.instant() + Self.sweepInterval
    try poll.register(signals.number, token: Token.signals.rawValue, interest: .read)
    try poll.register(self.monitor.descriptor, token: Token.conntrack.rawValue, interest: .read)
    try poll.register(self.rules.descriptor, token: Token.ruleset.rawValue, interest: .read)
    try poll.register(self.addresses.descriptor, token: Token.addresses.rawValue, interest: .read)
    try poll.register(runner.storage.worker.wakeup.number, token: Token.storage.rawValue, interest: .read)
    try poll.register(files.watch.number, token: Token.files.rawValue, interest: .read)
    try poll.register(files.worker.wakeup.number, token: Token.reading.rawValue, interest: .read)
    try poll.register(runner.delivery.worker.wakeup.number, token: Token.delivery.rawValue, interest: .read)
    try poll.register(runner.ownerFiles.number, token: Token.ownerFiles.rawValue, interest: .read)
    if let webhook = runner.webhook {
      try poll.register(webhook.wakeup.number, token: Token.notices.rawValue, interest: .read)
    }
    if let sink = runner.secondSink {
      try poll.register(sink.wakeup.number, token: Token.secondSink.rawValue, interest: .read)
    }
    if let tokens = runner.tokens {
      try poll.register(tokens.worker.wakeup.number, token: Token.tokenExchange.rawValue, interest: .read)
    }
  }

  /// Until the machine says so; the reason when it could not go on.
  mutating func run(from start: SidecarEvent) throws(Errno) -> EffectRunner.ProcessEnd {
    var now = SystemTime.now()
    readAddresses(at: now)
    feed(start, at: now)
    runner.ownerFiles.read { feed($0, at: now) }
    while true {
      drain(at: now)
      runner.names.flush()
      if let end = runner.end { return end }
      let deadline = min(machine.nextDeadline ?? nextSweep, files.nextDeadline ?? nextSweep, nextSweep)
      let timeout = runner.api.hasWork ? .zero : deadline - SystemTime.instant()
      let events = try poll.wait(timeout: timeout)
      now = SystemTime.now()
      runner.api.goOn(at: now.instant) { feed(.requestReceived($0, $1), at: now) }
      for event in events { dispatch(event, at: now) }
      if files.read(at: now.instant) { runner.api.reloadIdentity() }
      if let due = machine.nextDeadline, due <= now.instant { feed(.deadlineReached, at: now) }
      if nextSweep <= now.instant { sweep(at: now) }
      feed(.turnEnded, at: now)
    }
  }

  private mutating func feed(_ event: SidecarEvent, at now: Moment) { machine.handle(event, at: now, using: &random) }

  private mutating func drain(at now: Moment) {
    var hadOutcome = true
    while hadOutcome {
      hadOutcome = false
      while let effect = machine.nextEffect() {
        // Queries do not wait for the kernel or the disk.
        switch effect {
        case .commit, .spool: hadOutcome = sendUpstream(at: now) || hadOutcome
        default: break
        }
        var outcomes: [SidecarEvent] = []
        runner.perform(effect, at: now) { outcomes.append($0) }
        // What was counted before the counters were read is then told before what was counted is compared with what is told.
        if case .readCounts = effect { readConntrack(at: now) }
        for outcome in outcomes { feed(outcome, at: now) }
        if !outcomes.isEmpty { hadOutcome = true }
      }
      hadOutcome = sendUpstream(at: now) || hadOutcome
      // Outcomes are events of a turn too: what they staged must not wait for the next readiness.
      if hadOutcome { feed(.turnEnded, at: now) }
    }
  }

  /// Sends the queries gathered so far. True: some were refused, and the machine knows.
  private mutating func sendUpstream(at now: Moment) -> Bool {
    var failed = false
    runner.upstreams.flush {
      feed($0, at: now)
      failed = true
    }
    return failed
  }

  private mutating func dispatch(_ event: EventPoll.Event, at now: Moment) {
    guard let token = Token(rawValue: event.token) else { return }
    let readable = event.readable || event.hangup
    switch token {
    case .signals:
      while let signal = try? signals.next() {
        switch signal {
        case .terminate, .interrupt: feed(.shutdownRequested, at: now)
        case .hangUp: break
        }
      }
    case .conntrack: readConntrack(at: now)
    case .ruleset: readRules(at: now)
    case .addresses: readAddresses(at: now)
    case .storage:
      for output in runner.storage.worker.takeOutputs() {
        switch output {
        case .event(let event): feed(event, at: now)
        case .failure(let reason): feed(.storageFailed(reason: reason), at: now)
        case .nothing: break
        }
      }
    case .delivery:
      for result in runner.delivery.worker.takeOutputs() {
        feed(result.outcome.map { .delivered(result.id, $0) } ?? .deliveryUnconnected(result.id), at: now)
      }
    case .secondSink:
      for (id, outcome) in runner.secondSink?.takeOutputs() ?? [] { feed(.copied(id, outcome), at: now) }
    case .notices:
      for (id, outcome) in runner.webhook?.takeOutputs() ?? [] { feed(.noticeSent(id, outcome), at: now) }
    case .files: files.changed(at: now.instant)
    case .reading: for reading in files.takeReadings() { feed(.policyRead(reading), at: now) }
    case .dnsDatagrams(let index): runner.names.receive(on: index) { feed(.queryReceived($0), at: now) }
    case .dnsListener(let index): runner.names.accept(on: index, at: now.instant)
    case .apiListener(let index): runner.api.accept(on: index, at: now.instant)
    case .dnsStream(let number):
      if event.writable { runner.names.write(number) }
      if readable { runner.names.read(number, at: now.instant) { feed(.queryReceived($0), at: now) } }
    case .apiStream(let number):
      if event.writable { runner.api.write(number, at: now.instant) }
      if readable { runner.api.read(number, at: now.instant) { feed(.requestReceived($0, $1), at: now) } }
    case .upstreamStream(let number):
      runner.upstreams.streams.progress(number, writable: event.writable, readable: readable, at: now.instant) {
        feed($0, at: now)
      }
    case .upstreamDatagrams(let number): runner.upstreams.receive(number) { feed($0, at: now) }
    case .tokenExchange: runner.takeTokens { feed($0, at: now) }
    case .ownerFiles: runner.ownerFiles.read { feed($0, at: now) }
    }
  }

  private mutating func readConntrack(at now: Moment) {
    var events: [ConntrackEvent] = []
    let outcome = monitor.read(into: &events)
    for event in events { feed(.conntrack(event), at: now) }
    switch outcome {
    case .overflowed: reconcile(at: now)
    case .drained, .more: break
    case .failed(let code):
      feed(.conntrackFailed(code: code), at: now)
      monitorRests = true
      try? poll.modify(monitor.descriptor, token: Token.conntrack.rawValue, interest: .none)
      runner.owesFlows = true
    }
  }

  private mutating func readRules(at now: Moment) {
    let findings = rules.read()
    if let change = findings.change { feed(.rulesetChanged(change), at: now) }
    if findings.othersChanged, let chains = runner.interceptors(at: now) { feed(.interceptorsFound(chains), at: now) }
    if let code = findings.failure { runner.say("changes of the rules cannot be read", "errno \(code)", at: now) }
  }

  /// When they cannot be read, those that were known stay.
  private mutating func readAddresses(at now: Moment) {
    do {
      feed(.sourcesFound(try addresses.read()), at: now)
    } catch {
      runner.say("the pod's own addresses cannot be read", error.description, at: now)
    }
  }

  /// Events were lost: all flows are read, at once or, when that was just done, at the next sweep.
  private mutating func reconcile(at now: Moment) {
    if let last = lastReconcile, now.instant - last < Self.reconcileInterval {
      runner.owesFlows = true
      return
    }
    lastReconcile = now.instant
    runner.owesFlows = false
    feed(.conntrackOverflowed, at: now)
  }

  private mutating func sweep(at moment: Moment) {
    let now = moment.instant
    nextSweep = now + Self.sweepInterval
    if monitorRests {
      monitorRests = false
      try? poll.modify(monitor.descriptor, token: Token.conntrack.rawValue, interest: .read)
    }
    if runner.owesFlows { reconcile(at: moment) }
    runner.ownerFiles.sweep(at: now) { feed($0, at: moment) }
    files.watchMissing(at: now)
    runner.names.sweep(at: now)
    runner.api.sweep(at: now)
    runner.upstreams.streams.closeIdle(at: now, after: upstreamPatience) { feed($0, at: moment) }
  }
}
