import FlowAudit
import Testing

@testable import Sidecar

@Suite struct FlowBalanceTests {
  private static func read(
    _ balance: inout FlowBalance, _ times: Int = FlowBalance.readingsMax, kernel: UInt64, recorded: UInt64
  ) -> UInt64 {
    (0..<times).reduce(0) { sum, _ in
      sum + balance.take(kernel: FlowPair(denied: kernel), recorded: FlowPair(denied: recorded)).denied
    }
  }

  @Test func whatTheKernelCountedAndNoRecordTellsIsLostOnce() {
    var balance = FlowBalance()
    balance.begin(carried: FlowPair())
    #expect(Self.read(&balance, kernel: 100, recorded: 97) == 3)
    #expect(Self.read(&balance, 20, kernel: 100, recorded: 97) == 0)
    #expect(Self.read(&balance, kernel: 110, recorded: 105) == 2)
    #expect(balance.lost == FlowPair(denied: 5))
  }

  @Test func whatIsToldWithinFiveReadingsIsNotLost() {
    var balance = FlowBalance()
    balance.begin(carried: FlowPair())
    #expect(Self.read(&balance, 4, kernel: 100, recorded: 97) == 0)
    #expect(Self.read(&balance, 20, kernel: 100, recorded: 100) == 0)
  }

  @Test func afterEventsWereLostTheReadingsBeginAnew() {
    var balance = FlowBalance()
    balance.begin(carried: FlowPair())
    #expect(Self.read(&balance, 4, kernel: 100, recorded: 60) == 0)
    balance.beginAnew()
    #expect(Self.read(&balance, 4, kernel: 100, recorded: 60) == 0)
    // A dump told of them.
    #expect(Self.read(&balance, 20, kernel: 100, recorded: 100) == 0)
  }

  /// Flows that begin between a reading and its comparison make the records look better than they are; then it comes out later.
  @Test func underTrafficLessIsFoundAndInTheEndAll() {
    var balance = FlowBalance()
    balance.begin(carried: FlowPair())
    var found: UInt64 = 0
    for (second, ahead) in ([3, 1, 2, 4, 2, 3, 2, 1, 3, 2] as [UInt64]).enumerated() {
      let kernel = UInt64(second + 1) * 1_000
      found += Self.read(&balance, 1, kernel: kernel, recorded: kernel - 10 + ahead)
    }
    #expect(found > 0 && found < 10)
    found += Self.read(&balance, 10, kernel: 10_000, recorded: 9_990)
    #expect(found == 10)
  }

  @Test func whatEarlierStartsAccountForIsNotTheirSuccessors() {
    var balance = FlowBalance()
    balance.begin(carried: FlowPair(allowed: 7, denied: 1_000))
    // 1,030 were refused since the table was made: 1,000 are accounted for, 25 are told by this start, 5 died with the former daemon.
    #expect(Self.read(&balance, kernel: 1_030, recorded: 25) == 5)
    #expect(balance.carried == FlowPair(allowed: 0, denied: 1_000), "the other table never counted seven")
  }

  @Test func whereNobodyKnowsWhatIsAccountedForNothingIsMadeUp() {
    var balance = FlowBalance()
    balance.begin(carried: nil)
    #expect(balance.carried == nil)
    #expect(Self.read(&balance, 20, kernel: 1_000, recorded: 4) == 0)
    #expect(balance.carried?.denied == 996)
    #expect(Self.read(&balance, kernel: 1_010, recorded: 12) == 2)
  }
}
