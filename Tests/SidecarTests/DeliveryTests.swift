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

  @Test(arguments: [3_600, -3_600, 315_360_000, -315_360_000] as [Int64])
  func test_F15_aJumpOfTheWallClockMovesNoWaitAndIsOnTheRecord(_ seconds: Int64) throws {
    var scene = try Scene(hub: HubLocation(host: .address(hubAddress), port: 443))
    scene.readSpool()
    scene.pass(.seconds(2))
    scene.settleCommit(.committed)
    let delivery = try #require(scene.deliveries.last)
    scene.now.wall = scene.now.wall + .seconds(seconds)
    scene.effects = []
    scene.handle(.delivered(delivery.id, .response(status: 503, retryAfter: nil, bodyPrefix: [])))
    scene.endTurn()
    for _ in 0..<15 { scene.pass(.milliseconds(250)) }
    #expect(scene.deliveries.isEmpty, "at least four seconds of the clock that does not jump")
    for _ in 0..<12 {
      scene.pass(.milliseconds(250))
      scene.settleCommit(.committed)
    }
    #expect(scene.deliveries.map(\.body) == [delivery.body], "the same octets")
    scene.ask("after.denied.test")
    let stored = String(decoding: scene.files.values.joined(), as: UTF8.self)
    let record = try #require(stored.split(separator: "{\"SbxChain\"").first { $0.contains("after.denied.test") })
    #expect(record.contains(#""SbxClockSkewed":true"#))
  }

  /// Half an hour of records, one a second, and a hub that takes about six of them a second.
  @Test func test_F8_afterHalfAnHourWithoutHubTheBacklogLeavesInOrderAndFreshRecordsAreNotStarved() throws {
    var scene = try Scene(hub: HubLocation(host: .address(hubAddress), port: 443), spoolBytes: 64 << 20) {
      $0.forwarder.rateMax = 10
    }
    let outage = 1_800
    var madeAt: [Int: Instant] = [:]
    var arrivals: [(number: Int, after: TimeSpan)] = []
    var number = 0
    while number < outage || arrivals.count < number && number < outage + 1_200 {
      scene.ask("n\(number).denied.test", id: UInt16(number & 0xffff))
      madeAt[number] = scene.now.instant
      for _ in 0..<4 {
        scene.readSpool()
        for delivery in scene.deliveries {
          scene.effects.removeAll { if case .deliver = $0 { true } else { false } }
          guard number >= outage else {
            scene.handle(.delivered(delivery.id, .notConnected(reason: "no route to host")))
            continue
          }
          for sent in numbers(in: delivery.body) {
            arrivals.append((sent, madeAt[sent].map { scene.now.instant - $0 } ?? .zero))
          }
          scene.handle(.delivered(delivery.id, .response(status: 201, retryAfter: nil, bodyPrefix: [])))
        }
        scene.endTurn()
        scene.readSpool()
        scene.finishCursors()
        scene.settleCommit(.committed)
        scene.effects.removeAll { if case .deliver = $0 { false } else { true } }
        scene.pass(.milliseconds(250))
      }
      number += 1
    }
    #expect(Set(arrivals.map(\.number)) == Set(0..<number), "\(arrivals.count) of \(number) arrived")
    // What was recorded long before the hub came back, oldest first.
    let backlog = arrivals.map(\.number).filter { $0 < outage - 30 }
    #expect(backlog == backlog.sorted())
    // It takes minutes, and what is recorded meanwhile does not wait for it.
    let last = arrivals.lastIndex { $0.number < outage - 30 } ?? 0
    #expect(arrivals[..<last].contains { $0.number > outage + 100 })
    for arrival in arrivals where arrival.number >= outage { #expect(arrival.after < .seconds(60), "\(arrival)") }
  }

  /// The numbers of the names in a body.
  private func numbers(in body: [UInt8]) -> [Int] {
    String(decoding: body, as: UTF8.self).split(separator: #"\"DnsQuery\":\"n"#).dropFirst().compactMap {
      Int($0.prefix { $0.isNumber })
    }
  }
}
