import Addressing
import HTTPWire
import LinuxIO
import Synchronization
import Testing
import Timekeeping
import Transport

/// A server that answers the connections it gets by a script, one entry for each, in order.
private final class ScriptedServer: Sendable {
  enum Step: Sendable {
    /// Reads a whole request and sends these octets.
    case answer(String)
    /// Reads a whole request and closes with close_notify, or without.
    case close(cleanly: Bool)
    /// Reads a whole request and resets.
    case reset
    /// Reads a whole request and stays silent until the client leaves.
    case silence
    /// Sends these octets unasked, once `gate` is 1, and then makes it 2.
    case unasked(String)
    /// Leaves without close_notify, once `gate` is 1, and then makes it 2.
    case leave
  }

  let gate = Mutex(0)

  let listener: TCPListener
  let endpoint: Endpoint

  init(_ context: TLSServerContext, _ connections: [[Step]]) throws {
    let listener = try TCPListener(try #require(Endpoint("127.0.0.1:0")), blocking: false)
    self.listener = listener
    endpoint = try listener.localEndpoint()
    try startThread(name: "server", stackOctets: 1 << 20) {
      for steps in connections {
        guard let stream = try? ScriptedServer.accept(listener) else { return }
        self.serve(stream, context, steps)
      }
    }
  }

  func waitForGate(_ value: Int) {
    while gate.withLock({ $0 }) != value { try? Pause.short() }
  }

  private static func accept(_ listener: TCPListener) throws -> TCPStream {
    let poll = try EventPoll()
    try poll.register(listener.number, token: 1, interest: .read)
    while true {
      if let stream = try listener.accept() { return stream }
      try poll.wait(timeout: .seconds(30))
    }
  }

  private func serve(_ stream: TCPStream, _ context: TLSServerContext, _ steps: [Step]) {
    guard let tls = try? TLSStream(server: context, on: stream) else { return }
    do throws(TLSStreamFault) {
      try tls.handshake(deadline: patience())
      for step in steps {
        if case .unasked(let text) = step {
          waitForGate(1)
          defer { gate.withLock { $0 = 2 } }
          try tls.write(Array(text.utf8), deadline: patience())
          continue
        }
        if case .leave = step {
          waitForGate(1)
          stream.shutdownBoth()
          gate.withLock { $0 = 2 }
          return
        }
        var parser = RequestParser()
        var event = parser.next()
        while case .needMore = event {
          var octets: [UInt8] = []
          guard try tls.read(into: &octets, deadline: patience()) else { return }
          parser.receive(octets)
          event = parser.next()
        }
        switch step {
        case .answer(let text): try tls.write(Array(text.utf8), deadline: patience())
        case .close(let cleanly):
          if cleanly { tls.close() }
          return
        case .reset:
          stream.resetOnClose()
          return
        case .silence:
          var octets: [UInt8] = []
          _ = try tls.read(into: &octets, deadline: patience())
        case .unasked, .leave: break
        }
      }
      // Until the client leaves, so that the connection does not end under a test that does not want it to.
      var octets: [UInt8] = []
      _ = try tls.read(into: &octets, deadline: patience())
    } catch {}
  }
}

@Suite struct HTTPSClientTests {
  private static let created = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

  private let request = composeRequest(
    method: "POST", target: "/hub/messages", host: "localhost", headers: [:], body: Array("[]".utf8))

  private func exchange(
    _ client: HTTPSClient, _ server: ScriptedServer, name: String = "localhost", deadline: Instant? = nil
  ) -> HTTPSOutcome {
    client.exchange(
      request, method: "POST", with: HTTPSTarget(name: name, endpoints: [server.endpoint]),
      deadline: deadline ?? patience())
  }

  private func pair(_ connections: [[ScriptedServer.Step]]) throws -> (HTTPSClient, ScriptedServer) {
    let made = try Certificates.made.get()
    return (HTTPSClient(made.client), try ScriptedServer(made.server("good"), connections))
  }

  private func status(_ outcome: HTTPSOutcome) -> Int? {
    if case .response(let response) = outcome { response.status } else { nil }
  }

