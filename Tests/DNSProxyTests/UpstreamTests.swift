import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

/// Several upstreams: which one is asked, when another is, and what is believed.
@Suite struct UpstreamTests {
  static let two = [Stage.resolver, Stage.second]

  @Test func firstQueryToASilentUpstreamIsAnsweredByTheSecondWithinAnEighthOfTheTimeout() throws {
    var stage = Stage(upstreams: Self.two)
    let first = try stage.ask("www.acme.test").onlyUpstream()
    let second = try stage.wait(milliseconds: 250).onlyUpstream()
    #expect(first.upstream == Stage.resolver && second.upstream == Stage.second)
    let lease = try stage.respond(second, [.a("www.acme.test", "198.51.100.1")]).onlyLease()
    let (_, facts) = try stage.settle(lease).onlyReply()
    #expect(facts?.resolver == Stage.second && stage.proxy.counters.failovers == 1)
    #expect(stage.respond(first, [.a("www.acme.test", "198.51.100.2")]).isEmpty, "the late answer counts for nothing")
    #expect(stage.proxy.nextDeadline == nil && stage.proxy.pendingCount == 0)
  }

  @Test func lateAnswerOfTheFirstUpstreamIsStillTaken() throws {
    var stage = Stage(upstreams: Self.two)
    let first = try stage.ask("www.acme.test").onlyUpstream()
    let second = try stage.wait(milliseconds: 250).onlyUpstream()
    let lease = try stage.respond(first, [.a("www.acme.test", "198.51.100.1")]).onlyLease()
    _ = try stage.settle(lease).onlyReply()
    #expect(stage.respond(second, [.a("www.acme.test", "198.51.100.1")]).isEmpty)
    #expect(stage.proxy.counters.failovers == 0)
  }

  /// The first upstream stays silent for this query; the second answers it.
  private func failOver(_ stage: inout Stage, _ name: String) throws {
    _ = try stage.ask(name).onlyUpstream()
    let second = try stage.wait(milliseconds: 250).onlyUpstream()
    _ = try stage.settle(stage.respond(second, [.a(name, "198.51.100.1")]).onlyLease()).onlyReply()
  }

  @Test func upstreamThatWasSilentTwiceIsAskedLastAndProbedUntilItAnswers() throws {
    var stage = Stage(upstreams: Self.two)
    try failOver(&stage, "a.acme.test")
    try failOver(&stage, "b.acme.test")
    // Down: the second is asked first, and the first beside it, to see.
    func upstreams(_ actions: [DNSAction]) -> [UpstreamQuery] {
      actions.compactMap { if case .sendUpstream(let query) = $0 { query } else { nil } }
    }
    let probed = upstreams(stage.ask("c.acme.test"))
    #expect(probed.map(\.upstream) == [Stage.second, Stage.resolver])
    _ = try stage.settle(stage.respond(probed[0], [.a("c.acme.test", "198.51.100.1")]).onlyLease()).onlyReply()
    stage.milliseconds += 999
    let unprobed = try stage.ask("d.acme.test").onlyUpstream()
    #expect(unprobed.upstream == Stage.second, "one probe a second")
    _ = try stage.settle(stage.respond(unprobed, [.a("d.acme.test", "198.51.100.1")]).onlyLease()).onlyReply()
    stage.milliseconds += 1
    let again = upstreams(stage.ask("e.acme.test"))
    #expect(again.map(\.upstream) == [Stage.second, Stage.resolver])
    // The probe is answered: the answer counts, and the first has its place again.
    _ = try stage.settle(stage.respond(again[1], [.a("e.acme.test", "198.51.100.1")]).onlyLease()).onlyReply()
    #expect(try stage.ask("f.acme.test").onlyUpstream().upstream == Stage.resolver)
  }

  @Test func slowNameDoesNotCostAnUpstreamThatAnswersOthersItsPlace() throws {
    var stage = Stage(upstreams: Self.two)
    for round in 0..<4 {
      let name = "slow\(round).acme.test"
      _ = try stage.ask(name).onlyUpstream()
      stage.milliseconds += 100
      let other = try stage.ask("quick\(round).acme.test").onlyUpstream()
      #expect(other.upstream == Stage.resolver, "round \(round)")
      _ = try stage.settle(stage.respond(other, [.a("quick\(round).acme.test", "198.51.100.1")]).onlyLease())
        .onlyReply()
      let second = try stage.wait(milliseconds: 150).onlyUpstream()
      _ = try stage.settle(stage.respond(second, [.a(name, "198.51.100.1")]).onlyLease()).onlyReply()
    }
  }

