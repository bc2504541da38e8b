import Addressing
import DNSProxy
import DNSWire
import Firewall
import Forwarder
import JSONText
import Sidecar
import Simulation
import Testing
import Timekeeping

/// The webhook is told of denied names, best effort: in order, with few tries, and never in the way of anything else.
@Suite struct DenialNoticeTests {
  private static let endpoint = Endpoint(.v4(IPv4Address(203, 0, 113, 9)), 8080)

  private func scene(
    policy: String = "{}", at host: HubLocation.Host = .address(endpoint.address), isObserving: Bool = false
  ) throws -> Scene {
    try Scene(policy: policy) { settings in
      settings.webhook = HubLocation(host: host, port: Self.endpoint.port)
      settings.dns.isObserving = isObserving
    }
  }

  @Test func aDeniedNameIsToldOnceItsAddressIsPermitted() throws {
    var scene = try scene()
    scene.forgetCommits()
    scene.ask("Evil.Example.com")
    #expect(scene.notices.isEmpty)
    #expect(
      scene.commits.contains { $0.changes.contains { if case .renewElements(.own4, _) = $0 { true } else { false } } })
    scene.settleCommit(.committed)
    let notice = try #require(scene.notices.last)
    #expect(notice.endpoint == Self.endpoint)
    #expect(
      String(decoding: notice.body, as: UTF8.self)
        == #"{"hostname":"evil.example.com","timestamp":"2030-03-17T17:46:40Z","source":"opensandbox-egress","sandboxId":"sandbox"}"#
    )
  }

  @Test func aNameIsLookedUpAndWhatItWasIsForgottenOnceAllIsTold() throws {
    var scene = try scene(at: .name(try #require(DomainName("hook.example.com"))))
    for round in 1...2 {
      scene.ask("evil\(round).test", id: UInt16(round))
      let asked = scene.upstreamQueries.count
      #expect(asked == 2 * round)
      for query in scene.upstreamQueries.suffix(2) {
        let addresses = query.bytes.contains(28) ? [] : [Self.endpoint.address]
        scene.handle(
          .upstreamAnswered(
            answerBytes(to: query.bytes, addresses, ttl: 30), from: query.upstream, socket: query.socket,
            isTCP: query.isTCP))
      }
      scene.endTurn()
      scene.settleCommit(.committed)
      scene.tellLast(.answered(204))
      #expect(scene.notices.count == round)
    }
  }

  @Test func aFailureIsTriedFourTimesAndARefusalOnce() throws {
    var scene = try scene()
    scene.ask("first.test", id: 1)
    scene.ask("second.test", id: 2)
    for wait in [1, 2, 4] as [Int64] {
      scene.settleCommit(.committed)
      scene.tellLast(wait == 2 ? .answered(503) : .failed(reason: "refused"))
      let count = scene.notices.count
      scene.pass(.seconds(wait) - .milliseconds(1))
      scene.settleCommit(.committed)
      #expect(scene.notices.count == count)
      scene.pass(.milliseconds(1))
    }
    scene.settleCommit(.committed)
    #expect(scene.told == ["first.test", "first.test", "first.test", "first.test"])
    scene.tellLast(.failed(reason: "refused"))
    scene.settleCommit(.committed)
    #expect(scene.told.last == "second.test")
    scene.tellLast(.answered(404))
    scene.pass(.seconds(20))
    scene.settleCommit(.committed)
    #expect(scene.told.count == 5)
  }

  @Test func whatHasNoRoomIsDroppedAndTheRestIsTold() throws {
    var scene = try scene()
    for index in 0..<300 { scene.ask("n\(index).test", id: UInt16(index)) }
    scene.settleCommit(.committed)
    for _ in 0..<400 {
      scene.tellLast(.answered(200))
      scene.settleCommit(.committed)
    }
    #expect(scene.told == (0..<256).map { "n\($0).test" })
    #expect(scene.logs.filter { $0.contains("too slow") }.count == 1)
  }

  @Test func anAddressThatTheKernelRefusesIsAFailedTry() throws {
    var scene = try scene()
    scene.ask("evil.test")
    scene.settleCommit(.refused(CommitRefusal(code: 28, change: nil, reason: "ENOSPC")))
    #expect(scene.notices.isEmpty && scene.logs.contains { $0.contains("the webhook cannot be told") })
    scene.pass(.seconds(2))
    scene.settleCommit(.committed)
    #expect(scene.told == ["evil.test"])
  }

  @Test func whatIsAllowedRepeatedOrOnlyObservedIsNotTold() throws {
    var scene = try scene(policy: #"{"egress":[{"action":"allow","target":"api.example.com"}]}"#)
    scene.ask("api.example.com", id: 1)
    try scene.answer()
    scene.settleCommit(.committed)
    scene.ask("evil.test", id: 2)
    scene.ask("evil.test", id: 3)
    for _ in 0..<3 {
      scene.settleCommit(.committed)
      scene.tellLast(.answered(200))
    }
    #expect(scene.told == ["evil.test"])
    var observing = try self.scene(isObserving: true)
    observing.ask("evil.test")
    observing.settleCommit(.committed)
    #expect(observing.notices.isEmpty)
  }
}

extension Scene {
  fileprivate var notices: [(id: UInt64, body: [UInt8], endpoint: Endpoint)] {
    effects.compactMap { if case .notify(let id, let body, let endpoint) = $0 { (id, body, endpoint) } else { nil } }
  }

  /// The names that were told, in order, tries included.
  fileprivate var told: [String] {
    notices.compactMap { (try? JSONValue.parse($0.body))?["hostname"]?.string }
  }

  fileprivate var logs: [String] { effects.compactMap { if case .log(let entry) = $0 { entry.message } else { nil } } }

  fileprivate mutating func tellLast(_ outcome: NoticeOutcome) {
    guard let last = notices.last else { return }
    handle(.noticeSent(last.id, outcome))
    endTurn()
  }
}
