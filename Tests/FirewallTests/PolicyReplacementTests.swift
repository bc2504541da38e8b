import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

struct PolicyReplacementTests {
  @Test func unrelatedChangeWritesNothing() throws {
    var world = try Fixture("allow api.test", "allow *.pool.test 443/tcp", "allow 10.0.0.0/8 22/tcp", "deny 192.0.2.1")
    try world.lease("api.test", "198.51.100.1")
    try world.lease("n1.pool.test", "198.51.100.2")
    try world.replace(
      "allow other.test", "allow api.test", "allow *.pool.test 443/tcp", "allow 10.0.0.0/8 22/tcp", "deny 192.0.2.1")
    let taken = world.take()
    #expect(taken?.transaction.changes ?? [] == [])
    #expect(taken?.revoked ?? [] == [])
  }

  @Test func revokedNameIsGoneAndItsFlowsAreToBeCut() throws {
    var world = try Fixture("allow api.test", "allow other.test")
    try world.lease("api.test", "198.51.100.1", "2001:db8::1")
    try world.lease("other.test", "198.51.100.2")
    let mark = try world.mark("198.51.100.1")
    world.firewall.flowOpened(mark)
    try world.replace("allow other.test")
    let settled = try world.commit()
    #expect(settled?.revoked == [mark])
    #expect(settled?.narrowed == [])
    #expect(try !world.reach("198.51.100.1"))
    #expect(try !world.reach("2001:db8::1"))
    #expect(!world.kernel.isInForce(mark, at: world.now.instant))
    #expect(try world.reach("198.51.100.2"))
    #expect(world.firewall.attribution(mark: mark)?.name?.description == "api.test")
    #expect(world.firewall.lastLease(of: try address("198.51.100.1"))?.name.description == "api.test")
  }

  @Test func sharedAddressStaysWithTheNameThatStillHoldsIt() throws {
    var world = try Fixture("allow a.test", "allow b.test")
    try world.lease("a.test", "198.51.100.1")
    let other = try world.mark("198.51.100.1")
    try world.lease("b.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    try world.replace("allow a.test")
    let settled = try world.commit()
    #expect(settled?.revoked == [mark])
    #expect(try world.mark("198.51.100.1") == other)
    #expect(world.kernel.isInForce(other, at: world.now.instant))
  }

  @Test func ruleThatTakesAnothersPlaceLeavesItsFlowsAlone() throws {
    var world = try Fixture("allow *.pool.test")
    try world.lease("n1.pool.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    world.firewall.flowOpened(mark)
    try world.replace("allow n1.pool.test", "allow *.pool.test")
    let settled = try world.commit()
    #expect(settled?.revoked == [])
    #expect(world.kernel.isInForce(mark, at: world.now.instant))
    let new = try world.mark("198.51.100.1")
    #expect(new != mark)
    #expect(world.firewall.attribution(mark: new)?.rule.text == "allow n1.pool.test")
    // The flow of the first rule lives on the second, and ends with it.
    try world.replace("allow 192.0.2.1")
    #expect(try world.commit()?.revoked == [mark, new])
  }

  @Test func narrowerPortsCutOnlyTheOthers() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    world.firewall.flowOpened(mark)
    try world.replace("allow api.test 443/tcp")
    let settled = try world.commit()
    #expect(settled?.revoked == [])
    let ip = try address("198.51.100.1")
    #expect(
      settled?.narrowed == [
        NarrowedGrant(
          mark: mark, first: ip, last: ip, allowed: PortSet(tcp: [443...443], udp: [], otherProtocols: false))
      ])
    #expect(try world.reach("198.51.100.1", 443))
    #expect(try !world.reach("198.51.100.1", 80))
  }

