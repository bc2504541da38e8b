import HTTPWire
import LinuxIO
import Synchronization
import Timekeeping

/// What a server sends back.
package enum HTTPSReply: Sendable {
  case answer(HTTPResponse)
  /// These octets as they are, and then the connection ends.
  case octetsThenClose([UInt8])
  /// These octets as they are; the connection goes on.
  case octets([UInt8])
  /// One octet after another, each after so long.
  case drip([UInt8], TimeSpan)
  /// Nothing, until the client leaves.
  case silence
  /// The connection is reset.
  case reset
}

/// HTTPS with a thread for each connection: it serves a few clients and not the world.
package final class HTTPSServer: Sendable {
  /// How long a connection may be idle, or a request take to come.
  package static let patience = TimeSpan.seconds(120)
  /// Connections at the same time; further ones are closed at once.
  package static let connectionsMax = 256

  private let listener: TCPListener
  private let context: Mutex<TLSServerContext>
  private let limits: HTTPLimits
  private let reply: @Sendable (HTTPRequest) -> HTTPSReply
  private let log: @Sendable (String) -> Void
  private let open = Mutex(0)

  /// - Parameters:
  ///   - limits: a larger request is refused with its own status.
  ///   - log: told of each connection that failed, on that connection's thread.
  ///   - reply: called on the connection's thread.
  package init(
    _ listener: TCPListener, _ context: TLSServerContext, limits: HTTPLimits, log: @escaping @Sendable (String) -> Void,
    reply: @escaping @Sendable (HTTPRequest) -> HTTPSReply
  ) {
    self.listener = listener
    self.context = Mutex(context)
    self.limits = limits
    self.log = log
    self.reply = reply
  }

  /// Connections accepted from now on show this certificate.
  package func replaceContext(_ context: TLSServerContext) { self.context.withLock { $0 = context } }

  /// Serves until TERM or INT.
  ///
  /// - Parameters:
  ///   - watch: said to have changed by calling `changed`, on this thread.
  package func run(
    _ signals: SignalDescriptor, watch: FileWatch? = nil, changed: ([String]) -> Void = { _ in }
  ) throws(Errno) {
    let poll = try EventPoll()
    try poll.register(listener.number, token: 0, interest: .read)
    try poll.register(signals.number, token: 1, interest: .read)
    if let watch { try poll.register(watch.number, token: 2, interest: .read) }
    while true {
      for event in try poll.wait(timeout: nil) {
        switch event.token {
        case 0: acceptAll()
        case 1: if let signal = try signals.next(), signal != .hangUp { return }
        default: if let watch { changed(try watch.changed()) }
        }
      }
    }
  }

  private func acceptAll() {
    do throws(Errno) {
      while let stream = try listener.accept() {
        let isRoom = open.withLock { open in
          guard open < Self.connectionsMax else { return false }
          open += 1
          return true
        }
        guard isRoom else { continue }
        // OpenSSL's handshake and our parsers want more than the small default.
        try startThread(name: "connection", stackOctets: 1 << 20) {
          self.serve(stream)
          self.open.withLock { $0 -= 1 }
        }
      }
    } catch {
      log("accept: \(error)")
      // Out of descriptors or threads: a moment for connections to end, or this loop spins.
      _ = try? EventPoll().wait(timeout: .milliseconds(100))
    }
  }

  private func serve(_ stream: TCPStream) {
    do throws(TLSStreamFault) {
      let tls = try TLSStream(server: context.withLock { $0 }, on: stream)
      try tls.handshake(deadline: SystemTime.instant() + Self.patience)
      if try converse(tls) { tls.close() }
    } catch {
      log("\(stream.peer): \(error)")
    }
  }

  /// False when the connection must end without a word.
  private func converse(_ tls: TLSStream) throws(TLSStreamFault) -> Bool {
    var parser = RequestParser(limits: limits)
    while true {
      switch parser.next() {
      case .needMore:
        var octets: [UInt8] = []
        guard try tls.read(into: &octets, deadline: SystemTime.instant() + Self.patience) else { return true }
        parser.receive(octets)
      case .continueExpected: try write(HTTPRequest.continueOctets, tls)
      case .fault(let fault):
        log("refused \(fault.status): \(fault.reason)")
        try write(fault.response.compose(for: nil), tls)
        return true
      case .request(let request):
        switch reply(request) {
        case .answer(let response):
          try write(response.compose(for: request), tls)
          if !request.keepsAlive { return true }
        case .octetsThenClose(let octets):
          try write(octets, tls)
          return true
        case .octets(let octets): try write(octets, tls)
        case .drip(let octets, let span):
          for octet in octets {
            // A poll of nothing is the only sleep that is not counted anew after a signal.
            _ = try? EventPoll().wait(timeout: span)
            try write([octet], tls)
          }
        case .silence:
          var octets: [UInt8] = []
          while try tls.read(into: &octets, deadline: SystemTime.instant() + Self.patience) { octets = [] }
          return true
        case .reset:
          tls.stream.resetOnClose()
          return false
        }
      }
    }
  }

  private func write(_ octets: [UInt8], _ tls: TLSStream) throws(TLSStreamFault) {
    try tls.write(octets, deadline: SystemTime.instant() + Self.patience)
  }
}
