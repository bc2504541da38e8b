import Addressing
import DNSWire
import DNSProxy
import Firewall
import Forwarder
import Sidecar
import Simulation
import Spool
import Testing
import Timekeeping

/// From the spool to the hub, and what happens when nothing goes there.
@Suite struct DeliveryTests {
  private let hubAddress = IPAddress.v4(IPv4Address(192, 0, 2, 10))

  private func waiting() throws -> Scene {
    let name = try #require(DomainName("hub.test"))
    var scene = try Scene(hub: HubLocation(host: .name(name), port: 443))
    scene.readSpool()
    scene.pass(.seconds(2))
    return scene
  }

  /// The daemon asks for both families at once.
  private func resolve(_ scene: inout Scene) {
    for query in scene.upstreamQueries.suffix(2) {
      scene.handle(
        .upstreamAnswered(
          answerBytes(to: query.bytes, [hubAddress], ttl: 60), from: query.upstream, socket: query.socket,
          isTCP: query.isTCP))
    }
    scene.endTurn()
  }

  @Test func theHubIsReachedThroughTheDaemonsOwnLookup() throws {
    var scene = try waiting()
    #expect(scene.upstreamQueries.count == 2)
    #expect(scene.deliveries.isEmpty)
    resolve(&scene)
    let permitted = try #require(scene.commits.last)
    #expect(permitted.changes.contains { if case .renewElements(.own4, _) = $0 { true } else { false } })
    #expect(scene.deliveries.isEmpty)
    scene.settleCommit(.committed)
    #expect(scene.deliveries.count == 1)
  }

  @Test func nothingIsSentToAHubThatTheKernelDoesNotPermit() throws {
    var scene = try waiting()
    resolve(&scene)
    scene.settleCommit(.refused(CommitRefusal(code: 12, change: nil, reason: "ENOMEM")))
    #expect(scene.deliveries.isEmpty)
    let due = scene.machine.nextDeadline
    #expect(due.map { scene.now.instant < $0 } ?? false)
  }

  @Test func aFullSpoolClosesTheGateAndOpensItAgain() throws {
    var scene = try Scene(spoolBytes: 32 << 10)
    var id: UInt16 = 1
    while !scene.hasClosedGate, id < 200 {
      scene.ask("n\(id).denied.test", id: id)
      scene.settleCommit(.committed)
      id += 1
    }
    #expect(scene.hasClosedGate)
    scene.settleCommit(.committed)
    scene.forgetCommits()
    scene.ask("api.example.com", id: id)
    #expect(scene.upstreamQueries.isEmpty)
    // The sink takes everything.
    for _ in 0..<60 {
      scene.readSpool()
      scene.pass(.seconds(2))
      for delivery in scene.deliveries { scene.handle(.delivered(delivery.id, .written)) }
      scene.effects.removeAll { if case .deliver = $0 { true } else { false } }
      scene.finishCursors()
      scene.endTurn()
      scene.settleCommit(.committed)
    }
    #expect(scene.hasOpenedGate)
    scene.effects = []
    scene.ask("api.example.com", id: id + 1)
    #expect(scene.upstreamQueries.count == 1)
  }
}
