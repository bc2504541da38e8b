import Addressing
import DNSProxy
import DNSWire
import Firewall
import Forwarder
import HTTPWire
import Sidecar
import Simulation
import Spool
import Testing
import Timekeeping

/// Workload identity: from the wish for a token to the delivery that carries it.
@Suite struct TokenTests {
  private let hub = Endpoint(.v4(IPv4Address(192, 0, 2, 10)), 443)
  private let authority = IPAddress.v4(IPv4Address(192, 0, 2, 20))

  /// A machine whose first record wants to leave.
  private func waiting() throws -> Scene {
    let name = try #require(DomainName("login.test"))
    var scene = try Scene(hub: HubLocation(host: .address(hub.address), port: 443)) { settings in
      settings.forwarder.usesToken = true
      settings.authority = HubLocation(host: .name(name), port: 443)
    }
    scene.readSpool()
    scene.pass(.seconds(2))
    return scene
  }

  private func resolve(_ scene: inout Scene) {
    for query in scene.upstreamQueries.suffix(2) {
      scene.handle(
        .upstreamAnswered(
          answerBytes(to: query.bytes, [authority], ttl: 60), from: query.upstream, socket: query.socket,
          isTCP: query.isTCP))
    }
    scene.endTurn()
  }

  private func exchanges(_ scene: Scene) -> [(id: UInt64, endpoint: Endpoint)] {
    scene.effects.compactMap { if case .exchangeToken(let id, let endpoint) = $0 { (id, endpoint) } else { nil } }
  }

  private func forgets(_ scene: Scene) -> Int {
    scene.effects.reduce(0) { count, effect in if case .forgetToken = effect { count + 1 } else { count } }
  }

  @Test func theAuthorityIsReachedOnceTheKernelPermitsItAndTheDeliveryWaitsForTheToken() throws {
    var scene = try waiting()
    #expect(scene.upstreamQueries.count == 2 && exchanges(scene).isEmpty)
    resolve(&scene)
    let permitted = try #require(scene.commits.last)
    #expect(permitted.changes.contains { if case .renewElements(.own4, _) = $0 { true } else { false } })
    #expect(exchanges(scene).isEmpty, "not before the commit")
    scene.settleCommit(.committed)
    let exchange = try #require(exchanges(scene).first)
    #expect(exchange.endpoint == Endpoint(authority, 443))
    #expect(scene.deliveries.isEmpty)
    scene.handle(.tokenExchanged(exchange.id, .issued(lifetime: .seconds(3_600))))
    scene.endTurn()
    scene.settleCommit(.committed)
    #expect(scene.deliveries.count == 1)
    #expect(exchanges(scene).count == 1, "single flight")
  }

  @Test func aRefusedCommitAndAFailedLookupAreTriedAgain() throws {
    var scene = try waiting()
    resolve(&scene)
    scene.settleCommit(.refused(CommitRefusal(code: 12, change: nil, reason: "ENOMEM")))
    #expect(exchanges(scene).isEmpty)
    scene.effects = []
    scene.pass(.seconds(2))
    #expect(scene.upstreamQueries.count == 2, "looked up anew")
    for query in scene.upstreamQueries {
      scene.handle(
        .upstreamAnswered(
          answerBytes(to: query.bytes, [], ttl: 60), from: query.upstream, socket: query.socket, isTCP: query.isTCP))
    }
    scene.endTurn()
    scene.effects = []
    scene.pass(.seconds(3))
    resolve(&scene)
    scene.settleCommit(.committed)
    #expect(exchanges(scene).count == 1)
  }

  @Test func test_F12_aTokenThatTheHubRefusesIsExchangedOnceAndAStormIsNot() throws {
    var scene = try waiting()
    resolve(&scene)
    scene.settleCommit(.committed)
    scene.handle(.tokenExchanged(try #require(exchanges(scene).first).id, .issued(lifetime: .seconds(3_600))))
    scene.endTurn()
    scene.settleCommit(.committed)
    let begun = scene.now.instant
    for _ in 0..<40 {
      if let delivery = scene.deliveries.last {
        scene.effects.removeAll { if case .deliver = $0 { true } else { false } }
        scene.handle(.delivered(delivery.id, .response(status: 401, retryAfter: nil, bodyPrefix: [])))
        scene.endTurn()
      }
      if !scene.upstreamQueries.isEmpty {
        resolve(&scene)
        scene.effects.removeAll { if case .sendUpstream = $0 { true } else { false } }
        scene.settleCommit(.committed)
      }
      if let last = exchanges(scene).last { scene.handle(.tokenExchanged(last.id, .issued(lifetime: .seconds(3_600)))) }
      scene.pass(.seconds(2))
      scene.settleCommit(.committed)
    }
    let seconds = (scene.now.instant - begun).seconds
    #expect(forgets(scene) >= 2)
    #expect(exchanges(scene).count <= 2 + Int(seconds / 30), "\(exchanges(scene).count) in \(seconds) s")
  }

  @Test func test_F14_aTokenThatEndsStopsDeliveriesAndALateOneResumesThem() throws {
    var scene = try waiting()
    resolve(&scene)
    scene.settleCommit(.committed)
    scene.handle(.tokenExchanged(try #require(exchanges(scene).first).id, .issued(lifetime: .seconds(100))))
    scene.endTurn()
    scene.settleCommit(.committed)
    for step in 0..<200 {
      if step % 10 == 0 { scene.ask("n\(step).denied.test", id: UInt16(step)) }
      for delivery in scene.deliveries {
        scene.handle(.delivered(delivery.id, .response(status: 201, retryAfter: nil, bodyPrefix: [])))
      }
      scene.effects.removeAll { if case .deliver = $0 { true } else { false } }
      resolve(&scene)
      scene.effects.removeAll { if case .sendUpstream = $0 { true } else { false } }
      scene.settleCommit(.committed)
      if let last = exchanges(scene).last {
        scene.handle(.tokenExchanged(last.id, .failed(reason: "busy", retryAfter: nil)))
      }
      scene.effects.removeAll { if case .exchangeToken = $0 { true } else { false } }
      scene.pass(.seconds(1))
      scene.readSpool()
      scene.settleCommit(.committed)
    }
    #expect(forgets(scene) == 1, "given up once, at its end")
    #expect(scene.deliveries.isEmpty)
    #expect(scene.machine.pending.unacknowledgedRecords > 0)
    for _ in 0..<40 where scene.deliveries.isEmpty {
      resolve(&scene)
      scene.effects.removeAll { if case .sendUpstream = $0 { true } else { false } }
      scene.settleCommit(.committed)
      if let last = exchanges(scene).last {
        scene.handle(.tokenExchanged(last.id, .issued(lifetime: .seconds(3_600))))
        scene.endTurn()
      }
      scene.pass(.seconds(1))
    }
    #expect(!scene.deliveries.isEmpty)
  }
}