  @Test func connectionIsKeptForTheNextRequest() throws {
    // One connection only: a second would never be served.
    let (client, server) = try pair([[.answer(Self.created), .answer("HTTP/1.1 503 \r\nContent-Length: 2\r\n\r\nno")]])
    #expect(status(exchange(client, server)) == 201)
    let second = exchange(client, server)
    #expect(status(second) == 503)
    if case .response(let response) = second { #expect(response.body == Array("no".utf8)) }
  }

  @Test func serverThatClosesIsConnectedAnew() throws {
    let closing = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    let (client, server) = try pair([[.answer(closing)], [.answer(Self.created)]])
    #expect(status(exchange(client, server)) == 201)
    #expect(status(exchange(client, server)) == 201)
  }

  @Test(arguments: [true, false]) func keptConnectionThatEndsBeforeAnOctetIsDroppedOnReuse(_ cleanly: Bool) throws {
    let (client, server) = try pair([[.answer(Self.created), .close(cleanly: cleanly)], [.answer(Self.created)]])
    #expect(status(exchange(client, server)) == 201)
    guard case .droppedOnReuse = exchange(client, server) else {
      Issue.record("not told apart")
      return
    }
    #expect(status(exchange(client, server)) == 201)
  }

  @Test func resetOfAKeptConnectionIsDroppedOnReuse() throws {
    let (client, server) = try pair([[.answer(Self.created), .reset]])
    #expect(status(exchange(client, server)) == 201)
    guard case .droppedOnReuse = exchange(client, server) else {
      Issue.record("not told apart")
      return
    }
  }

  @Test(arguments: [
    [ScriptedServer.Step.reset], [.close(cleanly: true)], [.close(cleanly: false)],
    [.answer("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nabc"), .close(cleanly: true)],
    [.answer("HTTP/1.1 2"), .reset],
    [.answer("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\nextra")],
    [.answer("what is this\r\n\r\n")],
  ]) fileprivate func noWholeAnswerIsAmbiguous(_ steps: [ScriptedServer.Step]) throws {
    let (client, server) = try pair([steps])
    let deadline = SystemTime.instant() + .seconds(2)
    guard case .ambiguous = exchange(client, server, deadline: deadline) else {
      Issue.record("not ambiguous")
      return
    }
  }

  @Test func silenceEndsAtTheDeadline() throws {
    let (client, server) = try pair([[.silence]])
    let deadline = SystemTime.instant() + .milliseconds(300)
    #expect(exchange(client, server, deadline: deadline) == .ambiguous(reason: "the deadline passed"))
  }

  @Test func interruptionEndsASilentExchange() throws {
    let (client, server) = try pair([[.silence]])
    try startThread(name: "interrupt") {
      // Often, since the exchange may not have connected yet.
      for _ in 0..<3_000 {
        client.interrupt()
        try? Pause.short()
      }
    }
    switch exchange(client, server) {
    case .ambiguous(let reason), .notConnected(let reason): #expect(reason != "the deadline passed")
    case let other: Issue.record("\(other)")
    }
  }

  @Test func wrongNameIsRefusedBeforeTheRequestLeaves() throws {
    let (client, server) = try pair([[.answer(Self.created)]])
    guard case .tlsRefused(let reason) = exchange(client, server, name: "other.test") else {
      Issue.record("not refused")
      return
    }
    #expect(reason.contains("hostname mismatch"))
  }

  @Test func nobodyListeningIsNotConnectedAndTheNextAddressIsTried() throws {
    let (client, server) = try pair([[.answer(Self.created)]])
    let closed = try TCPListener(try #require(Endpoint("127.0.0.1:0"))).localEndpoint()
    var target = HTTPSTarget(name: "localhost", endpoints: [closed])
    guard case .notConnected = client.exchange(request, method: "POST", with: target, deadline: patience()) else {
      Issue.record("connected to nobody")
      return
    }
    target.endpoints = [closed, server.endpoint]
    #expect(status(client.exchange(request, method: "POST", with: target, deadline: patience())) == 201)
    target.endpoints = []
    guard case .notConnected = client.exchange(request, method: "POST", with: target, deadline: patience()) else {
      Issue.record("connected to nowhere")
      return
    }
  }

  @Test func keptConnectionThatEndedMeanwhileIsNotUsed() throws {
    let (client, server) = try pair([[.answer(Self.created), .leave], [.answer(Self.created)]])
    #expect(status(exchange(client, server)) == 201)
    server.gate.withLock { $0 = 1 }
    server.waitForGate(2)
    #expect(status(exchange(client, server)) == 201)
  }

  @Test func octetsNobodyAskedForEndAKeptConnection() throws {
    let (client, server) = try pair([
      [.answer(Self.created), .unasked(Self.created)], [.answer("HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n")],
    ])
    #expect(status(exchange(client, server)) == 201)
    server.gate.withLock { $0 = 1 }
    server.waitForGate(2)
    #expect(status(exchange(client, server)) == 401)
  }

  @Test func largeRequestsLeaveWhole() throws {
    let (client, server) = try pair([[.answer(Self.created)]])
    let body = [UInt8](repeating: 0x20, count: 4 << 20)
    let request = composeRequest(method: "POST", target: "/", host: "localhost", headers: [:], body: body)
    let target = HTTPSTarget(name: "localhost", endpoints: [server.endpoint])
    #expect(status(client.exchange(request, method: "POST", with: target, deadline: patience())) == 201)
  }
}

private enum Pause {
  /// A millisecond, without Foundation's run loop.
  static func short() throws { try EventPoll().wait(timeout: .milliseconds(1)) }
}
