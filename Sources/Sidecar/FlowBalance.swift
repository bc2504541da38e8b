import FlowAudit

/// The checkpoint, kept in balance: what the kernel counted of new flows, less what the records tell, is what nobody will tell any more. It is counted as lost.
///
/// The kernel's counters go on over every start of the daemon. `carried` is what earlier starts accounted for; so flows that came and went while no daemon lived, and those whose
/// events or roll-ups died with one, are found missing by the next.
struct FlowBalance: Sendable {
  /// Readings, one a second, in all of which flows must be missing: a flow that was told after the counters were read makes a reading look better than it is, never worse.
  static let readingsMax = 5

  private struct Side: Sendable {
    /// Nil: not known, since the records do not reach back; then it is whatever is missing at first.
    var carried: UInt64?
    var lost: UInt64 = 0
    /// What the last readings had more than the records, those carried included.
    var surplus: [Int64] = []

    /// How many flows are found lost.
    mutating func take(kernel: UInt64, recorded: UInt64) -> UInt64 {
      // The table was made anew meanwhile.
      if let known = carried, kernel < known { carried = nil }
      surplus.append(Int64(clamping: kernel) - Int64(clamping: recorded) - Int64(clamping: lost))
      if surplus.count > FlowBalance.readingsMax { surplus.removeFirst() }
      guard surplus.count == FlowBalance.readingsMax, let least = surplus.min(), let most = surplus.max() else {
        return 0
      }
      guard let carried else {
        self.carried = UInt64(clamping: most)
        return 0
      }
      let missing = UInt64(clamping: least - Int64(clamping: carried))
      if missing > 0 {
        lost += missing
        surplus = []
      }
      return missing
    }
  }

  private var allowed = Side()
  private var denied = Side()

  /// What earlier starts account for; nil when that is not known.
  mutating func begin(carried: FlowPair?) {
    allowed.carried = carried?.allowed
    denied.carried = carried?.denied
  }

  /// Events were lost and are to be read from the table: until then the records say too little.
  mutating func beginAnew() {
    allowed.surplus = []
    denied.surplus = []
  }

  /// Compares a reading of the kernel's counters with the records, after every event from before it was read. Returns what is found lost.
  mutating func take(kernel: FlowPair, recorded: FlowPair) -> FlowPair {
    FlowPair(
      allowed: allowed.take(kernel: kernel.allowed, recorded: recorded.allowed),
      denied: denied.take(kernel: kernel.denied, recorded: recorded.denied))
  }

  var lost: FlowPair { FlowPair(allowed: allowed.lost, denied: denied.lost) }

  var carried: FlowPair? {
    guard let allowed = allowed.carried, let denied = denied.carried else { return nil }
    return FlowPair(allowed: allowed, denied: denied)
  }
}
