import Addressing
import Firewall
import FlowAudit
import Spool
import Timekeeping

/// What the kernel counts and no event tells of: read every second, put on record, then taken out of the kernel.
struct CountState: Sendable {
  /// Nil while one is under way, or what it brought is not yet taken out of the kernel.
  var nextReading: Instant?
  /// A heartbeat waits for the reading, so that its checkpoint compares what was counted before with what is recorded after.
  var owesHeartbeat = false
  /// By counter, over all installations of the ruleset, each of which begins at zero.
  var totals: [RuleCounter: UInt64] = [:]
  /// As they were read last.
  private var last: [RuleCounter: UInt64] = [:]
  /// Packets by place that records tell of; nil before the first reading, which also holds what an earlier process left.
  private var told: [DroppedPackets.Place: UInt64]?
  /// What was taken out last: packets that came between the reading and the removal are missing from it.
  private var taken: [DroppedPackets] = []

  /// What is to be recorded: what was read, and of what the rules' counters know beyond it as much as can be said where it belongs. `lost` cannot.
  mutating func take(_ counts: KernelCounts, limits: FirewallLimits) -> (dropped: [DroppedPackets], lost: UInt64) {
    for (counter, count) in counts.rules {
      let before = last[counter] ?? 0
      totals[counter, default: 0] += count >= before ? count - before : count
    }
    last = counts.rules
    var dropped = counts.dropped
    var lost: UInt64 = 0
    var told = told ?? DroppedPackets.Place.allCases.reduce(into: [:]) { $0[$1] = total($1) }
    let isFirst = self.told == nil
    for place in DroppedPackets.Place.allCases {
      let read = dropped.reduce(0) { $1.place == place ? $0 + $1.packets : $0 }
      if isFirst { continue }
      told[place, default: 0] += read
      let missing = total(place) - min(told[place] ?? 0, total(place))
      guard missing > 0 else { continue }
      told[place, default: 0] += missing
      // With room in the set only those that were taken out last can have lost some.
      let room = place == .out ? limits.droppedMax : limits.passingMax
      let former = taken.filter { $0.place == place }
      let wasFull = max(former.count, counts.dropped.count { $0.place == place }) * 2 >= room
      if var busiest = former.max(by: { $0.packets < $1.packets }), !wasFull {
        busiest.packets = missing
        dropped.append(busiest)
      } else {
        lost += missing
      }
    }
    self.told = told
    taken = counts.dropped
    return (dropped, lost)
  }

  /// New flows that the kernel let out and refused, over every start; nil before the first reading.
  var flows: FlowPair? {
    guard let allowed = totals[.permittedFlows], let denied = totals[.refusedFlows] else { return nil }
    return FlowPair(allowed: allowed, denied: denied)
  }

  /// Dropped packets that the rules' counters know of.
  var dropped: UInt64 { DroppedPackets.Place.allCases.reduce(0) { $0 + total($1) } }

  private func total(_ place: DroppedPackets.Place) -> UInt64 {
    let counters: [RuleCounter] =
      switch place {
      case .out: [.droppedOut, .strayQueries]
      case .forward: [.droppedForward]
      case .inbound: [.droppedIn]
      }
    return counters.reduce(0) { $0 + (totals[$1] ?? 0) }
  }
}

extension SidecarMachine {
  /// A start must find a checkpoint among the records that it reads again, so the next one may be due long before its time.
  mutating func checkpointIfFar(at now: Moment) {
    let far = max(spool.limits.keptBytesMax / 4, SidecarSettings.checkpointOctets)
    guard evidence.octetsSinceCheckpoint > far, phase == .enforcing else { return }
    evidence.octetsSinceCheckpoint = 0
    counts.owesHeartbeat = true
    readCountsIfDue(at: now)
  }

  /// Asks for the counts when it is time.
  mutating func readCountsIfDue(at now: Moment) {
    guard let due = counts.nextReading, due <= now.instant || counts.owesHeartbeat else { return }
    counts.nextReading = nil
    emit(.readCounts)
  }

  /// `read` nil: they could not be read, and are asked for again.
  mutating func countsRead(
    _ read: KernelCounts?, isCurrent: Bool = true, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    counts.nextReading = now.instant + SidecarSettings.countsInterval
    if let read {
      let (dropped, lost) = counts.take(read, limits: settings.firewall.limits)
      var actions: [FlowAction] = []
      for one in dropped { record(one, at: now, into: &actions) }
      perform(actions, at: now, using: &generator)
      if lost > 0 {
        recordDropped(
          RecordsDroppedDraft(count: lost, sequences: nil, reason: "EVENTS_LOST"), at: now, using: &generator)
      }
      if isCurrent { compareFlows(with: read, at: now, using: &generator) }
      if !read.dropped.isEmpty {
        counts.nextReading = nil
        // Once they are on record, as an answer would leave.
        evidence.replies.append(.removeCounts(read.dropped))
      }
    }
    if counts.owesHeartbeat {
      counts.owesHeartbeat = false
      recordHeartbeat(hasCounts: read != nil && isCurrent, at: now, using: &generator)
    }
  }

  /// What the kernel let out or refused and no record tells of is counted as lost, once nothing can tell it any more.
  private mutating func compareFlows(
    with read: KernelCounts, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let kernel = counts.flows, read.rules[.permittedFlows] != nil, life.hasAdoptedFlows, !tracker.awaitsDump
    else { return }
    let recorded = FlowPair(allowed: tracker.sums.allowed, denied: tracker.sums.denied)
    let lost = balance.take(kernel: kernel, recorded: recorded)
    for (flows, count) in [("allowed", lost.allowed), ("denied", lost.denied)] where count > 0 {
      recordDropped(
        RecordsDroppedDraft(count: count, sequences: nil, reason: "EVENTS_LOST", flows: flows), at: now,
        using: &generator)
    }
  }

  mutating func countsRemoved(at now: Moment) {
    counts.nextReading = now.instant + SidecarSettings.countsInterval
  }

  private mutating func record(_ packets: DroppedPackets, at now: Moment, into actions: inout [FlowAction]) {
    let tuple = FlowTuple(
      source: Endpoint(packets.source, 0), destination: Endpoint(packets.destination, 0), transport: packets.transport)
    let attribution = attributor.attribute(packets, tuple, at: now)
    let origin: FlowDraft.Origin =
      switch packets.place {
      case .out: .counted
      case .forward: .forwarded
      case .inbound: .uninvited
      }
    tracker.deny(
      tuple, attribution: attribution, count: Int(clamping: packets.packets), origin: origin, at: now, into: &actions)
  }
}
