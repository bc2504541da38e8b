import Addressing
import JSONText
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

  private func denial(_ destination: String, at index: Int) throws -> FlowDraft {
    FlowDraft(
      stage: .denied(.defaultDeny), session: 1, tuple: try tuple("10.1.2.3:\(1_024 + index % 60_000)", destination),
      attribution: FlowAttribution(.deny(.defaultDeny), name: "a.test", rule: "default"),
      startedAt: moment(Int64(index)).wall, endedAt: moment(Int64(index)).wall)
  }

  @Test func aScanOfEveryPortStaysBoundedAndEveryPortIsCounted() throws {
    var rollup = DenialRollup()
    var actions: [FlowAction] = []
    for port in 1...65_535 {
      // Within one window, as fast as a scanner is.
      rollup.observe(
        try denial("203.0.113.9:\(port)", at: port / 10), at: moment(Int64(port / 10)).instant, into: &actions)
    }
    rollup.flush(into: &actions)
    let drafts = records(actions)
    #expect(drafts.reduce(0) { $0 + $1.count } == 65_535)
    #expect(drafts.count == DenialRollup.destinationsMax + 1)
    let rest = try #require(drafts.last)
    #expect(rest.rollup == .ports && rest.count == 65_535 - DenialRollup.destinationsMax)
    #expect(rest.tuple.destination == Endpoint(try endpoint("203.0.113.9:1").address, 0))
    #expect(rest.startedAt == moment(51).wall && rest.attribution.name == "a.test")
  }

  @Test func aScanOfEverNewAddressesStaysBoundedAndEveryOneIsCounted() throws {
    var rollup = DenialRollup()
    var actions: [FlowAction] = []
    for index in 0..<20_000 {
      let address = "10.9.\(index / 250).\(1 + index % 250):443"
      rollup.observe(try denial(address, at: 0), at: moment(0).instant, into: &actions)
    }
    rollup.flush(into: &actions)
    let drafts = records(actions)
    #expect(drafts.reduce(0) { $0 + $1.count } == 20_000)
    #expect(drafts.count == 2 * DenialRollup.destinationsMax + 1)
    let rest = try #require(drafts.first { $0.rollup == .addresses })
    #expect(rest.tuple.destination == Endpoint(.unspecified(isIPv4: true), 0) && rest.attribution.name == nil)
  }

  @Test func tamperingAndCountedPacketsAreNotLostAmongAScansDenials() throws {
    var rollup = DenialRollup()
    var actions: [FlowAction] = []
    for port in 1...1_000 {
      rollup.observe(try denial("203.0.113.9:\(port)", at: 0), at: moment(0).instant, into: &actions)
    }
    actions = []
    var tampering = try denial("127.0.0.1:18080", at: 0)
    tampering.attribution.isTampering = true
    rollup.observe(tampering, at: moment(0).instant, into: &actions)
    var packets = try denial("203.0.113.10:0", at: 0)
    packets.origin = .counted
    packets.count = 7
    rollup.observe(packets, at: moment(0).instant, into: &actions)
    #expect(records(actions) == [tampering, packets])
  }

  @Test func theFirstDestinationsOfTheNextWindowStandForThemselvesAgain() throws {
    var rollup = DenialRollup()
    var actions: [FlowAction] = []
    for port in 1...1_000 {
      rollup.observe(try denial("203.0.113.9:\(port)", at: 0), at: moment(0).instant, into: &actions)
    }
    rollup.observe(try denial("203.0.113.9:2000", at: 10_001), at: moment(10_001).instant, into: &actions)
    let drafts = records(actions)
    #expect(drafts.last?.rollup == nil && drafts.last?.tuple.destination.port == 2_000)
    #expect(drafts.reduce(0) { $0 + $1.count } == 1_001)
  }

  @Test func aRolledUpDenialHasNoPortsAndSaysWhatItCounts() throws {
    var log = makeLog(unboundContext)
    var generator = SeededGenerator(seed: 9)
    var draft = try denial("203.0.113.9:7", at: 0)
    draft.rollup = .ports
    draft.count = 60_000
    let bytes = log.seal(draft, at: epoch, using: &generator).bytes
    let record = try JSONValue.parse(bytes)
    #expect(record["DstPortNumber"] == nil && record["SrcPortNumber"] == nil)
    #expect(record["AdditionalFields"]?["RolledUp"]?.string == "ports of this address")
    #expect(record["EventCount"]?.integer == 60_000)
    // A start after a crash finds a denied entry of the kernel counted in it.
    var previous = PreviousFlows(records: [bytes])
    #expect(previous.takeRepeat(of: try tuple("10.1.2.3:5", "203.0.113.9:80"), since: epoch))
    #expect(!previous.takeRepeat(of: try tuple("10.1.2.3:5", "203.0.113.8:80"), since: epoch))
  }
}
