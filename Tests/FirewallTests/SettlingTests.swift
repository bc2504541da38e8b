import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

struct SettlingTests {
  @Test func refusedLeaseLeavesNothing() throws {
    var world = try Fixture("allow api.test")
    _ = try world.stage("api.test", "198.51.100.1")
    let settled = world.refuse()
    #expect(settled?.failed == [1])
    #expect(settled?.granted == [])
    #expect(world.firewall.counts == FirewallCounts(leases: 0, grants: 0, portElements: 0, rangeElements: 0))
    #expect(world.take() == nil)
    #expect(world.firewall.attribution(mark: 1) == nil)
    try world.lease("api.test", "198.51.100.1")
    #expect(try world.reach("198.51.100.1"))
  }

  @Test func refusedRenewalKeepsTheOldLease() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1")
    try world.pass(100)
    #expect(try world.stage("api.test", "198.51.100.1") == .staged(.seconds(120)))
    #expect(world.refuse()?.failed == [2])
    #expect(world.firewall.counts.leases == 1)
    try world.pass(19)
    #expect(try world.reach("198.51.100.1"))
    try world.pass(1)
    #expect(world.firewall.counts.leases == 0)
  }

  @Test func refusedPolicyIsUndoneWhole() throws {
    var world = try Fixture("allow api.test", "allow 10.0.0.0/8")
    try world.lease("api.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    let block = try world.mark("10.0.0.1")
    let old = world.policy
    try world.replace("allow other.test", "allow 192.0.2.1")
    #expect(world.refuse()?.revoked == [])
    world.policy = old
    #expect(world.firewall.attribution(mark: mark)?.name?.description == "api.test")
    #expect(world.firewall.counts.leases == 1)
    #expect(try world.reach("198.51.100.1"))
    try world.pass(100)
    #expect(try world.stage("api.test", "198.51.100.1") == .staged(.seconds(120)))
    try world.commit()
    #expect(try world.mark("198.51.100.1") == mark)
    // And the same change succeeds later.
    try world.replace("allow other.test", "allow 192.0.2.1")
    #expect(try world.commit()?.revoked == [mark, block].sorted())
    #expect(try world.reach("192.0.2.1"))
  }

  @Test func whatWasStagedOnTopFailsWithIt() throws {
    var world = try Fixture("allow *.pool.test", gateOpen: false)
    _ = try world.stage("a.pool.test", "198.51.100.1")
    let taken = world.take()
    let staged = try #require(taken)
    _ = try world.stage("b.pool.test", "198.51.100.1")
    _ = try world.stage("a.pool.test", "198.51.100.1")
    world.firewall.openGate(for: nil, at: world.now)
    let refusal = CommitRefusal(code: 12, change: nil, reason: "ENOMEM")
    let settled = world.firewall.settle(staged.id, .refused(refusal), at: world.now)
    #expect(settled?.failed == [1, 2, 3])
    #expect(settled?.undoneLater == true)
    #expect(world.take() == nil)
    #expect(world.firewall.counts.leases == 0)
  }

  @Test func settlingAnotherTransactionDoesNothing() throws {
    var world = try Fixture("allow api.test")
    _ = try world.stage("api.test", "198.51.100.1")
    let taken = world.take()
    let staged = try #require(taken)
    #expect(world.firewall.settle(staged.id + 1, .committed, at: world.now) == nil)
    #expect(world.firewall.settle(staged.id, .committed, at: world.now)?.granted == [1])
    #expect(world.firewall.settle(staged.id, .committed, at: world.now) == nil)
  }

  @Test func gateOpensAndClosesAndEndsByItself() throws {
    var world = try Fixture("allow 192.0.2.0/24", gateOpen: false)
    #expect(try world.mark("192.0.2.1") == FlowMark.deniedByGate)
    world.firewall.openGate(for: .seconds(10), at: world.now)
    try world.commit()
    #expect(try world.reach("192.0.2.1"))
    world.now = Fixture.moment(10)
    #expect(try !world.reach("192.0.2.1"))
    world.firewall.openGate(for: nil, at: world.now)
    try world.commit()
    try world.pass(100_000)
    #expect(try world.reach("192.0.2.1"))
    world.firewall.openGate(for: .seconds(5), at: world.now)
    try world.commit()
    try world.pass(5)
    #expect(try !world.reach("192.0.2.1"))
    world.firewall.closeGate(at: world.now)
    try world.commit()
    #expect(try !world.reach("192.0.2.1"))
  }

  @Test func ownDestinationsAreBounded() throws {
    var limits = FirewallLimits()
    limits.ownMax = 4
    var world = try Fixture(limits: limits)
    func permit(_ text: String, _ span: TimeSpan?) throws -> Bool {
      world.firewall.permitOwn(
        Endpoint(try address(text), 53), [.udp, .tcp], for: span, at: world.now)
    }
    #expect(try permit("10.0.0.1", nil))
    #expect(try permit("2001:db8::1", .seconds(10)))
    #expect(try !permit("10.0.0.3", nil))
    try world.commit()
    #expect(world.kernel.live(.own4, at: world.now.instant).count == 2)
    #expect(world.kernel.live(.own6, at: world.now.instant).count == 2)
    world.now = Fixture.moment(10)
    #expect(try permit("10.0.0.3", nil))
  }

  @Test func reinstallationPutsEverythingBack() throws {
    var world = try Fixture("allow api.test", "allow b.test 443", "allow 10.0.0.0/8", "allow c.test 1000-3000/tcp")
    try world.lease("api.test", "198.51.100.1")
    try world.lease("b.test", "2001:db8::1")
    try world.lease("c.test", "198.51.100.2")
    #expect(world.firewall.permitOwn(Endpoint(try address("10.9.9.9"), 53), [.udp], for: nil, at: world.now))
    try world.commit()
    try world.pass(10)
    let before = world.kernel
    world.kernel = StrictKernel()
    world.firewall.restore(wholly: true, at: world.now)
    try world.commit()
    for set in before.sets.keys {
      let names = { (kernel: StrictKernel) in
        Set(kernel.elements[set, default: []].map { "\($0.element.key) \($0.element.mark ?? 0) \($0.until as Any)" })
      }
      #expect(names(world.kernel) == names(before), "\(set.rawValue)")
    }
    #expect(world.kernel.rules == before.rules)
    // Over a table that still stands, too.
    world.firewall.restore(wholly: true, at: world.now)
    try world.commit()
    #expect(try world.reach("198.51.100.1"))
  }

  @Test func grantGoesOnlyWhenNoFlowAndNoLeaseNeedsIt() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    world.firewall.flowOpened(mark)
    world.firewall.flowOpened(mark)
    try world.pass(1_000)
    #expect(world.kernel.isInForce(mark, at: world.now.instant))
    world.firewall.flowClosed(mark, at: world.now)
    try world.pass(1_000)
    #expect(world.kernel.isInForce(mark, at: world.now.instant))
    world.firewall.flowClosed(mark, at: world.now)
    try world.pass(29)
    #expect(world.kernel.isInForce(mark, at: world.now.instant))
    try world.pass(1)
    #expect(!world.kernel.isInForce(mark, at: world.now.instant))
    #expect(world.firewall.counts.grants == 0)
    #expect(world.firewall.attribution(mark: mark)?.name?.description == "api.test")
  }

  @Test func grantThatIsUsedAgainStays() throws {
    var world = try Fixture("allow api.test")
    try world.lease("api.test", "198.51.100.1")
    let mark = try world.mark("198.51.100.1")
    try world.pass(130)
    try world.lease("api.test", "198.51.100.2")
    #expect(try world.mark("198.51.100.2") == mark)
    try world.pass(60)
    #expect(try world.reach("198.51.100.2"))
  }

  @Test func lateCommitNeverMeetsItsOwnElement() throws {
    var world = try Fixture("allow a.test", "allow b.test")
    _ = try world.stage("a.test", "198.51.100.1")
    let taken = world.take()
    let staged = try #require(taken)
    world.now = Fixture.moment(30)
    try world.kernel.commit(staged.transaction, at: world.now.instant)
    _ = world.firewall.settle(staged.id, .committed, at: world.now)
    // The model's lease ends at 120, the kernel's element at 150.
    try world.pass(100)
    #expect(world.firewall.counts.leases == 0)
    try world.lease("b.test", "198.51.100.1")
    #expect(try world.name("198.51.100.1") == "b.test")
  }
}
