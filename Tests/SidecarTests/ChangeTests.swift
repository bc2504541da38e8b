import Addressing
import DNSProxy
import Firewall
import FlowAudit
import Sidecar
import Simulation
import Spool
import Testing
import Timekeeping

/// A change of policy is answered when it is in force everywhere, or not at all.
@Suite struct ChangeTests {
  private func leased() throws -> Scene {
    var scene = try Scene()
    scene.ask("api.example.com")
    try scene.answer()
    scene.settleCommit(.committed)
    scene.effects = []
    return scene
  }

  private let flow = ConntrackEvent(
    kind: .snapshot, identifier: 5,
    original: FlowTuple(
      source: Endpoint(.v4(IPv4Address(10, 1, 1, 1)), 40_001), destination: Endpoint(Scene.address, 443),
      transport: .udp),
    reply: FlowTuple(
      source: Endpoint(Scene.address, 443), destination: Endpoint(.v4(IPv4Address(10, 1, 1, 1)), 40_001),
      transport: .udp), mark: 1)

  @Test func aChangeIsAnsweredAfterFlowsAreCut() throws {
    var scene = try leased()
    scene.put(#"{"egress":[]}"#)
    #expect(scene.responses.isEmpty)
    scene.settleCommit(.committed)
    #expect(scene.effects.contains { if case .findFlows(let marks, _) = $0 { marks == [1] } else { false } })
    scene.handle(.flowsFound([flow]))
    #expect(scene.effects.contains { if case .deleteFlows(let flows) = $0 { flows == [flow] } else { false } })
    #expect(scene.keeps.isEmpty)
    scene.handle(.flowsCut([flow]))
    scene.endTurn()
    #expect(scene.responses.isEmpty)
    let id = try #require(scene.keeps.first)
    scene.handle(.kept(id, .ok))
    scene.endTurn()
    #expect(scene.responses == [200])
  }

  @Test func aChangeThatTheKernelRefusesIsAnswered500AndNotKept() throws {
    var scene = try leased()
    scene.put(#"{"egress":[]}"#)
    scene.settleCommit(.refused(CommitRefusal(code: 12, change: nil, reason: "ENOMEM")))
    #expect(scene.responses == [500])
    #expect(scene.keeps.isEmpty)
    scene.ask("api.example.com", id: 7)
    let contents = try #require(scene.replies.last.flatMap { replyContents($0.bytes) })
    #expect(contents.addresses == [Scene.address])
  }

  @Test func aChangeThatCannotBeKeptIsTakenBackAndAnswered500() throws {
    var scene = try leased()
    scene.put(#"{"egress":[{"action":"allow","target":"203.0.113.9"}]}"#)
    scene.settleCommit(.committed)
    scene.handle(.flowsFound([]))
    scene.handle(.flowsCut([]))
    let id = try #require(scene.keeps.first)
    scene.handle(.kept(id, .failed(reason: "ENOSPC")))
    scene.endTurn()
    #expect(scene.responses.isEmpty)
    scene.settleCommit(.committed)
    scene.handle(.flowsFound([]))
    scene.handle(.flowsCut([]))
    scene.endTurn()
    #expect(scene.responses == [500])
    scene.ask("api.example.com", id: 7)
    scene.settleCommit(.committed)
    let contents = try #require(scene.replies.last.flatMap { replyContents($0.bytes) })
    #expect(contents.addresses == [Scene.address])
  }

  @Test func aRuleThatEndsWhileAChangeIsUnderWayDoesNotSpin() throws {
    var scene = try Scene(
      policy: #"{"egress":[{"action":"allow","target":"api.example.com","expiresAt":"2030-03-17T17:46:45Z"}]}"#)
    scene.put(#"{"egress":[{"action":"allow","target":"203.0.113.9"}]}"#)
    scene.pass(.seconds(10))
    let due = scene.machine.nextDeadline
    #expect(due.map { scene.now.instant < $0 } ?? false)
  }

  @Test func aChangeThatCanBeNeitherKeptNorTakenBackDoesNotStayInForce() throws {
    var scene = try leased()
    scene.put(#"{"egress":[{"action":"allow","target":"203.0.113.9"}]}"#)
    scene.settleCommit(.committed)
    scene.handle(.flowsFound([]))
    scene.handle(.flowsCut([]))
    let id = try #require(scene.keeps.first)
    scene.handle(.kept(id, .failed(reason: "ENOSPC")))
    scene.endTurn()
    scene.settleCommit(.refused(CommitRefusal(code: 12, change: nil, reason: "ENOMEM")))
    scene.ask("api.example.com", id: 7)
    scene.settleCommit(.committed)
    let contents = try #require(scene.replies.last.flatMap { replyContents($0.bytes) })
    #expect(contents.code == 0)
  }
}
