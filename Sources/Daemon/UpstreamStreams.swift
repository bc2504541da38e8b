import Addressing
import DNSProxy
import LinuxIO
import Sidecar
import Timekeeping
import Transport

/// One TCP or TLS connection to each upstream, made when it is first needed and kept for the next queries; all of them share it, in whatever order the answers come
/// (RFC 7766 §6.2.1, RFC 7858 §3.4).
final class UpstreamStreams {
  /// How long a connection is kept without a query: 10 s, what servers commonly allow (RFC 7766 §6.2.3 leaves it to both).
  static let idleMax = TimeSpan.seconds(10)
  /// What is read of one connection in one turn: 66 KiB, more than the longest answer with its length.
  static let readMax = 66 << 10
  /// Queries that may wait for an upstream that does not take them: 64 KiB, some thousand.
  static let backlogMax = 64 << 10
  /// Draws of a source port before a connection is given up: 16.
  static let portDraws = 16

  private final class Stream {
    let upstream: Endpoint
    let connection: StreamConnection
    let tls: TLSConnection?
    var reader = DNSStreamReader()
    var isConnected = false
    /// TLS: both sides are proved.
    var isSecure = false
    /// Queries that wait until it can carry them, framed.
    var queued: [UInt8] = []
    /// Queries sent and not answered.
    var owed = 0
    /// Since when an answer is owed without a word.
    var heardAt: Instant

    init(_ upstream: Endpoint, _ connection: StreamConnection, _ tls: TLSConnection?) {
      self.upstream = upstream
      heardAt = connection.lastActivity
      self.connection = connection
      self.tls = tls
    }
  }

  private let poll: EventPoll
  private let mark: UInt32
  private let ephemeral = EphemeralPorts.current()
  private let trust: TLSClientContext
  private let log: Log
  private var logRate = LogRate()
  private var random = SystemRandom()
  private var streams: [UInt64: Stream] = [:]
  private var current: [Endpoint: UInt64] = [:]
  private var nextNumber: UInt64 = 1

  init(_ poll: EventPoll, mark: UInt32, authorityFile: String?, _ log: Log) {
    self.poll = poll
    self.mark = mark
    self.log = log
    trust = TLSClientContext(caFile: authorityFile)
  }

  /// False: nothing will leave, the try has failed.
  func send(_ query: UpstreamQuery, at now: Instant) -> Bool {
    let number: UInt64
    if let known = current[query.upstream] {
      number = known
    } else {
      guard let made = connect(query, at: now) else { return false }
      number = made
    }
    guard let stream = streams[number] else { return false }
    if stream.owed == 0 { stream.heardAt = now }
    stream.owed += 1
    stream.connection.lastActivity = now
    stream.queued += framed(query.bytes)
    // On a failure here others may be owed an answer too: the event for the connection tells all of them.
    if stream.queued.count > Self.backlogMax || !pump(stream, at: now) {
      close(number)
      return false
    }
    return true
  }

  private func connect(_ query: UpstreamQuery, at now: Instant) -> UInt64? {
    let wildcard: IPAddress =
      query.upstream.address.isIPv4 ? .v4(IPv4Address(bits: 0)) : .v6(IPv6Address(high: 0, low: 0))
    var opened: TCPStream?
    for _ in 0..<Self.portDraws where opened == nil {
      let port = EphemeralPorts.draw(outside: ephemeral, using: &random)
      do throws(Errno) {
        opened = try TCPStream.connecting(to: query.upstream, bind: Endpoint(wildcard, port), mark: mark)
      } catch {
        guard error == .addressInUse || error == .addressNotAvailable else { return nil }
      }
    }
    guard let opened else { return nil }
    var tls: TLSConnection?
    if let name = query.serverName {
      do throws(CryptographyFault) {
        tls = try TLSConnection(trust, serverName: name)
      } catch {
        say(query.upstream, error.reason, at: now)
        return nil
      }
    }
    let number = nextNumber
    nextNumber += 1
    let connection = try? StreamConnection(
      opened, .upstreamStream(number), poll, at: now, backlogMax: Self.backlogMax, interest: [.read, .write])
    guard let connection else { return nil }
    streams[number] = Stream(query.upstream, connection, tls)
    current[query.upstream] = number
    return number
  }

