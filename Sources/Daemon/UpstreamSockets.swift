import Addressing
import DNSProxy
import LinuxIO
import Sidecar
import Timekeeping

/// The daemon's own queries over UDP. Source ports lie outside the kernel's ephemeral range, so that no program which lets the kernel choose its port meets one of our conntrack
/// entries; they change as they are used, so that nobody learns them (RFC 5452 §9.2).
final class UpstreamSockets {
  /// Queries through one port before another is drawn.
  static let queriesPerPort = 8_192

  private struct Slot: Hashable {
    var upstream: Endpoint
    var number: UInt32
  }

  private final class Port {
    let slot: Slot
    let socket: UDPSocket
    let token: UInt64
    var uses = 0
    /// Queries of this turn.
    var unsent: [[UInt8]] = []

    init(_ slot: Slot, _ socket: UDPSocket, _ token: UInt64) {
      self.slot = slot
      self.socket = socket
      self.token = token
    }
  }

  private let poll: EventPoll
  private let mark: UInt32
  private let ephemeral = EphemeralPorts.current()
  private var random = SystemRandom()
  private var current: [Slot: Port] = [:]
  /// Replies to the last queries of a port that was given up may still come; it is closed when the next one is.
  private var former: [Slot: Port] = [:]
  private var ports: [UInt64: Port] = [:]
  /// Those with something to send, in the order in which they got it.
  private var waiting: [Port] = []
  /// What goes over TCP or TLS.
  let streams: UpstreamStreams
  private var nextToken: UInt64 = 1
  private let inbound = InboundDatagrams()
  private let outbound = OutboundDatagrams()

  init(_ poll: EventPoll, mark: UInt32, authorityFile: String?, _ log: Log) {
    self.poll = poll
    self.mark = mark
    streams = UpstreamStreams(poll, mark: mark, authorityFile: authorityFile, log)
  }

  /// False: nothing will leave, the try has failed. Datagrams leave with `flush`.
  func send(_ query: UpstreamQuery, at now: Instant) -> Bool {
    query.isTCP ? streams.send(query, at: now) : sendDatagram(query)
  }

  private func sendDatagram(_ query: UpstreamQuery) -> Bool {
    guard let port = port(for: Slot(upstream: query.upstream, number: query.socket)) else { return false }
    port.uses += 1
    if port.unsent.isEmpty { waiting.append(port) }
    port.unsent.append(query.bytes)
    return true
  }

  private func port(for slot: Slot) -> Port? {
    if let port = current[slot] {
      if port.uses < Self.queriesPerPort { return port }
      current[slot] = nil
      if let old = former.updateValue(port, forKey: slot) { close(old) }
    }
    let opened = try? UDPSocket.onRandomPort(
      connect: slot.upstream, outside: ephemeral, mark: mark,
      receiveBufferOctets: UDPSocket.receiveBufferOctets, using: &random)
    guard let socket = opened else { return nil }
    let token = nextToken
    nextToken += 1
    guard (try? poll.register(socket.number, token: Token.upstreamDatagrams(token).rawValue, interest: .read)) != nil
    else { return nil }
    let port = Port(slot, socket, token)
    ports[token] = port
    current[slot] = port
    return port
  }

  /// Sends what the turn has gathered, and tells of every socket whose datagrams the kernel refuses.
  func flush(_ body: (SidecarEvent) -> Void) {
    // What `body` makes of a failure may be sent again: that is the next flush.
    let sending = waiting
    waiting.removeAll(keepingCapacity: true)
    for port in sending {
      let queries = port.unsent
      port.unsent.removeAll(keepingCapacity: true)
      if !send(queries, through: port.socket) {
        body(.upstreamFailed(port.slot.upstream, socket: port.slot.number, isTCP: false))
      }
    }
  }

  private func send(_ queries: [[UInt8]], through socket: UDPSocket) -> Bool {
    var refused = 0
    for (index, query) in queries.enumerated() {
      outbound.append(query, to: nil)
      guard outbound.isFull || index == queries.count - 1 else { continue }
      let outcome = socket.send(outbound)
      refused += outcome.refused
      // A full send buffer is datagrams that the network lost: others of this socket are well, and these are tried again in time.
      if outcome.isBlocked { outbound.removeAll() }
    }
    return refused == 0
  }

  /// Nothing more goes to other upstreams than these, and nothing of theirs is heard.
  func forget(besides kept: [Endpoint]) {
    for port in ports.values where !kept.contains(port.slot.upstream) {
      current[port.slot] = nil
      former[port.slot] = nil
      close(port)
    }
    waiting.removeAll { !kept.contains($0.slot.upstream) }
    streams.forget(besides: kept)
  }

  private func close(_ port: Port) {
    try? poll.remove(port.socket.number)
    ports[port.token] = nil
  }

  /// Replies on a socket, or the news that it was refused.
  func receive(_ token: UInt64, _ body: (SidecarEvent) -> Void) {
    guard let port = ports[token] else { return }
    do throws(Errno) {
      let count = try port.socket.receive(into: inbound)
      // One that was cut fills its slot, which says so to the proxy.
      for index in 0..<count {
        body(.upstreamAnswered(inbound[index].bytes, from: port.slot.upstream, socket: port.slot.number, isTCP: false))
      }
    } catch {
      body(.upstreamFailed(port.slot.upstream, socket: port.slot.number, isTCP: false))
    }
  }
}
