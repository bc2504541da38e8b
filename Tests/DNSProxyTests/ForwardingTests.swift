import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@Suite struct ForwardingTests {
  @Test func addressLeavesOnlyAfterItsLeaseIsHeld() throws {
    var stage = Stage()
    let query = try stage.ask("WWW.acme.TEST").onlyUpstream()
    #expect(query.upstream == Stage.resolver && !query.isTCP && query.socket < 8)
    let lease = try stage.respond(query, [.a("www.acme.test", "198.51.100.10", ttl: 3600)]).onlyLease()
    #expect(lease.addresses == [AnsweredAddress(.v4(IPv4Address(198, 51, 100, 10)), ttl: 3600)])
    #expect(lease.name == DomainName("www.acme.test"))
    stage.milliseconds += 20
    let (reply, facts) = try stage.settle(lease, .held(shortest: .seconds(120))).onlyReply()
    #expect(reply.addresses == ["198.51.100.10"] && reply.records[0].ttl == 120)
    #expect(reply.name(at: 12).wire == wire("WWW.acme.TEST"))
    #expect(reply.header.id == 77 && reply.edns != nil)
    #expect(facts?.isAllowed == true && facts?.rule?.text == "allow *.acme.test" && facts?.resolver == Stage.resolver)
    #expect(facts?.duration == .milliseconds(20) && facts?.sessionID == lease.sessionID && facts?.reason == nil)
    // Settling again does nothing.
    #expect(stage.settle(lease).isEmpty)
    #expect(stage.proxy.pendingCount == 0)
  }

  @Test func failedLeaseIsAFailureWithoutAddress() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let lease = try stage.respond(query, [.a("www.acme.test", "198.51.100.10")]).onlyLease()
    let (reply, facts) = try stage.settle(lease, .failed(reason: "LEASE_LIMIT", text: "too many leases")).onlyReply()
    #expect(reply.responseCode == .serverFailure && reply.records.isEmpty && reply.errorText == "too many leases")
    #expect(facts?.reason == "LEASE_LIMIT")
  }

  @Test func leaseThatIsNotSettledInTimeIsAFailure() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let lease = try stage.respond(query, [.a("www.acme.test", "198.51.100.10")]).onlyLease()
    #expect(stage.wait(milliseconds: 2_999).isEmpty)
    let (reply, facts) = try stage.wait(milliseconds: 1).onlyReply()
    #expect(reply.responseCode == .serverFailure && facts?.reason == "LEASE_TIMEOUT")
    #expect(stage.settle(lease).isEmpty)
  }

  @Test func queryUpstreamIsOurOwn() throws {
    var stage = Stage()
    let edns = EDNS(payloadSize: 4000, isDNSSECWanted: true)
    var ids: Set<UInt16> = []
    var sockets: Set<UInt32> = []
    var spellings: Set<[UInt8]> = []
    for _ in 0..<64 {
      let query = try stage.receive(Stage.query("www.acme.test", flags: 0x0010, edns: edns)).onlyUpstream()
      let parsed = try Query.parse(query.bytes)
      #expect(parsed.name == DomainName("www.acme.test") && parsed.header.flags == 0x0110)
      #expect(parsed.edns == EDNS(payloadSize: 1232, isDNSSECWanted: true))
      ids.insert(parsed.header.id)
      // What leaves at one moment has one socket, so that one call sends it.
      let companion = try stage.ask("mail.acme.test").onlyUpstream()
      #expect(companion.socket == query.socket)
      sockets.insert(query.socket)
      spellings.insert(parsed.name.wire)
      stage.milliseconds += 1
    }
    #expect(ids.count > 60)
    #expect(sockets.count == 8)
    #expect(spellings.count > 50)
  }

  @Test func replyThatIsNotOursIsIgnored() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let good = Stage.reply(to: query, [.a("www.acme.test", "198.51.100.10")])
    let other = Endpoint(.v4(IPv4Address(10, 53, 0, 99)), 53)
    func changed(_ index: Int, _ by: UInt8) -> [UInt8] {
      var bytes = good
      bytes[index] ^= by
      return bytes
    }
    var cases: [(String, [UInt8], Endpoint, UInt32, Bool)] = [
      ("another upstream", good, other, query.socket, false),
      ("another port", good, Endpoint(query.upstream.address, 54), query.socket, false),
      ("another socket", good, query.upstream, query.socket ^ 1, false),
      ("by TCP", good, query.upstream, query.socket, true),
      ("another identifier", changed(1, 1), query.upstream, query.socket, false),
      ("a query", changed(2, 0x80), query.upstream, query.socket, false),
      ("another type", changed(28, 1), query.upstream, query.socket, false),
      ("no octets", [], query.upstream, query.socket, false),
    ]
    for length in 1..<31 {
      cases.append(("cut to \(length)", Array(good[..<length]), query.upstream, query.socket, false))
    }
    for (what, bytes, upstream, socket, isTCP) in cases {
      stage.proxy.receiveUpstream(
        bytes, from: upstream, socket: socket, isTCP: isTCP, policy: stage.policy, gate: .open, at: stage.now,
        using: &stage.generator)
      #expect(stage.drain().isEmpty, "\(what)")
    }
    #expect(stage.proxy.counters.unmatched == UInt64(cases.count))
    _ = try stage.respond(query, good).onlyLease()
    #expect(stage.respond(query, good).isEmpty, "a second reply")
  }

  @Test func silentUpstreamIsFollowedByTheNextAndThenByFailure() throws {
    var stage = Stage(upstreams: [Stage.resolver, Stage.second])
    var query = try stage.ask("www.acme.test").onlyUpstream()
    var seen = [query.upstream]
    #expect(stage.wait(milliseconds: 249).isEmpty)
    query = try stage.wait(milliseconds: 1).onlyUpstream()
    seen.append(query.upstream)
    stage.waitQuietly(milliseconds: 749)
    query = try stage.wait(milliseconds: 1).onlyUpstream()
    seen.append(query.upstream)
    #expect(seen == [Stage.resolver, Stage.second, Stage.resolver])
    stage.waitQuietly(milliseconds: 1_999)
    let (reply, facts) = try stage.wait(milliseconds: 1).onlyReply()
    #expect(reply.responseCode == .serverFailure && reply.edns?.extendedError?.code == .noReachableAuthority)
    #expect(facts?.reason == "UPSTREAM_TIMEOUT" && facts?.isAllowed == true)
    #expect(stage.proxy.counters.timeouts == 3 && stage.proxy.nextDeadline == nil)
  }

  @Test(arguments: [1, 2, 4, 5]) func failureOfOneUpstreamTriesTheNext(_ code: Int) throws {
    var stage = Stage(upstreams: [Stage.resolver, Stage.second])
    let first = try stage.ask("www.acme.test").onlyUpstream()
    let second = try stage.respond(first, code: code).onlyUpstream()
    #expect(second.upstream == Stage.second)
    let lease = try stage.respond(second, [.a("www.acme.test", "198.51.100.10")]).onlyLease()
    let (_, facts) = try stage.settle(lease).onlyReply()
    #expect(facts?.resolver == Stage.second)
  }

  @Test func failureOfEveryUpstreamIsAFailure() throws {
    var stage = Stage(upstreams: [Stage.resolver, Stage.second])
    let first = try stage.ask("www.acme.test").onlyUpstream()
    let second = try stage.fail(first).onlyUpstream()
    let (reply, facts) = try stage.respond(second, code: 5).onlyReply()
    #expect(reply.responseCode == .serverFailure && reply.errorText.contains("REFUSED"))
    #expect(facts?.reason == "UPSTREAM_FAILED")
  }

  @Test func nameDeniedMeanwhileIsNotAskedForAgain() throws {
    var stage = Stage(upstreams: [Stage.resolver, Stage.second])
    _ = try stage.ask("www.acme.test").onlyUpstream()
    stage.policy = Stage.policy([])
    let (reply, _) = try stage.wait(milliseconds: 2_000).onlyReply()
    #expect(reply.responseCode == .nameError)
  }

  @Test func nameDeniedMeanwhileIsDeniedWhenItsAnswerComes() throws {
    var stage = Stage()
    let query = try stage.ask("x.acme.test").onlyUpstream()
    stage.policy = Stage.policy([(.allow, "y.acme.test")])
    let (reply, facts) = try stage.respond(query, [.a("x.acme.test", "198.51.100.10")]).onlyReply()
    #expect(reply.responseCode == .nameError && reply.records.isEmpty && facts?.reason == "DEFAULT_DENY")
  }

  @Test func truncatedReplyIsAskedForByTCP() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let again = try stage.respond(query, flags: 0x8380).onlyUpstream()
    #expect(again.isTCP && again.upstream == query.upstream)
    let many = (0..<60).map { Record.a("www.acme.test", "198.51.100.\($0)") }
    let lease = try stage.respond(again, many).onlyLease()
    #expect(lease.addresses.count == 60)
    let (reply, _) = try stage.settle(lease).onlyReply()
    #expect(reply.addresses.count == 60)
  }

  @Test func replyThatDoesNotFitIsTruncatedAndLeasesNothing() throws {
    let many = (0..<60).map { Record.a("www.acme.test", "198.51.100.\($0)") }
    for (size, isTCP, fits) in [(UInt16(0), false, false), (512, false, false), (1232, false, true), (0, true, true)] {
      var stage = Stage()
      let edns = size == 0 ? nil : EDNS(payloadSize: size)
      let query = try stage.receive(Stage.query("www.acme.test", edns: edns), isTCP: isTCP).onlyUpstream()
      let actions = stage.respond(query, many)
      if fits {
        let (reply, _) = try stage.settle(actions.onlyLease()).onlyReply()
        #expect(reply.addresses.count == 60 && !reply.header.isTruncated)
      } else {
        let (reply, facts) = try actions.onlyReply()
        #expect(reply.header.isTruncated && reply.records.isEmpty && facts?.reason == "TRUNCATED")
      }
    }
  }

  @Test func replyThatCannotBeParsedWholeIsNotForwarded() throws {
    var stage = Stage()
    let query = try stage.ask("www.acme.test").onlyUpstream()
    let bytes = Stage.reply(to: query, [.a("www.acme.test", "198.51.100.10")])
    let (reply, _) = try stage.respond(query, Array(bytes.dropLast())).onlyReply()
    #expect(reply.responseCode == .serverFailure && reply.edns?.extendedError?.code == .invalidData)
  }

  @Test func fullTableTurnsQueriesAway() throws {
    var stage = Stage()
    for _ in 0..<DNSProxySettings.pendingQueriesMax { _ = try stage.ask("www.acme.test").onlyUpstream() }
    let (reply, facts) = try stage.ask("www.acme.test").onlyReply()
    #expect(reply.responseCode == .serverFailure && facts?.reason == "OVERLOAD")
    #expect(stage.proxy.counters.limits == ["PENDING_QUERIES_MAX": 1])
    stage.proxy.resolveForDaemon(.root, token: 1, at: stage.now, using: &stage.generator)
    #expect(stage.drain().count == 2, "the daemon is not turned away")
  }

  @Test func brokenGeneratorEndsInFailureAndNotInALoop() throws {
    struct Constant: RandomNumberGenerator {
      mutating func next() -> UInt64 { 5 }
    }
    var stage = Stage()
    var generator = Constant()
    for _ in 0..<2 {
      stage.proxy.receive(
        ClientQuery(client: 1, source: Stage.client, isTCP: false, bytes: Stage.query("www.acme.test")),
        policy: stage.policy, gate: .open, at: stage.now, using: &generator)
    }
    let actions = stage.drain()
    _ = try Array(actions.prefix(1)).onlyUpstream()
    #expect(try Array(actions.dropFirst()).onlyReply().facts?.reason == "OVERLOAD")
    #expect(stage.proxy.counters.limits == ["IDENTIFIERS": 1])
  }

  @Test func daemonLookUpIsNotSubjectToThePolicy() throws {
    var stage = Stage([])
    let name = try #require(DomainName("hub.example.net"))
    stage.gate = .closed(reason: "OWNER_UNBOUND", text: "")
    stage.proxy.resolveForDaemon(name, token: 9, at: stage.now, using: &stage.generator)
    let queries = stage.drain().compactMap { if case .sendUpstream(let query) = $0 { query } else { nil } }
    #expect(try queries.map { try Query.parse($0.bytes).type } == [.a, .aaaa])
    #expect(stage.respond(queries[1], [.aaaa("hub.example.net", "2001:db8::1", ttl: 60)]).isEmpty)
    let actions = stage.respond(
      queries[0], [.alias("hub.example.net", "ns.cloud.test"), .a("ns.cloud.test", "10.1.2.3", ttl: 90)])
    guard case .resolvedForDaemon(9, let addresses, let ttl)? = actions.first else { throw Missing() }
    #expect(addresses.map(\.description) == ["10.1.2.3", "2001:db8::1"] && ttl == .seconds(60))
  }

  @Test func daemonLookUpThatFailsSaysWhy() throws {
    var stage = Stage([], upstreams: [])
    let name = try #require(DomainName("hub.example.net"))
    stage.proxy.resolveForDaemon(name, token: 9, at: stage.now, using: &stage.generator)
    let actions = stage.drain()
    guard actions.count == 1, case .daemonLookupFailed(9, let reason) = actions[0] else { throw Missing() }
    #expect(reason == "no upstream resolver is configured")
  }
}
