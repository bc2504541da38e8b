import Addressing
import DNSProxy
import LinuxIO
import Sidecar
import Timekeeping

/// The daemon's own queries. Source ports lie outside the kernel's ephemeral range, so that no program which lets the kernel choose its port meets one of our conntrack
/// entries; they change as they are used, so that nobody learns them (RFC 5452 §9.2).
final class UpstreamSockets {
  /// Queries through one port before another is drawn.
  static let queriesPerPort = 8_192
  /// What is read of a TCP look-up in one turn: 66 KiB, more than the longest answer with its length.
  static let readMax = 66 << 10
  /// Draws of a port for a TCP look-up before it is given up: 16.
  static let portDraws = 16
  /// TCP look-ups at a time: 128, half of what one resolver commonly takes from one client.
  static let streamsMax = 128

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

  private struct Lookup {
    var query: UpstreamQuery
    var connection: StreamConnection
    var reader = DNSStreamReader()
    var isConnected = false
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
  private var lookups: [UInt64: Lookup] = [:]
  private var nextToken: UInt64 = 1
  private let inbound = InboundDatagrams()
  private let outbound = OutboundDatagrams()

  init(_ poll: EventPoll, mark: UInt32) {
    self.poll = poll
    self.mark = mark
  }

  /// False: nothing will leave, the try has failed. Datagrams leave with `flush`.
  func send(_ query: UpstreamQuery, at now: Instant) -> Bool {
    query.isTCP ? connect(query, at: now) : sendDatagram(query)
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

  private func close(_ port: Port) {
    try? poll.remove(port.socket.number)
    ports[port.token] = nil
  }

  /// Replies on a socket, or the news that it was refused.
  func receive(_ token: UInt64, _ body: (SidecarEvent) -> Void) {
    guard let port = ports[token] else { return }
    do throws(Errno) {
      let count = try port.socket.receive(into: inbound)
      for index in 0..<count where !inbound[index].isTruncated {
        body(.upstreamAnswered(inbound[index].bytes, from: port.slot.upstream, socket: port.slot.number, isTCP: false))
      }
    } catch {
      body(.upstreamFailed(port.slot.upstream, socket: port.slot.number, isTCP: false))
    }
  }

  private func connect(_ query: UpstreamQuery, at now: Instant) -> Bool {
    guard lookups.count < Self.streamsMax else { return false }
    let wildcard: IPAddress =
      query.upstream.address.isIPv4 ? .v4(IPv4Address(bits: 0)) : .v6(IPv6Address(high: 0, low: 0))
    var opened: TCPStream?
    for _ in 0..<Self.portDraws where opened == nil {
      let port = EphemeralPorts.draw(outside: ephemeral, using: &random)
      do throws(Errno) {
        opened = try TCPStream.connecting(to: query.upstream, bind: Endpoint(wildcard, port), mark: mark)
      } catch {
        guard error == .addressInUse || error == .addressNotAvailable else { return false }
      }
    }
    guard let stream = opened else { return false }
    let token = nextToken
    nextToken += 1
    let connection = try? StreamConnection(
      stream, .upstreamStream(token), poll, at: now, backlogMax: Self.readMax, interest: [.read, .write])
    guard let connection else { return false }
    lookups[token] = Lookup(query: query, connection: connection)
    return true
  }

  func progress(_ token: UInt64, writable: Bool, readable: Bool, at now: Instant, _ body: (SidecarEvent) -> Void) {
    guard var lookup = lookups[token] else { return }
    let query = lookup.query
    if !lookup.isConnected, writable || readable {
      guard lookup.connection.stream.connectError() == nil, lookup.connection.send(framed(query.bytes)) else {
        close(token)
        return body(.upstreamFailed(query.upstream, socket: query.socket, isTCP: true))
      }
      lookup.isConnected = true
      lookups[token] = lookup
    } else if writable, !lookup.connection.flush() {
      close(token)
      return body(.upstreamFailed(query.upstream, socket: query.socket, isTCP: true))
    }
    guard readable else { return }
    lookup.reader.receive(lookup.connection.read(atMost: Self.readMax))
    lookups[token] = lookup
    if let message = lookups[token]?.reader.next() {
      close(token)
      body(.upstreamAnswered(message, from: query.upstream, socket: query.socket, isTCP: true))
    } else if lookup.connection.hasEnded || lookup.connection.isBroken {
      close(token)
      body(.upstreamFailed(query.upstream, socket: query.socket, isTCP: true))
    }
  }

  /// The machine gave up on look-ups this old long ago.
  func closeIdle(at now: Instant, after patience: TimeSpan) {
    for (token, lookup) in lookups where now - lookup.connection.lastActivity > patience { close(token) }
  }

  private func close(_ token: UInt64) { lookups.removeValue(forKey: token)?.connection.close() }
}
