import LinuxIO
import Timekeeping

/// Why a TLSStream stopped.
package enum TLSStreamFault: Error, Hashable, Sendable, CustomStringConvertible {
  case network(Errno)
  case tls(TLSFailure)
  case cryptography(CryptographyFault)
  case deadline

  package var description: String {
    switch self {
    case .network(let error): error.description
    case .tls(let failure): failure.description
    case .cryptography(let fault): fault.description
    case .deadline: "the deadline passed"
    }
  }
}

/// TLS on a TCP stream, for a thread of its own: every call blocks until it is done, failed, or the deadline has
/// passed. The stream must be non-blocking; after a fault the object is of no more use.
package final class TLSStream {
  package let stream: TCPStream
  private let connection: TLSConnection
  private var outgoing: [UInt8] = []
  private var sent = 0
  private var hasEnded = false

  package init(_ connection: TLSConnection, on stream: TCPStream) {
    self.connection = connection
    self.stream = stream
  }

  /// A client on a stream that is connected.
  package convenience init(
    client context: TLSClientContext, serverName: String, on stream: TCPStream
  ) throws(TLSStreamFault) {
    let made: TLSConnection
    do throws(CryptographyFault) {
      made = try TLSConnection(context, serverName: serverName)
    } catch {
      throw .cryptography(error)
    }
    self.init(made, on: stream)
  }

  /// The server's side of an accepted stream.
  package convenience init(server context: TLSServerContext, on stream: TCPStream) throws(TLSStreamFault) {
    let made: TLSConnection
    do throws(CryptographyFault) {
      made = try TLSConnection(context)
    } catch {
      throw .cryptography(error)
    }
    self.init(made, on: stream)
  }

  /// Until both sides are proved and keys agreed.
  package func handshake(deadline: Instant) throws(TLSStreamFault) {
    while true {
      let complete: Bool
      do throws(TLSFailure) {
        complete = try connection.handshake()
      } catch {
        // The peer should learn why; whether it does is not our concern.
        collect()
        _ = try? flushSome()
        throw .tls(error)
      }
      collect()
      try flush(deadline: deadline)
      if complete { return }
      try wait(for: .read, deadline: deadline)
      try receiveSome()
    }
  }

  /// All of `octets`, handed to the kernel. A peer that writes meanwhile is read, so that two full buffers cannot wait
  /// for each other.
  package func write(_ octets: [UInt8], deadline: Instant) throws(TLSStreamFault) {
    do throws(TLSFailure) {
      try connection.send(octets)
    } catch {
      throw .tls(error)
    }
    collect()
    try flush(deadline: deadline)
  }

  /// Appends what comes next to `buffer`: false at the end of the stream (close_notify); a stream without it is
  /// `.tls(.cutOff)`.
  package func read(into buffer: inout [UInt8], deadline: Instant) throws(TLSStreamFault) -> Bool {
    while true {
      if let more = try readAvailable(into: &buffer) { return more }
      try wait(for: .read, deadline: deadline)
      try receiveSome()
    }
  }

  /// Whether the peer is quiet and still there: what must be true before a kept connection carries another request.
  /// Never blocks.
  package func isIdle() -> Bool {
    var unexpected: [UInt8] = []
    do throws(TLSStreamFault) {
      // Session tickets come after the handshake, and are no application data. To the last octet: an end may stand
      // behind them.
      while try receiveSome() {
        if try readAvailable(into: &unexpected) != nil { return false }
      }
      return try readAvailable(into: &unexpected) == nil
    } catch {
      return false
    }
  }

  /// Says close_notify, as far as it goes without waiting.
  package func close() {
    connection.close()
    collect()
    _ = try? flushSome()
  }

  /// Nil: more must come from the network.
  private func readAvailable(into buffer: inout [UInt8]) throws(TLSStreamFault) -> Bool? {
    let outcome: TLSConnection.ReadOutcome
    do throws(TLSFailure) {
      outcome = try connection.read(into: &buffer)
    } catch {
      throw .tls(error)
    }
    collect()
    switch outcome {
    case .octets: return true
    case .end: return false
    case .wouldBlock: return nil
    }
  }

  /// False when nothing was there.
  @discardableResult
  private func receiveSome() throws(TLSStreamFault) -> Bool {
    var octets: [UInt8] = []
    do throws(Errno) {
      switch try stream.read(into: &octets) {
      case .octets: connection.receive(octets)
      case .end:
        hasEnded = true
        connection.receiveEnd()
      case .wouldBlock: return false
      }
    } catch {
      throw .network(error)
    }
    return true
  }

  private func collect() {
    let more = connection.takeOutgoing()
    if sent == outgoing.count {
      outgoing = more
      sent = 0
    } else {
      outgoing += more
    }
  }

  /// True when everything went to the kernel.
  private func flushSome() throws(TLSStreamFault) -> Bool {
    do throws(Errno) {
      while sent < outgoing.count {
        guard let count = try stream.write(outgoing, from: sent) else { return false }
        sent += count
      }
    } catch {
      throw .network(error)
    }
    return true
  }

  private func flush(deadline: Instant) throws(TLSStreamFault) {
    while try !flushSome() {
      // After the end a socket is readable for ever.
      try wait(for: hasEnded ? .write : [.read, .write], deadline: deadline)
      if !hasEnded { try receiveSome() }
    }
  }

  private func wait(for interest: EventPoll.Interest, deadline: Instant) throws(TLSStreamFault) {
    let ready: Bool
    do throws(Errno) {
      ready = try stream.waitUntil(interest, deadline: deadline)
    } catch {
      throw .network(error)
    }
    guard ready else { throw .deadline }
  }
}
