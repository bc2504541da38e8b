import Addressing
import Testing
import Timekeeping

@testable import FlowAudit

private let allowed = FlowAttribution(.allow, name: "a.test", names: ["a.test"], rule: "allow a.test")
private let denied = FlowAttribution(.deny(.defaultDeny))
/// The daemon died at 0 and came back two minutes later; its records begin two minutes before.
private let death = moment(0)
private let start = moment(120_000)

/// What the earlier start recorded, as it stands in the spool.
private struct Past {
  var log = makeLog(unboundContext, bootID: "before")
  var generator = SeededGenerator(seed: 1)
  var records: [[UInt8]] = []

  init(reachesBack: Bool = true) {
    let at = reachesBack ? death : moment(1)
    records.append(
      log.seal(
        .sidecarStop(SidecarStopDraft(reason: "any", unacknowledgedCount: 0, spoolBytes: 0)), at: at.wall,
        using: &generator
      ).bytes)
  }

  mutating func write(
    _ stage: FlowDraft.Stage, _ tuple: FlowTuple, session: UInt64 = 1, by attribution: FlowAttribution = allowed,
    count: Int = 1, at moment: Moment = death
  ) {
    let draft = FlowDraft(
      stage: stage, session: session, tuple: tuple, attribution: attribution, startedAt: death.wall,
      endedAt: moment.wall, count: count)
    records.append(log.seal(draft, at: moment.wall, using: &generator).bytes)
  }

  func adopt(_ dump: [ConntrackEvent], into tracker: inout FlowTracker) -> [FlowDraft] {
    var actions: [FlowAction] = []
    tracker.adopt(dump, previous: PreviousFlows(records: records), at: start, into: &actions) {
      $0.mark == 99 ? denied : allowed
    }
    return FlowAuditTests.records(actions)
  }
}

