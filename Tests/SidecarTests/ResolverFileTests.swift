import Addressing
import DNSProxy
import Firewall
import Sidecar
import Simulation
import Testing
import Timekeeping

/// A resolver file that changes while the daemon runs.
@Suite struct ResolverFileTests {
  private static let second = Upstream(Endpoint(.v4(IPv4Address(192, 0, 2, 54)), 53))

  private func read(_ upstreams: [Upstream]) -> SidecarEvent { .resolversRead(upstreams, file: "/etc/resolv.conf") }

  private func forgets(_ scene: Scene) -> [[Endpoint]] {
    scene.effects.compactMap { if case .forgetResolvers(let kept) = $0 { kept } else { nil } }
  }

  private func logged(_ scene: Scene, _ text: String) -> Bool {
    scene.effects.contains { if case .log(let entry) = $0 { entry.message.contains(text) } else { false } }
  }

  @Test func newResolversAreAskedOnceTheKernelPermitsThemAndNotBefore() throws {
    var scene = try Scene()
    scene.effects = []
    scene.handle(read([Self.second]))
    scene.endTurn()
    #expect(scene.commits.count == 1)
    scene.ask("api.example.com", id: 1)
    #expect(scene.upstreamQueries.map(\.upstream) == [Scene.upstream])
    scene.settleCommit(.committed)
    #expect(forgets(scene) == [[Self.second.endpoint]])
    // The query that was under way goes to the new one at once.
    #expect(scene.upstreamQueries.map(\.upstream) == [Scene.upstream, Self.second.endpoint])
    #expect(logged(scene, "other resolvers are asked"))
    try scene.answer()
    scene.settleCommit(.committed)
    #expect(scene.replies.last.flatMap { replyContents($0.bytes) }?.code == 0)
  }

  @Test func aFileWithoutAResolverLeavesTheLastGoodOnesAndSaysSo() throws {
    var scene = try Scene()
    scene.effects = []
    scene.handle(read([]))
    scene.endTurn()
    #expect(scene.commits.isEmpty && forgets(scene).isEmpty)
    #expect(logged(scene, "the last good ones are asked"))
    scene.ask("api.example.com")
    #expect(scene.upstreamQueries.map(\.upstream) == [Scene.upstream])
  }

  @Test func theSameResolversChangeNothing() throws {
    var scene = try Scene()
    scene.effects = []
    scene.handle(read([Upstream(Scene.upstream)]))
    scene.endTurn()
    #expect(scene.commits.isEmpty && forgets(scene).isEmpty)
  }

  @Test func resolversThatTheKernelDoesNotPermitAreNotAsked() throws {
    var scene = try Scene()
    scene.effects = []
    scene.handle(read([Self.second]))
    scene.endTurn()
    scene.settleCommit(.refused(CommitRefusal(code: 28, change: nil, reason: "ENOSPC")))
    #expect(forgets(scene).isEmpty)
    #expect(logged(scene, "the kernel does not permit the new resolvers"))
    scene.ask("api.example.com")
    #expect(scene.upstreamQueries.map(\.upstream) == [Scene.upstream])
  }
}
