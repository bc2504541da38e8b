import Addressing
import Configuration
import HTTPWire
import LinuxIO
import PolicyAPI
import Timekeeping
import Transport

/// The control API's connections. Slow clients are cut, and make room for others, so that none can hold a place for ever.
final class APIServer {
  /// Clients at a time: 64; the control plane, a probe and a scraper are three. One more takes the place of the one that has been silent longest.
  static let connectionsMax = 64
  /// How long a client may take to send a whole request, or keep an idle connection: 30 s.
  static let patience = TimeSpan.seconds(30)
  /// How long after the last answer a client's end is waited for: 2 s.
  static let lingerPatience = TimeSpan.seconds(2)
  /// What a client may send ahead while an earlier request is being answered: 64 KiB, a few small requests.
  static let pipelinedMax = 64 << 10
  /// What is read of one client in one turn: 256 KiB, a thirty-second of the largest policy.
  static let readMax = 256 << 10
  /// Answers that may wait for a client that is given one more: 1 MiB.
  static let backlogMax = 1 << 20

  private final class Client {
    let connection: StreamConnection
    var parser: RequestParser
    /// The request that is being answered; one at a time, so that answers keep their order.
    var answering: HTTPRequest?
    /// The last answer was given: nothing more is read from it.
    var isFinished = false
    /// When it last began to be waited for.
    var begun: Instant

    init(_ connection: StreamConnection, _ limits: HTTPLimits, at now: Instant) {
      self.connection = connection
      parser = RequestParser(limits: limits)
      begun = now
    }
  }

  private let poll: EventPoll
  private let api: PolicyAPI
  private let limits: HTTPLimits
  private let identity: ServerIdentity?
  private let log: Log
  /// What new connections are secured with; nil: they are not.
  private var tls: TLSServerContext?
  private var ports: [ListeningPort] = []
  private var clients: [UInt64: Client] = [:]
  private var nextClient: UInt64 = 1
  /// Clients that sent ahead: their next request's turn is the next turn, so that a thousand requests in one packet do not keep names from being answered.
  private var sentAhead: [UInt64] = []

  /// `identity` with `tls`: the files, and what was made of them.
  init(
    _ endpoints: [Endpoint], _ settings: PolicyAPISettings, identity: ServerIdentity?, tls: TLSServerContext?,
    _ poll: EventPoll, _ log: Log
  ) throws(Errno) {
    self.poll = poll
    self.identity = identity
    self.tls = tls
    self.log = log
    api = PolicyAPI(settings)
    limits = .server
    for (index, endpoint) in endpoints.enumerated() {
      ports.append(try ListeningPort(endpoint, .apiListener(index), poll, log))
    }
  }

  /// The certificate's files changed: new connections get the new one. A bad one leaves the old one in use.
  func reloadIdentity() {
    guard let identity else { return }
    do throws(CryptographyFault) {
      tls = try identity.load()
      log.info("the control API's certificate was read again", [("file", identity.certificateFile)])
    } catch {
      log.error(
        "the control API's certificate cannot be read again; the old one stays in use",
        [("file", identity.certificateFile), ("reason", error.reason)])
    }
  }

  /// Something can go on without news from outside.
  var hasWork: Bool { !sentAhead.isEmpty }

  func accept(on index: Int, at now: Instant) {
    for _ in 0..<ListeningPort.connectionsPerTurn {
      let isFull = clients.count >= Self.connectionsMax
      if isFull, clients.allSatisfy({ $0.value.answering != nil }) { return ports[index].rest() }
      guard let stream = ports[index].accept() else { return }
      if isFull { makeRoom() }
      let number = nextClient
      nextClient += 1
      let secured = tls.map { try? TLSConnection($0) }
      if let secured, secured == nil { continue }
      let connection = try? StreamConnection(
        stream, .apiStream(number), poll, at: now, backlogMax: Self.backlogMax, tls: secured ?? nil)
      guard let connection else { continue }
      clients[number] = Client(connection, limits, at: now)
    }
  }

  /// Closes the client that has been waited for longest; never one that is being answered.
  private func makeRoom() {
    let waiting = clients.filter { $0.value.answering == nil }
    if let silent = waiting.min(by: { ($0.value.begun, $0.key) < ($1.value.begun, $1.key) }) { close(silent.key) }
  }

