import Addressing
import FlowAudit
import Timekeeping

/// The connection tracking table and the socket on which its events are read.
struct SimulatedConntrack {
  struct Entry {
    var identifier: UInt32
    var original: FlowTuple
    var reply: FlowTuple
    var mark: UInt32
    var status: UInt32 = 0
    var tcpState: TCPState?
    var counters = FlowCounters(sentBytes: 0, sentPackets: 0, receivedBytes: 0, receivedPackets: 0)
    /// The entry goes by itself.
    var ends: Instant
    /// It left the pod, or came into it and was let in.
    var isLive: Bool

    /// Both ends have closed it, or one has reset it: their kernels send nothing more.
    var hasEnded: Bool { tcpState == .timeWait || tcpState == .close }

    func event(_ kind: ConntrackEvent.Kind) -> ConntrackEvent {
      ConntrackEvent(
        kind: kind, identifier: identifier, original: original, reply: reply, mark: mark, status: status,
        tcpState: tcpState, counters: kind == .new ? nil : counters)
    }
  }

  private(set) var entries: [FlowTuple: Entry] = [:]
  /// In the order of their beginning.
  private(set) var order: [FlowTuple] = []
  private var nextIdentifier: UInt32 = 1
  /// What waits to be read.
  private(set) var unread: [ConntrackEvent] = []
  private(set) var hasOverflowed = false

  /// The packet of a new flow was confirmed.
  mutating func begin(
    _ tuple: FlowTuple, mark: UInt32, redirected: Endpoint?, isLive: Bool, ends: Instant, loses: Bool
  ) {
    if entries[tuple] != nil { remove(tuple, loses: loses) }
    let replySource = redirected ?? tuple.destination
    var entry = Entry(
      identifier: nextIdentifier, original: tuple,
      reply: FlowTuple(source: replySource, destination: tuple.source, transport: tuple.transport), mark: mark,
      ends: ends, isLive: isLive)
    if redirected != nil { entry.status = 1 << 5 }
    if tuple.transport == .tcp { entry.tcpState = .synSent }
    entry.counters.sentPackets = 1
    entry.counters.sentBytes = 60
    nextIdentifier += 1
    entries[tuple] = entry
    order.append(tuple)
    tell(entry.event(.new), loses: loses)
  }

  /// Packets went both ways.
  mutating func exchange(_ tuple: FlowTuple, bytes: UInt64, until ends: Instant) {
    guard var entry = entries[tuple] else { return }
    entry.counters.sentBytes += bytes
    entry.counters.sentPackets += 1
    entry.counters.receivedBytes += 2 * bytes
    entry.counters.receivedPackets += 1
    entry.ends = ends
    entries[tuple] = entry
  }

  mutating func move(_ tuple: FlowTuple, to state: TCPState, loses: Bool) {
    guard var entry = entries[tuple], entry.tcpState != nil, entry.tcpState != state else { return }
    entry.tcpState = state
    if state == .established { entry.status |= 0b110 }
    entries[tuple] = entry
    tell(entry.event(.update), loses: loses)
  }

  mutating func remove(_ tuple: FlowTuple, loses: Bool) {
    guard let entry = entries.removeValue(forKey: tuple) else { return }
    order.removeAll { $0 == tuple }
    tell(entry.event(.destroy), loses: loses)
  }

  /// What timed out goes.
  mutating func expire(at now: Instant, loses: () -> Bool) {
    for tuple in order where entries[tuple].map({ $0.ends <= now }) ?? false { remove(tuple, loses: loses()) }
  }

  private mutating func tell(_ event: ConntrackEvent, loses: Bool) {
    if loses { hasOverflowed = true } else { unread.append(event) }
  }

  /// Takes what can be read; true when some was lost.
  mutating func takeUnread() -> (events: [ConntrackEvent], hasOverflowed: Bool) {
    defer { (unread, hasOverflowed) = ([], false) }
    return (unread, hasOverflowed)
  }

  var live: [Entry] { order.compactMap { entries[$0] } }
}
