import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

struct AdoptionTests {
  /// Another daemon over the same kernel.
  private func restart(
    _ world: Fixture, _ rules: [String], knowing isKnown: Bool = true, flowMarks: Set<UInt32> = []
  ) throws -> Fixture {
    var next = world
    next.firewall = Firewall(Fixture.parameters, lease: Fixture.times)
    let known = Dictionary(uniqueKeysWithValues: world.firewall.attributions.map { ($0.mark, $0.attribution) })
    func left(_ held: StrictKernel.Held) -> TimeSpan? { held.until.map { $0 - world.now.instant } }
    let sets: [SetName] = [
      .lease4, .lease6, .lease4Port, .lease6Port, .lease4Range, .lease6Range, .lease4Other, .lease6Other,
    ]
    let leases = sets.flatMap { set in
      world.kernel.elements[set, default: []].filter { $0.until.map { world.now.instant < $0 } ?? true }.map {
        held -> (SetName, SetElement) in
        var element = held.element
        element.timeout = left(held)
        return (set, element)
      }
    }
    let grants = world.kernel.elements[.grants, default: []].map { held in
      let mark = hostOrder(held.element.key[0])
      return AdoptedGrant(mark: mark, remaining: left(held), attribution: isKnown ? known[mark] : nil)
    }
    next.firewall.adopt(leases: leases, grants: grants, flowMarks: flowMarks, at: world.now)
    next.policy = try Fixture.ruleSet(rules, 1)
    next.firewall.start(policy: next.policy, gateOpen: true, at: world.now)
    return next
  }

  private let rules = ["allow api.test", "allow b.test 443", "allow 10.0.0.0/8", "allow c.test 1000-3000/tcp"]

  private func world() throws -> Fixture {
    var world = try Fixture()
    try world.replace(rules)
    try world.commit()
    try world.lease("api.test", "198.51.100.1")
    try world.lease("b.test", "198.51.100.2")
    try world.lease("c.test", "2001:db8::2")
    try world.pass(20)
    return world
  }

  @Test func theMarkOfAFlowThatOutlivedItsGrantIsGivenToNobody() throws {
    var world = try world()
    let stray = try world.mark("198.51.100.2", 443)
    try world.replace("allow api.test")
    try world.commit()
    // The daemon died before it cut the flow; that mark and the three after it are still in the conntrack table.
    let flowMarks = Set(stray...stray + 3)
    var next = try restart(world, ["allow api.test"], flowMarks: flowMarks)
    try next.commit()
    try next.replace(["allow api.test"] + (0..<6).map { "allow 10.\($0).0.0/16" })
    try next.commit()
    for block in 0..<6 { #expect(!flowMarks.contains(try next.mark("10.\(block).1.1", 443))) }
  }

  @Test func knownGrantsKeepTheirNumbers() throws {
    let world = try world()
    var next = try restart(world, rules)
    let settled = try next.commit()
    #expect(settled?.revoked == [])
    for (text, port) in [("198.51.100.1", 443), ("198.51.100.2", 443), ("10.1.1.1", 443), ("2001:db8::2", 2_000)] {
      #expect(try next.mark(text, UInt16(port)) == world.mark(text, UInt16(port)))
      #expect(try next.reach(text, UInt16(port)))
    }
    #expect(next.firewall.counts == world.firewall.counts)
    #expect(try next.stage("api.test", "198.51.100.1") == .alreadyHeld(.seconds(100)))
    try next.pass(101)
    #expect(try !next.reach("198.51.100.1"))
    #expect(next.firewall.counts.leases == 0)
  }

  @Test func policyThatChangedMeanwhileIsApplied() throws {
    let world = try world()
    let name = try world.mark("198.51.100.1")
    let block = try world.mark("10.1.1.1")
    var next = try restart(world, ["allow b.test 443", "allow c.test 1000-3000/tcp"])
    #expect(try next.commit()?.revoked == [name, block].sorted())
    #expect(try !next.reach("198.51.100.1"))
    #expect(try !next.reach("10.1.1.1"))
    #expect(try next.reach("198.51.100.2"))
  }

  @Test func unknownGrantsGoOnUntilTheyEndAndNumbersNeverCollide() throws {
    let world = try world()
    let old = Set(world.firewall.attributions.map(\.mark))
    var next = try restart(world, rules, knowing: false)
    #expect(try next.commit()?.revoked == [])
    #expect(try next.reach("198.51.100.1"))
    #expect(!old.contains(try next.mark("10.1.1.1")))
    #expect(try next.stage("api.test", "198.51.100.1") == .staged(.seconds(120)))
    try next.commit()
    #expect(try next.name("198.51.100.1") == "api.test")
    #expect(!old.contains(try next.mark("198.51.100.1")))
    try next.pass(3_601)
    for mark in old { #expect(!next.kernel.isInForce(mark, at: next.now.instant)) }
  }

  @Test func unknownGrantsGoWithTheFirstChangeOfThePolicy() throws {
    let world = try world()
    let old = world.firewall.attributions.map(\.mark)
    var next = try restart(world, rules, knowing: false)
    try next.commit()
    try next.replace(rules + ["allow d.test"])
    #expect(try next.commit()?.revoked == old)
    #expect(try !next.reach("198.51.100.1"))
    #expect(try next.reach("10.1.1.1"))
  }
}