  @Test func denialOfOneAddressOfANameLeavesTheOthers() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1", "198.51.100.2")
    let mark = try world.mark("198.51.100.1")
    try world.replace("deny 198.51.100.2", "allow api.test")
    let settled = try world.commit()
    let ip = try address("198.51.100.2")
    #expect(settled?.revoked == [])
    #expect(settled?.narrowed == [NarrowedGrant(mark: mark, first: ip, last: ip, allowed: .nothing)])
    #expect(try world.mark("198.51.100.1") == mark)
    #expect(try !world.reach("198.51.100.2"))
    #expect(FlowMark.isDenyRule(try world.mark("198.51.100.2")))
  }

  @Test func flowIsCutAlsoWhenItsLeaseHasEndedBefore() throws {
    var world = try Fixture("allow api.test", "allow other.test")
    try world.lease("api.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    world.firewall.flowOpened(mark)
    try world.pass(600)
    #expect(world.firewall.counts.leases == 0)
    #expect(world.kernel.isInForce(mark, at: world.now.instant))
    try world.replace("allow api.test", "deny 192.0.2.1")
    #expect(try world.commit()?.revoked == [])
    try world.replace("allow other.test")
    #expect(try world.commit()?.revoked == [mark])
  }

  @Test func onePortOfOneAddressGoesWhereManyCostNoMore() throws {
    var world = try Fixture(
      "allow 192.0.2.1 443/tcp,53/udp", "deny 192.0.2.2 22/tcp", "allow 192.0.2.2 20-30/tcp",
      "allow 2001:db8::1 443/tcp",
      "allow 198.51.100.0/24 443/tcp")
    let counts = Dictionary(
      uniqueKeysWithValues: zip(AddressRules.sets, world.firewall.heldRules).map { ($0, $1.count) })
    #expect(counts == [.block4: 0, .block6: 0, .block4Port: 3, .block6Port: 0, .block4Exact: 3, .block6Exact: 1])
    for (address, port, isAllowed) in [
      ("192.0.2.1", 443, true), ("192.0.2.1", 444, false), ("192.0.2.2", 22, false), ("192.0.2.2", 23, true),
      ("192.0.2.2", 31, false), ("2001:db8::1", 443, true), ("2001:db8::1", 22, false), ("198.51.100.7", 443, true),
    ] as [(String, UInt16, Bool)] {
      #expect(try world.reach(address, port) == isAllowed, "\(address) \(port)")
    }
    let mark = try world.mark("192.0.2.1", 443)
    try world.replace("deny 192.0.2.1 443/tcp", "allow 192.0.2.2 20-30/tcp")
    #expect(try world.commit()?.revoked.contains(mark) == true)
    #expect(try !world.reach("192.0.2.1", 443) && world.reach("192.0.2.2", 22))
  }

  @Test func addressRulesChangeByTheirDifference() throws {
    var world = try Fixture("allow 10.0.0.0/8 22/tcp", "allow 192.0.2.0/24", "deny 203.0.113.7")
    let kept = try world.mark("192.0.2.9")
    let gone = try world.mark("10.1.1.1", 22)
    #expect(try world.reach("10.1.1.1", 22))
    #expect(try !world.reach("10.1.1.1", 23))
    try world.replace("allow 192.0.2.0/24", "deny 203.0.113.7", "allow 2001:db8::/32")
    let taken = world.take()
    let staged = try #require(taken)
    #expect(staged.revoked == [gone])
    for change in staged.transaction.changes {
      switch change {
      case .deleteElements(let set, let elements): #expect(elements.count == 1 && set == .block4Port)
      case .destroyElements(let set, let elements): #expect(elements.count == 1 && set == .grants)
      case .addElements(let set, let elements): #expect(elements.count == 1 && [.block6, .grants].contains(set))
      default: Issue.record("\(change)")
      }
    }
    try world.kernel.commit(staged.transaction, at: world.now.instant)
    _ = world.firewall.settle(staged.id, .committed, at: world.now)
    #expect(try world.mark("192.0.2.9") == kept)
    #expect(try world.reach("2001:db8::77"))
    #expect(try !world.reach("10.1.1.1", 22))
  }

  @Test func widerAddressRuleTakesOverAndHandsBack() throws {
    var world = try Fixture("allow 10.1.0.0/16")
    let first = try world.mark("10.1.1.1")
    world.firewall.flowOpened(first)
    try world.replace("allow 10.0.0.0/8")
    #expect(try world.commit()?.revoked == [])
    #expect(world.kernel.isInForce(first, at: world.now.instant))
    try world.replace("allow 10.1.1.0/24")
    let settled = try world.commit()
    #expect(settled?.narrowed.map(\.mark).contains(first) == true)
    #expect(world.kernel.isInForce(first, at: world.now.instant))
    try world.replace("deny *")
    #expect(try world.commit()?.revoked.contains(first) == true)
    #expect(!world.kernel.isInForce(first, at: world.now.instant))
  }

  @Test func answerUnderTheOldPolicyFails() throws {
    var world = try Fixture("allow api.test", "allow other.test")
    _ = try world.stage("api.test", "198.51.100.1")
    _ = try world.stage("other.test", "198.51.100.2")
    let taken = world.take()
    let staged = try #require(taken)
    _ = try world.stage("api.test", "198.51.100.3")
    try world.replace("allow other.test")
    try world.kernel.commit(staged.transaction, at: world.now.instant)
    let first = world.firewall.settle(staged.id, .committed, at: world.now)
    #expect(first?.granted == [2])
    #expect(first?.failed == [1])
    let second = try world.commit()
    #expect(second?.granted == [])
    #expect(second?.failed == [3])
    #expect(try !world.reach("198.51.100.1"))
    #expect(try !world.reach("198.51.100.3"))
  }

  @Test func endOfARuleCutsItsFlowsAndBringsOutWhatItHid() throws {
    var world = try Fixture(
      "allow api.test until 50", "deny 192.0.2.0/24 until 50", "allow 192.0.0.0/16", "allow *.api.test")
    try world.lease("api.test", "198.51.100.1", ttl: 3_600)
    let mark = try world.mark("198.51.100.1")
    world.firewall.flowOpened(mark)
    #expect(try !world.reach("192.0.2.1"))
    world.now = Fixture.moment(50)
    #expect(world.firewall.nextDeadline.map { $0 <= world.now.instant } == true)
    world.firewall.deadlineReached(at: world.now)
    #expect(try world.commit()?.revoked == [mark])
    #expect(try world.reach("192.0.2.1"))
    #expect(try !world.reach("198.51.100.1"))
  }

  @Test func defaultAllowReachesAllButWhatIsDenied() throws {
    let world = try Fixture("default allow", "deny 192.0.2.0/24", "deny 198.51.100.0/24 25/tcp")
    #expect(try world.reach("8.8.8.8", 1_234, .udp))
    #expect(try world.reach("::1:2:3", 0, .icmpv6))
    #expect(try world.reach("255.255.255.255"))
    #expect(try !world.reach("192.0.2.255"))
    #expect(try !world.reach("198.51.100.1", 25))
    #expect(try world.reach("198.51.100.1", 26))
  }

  @Test func aLeaseThatTheKernelHoldsLongerThanKnownIsTakenAwayByAChange() throws {
    var world = try Fixture("allow *.pool.test")
    _ = try world.stage("a.pool.test", "198.51.100.1")
    _ = try world.stage("b.pool.test", "198.51.100.2", ttl: 3_000)
    let transaction = world.take()
    let staged = try #require(transaction)
    // The kernel's timers count from the commit, five seconds later.
    world.now = Fixture.moment(5)
    try world.kernel.commit(staged.transaction, at: world.now.instant)
    _ = world.firewall.settle(staged.id, .committed, at: world.now)
    try world.pass(116)
    #expect(try world.reach("198.51.100.1"))
    try world.replace("allow b.pool.test")
    try world.commit()
    #expect(try !world.reach("198.51.100.1"))
    #expect(try world.reach("198.51.100.2"))
  }

  @Test func aGrantWhoseFlowsGoOnByAnotherRuleEndsWithThatRuleInTheKernelToo() throws {
    var world = try Fixture("allow a.pool.test 443")
    try world.lease("a.pool.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    try world.replace("allow *.pool.test until 30")
    try world.commit()
    #expect(try world.mark("198.51.100.1") != mark)
    #expect(world.kernel.isInForce(mark, at: Fixture.moment(29).instant))
    // Nothing of ours runs any more.
    #expect(!world.kernel.isInForce(mark, at: Fixture.moment(31).instant))
  }

  @Test func aGrantThatEndsWithAnotherRuleLastsAgainWhenThatRuleDoes() throws {
    var world = try Fixture("allow a.pool.test 443")
    try world.lease("a.pool.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    world.firewall.flowOpened(mark)
    try world.replace("allow *.pool.test until 30")
    try world.commit()
    try world.replace("allow *.pool.test 443")
    try world.commit()
    #expect(world.kernel.isInForce(mark, at: Fixture.moment(31).instant))
  }

  @Test func aRuleThatComesBackIsNotEndedByTheOneThatStoodInForIt() throws {
    var world = try Fixture("default allow")
    let mark = try world.mark("198.51.100.1")
    try world.replace("allow 198.51.100.1 until 30")
    try world.commit()
    try world.replace("default allow")
    try world.commit()
    try world.pass(40)
    #expect(try world.reach("198.51.100.1"))
    #expect(try world.reach("203.0.113.9"))
    #expect(world.kernel.isInForce(mark, at: world.now.instant))
  }
}