  func progress(_ number: UInt64, writable: Bool, readable: Bool, at now: Instant, _ body: (SidecarEvent) -> Void) {
    guard let stream = streams[number] else { return }
    if !stream.isConnected {
      guard stream.connection.stream.connectError() == nil else { return fail(number, body) }
      stream.isConnected = true
    } else if writable, !stream.connection.flush() {
      return fail(number, body)
    }
    if readable {
      var octets = stream.connection.read(atMost: Self.readMax)
      if let tls = stream.tls {
        tls.receive(octets)
        if stream.connection.hasEnded { tls.receiveEnd() }
        octets = []
        guard pump(stream, at: now), stream.isSecure ? decrypt(stream, tls, into: &octets, at: now) : true else {
          return fail(number, body)
        }
      }
      stream.reader.receive(octets)
      while let message = stream.reader.next() {
        stream.owed = max(0, stream.owed - 1)
        stream.connection.lastActivity = now
        stream.heardAt = now
        body(.upstreamAnswered(message, from: stream.upstream, socket: 0, isTCP: true))
      }
      if stream.connection.hasEnded || stream.connection.isBroken { return fail(number, body) }
    }
    if !pump(stream, at: now) { fail(number, body) }
  }

  /// Sends what waits, and what TLS wants to say. False: the connection is of no more use.
  private func pump(_ stream: Stream, at now: Instant) -> Bool {
    guard stream.isConnected else { return true }
    guard let tls = stream.tls else { return sendQueued(stream) { stream.connection.send($0) } }
    var isWell = true
    do throws(TLSFailure) {
      if !stream.isSecure { stream.isSecure = try tls.handshake() }
      if stream.isSecure, !stream.queued.isEmpty {
        try tls.send(stream.queued)
        stream.queued.removeAll(keepingCapacity: true)
      }
    } catch {
      // The file of roots may be replaced; the peer should learn why.
      if case .certificate = error { trust.forgetRoots() }
      say(stream.upstream, error.description, at: now)
      isWell = false
    }
    let outgoing = tls.takeOutgoing()
    if !outgoing.isEmpty, !stream.connection.send(outgoing) { isWell = false }
    return isWell
  }

  private func sendQueued(_ stream: Stream, _ send: ([UInt8]) -> Bool) -> Bool {
    guard !stream.queued.isEmpty else { return true }
    let octets = stream.queued
    stream.queued.removeAll(keepingCapacity: true)
    return send(octets)
  }

  /// False: the peer has ended or broken the TLS stream.
  private func decrypt(_ stream: Stream, _ tls: TLSConnection, into octets: inout [UInt8], at now: Instant) -> Bool {
    do throws(TLSFailure) {
      while true {
        switch try tls.read(into: &octets) {
        case .octets: continue
        case .wouldBlock, .end: return true
        }
      }
    } catch {
      // Servers cut idle connections without a word; only one that owes an answer is worth one.
      if stream.owed > 0 { say(stream.upstream, error.description, at: now) }
      return false
    }
  }

  private func fail(_ number: UInt64, _ body: (SidecarEvent) -> Void) {
    guard let stream = close(number), stream.owed > 0 else { return }
    body(.upstreamFailed(stream.upstream, socket: 0, isTCP: true))
  }

  private func say(_ upstream: Endpoint, _ reason: String, at now: Instant) {
    let entry = LogEntry(
      .warning, "DNS over TLS to an upstream failed", [("upstream", upstream.description), ("reason", reason)])
    if let entry = logRate.admit(entry, at: now) { log.write(entry) }
  }

  /// Each second. `patience`: how long an upstream that owes answers may be silent.
  func closeIdle(at now: Instant, after patience: TimeSpan, _ body: (SidecarEvent) -> Void) {
    for number in streams.keys.sorted() {
      guard let stream = streams[number] else { continue }
      let isStuck = stream.owed > 0 && now - stream.heardAt > patience
      if isStuck || now - stream.connection.lastActivity > Self.idleMax { fail(number, body) }
    }
  }

  /// Ends the connections to other upstreams than these.
  func forget(besides kept: [Endpoint]) {
    for (number, stream) in streams where !kept.contains(stream.upstream) { close(number) }
  }

  @discardableResult
  private func close(_ number: UInt64) -> Stream? {
    guard let stream = streams.removeValue(forKey: number) else { return nil }
    if current[stream.upstream] == number { current[stream.upstream] = nil }
    stream.connection.close()
    return stream
  }
}
