import Addressing
import JSONText
import Timekeeping

/// What the records of earlier starts say about flows: the newest record of each tuple counts.
///
/// Records are read as foreign text: what is no record of a flow, or lacks what is needed, tells nothing. Memory is bounded by that of the records.
package struct PreviousFlows: Sendable {
  enum State: Hashable, Sendable {
    case open
    case closed
    case denied
  }

  struct Flow: Sendable {
    var tuple: FlowTuple
    var state: State
    /// `NetworkSessionId`.
    var session: String
    var startedAt: WallTime
    var attribution: FlowAttribution
  }

  private struct Entry: Sendable {
    var flow: Flow
    /// Rises with the records.
    var place: Int
    var isTaken = false
  }

  private struct Repeats: Sendable {
    var endedAt: WallTime
    var count: Int
  }

  private struct Target: Hashable, Sendable {
    var destination: Endpoint
    var transport: TransportProtocol
  }

  private var entries: [FlowTuple: Entry] = [:]
  private var repeats: [Target: [Repeats]] = [:]
  /// When the first of the records was made.
  private var oldest: WallTime?
  /// They begin with the first start of all.
  private var isFromBeginning = false

  /// - Parameter records: the newest records before this start, oldest first.
  package init(records: [[UInt8]] = []) {
    for (place, bytes) in records.enumerated() {
      if oldest != nil, FormerRecord.isAboutName(bytes) { continue }
      guard let record = FormerRecord(bytes) else { continue }
      if oldest == nil {
        oldest = record.generatedAt
        isFromBeginning = record.kind == .sidecarStart && !record.hasPreviousBoot
      }
      take(record, place)
    }
  }

  /// Whether every flow that was recorded since then is among the records.
  func reaches(back moment: WallTime) -> Bool { isFromBeginning || oldest.map { $0 <= moment } ?? false }

  /// What is on record of this tuple; it is no longer `left` then.
  mutating func take(_ tuple: FlowTuple) -> Flow? {
    let tuple = tuple.asRecorded
    entries[tuple]?.isTaken = true
    return entries[tuple]?.flow
  }

  /// Whether a denial like this one is counted in a record of repeats that ended at `since` or later; each is taken once.
  mutating func takeRepeat(of tuple: FlowTuple, since: WallTime) -> Bool {
    let destination = tuple.asRecorded.destination
    // A flood is counted by address, and then in one record for all.
    for counted in [
      destination, Endpoint(destination.address, 0), Endpoint(.unspecified(isIPv4: destination.address.isIPv4), 0),
    ] {
      let target = Target(destination: counted, transport: tuple.transport)
      guard let index = repeats[target]?.firstIndex(where: { $0.count > 0 && $0.endedAt >= since }) else { continue }
      repeats[target]?[index].count -= 1
      return true
    }
    return false
  }

  /// Flows on record as open that nobody took, in the order of their records.
  var left: [Flow] {
    entries.values.filter { !$0.isTaken && $0.flow.state == .open }.sorted { $0.place < $1.place }.map(\.flow)
  }

  private mutating func take(_ record: FormerRecord, _ place: Int) {
    guard let tuple = record.tuple, let startedAt = record.startedAt else { return }
    let state: State
    switch record.kind {
    case .flowOpen, .flowUpdate: state = .open
    case .flowClose: state = .closed
    case .flowDenied:
      state = .denied
      // The one that it shows is known by its tuple, unless it shows none.
      let others = record.isRolledUp ? record.count : record.count - 1
      if others > 0, let endedAt = record.endedAt {
        repeats[Target(destination: tuple.destination, transport: tuple.transport), default: []]
          .append(Repeats(endedAt: endedAt, count: others))
      }
      if record.isRolledUp { return }
    default: return
    }
    let attribution = FlowAttribution(
      record.isInbound ? .inbound : .allow, name: record.name, names: record.names, rule: record.rule)
    let flow = Flow(
      tuple: tuple, state: state, session: record.session, startedAt: startedAt, attribution: attribution)
    entries[tuple] = Entry(flow: flow, place: place)
  }
}

extension FlowTuple {
  /// As much of it as a record shows: of ICMP not the identifier, of protocols without ports none.
  fileprivate var asRecorded: FlowTuple {
    var tuple = self
    switch transport {
    case .tcp, .udp, .sctp: break
    case .icmp, .icmpv6: tuple.source = Endpoint(source.address, 0)
    default:
      tuple.source = Endpoint(source.address, 0)
      tuple.destination = Endpoint(destination.address, 0)
    }
    return tuple
  }
}
