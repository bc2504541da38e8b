import Addressing
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

/// The pod's own addresses.
struct SourceTests {
  @Test func whatTheKernelRefusedGoesWithTheNextTransaction() throws {
    var parameters = Fixture.parameters
    parameters.checksSources = true
    var firewall = Firewall(parameters, lease: Fixture.times)
    let now = Moment(instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(microseconds: 1_000_000))
    let own = try ["fd77::2", "fe80::2"].map { try #require(IPAddress($0)) }
    let new = try #require(IPAddress("fd77::3"))
    func elements(_ addresses: [IPAddress]) -> [SetElement] { addresses.map { SetElement([$0.bytes]) } }

    firewall.setSources(own + [try #require(IPAddress("10.77.0.2"))], at: now)
    firewall.start(policy: try Fixture.ruleSet([], 1), gateOpen: true, at: now)
    let firstTaken = firewall.takeTransaction()
    let first = try #require(firstTaken)
    #expect(first.transaction.changes.contains(.flushSet(.sources6)))
    #expect(first.transaction.changes.contains(.addElements(.sources6, elements(own))))
    _ = firewall.settle(first.id, .committed, at: now)

    firewall.setSources(own, at: now)
    let nothing = firewall.takeTransaction()
    #expect(nothing == nil)

    firewall.setSources([own[1], new], at: now)
    let secondTaken = firewall.takeTransaction()
    let second = try #require(secondTaken)
    _ = firewall.settle(second.id, .refused(CommitRefusal(code: 12, change: nil, reason: "ENOMEM")), at: now)
    firewall.closeGate(at: now)
    let thirdTaken = firewall.takeTransaction()
    let third = try #require(thirdTaken)
    #expect(third.transaction.changes.contains(.destroyElements(.sources6, elements([own[0]]))))
    #expect(third.transaction.changes.contains(.addElements(.sources6, elements([new]))))
    _ = firewall.settle(third.id, .committed, at: now)
    #expect(Set(firewall.heldElements(at: now.instant)[.sources6] ?? []) == Set(elements([own[1], new])))
  }
}
