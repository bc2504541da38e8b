import Addressing
import HTTPWire
import LinuxIO
import PolicyAPI
import Timekeeping

/// The control API's connections. Slow clients are cut, so that one cannot hold a place for ever.
final class APIServer {
  /// Clients at a time: 64; the control plane, a probe and a scraper are three.
  static let connectionsMax = 64
  /// How long a client may take to send a whole request, or keep an idle connection: 30 s.
  static let patience = TimeSpan.seconds(30)
  /// What a client may send ahead while an earlier request is being answered: 64 KiB, a few small requests.
  static let pipelinedMax = 64 << 10

  private final class Client {
    let connection: StreamConnection
    var parser: RequestParser
    /// The requests that are being answered; one at a time, so that answers keep their order.
    var answering: HTTPRequest?
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
  private var listeners: [TCPListener] = []
  private var clients: [UInt64: Client] = [:]
  private var nextClient: UInt64 = 1

  init(_ endpoints: [Endpoint], _ settings: PolicyAPISettings, _ poll: EventPoll) throws(Errno) {
    self.poll = poll
    api = PolicyAPI(settings)
    limits = .server
    for (index, endpoint) in endpoints.enumerated() {
      let listener = try TCPListener(endpoint)
      try poll.register(listener.number, token: Token.apiListener(index).rawValue, interest: .read)
      listeners.append(listener)
    }
  }

  func accept(on index: Int, at now: Instant) {
    while clients.count < Self.connectionsMax, let stream = try? listeners[index].accept() {
      let number = nextClient
      nextClient += 1
      guard let connection = try? StreamConnection(stream, .apiStream(number), poll, at: now) else { continue }
      clients[number] = Client(connection, limits, at: now)
    }
  }

  func read(_ number: UInt64, at now: Instant, _ body: (UInt64, HTTPRequest) -> Void) {
    guard let client = clients[number] else { return }
    guard let octets = client.connection.read() else { return close(number) }
    if client.parser.isIdle { client.begun = now }
    client.parser.receive(octets)
    guard client.answering == nil || client.parser.bufferedByteCount <= Self.pipelinedMax else { return close(number) }
    advance(number, client, body)
  }

  private func advance(_ number: UInt64, _ client: Client, _ body: (UInt64, HTTPRequest) -> Void) {
    guard client.answering == nil, !client.connection.isClosing else { return }
    switch client.parser.next() {
    case .needMore: break
    case .continueExpected:
      // An unknown client is told so before it sends its 8 MiB.
      if let refusal = client.parser.unfinished.flatMap(api.refusalBeforeBody) {
        let sent = client.connection.send(refusal.compose(keepsAlive: false))
        if !sent || client.connection.closeWhenSent() { close(number) }
      } else if client.connection.send(HTTPRequest.continueOctets) {
        advance(number, client, body)
      } else {
        close(number)
      }
    case .request(let request):
      client.answering = request
      body(number, request)
    case .fault(let fault):
      let sent = client.connection.send(fault.response.compose(keepsAlive: false))
      if !sent || client.connection.closeWhenSent() { close(number) }
    }
  }

  func respond(_ number: UInt64, _ response: HTTPResponse, at now: Instant, _ body: (UInt64, HTTPRequest) -> Void) {
    guard let client = clients[number], let request = client.answering else { return }
    client.answering = nil
    client.begun = now
    guard client.connection.send(response.compose(for: request)) else { return close(number) }
    guard request.keepsAlive else {
      if client.connection.closeWhenSent() { close(number) }
      return
    }
    advance(number, client, body)
  }

  func write(_ number: UInt64) {
    guard let client = clients[number] else { return }
    if !client.connection.flush() { close(number) }
  }

  func closeIdle(at now: Instant) {
    for (number, client) in clients where client.answering == nil && now - client.begun > Self.patience {
      close(number)
    }
  }

  private func close(_ number: UInt64) { clients.removeValue(forKey: number)?.connection.close() }
}
