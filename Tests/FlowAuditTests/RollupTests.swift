import Addressing
import Testing
import Timekeeping

@testable import FlowAudit

@Suite struct RollupTests {
  @Test func theFirstQueryIsOnTheRecordAtOnceAndRepeatsAreCounted() throws {
    var rollup = QueryRollup()
    var drafts: [QueryDraft] = []
    #expect(rollup.observe(try query(at: moment(0).wall), at: moment(0).instant, into: &drafts))
    for step in 1...5 {
      let at = moment(Int64(step) * 100)
      #expect(!rollup.observe(try query(at: at.wall), at: at.instant, into: &drafts))
    }
    #expect(drafts.map(\.count) == [1])
    #expect(rollup.nextDeadline == moment(10_000).instant)
    rollup.deadlineReached(at: moment(10_000).instant, into: &drafts)
    #expect(drafts.map(\.count) == [1, 5])
    #expect(drafts[1].startedAt == moment(100).wall && drafts[1].endedAt == moment(500).wall)
    #expect(rollup.nextDeadline == nil)
  }

  @Test func anotherAnswerNameOrVerdictIsARecordOfItsOwn() throws {
    var rollup = QueryRollup()
    var drafts: [QueryDraft] = []
    let at = moment(0)
    for draft in [
      try query(at: at.wall), try query(answer: "203.0.113.10", at: at.wall), try query("b.test", at: at.wall),
      try query(isAllowed: false, at: at.wall),
    ] {
      #expect(rollup.observe(draft, at: at.instant, into: &drafts))
    }
    #expect(drafts.count == 4)
  }

  @Test func noQueryIsLostWhenTheWindowsAreFull() throws {
    var rollup = QueryRollup()
    var drafts: [QueryDraft] = []
    let names = QueryRollup.windowsMax + 100
    for index in 0..<names {
      let draft = try query("n\(index).test", at: epoch)
      rollup.observe(draft, at: moment(0).instant, into: &drafts)
      rollup.observe(draft, at: moment(0).instant, into: &drafts)
    }
    #expect(drafts.count == names + 100)
    rollup.flush(into: &drafts)
    #expect(drafts.reduce(0) { $0 + $1.count } == 2 * names)
  }

  @Test func deniedNamesOfOneDomainBecomeOneRecordAndEveryOneIsCounted() throws {
    var rollup = QueryRollup()
    var drafts: [QueryDraft] = []
    for index in 0..<5_000 {
      let at = moment(Int64(index))
      let draft = try query("n\(index).a.evil.test", isAllowed: false, at: at.wall)
      if rollup.count(draft, at: at.instant, domain: { Array("evil.test".utf8) }, into: &drafts) {
        drafts.append(draft)
      }
    }
    rollup.flush(into: &drafts)
    #expect(drafts.reduce(0) { $0 + $1.count } == 5_000)
    #expect(drafts.count == QueryRollup.deniedNamesMax + 1)
    #expect(drafts.last?.name == Array("evil.test".utf8) && drafts.last?.isOfDomain == true)
  }

  @Test func deniedNamesOfEverNewDomainsStayBoundedAndEveryOneIsCounted() throws {
    var rollup = QueryRollup()
    var drafts: [QueryDraft] = []
    for index in 0..<20_000 {
      let draft = try query("a.evil\(index).test", isAllowed: false, at: epoch)
      if rollup.count(draft, at: moment(0).instant, domain: { Array("evil\(index).test".utf8) }, into: &drafts) {
        drafts.append(draft)
      }
    }
    rollup.flush(into: &drafts)
    #expect(drafts.reduce(0) { $0 + $1.count } == 20_000)
    #expect(drafts.count == 2 * QueryRollup.deniedNamesMax + 1)
    #expect(drafts.contains { $0.name == [0x2e] && $0.isOfDomain })
  }

  @Test func allowedNamesAreEachOnTheRecord() throws {
    var rollup = QueryRollup()
    var drafts: [QueryDraft] = []
    for index in 0..<100 {
      let draft = try query("n\(index).acme.test", at: epoch)
      #expect(rollup.count(draft, at: moment(0).instant, domain: { Array("acme.test".utf8) }, into: &drafts))
    }
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func everyQueryAndEveryDenialIsCountedOnce(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var queries = QueryRollup()
    var denials = DenialRollup()
    var drafts: [QueryDraft] = []
    var actions: [FlowAction] = []
    var time: Int64 = 0
    for _ in 0..<500 {
      time += Int64.random(in: 0...800, using: &generator)
      let at = moment(time)
      let name = "n\(Int.random(in: 0..<8, using: &generator)).test"
      queries.observe(try query(name, at: at.wall), at: at.instant, into: &drafts)
      let target = try tuple("10.1.2.3:1", "203.0.113.\(Int.random(in: 1..<6, using: &generator)):80")
      denials.observe(
        FlowDraft(
          stage: .denied(.defaultDeny), session: 1, tuple: target, attribution: FlowAttribution(.deny(.defaultDeny)),
          startedAt: at.wall, endedAt: at.wall), at: at.instant, into: &actions)
    }
    queries.flush(into: &drafts)
    denials.flush(into: &actions)
    #expect(drafts.reduce(0) { $0 + $1.count } == 500)
    #expect(records(actions).reduce(0) { $0 + $1.count } == 500)
    #expect(records(actions).count < 500)
  }
}
