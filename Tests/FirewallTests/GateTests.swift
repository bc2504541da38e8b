import Testing

@testable import Firewall

/// The gate: whether the workload may open flows at all.
@Suite struct GateTests {
  @Test func anOwnerCostsNoPacketButTheFirstOfAFlow() {
    let gated = Ruleset(Fixture.parameters).chains.filter { chain in
      chain.rules.contains { $0.statements.contains { if case .familyIn(.gate) = $0 { true } else { false } } }
    }
    // The kernel asks a chain of type nat about the first packet of a flow alone.
    #expect(gated.map(\.definition.name) == [.steer])
    #expect(gated.first?.definition.base?.kind == .nat)
  }
}
