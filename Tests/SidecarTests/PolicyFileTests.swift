import DNSProxy
import EgressPolicy
import Firewall
import FlowAudit
import HTTPWire
import Sidecar
import Simulation
import Spool
import Testing
import Timekeeping

/// Changes by file, beside those by the API.
@Suite struct PolicyFileTests {
  private func document(_ text: String, digest: String = "d1") throws -> SidecarEvent {
    .policyRead(.document(.success(try PolicyDocument.parse(Array(text.utf8))), file: "/p.json", digest: digest))
  }

  private let bad = SidecarEvent.policyRead(
    .document(
      .failure(PolicyProblems(path: "$.egress", reason: "not an array")), file: "/p.json", digest: "d2"))

  private func records(_ scene: Scene) -> String {
    String(decoding: scene.files.sorted { $0.key < $1.key }.flatMap(\.value), as: UTF8.self)
  }

  @Test func aChangedFileIsPutInForceKeptAndOnTheRecord() throws {
    var scene = try Scene()
    scene.handle(try document(#"{"egress":[{"action":"allow","target":"203.0.113.9"}]}"#))
    scene.endTurn()
    scene.settleCommit(.committed)
    let kept = try #require(
      scene.effects.lazy.compactMap { effect -> (UInt64, [UInt8])? in
        if case .keep(let id, _, let bytes) = effect { (id, bytes) } else { nil }
      }.first)
    let policy = try KeptPolicy.parse(kept.1, limits: .standard)
    #expect(policy.source == "/p.json")
    #expect(policy.fileDigest == "d1")
    #expect(policy.document == nil)
    scene.handle(.kept(kept.0, .ok))
    scene.endTurn()
    #expect(scene.responses.isEmpty)
    #expect(records(scene).contains(#""Operation":"PolicyReload","Object":"/p.json""#))
    scene.ask("api.example.com")
    #expect(scene.replies.last.flatMap { replyContents($0.bytes) }?.code == 3)
  }

  @Test func aBadFileChangesNothingAndIsOnTheRecord() throws {
    var scene = try Scene()
    scene.effects = []
    scene.handle(bad)
    scene.endTurn()
    #expect(scene.commits.isEmpty)
    #expect(records(scene).contains(#""EventOriginalResultDetails":"$.egress: not an array""#))
    scene.ask("api.example.com")
    #expect(scene.upstreamQueries.count == 1)
  }

  @Test func aFileThatCannotBeKeptIsInForceAllTheSame() throws {
    var scene = try Scene()
    scene.handle(try document(#"{"egress":[]}"#))
    scene.endTurn()
    scene.settleCommit(.committed)
    let id = try #require(scene.keeps.first)
    scene.handle(.kept(id, .failed(reason: "ENOSPC")))
    scene.endTurn()
    scene.ask("api.example.com")
    #expect(scene.replies.last.flatMap { replyContents($0.bytes) }?.code == 3)
  }

  @Test func ofFilesThatWaitForAChangeOnlyTheLastIsTaken() throws {
    var scene = try Scene()
    scene.put(#"{"egress":[{"action":"allow","target":"203.0.113.1"}]}"#)
    for number in 2...9 {
      scene.handle(
        try document(#"{"egress":[{"action":"allow","target":"203.0.113.\#(number)"}]}"#, digest: "d\(number)"))
    }
    scene.settleCommit(.committed)
    for _ in 0..<2 {
      let id = try #require(scene.keeps.last)
      scene.handle(.kept(id, .ok))
      scene.endTurn()
      scene.settleCommit(.committed)
      scene.handle(.flowsFound([]))
      scene.handle(.flowsCut([]))
      scene.endTurn()
    }
    #expect(scene.responses == [200])
    #expect(scene.keeps.count == 2)
  }

  @Test func aListTakesWhatTheDocumentAllows() throws {
    var scene = try Scene()
    let deny = try AlwaysRules.parse(Array("api.example.com".utf8), file: "deny.always", action: .deny)
    scene.handle(.policyRead(.lists(.success(AlwaysRules(deny: deny)), directory: "/rules")))
    scene.endTurn()
    scene.settleCommit(.committed)
    scene.handle(.kept(try #require(scene.keeps.first), .ok))
    scene.endTurn()
    scene.ask("api.example.com")
    #expect(scene.replies.last.flatMap { replyContents($0.bytes) }?.code == 3)
    #expect(records(scene).contains(#""Operation":"AlwaysReload","Object":"/rules""#))
  }
}
