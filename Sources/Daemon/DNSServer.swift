import Addressing
import DNSProxy
import DNSWire
import LinuxIO
import Sidecar
import Timekeeping

/// Where the pod's queries come in and their answers go out: UDP and TCP, IPv4 and IPv6.
final class DNSServer {
  /// Clients of one pod that ask by TCP at a time: 256. One more takes the place of the one that has been silent longest (RFC 7766 §6.2.3).
  static let streamsMax = 256
  /// How long a TCP client may take for a whole query, or keep an idle connection: 10 s (RFC 7766 §6.2.3 leaves it to the server).
  static let streamPatience = TimeSpan.seconds(10)
  /// How long it may be owed an answer: 30 s, more than all tries at all upstreams take.
  static let answerPatience = TimeSpan.seconds(30)
  /// What is read of one client in one turn: 16 KiB, some hundreds of queries.
  static let readMax = 16 << 10
  /// Answers that may wait for a client that is given one more: 128 KiB, two of the longest.
  static let backlogMax = 128 << 10

  private final class Stream {
    let connection: StreamConnection
    var reader = DNSStreamReader()
    /// Queries not answered yet.
    var owed = 0

    init(_ connection: StreamConnection) { self.connection = connection }

    /// It asks no more, and has every answer.
    var isDone: Bool { connection.hasEnded && owed == 0 && connection.isDrained }
  }

  private let poll: EventPoll
  private var sockets: [UDPSocket] = []
  private var batches: [OutboundDatagrams] = []
  private var ports: [ListeningPort] = []
  private var streams: [UInt64: Stream] = [:]
  private var nextStream: UInt64 = 1
  private let inbound = InboundDatagrams()

  init(_ endpoints: [Endpoint], _ poll: EventPoll, _ log: Log) throws(Errno) {
    self.poll = poll
    for (index, endpoint) in endpoints.enumerated() {
      let socket = try UDPSocket(family: AddressFamily(of: endpoint.address), bind: endpoint)
      ports.append(try ListeningPort(endpoint, .dnsListener(index), poll, log))
      try poll.register(socket.number, token: Token.dnsDatagrams(index).rawValue, interest: .read)
      sockets.append(socket)
      batches.append(OutboundDatagrams())
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
    for _ in 0..<ListeningPort.connectionsPerTurn {
      guard let stream = ports[index].accept() else { return }
      if streams.count >= Self.streamsMax { makeRoom() }
      let number = nextStream
      nextStream += 1
      let connection = try? StreamConnection(
        stream, .dnsStream(number), poll, at: now, backlogMax: Self.backlogMax)
      guard let connection else { continue }
      streams[number] = Stream(connection)
    }
  }

  private func makeRoom() {
    let silent = streams.min {
      ($0.value.connection.lastActivity, $0.key) < ($1.value.connection.lastActivity, $1.key)
    }
    if let silent { close(silent.key) }
  }

  func read(_ number: UInt64, at now: Instant, _ body: (ClientQuery) -> Void) {
    guard let stream = streams[number] else { return }
    let octets = stream.connection.read(atMost: Self.readMax)
    guard !stream.connection.isBroken else { return close(number) }
    stream.reader.receive(octets)
    while let message = stream.reader.next() {
      // What is no message is never answered (RFC 1035 §4.1.1: twelve octets of header).
      guard message.count >= Header.length else { continue }
      // Whole queries count and not octets: one that sends an octet now and then is silent.
      stream.connection.lastActivity = now
      stream.owed += 1
      body(ClientQuery(client: number, source: stream.connection.stream.peer, isTCP: true, bytes: message))
    }
    if stream.isDone { close(number) }
  }

  func write(_ number: UInt64) {
    guard let stream = streams[number] else { return }
    if !stream.connection.flush() || stream.isDone { close(number) }
  }

  func send(_ reply: DNSReply, at now: Instant) {
    if reply.isTCP {
      guard let stream = streams[reply.client] else { return }
      stream.owed = max(0, stream.owed - 1)
      stream.connection.lastActivity = now
      if !stream.connection.send(framed(reply.bytes)) || stream.isDone { close(reply.client) }
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

  /// Each second.
  func sweep(at now: Instant) {
    for port in ports { port.resume() }
    for (number, stream) in streams {
      let patience = stream.owed == 0 ? Self.streamPatience : Self.answerPatience
      if now - stream.connection.lastActivity > patience { close(number) }
    }
  }

  private func close(_ number: UInt64) { streams.removeValue(forKey: number)?.connection.close() }
}
