import Firewall
import FlowAudit
import Sidecar
import Testing
import Timekeeping

/// Someone else changes the rules: what the machine makes of it.
@Suite struct TamperTests {
  static func change(_ part: ForeignChange.Part, isDeletion: Bool = true) -> ForeignChange {
    var change = ForeignChange()
    change.add(.init(part, isDeletion: isDeletion))
    change.process = "nft (process 9)"
    return change
  }

  private static func records(_ scene: Scene) -> [String] {
    scene.files.values.flatMap {
      String(decoding: $0, as: UTF8.self).split(separator: "\"SbxRecordKind\":\"Tamper\"").dropFirst()
    }
    .map(String.init)
  }

  private static func refusal(_ code: Int32) -> CommitOutcome {
    .refused(CommitRefusal(code: code, change: 0, reason: "no such table"))
  }

  @Test func aChangedTableIsReplacedInTheSameTurnAndThenOnTheRecord() throws {
    var scene = try Scene()
    scene.forgetCommits()
    scene.handle(.rulesetChanged(Self.change(.rule("out"))))
    scene.endTurn()
    let transaction = try #require(scene.commits.last)
    #expect(transaction.changes.starts(with: Ruleset.removal.changes))
    #expect(Self.records(scene).isEmpty)
    scene.settleCommit(.committed)
    let record = try #require(Self.records(scene).first)
    #expect(record.contains("RESTORED") && record.contains("rule of chain out") && record.contains("nft (process 9)"))
    #expect(!record.contains("NOT_RESTORED"))
  }

  @Test func changedElementsAreFilledAnewWithoutTouchingTheRules() throws {
    var scene = try Scene()
    scene.forgetCommits()
    scene.handle(.rulesetChanged(Self.change(.elements("lease4"))))
    scene.endTurn()
    let transaction = try #require(scene.commits.last)
    #expect(transaction.changes.contains(.flushSet(.lease4)))
    let touchesRules = transaction.changes.contains {
      switch $0 {
      case .deleteTable, .appendRule, .flushChain: true
      default: false
      }
    }
    #expect(!touchesRules)
    // The set itself is gone: then the whole table.
    scene.settleCommit(Self.refusal(2))
    #expect(scene.commits.last?.changes.starts(with: Ruleset.removal.changes) == true)
    scene.settleCommit(.committed)
    #expect(Self.records(scene).count == 1)
  }

  @Test func aRefusedRestorationIsTriedAgainAndSaidOnce() throws {
    var scene = try Scene()
    scene.handle(.rulesetChanged(Self.change(.table)))
    scene.endTurn()
    for _ in 0..<5 {
      scene.forgetCommits()
      scene.settleCommit(Self.refusal(1))
      #expect(scene.commits.isEmpty)
      scene.pass(.milliseconds(100))
      if scene.commits.isEmpty { scene.pass(.milliseconds(100)) }
    }
    #expect(Self.records(scene).filter { $0.contains("NOT_RESTORED") }.count <= 1)
  }

  @Test func manyChangesInARowAreOneMoreRecordThatCountsThem() throws {
    var scene = try Scene()
    for _ in 0..<10 {
      scene.handle(.rulesetChanged(Self.change(.rule("out"))))
      scene.endTurn()
      scene.settleCommit(.committed)
    }
    #expect(Self.records(scene).count == 1)
    scene.pass(.seconds(1))
    let records = Self.records(scene)
    #expect(records.count == 2)
    #expect(scene.files.values.contains { String(decoding: $0, as: UTF8.self).contains("\"EventCount\":9") })
  }
}
