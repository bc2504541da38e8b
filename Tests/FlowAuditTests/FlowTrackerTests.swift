import Addressing
import Testing
import Timekeeping

@testable import FlowAudit

private let allowed = FlowAttribution(.allow, name: "a.test", names: ["a.test"], rule: "allow a.test")
private let denied = FlowAttribution(.deny(.defaultDeny))

/// The stages of the records among actions, as words.
private func stages(_ actions: [FlowAction]) -> [FlowDraft.Stage] { records(actions).map(\.stage) }

@Suite struct FlowTrackerTests {
  /// A step of a flow's life and what must come of it.
  struct Life: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var steps: [@Sendable (inout FlowTracker, inout [FlowAction]) throws -> Void]
    var end: FlowEnd
    var sentBytes: UInt64?
  }

  private static func seen(
    _ kind: ConntrackEvent.Kind, tcp: TCPState? = nil, bytes: UInt64? = nil, id: UInt32 = 1, at: Int64 = 0
  ) -> @Sendable (inout FlowTracker, inout [FlowAction]) throws -> Void {
    { tracker, actions in
      tracker.observe(
        event(kind, try tuple(), id: id, tcp: tcp, bytes: bytes), attribution: kind == .new ? allowed : nil,
        at: moment(at), into: &actions)
    }
  }

  private static func deadline(at: Int64) -> @Sendable (inout FlowTracker, inout [FlowAction]) throws -> Void {
    { tracker, actions in tracker.deadlineReached(at: moment(at), into: &actions) }
  }

  static let lives: [Life] = [
    Life(
      testDescription: "both sides close and the counters are read",
      steps: [seen(.new), seen(.update, tcp: .timeWait), seen(.snapshot, tcp: .timeWait, bytes: 5)], end: .terminated,
      sentBytes: 5),
    Life(
      testDescription: "a reset",
      steps: [seen(.new), seen(.update, tcp: .close), seen(.snapshot, tcp: .close, bytes: 6)],
      end: .reset, sentBytes: 6),
    Life(
      testDescription: "DESTROY comes before the counters",
      steps: [seen(.new), seen(.update, tcp: .timeWait), seen(.destroy, bytes: 7), seen(.snapshot, bytes: 1)],
      end: .terminated, sentBytes: 7),
    Life(
      testDescription: "the counters never come", steps: [seen(.new), seen(.update, tcp: .close), deadline(at: 5_000)],
      end: .reset),
    Life(
      testDescription: "the entry is gone when it is asked for, and its DESTROY follows",
      steps: [
        seen(.new), deadline(at: 30_000),
        { tracker, _ in tracker.missing(try tuple(), identifier: 1, at: moment(30_001)) },
        seen(.destroy, bytes: 8, at: 30_002),
      ], end: .timeout, sentBytes: 8),
    Life(
      testDescription: "only DESTROY", steps: [seen(.new), seen(.destroy, bytes: 9)], end: .timeout, sentBytes: 9),
    Life(
      testDescription: "cut, with the counters of DESTROY",
      steps: [
        seen(.new), { tracker, _ in #expect(tracker.cut(marks: [7], at: moment(1)).map(\.mark) == [7]) },
        seen(.snapshot, bytes: 1), seen(.destroy, bytes: 10),
      ], end: .revoked, sentBytes: 10),
    Life(
      testDescription: "cut, and nothing is heard of it again",
      steps: [seen(.new), { tracker, _ in _ = tracker.cut(marks: [7], at: moment(1)) }, deadline(at: 5_001)],
      end: .revoked),
    Life(
      testDescription: "cut with counters",
      steps: [
        seen(.new),
        { tracker, actions in
          tracker.cut(
            try tuple(), counters: FlowCounters(sentBytes: 3, sentPackets: 1, receivedBytes: 1, receivedPackets: 1),
            at: moment(1), into: &actions)
        }, seen(.destroy, bytes: 10),
      ], end: .revoked, sentBytes: 3),
    Life(
      testDescription: "its tuple is used again", steps: [seen(.new), seen(.new, id: 2), seen(.destroy, id: 1)],
      end: .unknown),
    Life(
      testDescription: "a dump no longer has it",
      steps: [
        seen(.new),
        { tracker, actions in
          tracker.dumpBegins(at: moment(10))
          tracker.resynchronise([], at: moment(20), into: &actions) { _ in allowed }
        },
      ], end: .timeout),
  ]

  @Test(arguments: lives)
  func aFlowClosesOnceForTheReasonThatEndedIt(_ life: Life) throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    for step in life.steps { try step(&tracker, &actions) }
    let drafts = records(actions)
    let first = try #require(drafts.first)
    #expect(first.stage == .open)
    let closes = drafts.filter { $0.session == first.session && $0.kind == .flowClose }
    #expect(closes.map(\.stage) == [.close(life.end)])
    #expect(closes.first?.counters?.sentBytes == life.sentBytes)
    #expect(actions.filter { $0 == .flowEnded(mark: 7) }.count == 1)
  }

  @Test func countersAreAskedForEvery30SecondsAndRecorded() throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    try Self.seen(.new)(&tracker, &actions)
    for round in 1...3 {
      let at = Int64(round) * 30_000
      #expect(tracker.nextDeadline == moment(at).instant)
      actions = []
      tracker.deadlineReached(at: moment(at), into: &actions)
      #expect(actions == [.readCounters(try tuple(), identifier: 1)])
      try Self.seen(.snapshot, tcp: .established, bytes: UInt64(round), at: at)(&tracker, &actions)
      #expect(stages(actions) == [.update])
      #expect(records(actions).first?.counters?.sentBytes == UInt64(round))
    }
  }

  @Test func anAnswerFromBeforeTheEndIsNotFinal() throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    try Self.seen(.new)(&tracker, &actions)
    tracker.deadlineReached(at: moment(30_000), into: &actions)
    try Self.seen(.update, tcp: .timeWait)(&tracker, &actions)
    try Self.seen(.snapshot, tcp: .established, bytes: 1)(&tracker, &actions)
    #expect(stages(actions) == [.open])
    try Self.seen(.snapshot, tcp: .timeWait, bytes: 2)(&tracker, &actions)
    #expect(records(actions).last?.counters?.sentBytes == 2)
  }

  @Test func theDaemonsOwnFlowsAreCountedByDestination() throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    for index in 0..<40 {
      for destination in ["203.0.113.10:443", "203.0.113.11:53"] {
        let flow = event(.new, try tuple("10.1.2.3:\(1_000 + index)", destination), id: UInt32(index + 1))
        tracker.observe(flow, attribution: FlowAttribution(.own), at: moment(Int64(index)), into: &actions)
        tracker.observe(
          event(.destroy, flow.original, id: UInt32(index + 1)), attribution: nil, at: moment(Int64(index)),
          into: &actions)
      }
    }
    #expect(records(actions).map(\.count) == [1, 1])
    tracker.deadlineReached(at: moment(3_600_000), into: &actions)
    #expect(records(actions).map(\.count) == [1, 1, 39, 39])
    #expect(tracker.sums.own == 80 && tracker.sums.allowed == 0 && tracker.liveCount == 0)
  }

  @Test func flowsToEverNewDestinationsOfTheDaemonStayBounded() throws {
    var own = OwnFlows()
    var actions: [FlowAction] = []
    for index in 0..<1_000 {
      for _ in 0..<2 {
        let draft = FlowDraft(
          stage: .open, session: 1, tuple: try tuple("10.1.2.3:1", "203.0.113.1:\(1 + index)"),
          attribution: FlowAttribution(.own), startedAt: epoch, endedAt: epoch)
        own.observe(draft, at: moment(Int64(index)).instant, into: &actions)
      }
    }
    own.flush(into: &actions)
    #expect(records(actions).reduce(0) { $0 + $1.count } == 2_000)
    #expect(own.nextDeadline == nil)
  }

  @Test(arguments: [FlowAttribution.Verdict.local])
  func whatStaysInThePodLeavesNoRecord(_ verdict: FlowAttribution.Verdict) throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    let target = try tuple()
    tracker.observe(event(.new, target, id: 1), attribution: FlowAttribution(verdict), at: moment(0), into: &actions)
    tracker.observe(event(.destroy, target, id: 1), attribution: nil, at: moment(1), into: &actions)
    #expect(actions.isEmpty && tracker.sums == FlowSums())
  }

  @Test func deniedAttemptsOfOneDestinationRollUpAfterTheFirst() throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    for index in 0..<10 {
      let source = try tuple("10.1.2.3:\(1_000 + index)")
      tracker.observe(
        event(.new, source, id: UInt32(index + 1)), attribution: denied, at: moment(Int64(index)), into: &actions)
    }
    #expect(records(actions).map(\.count) == [1])
    tracker.deadlineReached(at: moment(10_000), into: &actions)
    #expect(records(actions).map(\.count) == [1, 9])
    #expect(stages(actions) == [.denied(.defaultDeny), .denied(.defaultDeny)])
    #expect(tracker.sums.denied == 10)
  }

  @Test func adoptedFlowsAreOpenedAndSaySo() throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    let dump = [
      event(.snapshot, try tuple(), id: 1, tcp: .established, bytes: 4),
      event(.snapshot, try tuple("10.1.2.3:2"), id: 2, tcp: .timeWait),
      event(.snapshot, try tuple("10.1.2.3:3"), id: 3, mark: 99),
    ]
    tracker.adopt(dump, previous: PreviousFlows(), at: moment(0), into: &actions) { $0.mark == 99 ? denied : allowed }
    #expect(records(actions).map(\.origin) == [.adopted])
    #expect(tracker.sums.adopted == 1 && tracker.sums.allowed == 0)
    tracker.dumpBegins(at: moment(1))
    tracker.resynchronise(dump, at: moment(2), into: &actions) { $0.mark == 99 ? denied : allowed }
    #expect(records(actions).count == 1)
  }

  @Test func aDumpRecordsWhatEventsDidNotTell() throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    tracker.dumpBegins(at: moment(0))
    // Ended and began while the dump was on its way: neither is a difference.
    let ended = try tuple("10.1.2.3:5")
    tracker.observe(event(.new, ended, id: 5), attribution: allowed, at: moment(1), into: &actions)
    tracker.observe(event(.destroy, ended, id: 5), attribution: nil, at: moment(2), into: &actions)
    let young = try tuple("10.1.2.3:6")
    tracker.observe(event(.new, young, id: 6), attribution: allowed, at: moment(3), into: &actions)
    actions = []
    let dump = [
      event(.snapshot, ended, id: 5), event(.snapshot, try tuple("10.1.2.3:1"), id: 1, tcp: .established),
      event(.snapshot, try tuple("10.1.2.3:2"), id: 2, tcp: .timeWait, bytes: 2),
      event(.snapshot, try tuple("10.1.2.3:3"), id: 3, mark: 99),
    ]
    tracker.resynchronise(dump, at: moment(4), into: &actions) { $0.mark == 99 ? denied : allowed }
    #expect(stages(actions) == [.open, .open, .close(.terminated), .denied(.defaultDeny)])
    #expect(tracker.sums.recovered == 2 && tracker.sums.denied == 1 && tracker.liveCount == 2)
    actions = []
    tracker.dumpBegins(at: moment(5))
    tracker.resynchronise(
      dump.dropFirst() + [event(.snapshot, young, id: 6)], at: moment(6), into: &actions
    ) { $0.mark == 99 ? denied : allowed }
    #expect(actions.isEmpty)
  }

  @Test func aFlowBeyondTheTableIsOpenedAndSaysThatNothingFollows() throws {
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    for index in 0...UInt32(FlowTracker.flowsMax) {
      let source = Endpoint(.v4(IPv4Address(bits: 0x0a00_0000 + index)), 1)
      let target = FlowTuple(source: source, destination: try endpoint("203.0.113.9:443"), transport: .tcp)
      actions = []
      tracker.observe(event(.new, target, id: index + 1), attribution: allowed, at: moment(0), into: &actions)
    }
    #expect(records(actions).map(\.origin) == [.untracked])
    #expect(tracker.liveCount == FlowTracker.flowsMax && tracker.sums.untracked == 1)
  }

  /// Random lives of a few tuples, with lost, repeated and reordered events, dumps and cuts.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func everyOpenHasExactlyOneClose(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    var time: Int64 = 0
    var nextID: UInt32 = 1
    let tuples = try (1...6).map { try tuple("10.1.2.3:\($0)", "203.0.113.9:443", $0 < 4 ? .tcp : .udp) }
    var kernel: [ConntrackEvent?] = Array(repeating: nil, count: tuples.count)
    func attribute(_ event: ConntrackEvent) -> FlowAttribution { event.mark == 99 ? denied : allowed }
    func tell(_ event: ConntrackEvent) {
      for _ in 0..<[0, 1, 1, 1, 1, 1, 2].randomElement(using: &generator)! {
        tracker.observe(
          event, attribution: FlowTracker.needsAttribution(event) ? attribute(event) : nil, at: moment(time),
          into: &actions)
      }
    }
    for _ in 0..<400 {
      time += Int64.random(in: 0...3_000, using: &generator)
      let index = Int.random(in: 0..<tuples.count, using: &generator)
      switch (Int.random(in: 0..<10, using: &generator), kernel[index]) {
      case (0...4, nil):
        let mark: UInt32 = [7, 8, 99].randomElement(using: &generator)!
        kernel[index] = event(.new, tuples[index], id: nextID, mark: mark)
        nextID += 1
        tell(event(.new, tuples[index], id: nextID - 1, mark: mark))
      case (0...2, let entry?):
        let state: TCPState = [.established, .timeWait, .close].randomElement(using: &generator)!
        tell(event(.update, tuples[index], id: entry.identifier, mark: entry.mark, tcp: index < 3 ? state : nil))
      case (3...4, let entry?):
        kernel[index] = nil
        tell(event(.destroy, tuples[index], id: entry.identifier, mark: entry.mark, bytes: 1))
      case (5, let entry?):
        tell(event(.snapshot, tuples[index], id: entry.identifier, mark: entry.mark, bytes: 1))
      case (6, _): tracker.missing(tuples[index], identifier: kernel[index]?.identifier ?? 0, at: moment(time))
      case (7, _): _ = tracker.cut(marks: [7], at: moment(time))
      case (8, _):
        tracker.dumpBegins(at: moment(time))
        tracker.resynchronise(
          kernel.compactMap { entry in entry.map { event(.snapshot, $0.original, id: $0.identifier, mark: $0.mark) } },
          at: moment(time + 1), into: &actions, attribute: attribute)
      default: tracker.deadlineReached(at: moment(time), into: &actions)
      }
    }
    time += 100_000
    tracker.dumpBegins(at: moment(time))
    tracker.resynchronise([], at: moment(time + 1), into: &actions, attribute: attribute)
    tracker.flush(into: &actions)
    let drafts = records(actions)
    let opened = drafts.filter { $0.kind == .flowOpen }.map(\.session)
    let closed = drafts.filter { $0.kind == .flowClose }.map(\.session)
    #expect(Set(opened).count == opened.count)
    #expect(opened.sorted() == closed.sorted())
    #expect(tracker.liveCount == 0 && tracker.liveFlows().isEmpty)
    #expect(tracker.sums.allowed == UInt64(opened.count))
    #expect(tracker.sums.denied == drafts.filter { $0.kind == .flowDenied }.reduce(0) { $0 + UInt64($1.count) })
    for session in opened {
      let own = drafts.filter { $0.session == session }.map(\.kind)
      #expect(own.first == .flowOpen && own.last == .flowClose)
    }
  }
}