  @Test func upstreamThatIsNotThereIsFollowedByTheNextAtOnce() throws {
    var stage = Stage(upstreams: Self.two)
    let first = try stage.ask("www.acme.test").onlyUpstream()
    let second = try stage.fail(first).onlyUpstream()
    #expect(second.upstream == Stage.second)
    _ = try stage.settle(stage.respond(second, [.a("www.acme.test", "198.51.100.1")]).onlyLease()).onlyReply()
  }

  @Test func lastOfEightUpstreamsIsReachedWithinOneTimeout() throws {
    let many = (0..<8).map { Endpoint(.v4(IPv4Address(10, 53, 0, 60 + $0)), 53) }
    var stage = Stage(upstreams: many)
    var query = try stage.ask("www.acme.test").onlyUpstream()
    for _ in 1..<8 { query = try stage.wait(milliseconds: 250).onlyUpstream() }
    #expect(query.upstream == many[7])
    _ = try stage.respond(query, [.a("www.acme.test", "198.51.100.1")]).onlyLease()
    #expect(stage.proxy.pendingCount == 1, "the lease alone")
  }

  @Test func lostDatagramIsSentAgainToTheOnlyUpstream() throws {
    var stage = Stage()
    _ = try stage.ask("www.acme.test").onlyUpstream()
    stage.waitQuietly(milliseconds: 999)
    let again = try stage.wait(milliseconds: 1).onlyUpstream()
    #expect(again.upstream == Stage.resolver)
    _ = try stage.respond(again, [.a("www.acme.test", "198.51.100.1")]).onlyLease()
  }

  @Test func replyInAnotherSpellingIsNotBelievedAndTheUpstreamIsAskedByTCP() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    var forged = Stage.reply(to: query, [.a("www.acme.test", "198.51.100.66")])
    forged[13] ^= 0x20
    let byTCP = try stage.respond(query, forged).onlyUpstream()
    #expect(byTCP.isTCP && byTCP.upstream == Stage.resolver)
    #expect(stage.respond(query, forged).isEmpty, "and asked by TCP once only")
    #expect(stage.proxy.counters.unmatched == 2)
    // A resolver that does not keep case is believed over TCP, where nobody else can write.
    var lowered = Stage.reply(to: byTCP, [.a("www.acme.test", "198.51.100.1")])
    for index in 12..<27 { lowered[index] = DNSWire.lowercased(lowered[index]) }
    let lease = try stage.respond(byTCP, lowered).onlyLease()
    #expect(lease.addresses.map(\.address.description) == ["198.51.100.1"])
  }

  @Test func trueReplyIsTakenAfterAForgedOne() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    var forged = Stage.reply(to: query, [.a("www.acme.test", "198.51.100.66")])
    forged[13] ^= 0x20
    _ = try stage.respond(query, forged).onlyUpstream()
    let lease = try stage.respond(query, [.a("www.acme.test", "198.51.100.1")]).onlyLease()
    #expect(lease.addresses.map(\.address.description) == ["198.51.100.1"])
  }

  @Test func keptConnectionThatEndedCostsNoQueryItsAnswer() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let byTCP = try stage.respond(query, flags: 0x8380).onlyUpstream()
    let again = try stage.fail(byTCP).onlyUpstream()
    #expect(again.isTCP && again.upstream == byTCP.upstream && again.bytes != byTCP.bytes)
    let (reply, _) = try stage.fail(again).onlyReply()
    #expect(reply.responseCode == .serverFailure, "a second time it is a failure")
  }

  @Test func queriesOverTCPShareTheConnectionAndAreToldApartByTheirIdentifiers() throws {
    var stage = Stage()
    var open: [(String, UpstreamQuery)] = []
    for number in 0..<50 {
      let name = "n\(number).acme.test"
      open.append((name, try stage.respond(stage.ask(name).onlyUpstream(), flags: 0x8380).onlyUpstream()))
    }
    #expect(Set(open.map(\.1.socket)) == [0] && Set(open.map { Array($0.1.bytes[..<2]) }).count == 50)
    for (name, query) in open.reversed() {
      let lease = try stage.respond(query, [.a(name, "198.51.100.1")]).onlyLease()
      #expect(lease.name == DomainName(name))
    }
  }

  @Test func upstreamWithACertificateIsAskedOverTLSOnly() throws {
    var stage = Stage()
    stage.proxy = DNSProxy(
      DNSProxySettings(upstreams: [Upstream(Endpoint(Stage.resolver.address, 853), serverName: "dns.example.net")]))
    let query = try stage.ask("www.acme.test").onlyUpstream()
    #expect(query.isTCP && query.serverName == "dns.example.net" && query.upstream.port == 853)
    #expect(stage.respond(query, flags: 0x8380, [.a("www.acme.test", "198.51.100.1")]).count == 1)
  }
}
