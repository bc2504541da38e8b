import Addressing
import DNSProxy
import LinuxIO
import Sidecar
import Timekeeping

/// Where the pod's queries come in and their answers go out: UDP and TCP, IPv4 and IPv6.
final class DNSServer {
  /// Clients of one pod that ask by TCP at a time: 256; one more waits in the backlog.
  static let streamsMax = 256
  /// How long a TCP client may say nothing: 10 s (RFC 7766 §6.2.3 leaves it to the server).
  static let streamPatience = TimeSpan.seconds(10)

  private let poll: EventPoll
  private var sockets: [UDPSocket] = []
  private var batches: [OutboundDatagrams] = []
  private var listeners: [TCPListener] = []
  private var streams: [UInt64: (connection: StreamConnection, reader: DNSStreamReader)] = [:]
  private var nextStream: UInt64 = 1
  private let inbound = InboundDatagrams()

  init(_ endpoints: [Endpoint], _ poll: EventPoll) throws(Errno) {
    self.poll = poll
    for (index, endpoint) in endpoints.enumerated() {
      let socket = try UDPSocket(family: AddressFamily(of: endpoint.address), bind: endpoint)
      let listener = try TCPListener(endpoint)
      try poll.register(socket.number, token: Token.dnsDatagrams(index).rawValue, interest: .read)
      try poll.register(listener.number, token: Token.dnsListener(index).rawValue, interest: .read)
      sockets.append(socket)
      batches.append(OutboundDatagrams())
      listeners.append(listener)
    }
  }

  /// One batch of datagrams: a fair share of a turn.
  func receive(on index: Int, _ body: (ClientQuery) -> Void) {
    guard let count = try? sockets[index].receive(into: inbound) else { return }
    for position in 0..<count {
      let datagram = inbound[position]
      guard !datagram.isTruncated else { continue }
      body(ClientQuery(client: UInt64(index), source: datagram.peer, isTCP: false, bytes: datagram.bytes))
    }
  }

  func accept(on index: Int, at now: Instant) {
    while streams.count < Self.streamsMax, let stream = try? listeners[index].accept() {
      let number = nextStream
      nextStream += 1
      guard let connection = try? StreamConnection(stream, .dnsStream(number), poll, at: now) else { continue }
      streams[number] = (connection, DNSStreamReader())
    }
  }

  func read(_ number: UInt64, at now: Instant, _ body: (ClientQuery) -> Void) {
    guard let connection = streams[number]?.connection else { return }
    guard let octets = connection.read() else { return close(number) }
    connection.lastActivity = now
    streams[number]?.reader.receive(octets)
    while let message = streams[number]?.reader.next() {
      body(ClientQuery(client: number, source: connection.stream.peer, isTCP: true, bytes: message))
    }
  }

  func write(_ number: UInt64) {
    guard let connection = streams[number]?.connection else { return }
    if !connection.flush() { close(number) }
  }

  func send(_ reply: DNSReply) {
    if reply.isTCP {
      guard let connection = streams[reply.client]?.connection else { return }
      if !connection.send(framed(reply.bytes)) { close(reply.client) }
    } else {
      let index = Int(reply.client)
      if batches[index].isFull { flush(index) }
      batches[index].append(reply.bytes, to: reply.source)
    }
  }

  /// Sends what the turn has gathered.
  func flush() {
    for index in batches.indices where !batches[index].isEmpty { flush(index) }
  }

  private func flush(_ index: Int) {
    // A client that does not read loses its answers, as on any network; it asks again.
    if sockets[index].send(batches[index]).isBlocked { batches[index].removeAll() }
  }

  func closeIdle(at now: Instant) {
    for (number, stream) in streams where now - stream.connection.lastActivity > Self.streamPatience { close(number) }
  }

  private func close(_ number: UInt64) { streams.removeValue(forKey: number)?.connection.close() }
}
