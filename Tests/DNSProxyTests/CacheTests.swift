import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@Suite struct CacheTests {
  @Test func cachedAddressIsLeasedAgainAndItsTimeGoesDown() throws {
    var stage = Stage(cache: true)
    let query = try stage.ask("www.acme.test").onlyUpstream()
    _ = try stage.settle(stage.respond(query, [.a("www.acme.test", "198.51.100.1", ttl: 100)]).onlyLease()).onlyReply()
    stage.milliseconds += 30_000
    let lease = try stage.ask("wWw.aCme.test").onlyLease()
    #expect(lease.addresses.map(\.ttl) == [70])
    let (reply, facts) = try stage.settle(lease).onlyReply()
    #expect(reply.records[0].ttl == 70 && reply.name(at: 12).wire == wire("wWw.aCme.test"))
    #expect(facts?.isCached == true && facts?.resolver == Stage.resolver)
    stage.milliseconds += 70_000
    _ = try stage.ask("www.acme.test").onlyUpstream()
  }

  @Test func policyDecidesAboutCachedAnswersToo() throws {
    var stage = Stage(cache: true)
    let query = try stage.ask("www.acme.test").onlyUpstream()
    _ = try stage.settle(stage.respond(query, [.a("www.acme.test", "198.51.100.1")]).onlyLease()).onlyReply()
    stage.policy = Stage.policy([(.deny, "198.51.100.1"), (.allow, "*.acme.test")])
    #expect(try stage.ask("www.acme.test").onlyReply().facts?.reason == "RULE_DENY")
    stage.policy = Stage.policy([])
    #expect(try stage.ask("www.acme.test").onlyReply().message.responseCode == .nameError)
  }

  @Test func negativeAnswerIsReusedByTheWordOfItsZone() throws {
    let cases: [(Record?, Int64, Bool)] = [
      (.soa("acme.test", ttl: 900, minimum: 60), 59, true), (.soa("acme.test", ttl: 900, minimum: 60), 60, false),
      (.soa("acme.test", ttl: 9_000, minimum: 9_000), 299, true),
      (.soa("acme.test", ttl: 9_000, minimum: 9_000), 300, false), (nil, 0, false),
    ]
    for (soa, seconds, isReused) in cases {
      var stage = Stage(cache: true)
      let query = try stage.ask("gone.acme.test").onlyUpstream()
      _ = try stage.respond(query, code: 3, authority: soa.map { [$0] } ?? []).onlyReply()
      stage.milliseconds += seconds * 1_000
      let actions = stage.ask("gone.acme.test")
      if isReused {
        // The last tenth of its time brings a query of our own.
        #expect(try Array(actions.prefix(1)).onlyReply().message.responseCode == .nameError)
      } else {
        _ = try actions.onlyUpstream()
      }
    }
  }

  @Test func typesAndFlagsAreKeptApart() throws {
    var stage = Stage(cache: true)
    let query = try stage.ask("www.acme.test").onlyUpstream()
    _ = try stage.settle(stage.respond(query, [.a("www.acme.test", "198.51.100.1")]).onlyLease()).onlyReply()
    _ = try stage.ask("www.acme.test", .aaaa).onlyUpstream()
    let secure = EDNS(payloadSize: 1232, isDNSSECWanted: true)
    _ = try stage.receive(Stage.query("www.acme.test", edns: secure)).onlyUpstream()
    _ = try stage.receive(Stage.query("www.acme.test", flags: 0x0110)).onlyUpstream()
  }

  @Test func answerWithoutTimeIsNotReused() throws {
    var stage = Stage(cache: true)
    let query = try stage.ask("www.acme.test").onlyUpstream()
    _ = try stage.settle(stage.respond(query, [.a("www.acme.test", "198.51.100.1", ttl: 0)]).onlyLease()).onlyReply()
    _ = try stage.ask("www.acme.test").onlyUpstream()
  }

  @Test func nameAskedForShortlyBeforeItsEndIsFetchedAnewOnceAndNeverRunsOut() throws {
    var stage = Stage(cache: true)
    try stage.resolve("www.acme.test", ttl: 100)
    stage.milliseconds += 89_000
    _ = try stage.settle(stage.ask("www.acme.test").onlyLease()).onlyReply()
    stage.milliseconds += 1_000
    let actions = stage.ask("www.acme.test")
    guard actions.count == 2, case .lease(let lease) = actions[0], case .sendUpstream(let query) = actions[1] else {
      Issue.record("\(actions)")
      return
    }
    _ = try stage.settle(lease).onlyReply()
    _ = try stage.settle(stage.ask("www.acme.test").onlyLease()).onlyReply()
    #expect(stage.respond(query, [.a("www.acme.test", "198.51.100.2", ttl: 100)]).isEmpty, "nobody waits for it")
    stage.milliseconds += 50_000
    let fresh = try stage.ask("www.acme.test").onlyLease()
    #expect(fresh.addresses.map(\.address.description) == ["198.51.100.2"] && fresh.addresses[0].ttl == 50)
    #expect(stage.proxy.counters.prefetches == 1 && stage.proxy.counters.forwarded == 2)
  }

  @Test func nameDeniedMeanwhileIsNotFetchedAnew() throws {
    var stage = Stage(cache: true)
    try stage.resolve("www.acme.test", ttl: 100)
    stage.milliseconds += 95_000
    let actions = stage.ask("www.acme.test")
    guard actions.count == 2, case .sendUpstream(let query) = actions[1] else { throw Missing() }
    stage.policy = Stage.policy([])
    #expect(stage.respond(query, [.a("www.acme.test", "198.51.100.2")]).isEmpty)
    stage.policy = Stage.policy([(.allow, "*.acme.test")])
    stage.milliseconds += 5_000
    _ = try stage.ask("www.acme.test").onlyUpstream()
  }

  @Test func answersPastTheirTimeAreGivenOnlyWhereThatIsAsked() throws {
    for span in [TimeSpan.zero, .seconds(3_600)] {
      var stage = Stage(cache: true) { $0.staleSpan = span }
      try stage.resolve("www.acme.test", ttl: 100)
      stage.milliseconds += 200_000
      let query = try stage.ask("www.acme.test").onlyUpstream()
      let actions = stage.respond(query, code: 2)
      guard span > .zero else {
        #expect(try actions.onlyReply().message.responseCode == .serverFailure)
        continue
      }
      let lease = try actions.onlyLease()
      #expect(lease.addresses.map(\.ttl) == [30])
      let (reply, facts) = try stage.settle(lease).onlyReply()
      #expect(reply.records.map(\.ttl) == [30] && reply.edns?.extendedError?.code == .staleAnswer)
      #expect(facts?.reason == "STALE_ANSWER" && facts?.isAllowed == true)
      // For half a minute nobody is asked again.
      stage.milliseconds += 29_000
      _ = try stage.ask("www.acme.test").onlyLease()
      stage.milliseconds += 1_000
      _ = try stage.ask("www.acme.test").onlyUpstream()
      // Too old.
      stage.milliseconds += 3_600_000
      let late = try stage.ask("www.acme.test").onlyUpstream()
      #expect(try stage.respond(late, code: 2).onlyReply().message.responseCode == .serverFailure)
    }
  }

  @Test func staleAnswerOfANameDeniedMeanwhileIsDenied() throws {
    var stage = Stage(cache: true) { $0.staleSpan = .seconds(3_600) }
    try stage.resolve("www.acme.test", ttl: 10)
    stage.milliseconds += 20_000
    let query = try stage.ask("www.acme.test").onlyUpstream()
    stage.policy = Stage.policy([])
    #expect(try stage.respond(query, code: 2).onlyReply().message.responseCode == .nameError)
    #expect(try stage.ask("www.acme.test").onlyReply().message.responseCode == .nameError)
  }

  @Test func cacheIsBoundedInOctetsAndKeepsWhatIsUsed() throws {
    var stage = Stage(cache: true)
    try stage.resolve("hot.acme.test", ttl: 86_400)
    let text = [UInt8]((0..<40).map { _ in [250] + [UInt8](repeating: 0x61, count: 250) }.joined())
    for number in 0..<800 {
      let name = "n\(number).acme.test"
      let query = try stage.receive(Stage.query(name, .txt), isTCP: true).onlyUpstream()
      _ = try stage.respond(query, [Record(owner: name, type: .txt, ttl: 86_400, data: text)]).onlyReply()
      _ = try stage.settle(stage.ask("hot.acme.test").onlyLease()).onlyReply()
      #expect(stage.proxy.cachedOctets <= DNSProxySettings.cachedOctetsMax)
    }
    #expect(stage.proxy.cachedOctets > DNSProxySettings.cachedOctetsMax / 2)
    _ = try stage.ask("n0.acme.test", .txt).onlyUpstream()
  }
}
