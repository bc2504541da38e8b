import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

struct LimitTests {
  private func limits(_ change: (inout FirewallLimits) -> Void) -> FirewallLimits {
    var limits = FirewallLimits()
    change(&limits)
    return limits
  }

  @Test func nameThatRotatesIsCutOffAndOthersAreNot() throws {
    var world = try Fixture("allow big.test", "allow api.test", limits: limits { $0.addressesPerNameMax = 3 })
    for host in 1...3 { try world.lease("big.test", "198.51.100.\(host)") }
    #expect(try world.stage("big.test", "198.51.100.4") == .withheld(.tooManyAddressesOfName))
    #expect(world.take() == nil)
    #expect(try world.stage("big.test", "198.51.100.3") == .alreadyHeld(.seconds(120)))
    #expect(try world.stage("api.test", "198.51.100.4") == .staged(.seconds(120)))
    try world.commit()
    try world.pass(121)
    #expect(try world.stage("big.test", "198.51.100.4") == .staged(.seconds(120)))
  }

  @Test func answerIsLeasedWholeOrNotAtAll() throws {
    var world = try Fixture("allow big.test", limits: limits { $0.addressesPerNameMax = 3 })
    #expect(
      try world.stage("big.test", "198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4")
        == .withheld(.tooManyAddressesOfName))
    #expect(world.firewall.counts == FirewallCounts(leases: 0, grants: 0, portElements: 0, rangeElements: 0))
    #expect(world.take()?.transaction.changes ?? [] == [])
  }

  @Test func wildcardCannotTakeEverything() throws {
    var world = try Fixture(
      "allow *.pool.test", "allow api.test",
      limits: limits {
        $0.leasesMax = 10
        $0.leasesPerRuleMax = 6
      })
    for host in 1...6 { try world.lease("n\(host).pool.test", "198.51.100.\(host)") }
    #expect(try world.stage("n7.pool.test", "198.51.100.7") == .withheld(.tooManyLeasesUnderRule))
    for host in 1...4 { try world.lease("api.test", "203.0.113.\(host)") }
    #expect(world.firewall.counts.leases == 10)
    #expect(try world.stage("api.test", "203.0.113.5") == .withheld(.tooManyLeases))
    #expect(world.firewall.counts.leases == 10)
  }

  @Test func elementsWithPortsAreBounded() throws {
    var world = try Fixture(
      "allow a.test 1-100/tcp", "allow b.test 1000-2000/tcp",
      limits: limits {
        $0.portElementsMax = 250
        $0.rangeElementsMax = 1
      })
    try world.lease("a.test", "198.51.100.1", "198.51.100.2")
    #expect(try world.stage("a.test", "198.51.100.3") == .withheld(.tooManyLeases))
    try world.lease("b.test", "198.51.100.4")
    #expect(try world.stage("b.test", "198.51.100.5") == .withheld(.tooManyLeases))
    #expect(world.firewall.counts.portElements == 200)
    #expect(world.firewall.counts.rangeElements == 1)
  }

  @Test func grantsAreBounded() throws {
    var world = try Fixture("allow *.pool.test", limits: limits { $0.grantsMax = 2 })
    try world.lease("a.pool.test", "198.51.100.1")
    try world.lease("b.pool.test", "198.51.100.1")
    #expect(try world.stage("c.pool.test", "198.51.100.1") == .withheld(.tooManyGrants))
    try world.pass(200)
    #expect(try world.stage("c.pool.test", "198.51.100.1") == .staged(.seconds(120)))
  }

  @Test func memoryOfWhatEndedForgetsTheOldest() {
    var memory = BoundedMemory<Int, String>(max: 2)
    memory.remember(1, "a")
    memory.remember(2, "b")
    memory.remember(1, "c")
    memory.remember(3, "d")
    #expect([memory[1], memory[2], memory[3]] == ["c", nil, "d"])
  }

  @Test func rangeSetsHaveASizeAndHashSetsAllocateNothingAhead() {
    for set in Ruleset(Fixture.parameters).sets where set.hasTimeouts {
      #expect((set.sizeMax != nil) == set.isInterval)
    }
  }
}
