import Addressing
import DNSWire
import DNSProxy
import Firewall
import FlowAudit
import Sidecar
import Simulation
import Spool
import Testing
import Timekeeping

/// Commit, then record, then reply.
@Suite struct PromiseTests {
  private let refusal = CommitOutcome.refused(CommitRefusal(code: 105, change: nil, reason: "ENOBUFS"))

  @Test func aReplyWaitsForItsCommit() throws {
    var scene = try Scene()
    scene.ask("api.example.com")
    scene.effects.removeAll { if case .commit = $0 { true } else { false } }
    try scene.answer()
    #expect(scene.commits.count == 1)
    #expect(scene.replies.isEmpty)
    scene.settleCommit(.committed)
    let contents = try #require(scene.replies.first.flatMap { replyContents($0.bytes) })
    #expect(contents.addresses == [Scene.address])
  }

  @Test func aReplyWaitsForItsRecord() throws {
    var scene = try Scene()
    scene.ask("api.example.com")
    scene.diskIsSlow = true
    try scene.answer()
    scene.settleCommit(.committed)
    #expect(scene.replies.isEmpty)
    scene.finishWrites()
    #expect(scene.replies.count == 1)
  }

  @Test func aRepeatWaitsForTheRecordOfTheFirstQuery() throws {
    var scene = try Scene()
    scene.ask("api.example.com")
    scene.diskIsSlow = true
    try scene.answer()
    scene.settleCommit(.committed)
    scene.ask("api.example.com", id: 2)
    #expect(scene.replies.isEmpty)
    scene.finishWrites()
    #expect(scene.replies.count == 2)
  }

  @Test func aRepeatOfAQueryWhoseRecordWasRefusedHasARecordOfItsOwn() throws {
    var scene = try Scene()
    scene.ask("api.example.com")
    scene.diskIsSlow = true
    try scene.answer()
    scene.settleCommit(.committed)
    scene.finishWrites(.failed(reason: "ENOSPC"))
    let contents = try #require(scene.replies.first.flatMap { replyContents($0.bytes) })
    #expect(contents.code == 2 && contents.addresses.isEmpty)
    scene.ask("api.example.com", id: 2)
    #expect(scene.replies.allSatisfy { replyContents($0.bytes)?.addresses.isEmpty ?? false })
  }

  @Test func aRefusedCommitGivesServerFailureWithoutAddress() throws {
    var scene = try Scene()
    scene.ask("api.example.com")
    try scene.answer()
    scene.settleCommit(refusal)
    let contents = try #require(scene.replies.first.flatMap { replyContents($0.bytes) })
    #expect(contents.code == 2)
    #expect(contents.addresses.isEmpty)
  }

  @Test func aResolutionJudgedUnderAnOlderRevisionGrantsNothing() throws {
    var scene = try Scene()
    scene.ask("api.example.com")
    scene.put(#"{"egress":[]}"#)
    try scene.answer()
    scene.settleCommit(.committed)
    let contents = try #require(scene.replies.first.flatMap { replyContents($0.bytes) })
    #expect(contents.addresses.isEmpty)
    #expect(
      !scene.commits.contains { $0.changes.contains { if case .addElements(.lease4, _) = $0 { true } else { false } } })
  }

  @Test func aLeaseThatAChangeTakesBeforeItsCommitIsNotTold() throws {
    var scene = try Scene()
    scene.ask("api.example.com")
    try scene.answer()
    scene.put(#"{"egress":[]}"#)
    scene.settleCommit(.committed)
    scene.settleCommit(.committed)
    #expect(scene.replies.allSatisfy { replyContents($0.bytes)?.addresses.isEmpty ?? false })
  }

  @Test func anUnboundSandboxAnswersNoName() throws {
    var scene = try Scene(ownerIsRequired: true)
    scene.ask("api.example.com")
    #expect(scene.upstreamQueries.isEmpty)
    let contents = try #require(scene.replies.first.flatMap { replyContents($0.bytes) })
    #expect(contents.code == 3)
  }

  @Test func aNameThatIsDeniedNeverReachesUpstream() throws {
    var scene = try Scene()
    scene.ask("evil.test")
    #expect(scene.upstreamQueries.isEmpty)
    #expect(scene.replies.count == 1)
  }

  @Test func whatWasLostIsReportedBeforeAnythingLaterIsStored() throws {
    var scene = try Scene(diskIsSlow: true)
    scene.finishWrites()
    scene.ask("a.test")
    scene.finishWrites(.failed(reason: "ENOSPC"))
    // The spool is failing: these find no room.
    scene.ask("b.test", id: 2)
    scene.ask("c.test", id: 3)
    scene.pass(.seconds(1))
    scene.finishWrites()
    scene.ask("d.test", id: 4)
    scene.finishWrites()
    var last: UInt64 = 0
    var gaps = 0
    for record in scene.storedRecords {
      if record.sequence != last + 1 {
        gaps += 1
        #expect(record.kind == "RecordsDropped")
        #expect(record.text.contains("\"SbxDroppedFromSeq\":\(last + 1),"))
        #expect(record.text.contains("\"SbxDroppedToSeq\":\(record.sequence - 1)"))
      }
      last = record.sequence
    }
    #expect(gaps == 1)
    #expect(scene.storedRecords.last?.text.contains("d.test") ?? false)
  }
}