@Suite struct AdoptionTests {
  enum Entry: Sendable { case none, live, ended, reset, denied }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var past: [FlowDraft.Stage]
    var entry: Entry
    var becomes: [FlowDraft.Stage]
    var origin: FlowDraft.Origin = .recovered
    var reachesBack = true
    var unreconciled: UInt64 = 0
  }

  static let cases: [Case] = [
    Case(testDescription: "open, lives", past: [.open], entry: .live, becomes: [.open], origin: .adopted),
    Case(
      testDescription: "open by its last update, lives", past: [.update], entry: .live, becomes: [.open],
      origin: .adopted),
    Case(testDescription: "open, has ended", past: [.open], entry: .ended, becomes: [.close(.terminated)]),
    Case(testDescription: "open, was reset", past: [.open], entry: .reset, becomes: [.close(.reset)]),
    Case(testDescription: "open, no entry", past: [.open], entry: .none, becomes: [.close(.unknown)]),
    Case(
      testDescription: "open, and now denied", past: [.open], entry: .denied,
      becomes: [.close(.unknown), .denied(.defaultDeny)]),
    Case(testDescription: "closed, has ended", past: [.open, .close(.terminated)], entry: .ended, becomes: []),
    Case(testDescription: "closed, no entry", past: [.open, .close(.reset)], entry: .none, becomes: []),
    Case(
      testDescription: "closed, its tuple lives again", past: [.open, .close(.timeout)], entry: .live,
      becomes: [.open]),
    Case(
      testDescription: "closed, opened again, has ended", past: [.open, .close(.timeout), .open], entry: .ended,
      becomes: [.close(.terminated)]),
    Case(testDescription: "not on record, lives", past: [], entry: .live, becomes: [.open]),
    Case(
      testDescription: "not on record, has ended", past: [], entry: .ended, becomes: [.open, .close(.terminated)]),
    Case(testDescription: "denied, on record", past: [.denied(.defaultDeny)], entry: .denied, becomes: []),
    Case(testDescription: "denied, no entry", past: [.denied(.defaultDeny)], entry: .none, becomes: []),
    Case(testDescription: "denied, not on record", past: [], entry: .denied, becomes: [.denied(.defaultDeny)]),
    Case(
      testDescription: "lives, and the records are too few to tell", past: [], entry: .live, becomes: [.open],
      origin: .adopted, reachesBack: false),
    Case(
      testDescription: "has ended, and the records are too few to tell", past: [], entry: .ended, becomes: [],
      reachesBack: false, unreconciled: 1),
    Case(
      testDescription: "denied, and the records are too few to tell", past: [], entry: .denied, becomes: [],
      reachesBack: false, unreconciled: 1),
  ]

  private static func dump(_ entry: Entry) throws -> [ConntrackEvent] {
    switch entry {
    case .none: []
    case .live: [event(.snapshot, try tuple(), id: 1, tcp: .established, bytes: 5)]
    case .ended: [event(.snapshot, try tuple(), id: 1, tcp: .timeWait, bytes: 5)]
    case .reset: [event(.snapshot, try tuple(), id: 1, tcp: .close, bytes: 5)]
    case .denied: [event(.snapshot, try tuple(), id: 1, mark: 99, tcp: .synSent)]
    }
  }

  @Test(arguments: cases)
  func recordAndTableTogetherSayWhatIsMissing(_ example: Case) throws {
    var past = Past(reachesBack: example.reachesBack)
    for stage in example.past {
      if case .denied = stage { past.write(stage, try tuple(), by: denied) } else { past.write(stage, try tuple()) }
    }
    var tracker = FlowTracker()
    let dump = try Self.dump(example.entry)
    let drafts = past.adopt(dump, into: &tracker)
    #expect(drafts.map(\.stage) == example.becomes)
    #expect(drafts.allSatisfy { $0.origin == example.origin && $0.tuple == (try? tuple()) })
    #expect(tracker.sums.unreconciled == example.unreconciled)
    for draft in drafts where draft.stage == .close(.terminated) { #expect(draft.counters?.sentBytes == 5) }
    // A close of what is on record as open bears the former session.
    for draft in drafts where example.becomes.first == draft.stage && draft.kind == .flowClose {
      #expect(draft.formerSession == "before-f1" && draft.attribution == allowed && draft.startedAt == death.wall)
    }
    // The next dump has nothing to add, whatever the first made of it.
    var actions: [FlowAction] = []
    tracker.dumpBegins(at: moment(121_000))
    tracker.resynchronise(dump, at: moment(121_001), into: &actions) { $0.mark == 99 ? denied : allowed }
    #expect(actions.isEmpty)
  }

  @Test func theNextStartFindsWhatThisOneRecorded() throws {
    var past = Past()
    past.write(.open, try tuple())
    var tracker = FlowTracker()
    let dump = try [
      event(.snapshot, tuple("10.1.2.3:2"), id: 2, tcp: .timeWait),
      event(.snapshot, tuple("10.1.2.3:3"), id: 3, mark: 99),
    ]
    let drafts = past.adopt(dump, into: &tracker)
    #expect(drafts.map(\.kind) == [.flowOpen, .flowClose, .flowDenied, .flowClose])
    var log = makeLog(unboundContext, bootID: "between")
    for draft in drafts { past.records.append(log.seal(draft, at: start.wall, using: &past.generator).bytes) }
    var next = FlowTracker()
    #expect(past.adopt(dump, into: &next) == [])
  }

  @Test func repeatsThatAreCountedInARecordAreNotRecordedAgain() throws {
    var past = Past()
    let last = moment(100_000)
    past.write(.denied(.defaultDeny), try tuple("10.1.2.3:1", "203.0.113.9:53", .udp), by: denied)
    past.write(
      .denied(.defaultDeny), try tuple("10.1.2.3:3", "203.0.113.9:53", .udp), by: denied, count: 2, at: last)
    let dump = try (1...5).map {
      event(.snapshot, try tuple("10.1.2.3:\($0)", "203.0.113.9:53", .udp), id: UInt32($0), mark: 99)
    }
    var tracker = FlowTracker()
    // The first and the last are there by name, one is the other repeat, and two are new: one record, one repeat that waits.
    #expect(past.adopt(dump, into: &tracker).map(\.count) == [1])
    #expect(tracker.sums.denied == 2)
  }

  @Test func whatEventsToldBeforeTheTableWasReadIsNotToldAgain() throws {
    var past = Past()
    past.write(.open, try tuple())
    var tracker = FlowTracker()
    var actions: [FlowAction] = []
    tracker.dumpBegins(at: start)
    for port in [1, 2, 3] {
      tracker.observe(
        event(.new, try tuple("10.1.2.3:\(port)"), id: UInt32(port)), attribution: allowed, at: start, into: &actions)
    }
    for port in [2, 3] {
      let target = try tuple("10.1.2.3:\(port)")
      tracker.observe(
        event(.update, target, id: UInt32(port), tcp: .timeWait), attribution: nil, at: start, into: &actions)
      tracker.observe(
        event(.snapshot, target, id: UInt32(port), tcp: .timeWait), attribution: nil, at: start, into: &actions)
    }
    tracker.observe(event(.destroy, try tuple("10.1.2.3:3"), id: 3), attribution: nil, at: start, into: &actions)
    let dump = try (1...3).map { event(.snapshot, try tuple("10.1.2.3:\($0)"), id: UInt32($0), tcp: .timeWait) }
    #expect(past.adopt(dump, into: &tracker).map(\.stage) == [.close(.unknown)])
  }

  @Test func textThatIsNoRecordOfAFlowTellsNothing() throws {
    var past = Past()
    past.write(.open, try tuple())
    let whole = try #require(past.records.last)
    for length in 0..<whole.count {
      #expect(PreviousFlows(records: [Array(whole.prefix(length))]).left.isEmpty)
    }
    let text = String(decoding: whole, as: UTF8.self)
    for (from, to) in [
      ("\"TCP\"", "\"999\""), ("\"203.0.113.9\"", "\"203.0.113\""), (":443,", ":70000,"), ("FlowOpen", "FlowClosed"),
    ] {
      #expect(text.contains(from))
      let changed = text.replacing(from, with: to)
      #expect(PreviousFlows(records: [Array(changed.utf8)]).left.isEmpty, "\(to)")
    }
    #expect(PreviousFlows(records: [whole]).left.map(\.session) == ["before-f1"])
  }
}
