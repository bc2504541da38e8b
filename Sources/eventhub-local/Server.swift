import HTTPWire
import LinuxIO
import Synchronization
import Timekeeping
import Transport

/// HTTPS, a thread for each connection: it serves a few senders and not the world.
final class Server: Sendable {
  /// How long a connection may be idle, or a request take to come.
  static let patience = TimeSpan.seconds(120)
  /// Connections at the same time; further ones are closed at once.
  static let connectionsMax = 256

  private let listener: TCPListener
  private let context: TLSServerContext
  private let hub: Hub
  private let limits: HTTPLimits
  private let open = Mutex(0)

  init(_ listener: TCPListener, _ context: TLSServerContext, _ hub: Hub, sizeLimit: Int) {
    self.listener = listener
    self.context = context
    self.hub = hub
    // A batch over the limit must be read to be refused with its own status.
    limits = HTTPLimits(bodyBytesMax: 2 * sizeLimit)
  }

  /// Until TERM or INT.
  func run(_ signals: SignalDescriptor) throws(Errno) {
    let poll = try EventPoll()
    try poll.register(listener.number, token: 0, interest: .read)
    try poll.register(signals.number, token: 1, interest: .read)
    while true {
      for event in try poll.wait(timeout: nil) {
        if event.token == 0 { acceptAll() }
        if event.token == 1, let signal = try signals.next(), signal != .hangUp { return }
      }
    }
  }

  private func acceptAll() {
    do throws(Errno) {
      while let stream = try listener.accept() {
        let isRoom = open.withLock { open in
          guard open < Server.connectionsMax else { return false }
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
      let tls = try TLSStream(server: context, on: stream)
      try tls.handshake(deadline: SystemTime.instant() + Server.patience)
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
        guard try tls.read(into: &octets, deadline: SystemTime.instant() + Server.patience) else { return true }
        parser.receive(octets)
      case .continueExpected: try write(HTTPRequest.continueOctets, tls)
      case .fault(let fault):
        log("refused \(fault.status): \(fault.reason)")
        try write(fault.response.compose(for: nil), tls)
        return true
      case .request(let request):
        switch hub.reply(to: request) {
        case .answer(let response):
          try write(response.compose(for: request), tls)
          if !request.keepsAlive { return true }
        case .octetsThenClose(let octets):
          try write(octets, tls)
          return true
        case .reset:
          tls.stream.resetOnClose()
          return false
        }
      }
    }
  }

  private func write(_ octets: [UInt8], _ tls: TLSStream) throws(TLSStreamFault) {
    try tls.write(octets, deadline: SystemTime.instant() + Server.patience)
  }
}
