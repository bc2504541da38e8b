import Addressing
import Firewall
import Testing

@testable import Sidecar

@Suite struct CountTests {
  private func packets(_ count: UInt64, to last: UInt8 = 1, _ place: DroppedPackets.Place = .out) -> DroppedPackets {
    DroppedPackets(
      place: place, source: .v4(IPv4Address(10, 0, 0, 2)), destination: .v4(IPv4Address(192, 0, 2, last)),
      transport: .icmp, packets: count)
  }

  private func counts(_ out: UInt64, _ dropped: [DroppedPackets] = [], denied: UInt64 = 0) -> KernelCounts {
    KernelCounts(rules: [.droppedOut: out, .refusedFlows: denied], dropped: dropped)
  }

  @Test func everyPacketOfTheRulesCounterIsTold() {
    var state = CountState()
    #expect(state.take(counts(3, [packets(3)]), limits: FirewallLimits()).dropped == [packets(3)])
    // Two came after the elements were read and before they were taken out: they belong to the way that was busiest then.
    let (dropped, lost) = state.take(counts(9, [packets(4, to: 7)]), limits: FirewallLimits())
    #expect(dropped == [packets(4, to: 7), packets(2)])
    #expect(lost == 0)
    #expect(state.dropped == 9)
  }

  @Test func whatHadNoRoomIsLostAndSaid() {
    var state = CountState()
    var limits = FirewallLimits()
    limits.droppedMax = 2
    _ = state.take(counts(0), limits: limits)
    let (dropped, lost) = state.take(counts(10, [packets(1), packets(1, to: 2)]), limits: limits)
    #expect(dropped.count == 2)
    #expect(lost == 8)
    #expect(state.take(counts(10), limits: limits).lost == 0)
  }

  @Test func whatAnEarlierProcessLeftIsTold() {
    var state = CountState()
    // Its counters went with its rules, its elements did not.
    let (dropped, lost) = state.take(counts(0, [packets(5)]), limits: FirewallLimits())
    #expect(dropped == [packets(5)])
    #expect(lost == 0)
    #expect(state.take(counts(2, [packets(2)]), limits: FirewallLimits()).dropped == [packets(2)])
  }

  @Test func countersThatBeginAnewGoOnInTheTotals() {
    var state = CountState()
    _ = state.take(counts(0, denied: 40), limits: FirewallLimits())
    _ = state.take(counts(0, denied: 2), limits: FirewallLimits())
    #expect(state.totals[.refusedFlows] == 42)
  }
}