  func read(_ number: UInt64, at now: Instant, _ body: (UInt64, HTTPRequest) -> Void) {
    guard let client = clients[number] else { return }
    let octets = client.connection.read(atMost: Self.readMax)
    guard !client.connection.isBroken else { return close(number) }
    guard !client.isFinished else {
      if client.connection.hasEnded { finish(number, client, at: now) }
      return
    }
    if client.parser.isIdle, !octets.isEmpty { client.begun = now }
    client.parser.receive(octets)
    guard client.answering == nil || client.parser.bufferedByteCount <= Self.pipelinedMax else { return close(number) }
    advance(number, client, at: now, body)
  }

  /// The requests of those who sent ahead: one of each.
  func goOn(at now: Instant, _ body: (UInt64, HTTPRequest) -> Void) {
    let turn = sentAhead
    sentAhead.removeAll()
    for number in turn {
      // One that does not take its answers goes on when it does.
      guard let client = clients[number], client.connection.isDrained else { continue }
      advance(number, client, at: now, body)
    }
  }

  private func advance(_ number: UInt64, _ client: Client, at now: Instant, _ body: (UInt64, HTTPRequest) -> Void) {
    guard client.answering == nil, !client.isFinished else { return }
    switch client.parser.next() {
    case .needMore:
      // A client may close its sending half and still read; half a request will never be whole.
      if client.connection.hasEnded { finish(number, client, at: now) }
    case .continueExpected:
      // An unknown client is told so before it sends its 8 MiB.
      if let refusal = client.parser.unfinished.flatMap({ refusal(of: $0, from: client) ?? api.refusalBeforeBody($0) })
      {
        refuse(number, client, refusal, at: now)
      } else if client.connection.send(HTTPRequest.continueOctets) {
        advance(number, client, at: now, body)
      } else {
        close(number)
      }
    case .request(let request):
      if let refusal = refusal(of: request, from: client) { return refuse(number, client, refusal, at: now) }
      client.answering = request
      body(number, request)
    case .fault(let fault): refuse(number, client, fault.response, at: now)
    }
  }

  private func refusal(of request: HTTPRequest, from client: Client) -> HTTPResponse? {
    guard identity?.clientCAFile != nil, !client.connection.isPeerProved else { return nil }
    return api.refusalWithoutCertificate(request)
  }

  private func refuse(_ number: UInt64, _ client: Client, _ response: HTTPResponse, at now: Instant) {
    guard client.connection.send(response.compose(keepsAlive: false)) else { return close(number) }
    finish(number, client, at: now)
  }

  func respond(_ number: UInt64, _ response: HTTPResponse, at now: Instant) {
    guard let client = clients[number], let request = client.answering else { return }
    client.answering = nil
    client.begun = now
    guard client.connection.send(response.compose(for: request)) else { return close(number) }
    guard request.keepsAlive else { return finish(number, client, at: now) }
    goOnLater(number, client, at: now)
  }

  func write(_ number: UInt64, at now: Instant) {
    guard let client = clients[number] else { return }
    guard client.connection.flush() else { return close(number) }
    guard client.connection.isDrained else { return }
    if client.isFinished { finish(number, client, at: now) } else { goOnLater(number, client, at: now) }
  }

  private func goOnLater(_ number: UInt64, _ client: Client, at now: Instant) {
    guard client.answering == nil else { return }
    if client.parser.bufferedByteCount > 0 {
      sentAhead.append(number)
    } else if client.connection.hasEnded {
      finish(number, client, at: now)
    }
  }

  /// Each second.
  func sweep(at now: Instant) {
    for port in ports { port.resume() }
    for (number, client) in clients where client.answering == nil {
      let patience = client.connection.isLingering ? Self.lingerPatience : Self.patience
      if now - client.begun > patience { close(number) }
    }
  }

  private func finish(_ number: UInt64, _ client: Client, at now: Instant) {
    client.isFinished = true
    let lingered = client.connection.isLingering
    if client.connection.finish() { return close(number) }
    if !lingered { client.begun = now }
  }

  private func close(_ number: UInt64) { clients.removeValue(forKey: number)?.connection.close() }
}
