import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

struct LeaseTests {
  @Test func addressIsReachableOnlyOnceTheKernelHoldsIt() throws {
    var world = try Fixture("allow api.test")
    #expect(try world.stage("api.test", "198.51.100.1", "2001:db8::1", ttl: 60) == .staged(.seconds(120)))
    #expect(try !world.reach("198.51.100.1"))
    let committed = try world.commit()
    let settled = try #require(committed)
    #expect(settled.granted == [1])
    #expect(try world.reach("198.51.100.1"))
    #expect(try world.reach("2001:db8::1", 53_000, .udp))
    #expect(try world.reach("198.51.100.1", 0, .icmp))
    #expect(try !world.reach("198.51.100.2"))
    #expect(try world.name("198.51.100.1") == "api.test")
  }

  @Test(arguments: [
    (0, 120), (5, 120), (60, 120), (300, 360), (3_600, 3_660), (86_400, 3_660),
  ])
  func lifeIsTheClampedTTLAndGrace(ttl: UInt32, seconds: Int64) throws {
    var world = try Fixture("allow api.test")
    #expect(try world.stage("api.test", "198.51.100.1", ttl: ttl) == .staged(.seconds(seconds)))
  }

  @Test func leaseIsRenewedOnlyWhenTooLittleIsLeft() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1")
    try world.pass(59)
    #expect(try world.stage("api.test", "198.51.100.1") == .alreadyHeld(.seconds(61)))
    #expect(world.firewall.takeTransaction() == nil)
    try world.pass(2)
    #expect(try world.stage("api.test", "198.51.100.1") == .staged(.seconds(120)))
    try world.commit()
    try world.pass(119)
    #expect(try world.reach("198.51.100.1"))
    try world.pass(1)
    #expect(try !world.reach("198.51.100.1"))
  }

  @Test func whatIsShownIsNeverLongerThanWhatIsHeld() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1", ttl: 60)
    #expect(try world.stage("api.test", "198.51.100.1", ttl: 600) == .staged(.seconds(660)))
    try world.commit()
    #expect(try world.stage("api.test", "198.51.100.1", ttl: 60) == .alreadyHeld(.seconds(660)))
  }

  @Test func answerToWhatIsUnderWayWaitsForIt() throws {
    var world = try Fixture("allow api.test")
    _ = try world.stage("api.test", "198.51.100.1")
    let taken = world.take()
    let staged = try #require(taken)
    #expect(try world.stage("api.test", "198.51.100.1") == .staged(.seconds(120)))
    #expect(world.firewall.takeTransaction() == nil)
    try world.kernel.commit(staged.transaction, at: world.now.instant)
    #expect(world.firewall.settle(staged.id, .committed, at: world.now)?.granted == [1, 2])
  }

  @Test func answersThatArriveTogetherMakeOneTransaction() throws {
    var world = try Fixture("allow *.pool.test")
    for number in 1...20 { _ = try world.stage("n\(number).pool.test", "198.51.100.\(number)") }
    let taken = world.take()
    let staged = try #require(taken)
    #expect(staged.answers == Array(1...20))
    #expect(
      staged.transaction.changes.map { change in
        if case .addElements(let set, let elements) = change { "\(set.rawValue) \(elements.count)" } else { "other" }
      } == ["lease4 20", "grants 20"])
  }

  struct PortCase: CustomStringConvertible, Sendable {
    var rules: [String]
    var elements: [String]
    var open: [(UInt16, TransportProtocol)]
    var closed: [(UInt16, TransportProtocol)]
    var description: String { rules.joined(separator: "; ") }
  }

  @Test(arguments: [
    PortCase(rules: ["allow api.test"], elements: ["lease4 1"], open: [(1, .tcp), (1, .udp), (0, .icmp)], closed: []),
    PortCase(
      rules: ["allow api.test 443"], elements: ["lease4_port 2"], open: [(443, .tcp), (443, .udp)],
      closed: [(442, .tcp), (0, .icmp)]),
    PortCase(
      rules: ["allow api.test 100-227/tcp"], elements: ["lease4_port 128"], open: [(100, .tcp), (227, .tcp)],
      closed: [(228, .tcp), (100, .udp)]),
    PortCase(
      rules: ["allow api.test 100-228/tcp"], elements: ["lease4_range 1"], open: [(100, .tcp), (228, .tcp)],
      closed: [(229, .tcp), (99, .tcp), (100, .udp), (0, .icmp)]),
    PortCase(
      rules: ["deny 198.51.100.0/24 22/tcp", "allow api.test"], elements: ["lease4_other 1", "lease4_range 3"],
      open: [(21, .tcp), (23, .tcp), (22, .udp), (0, .icmp)], closed: [(22, .tcp)]),
    PortCase(
      rules: ["allow api.test 443/tcp", "allow other.test 80/tcp", "allow api.test 8000/tcp"],
      elements: ["lease4_port 2"],
      open: [(443, .tcp), (8_000, .tcp)], closed: [(80, .udp)]),
  ])
  func portsBecomeTheFewestElements(_ row: PortCase) throws {
    var world = try Fixture()
    try world.replace(row.rules)
    try world.commit()
    _ = try world.stage("api.test", "198.51.100.1")
    let taken = world.take()
    let staged = try #require(taken)
    let elements = staged.transaction.changes.compactMap { change -> String? in
      if case .addElements(let set, let elements) = change, set != .grants {
        "\(set.rawValue) \(elements.count)"
      } else {
        nil
      }
    }
    #expect(elements.sorted() == row.elements)
    try world.kernel.commit(staged.transaction, at: world.now.instant)
    for (port, transport) in row.open { #expect(try world.reach("198.51.100.1", port, transport)) }
    for (port, transport) in row.closed { #expect(try !world.reach("198.51.100.1", port, transport)) }
  }

  @Test func rangesOfTwoNamesOnOneAddressAreCutWhereTheyOverlap() throws {
    var world = try Fixture("allow a.test 1000-2000/tcp", "allow b.test 1500-2500/tcp")
    try world.lease("a.test", "198.51.100.1")
    try world.lease("b.test", "198.51.100.1", ttl: 600)
    #expect(try world.name("198.51.100.1", 1_499) == "a.test")
    #expect(try world.name("198.51.100.1", 1_500) == "b.test")
    #expect(try world.name("198.51.100.1", 2_500) == "b.test")
    try world.pass(121)
    #expect(try !world.reach("198.51.100.1", 1_499))
    #expect(try world.name("198.51.100.1", 1_500) == "b.test")
  }

  @Test func sharedAddressGoesToTheLatestAndBackToWhoStillHolds() throws {
    var world = try Fixture("allow a.test", "allow b.test")
    try world.lease("a.test", "198.51.100.1", ttl: 600)
    try world.lease("b.test", "198.51.100.1", ttl: 60)
    #expect(try world.name("198.51.100.1") == "b.test")
    #expect(
      world.firewall.names(leasing: try address("198.51.100.1"), at: world.now.instant).map(\.description)
        == ["a.test", "b.test"])
    try world.pass(121)
    #expect(try world.name("198.51.100.1") == "a.test")
    #expect(
      world.firewall.names(leasing: try address("198.51.100.1"), at: world.now.instant).map(\.description)
        == ["a.test"])
  }

  @Test func addressThatARuleLetsEveryoneReachNeedsNoLease() throws {
    var world = try Fixture("allow 10.0.0.0/8", "allow api.test")
    #expect(try world.stage("api.test", "10.1.2.3") == .alreadyHeld(.seconds(3_600)))
    #expect(world.firewall.takeTransaction() == nil)
    #expect(world.firewall.counts.leases == 0)
  }

  @Test func addressThatNobodyMayReachIsWithheldWithTheRule() throws {
    var world = try Fixture("deny 198.51.100.0/24", "allow api.test")
    guard case .withheld(.denied(let rule)) = try world.stage("api.test", "198.51.100.1") else {
      Issue.record("not withheld")
      return
    }
    #expect(rule.text == "deny 198.51.100.0/24")
    #expect(world.firewall.takeTransaction() == nil)
  }

  @Test func endedLeaseIsRememberedWithItsName() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1")
    #expect(world.firewall.lastLease(of: try address("198.51.100.1")) == nil)
    try world.pass(121)
    let last = try #require(world.firewall.lastLease(of: try address("198.51.100.1")))
    #expect(last.name.description == "api.test")
    #expect(world.firewall.counts.leases == 0)
  }

  @Test func timersOfTheKernelEndWhatTheDaemonDoesNot() throws {
    var world = try Fixture("allow api.test until 90", "allow 192.0.2.0/24 until 90")
    try world.lease("api.test", "198.51.100.1", ttl: 3_600)
    let mark = try world.mark("198.51.100.1")
    #expect(try world.reach("192.0.2.1"))
    world.now = Fixture.moment(89)
    #expect(try world.reach("198.51.100.1"))
    world.now = Fixture.moment(90)
    #expect(try !world.reach("198.51.100.1"))
    #expect(try !world.reach("192.0.2.1"))
    #expect(!world.kernel.isInForce(mark, at: world.now.instant))
  }

  @Test func anAddressThatIsDeniedMeanwhileSpoilsTheAnswer() throws {
    var world = try Fixture("allow api.test")
    try world.replace("deny 203.0.113.2", "allow api.test")
    guard case .withheld(.denied) = try world.stage("api.test", "203.0.113.2", "203.0.113.3") else {
      Issue.record("not withheld")
      return
    }
    try world.commit()
    #expect(try !world.reach("203.0.113.3"))
  }
}
