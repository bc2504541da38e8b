import LinuxIO
import Timekeeping
import Transport

/// A TCP connection, with TLS or without, and what could not be sent yet. While something waits to be sent nothing is read: a peer that does not take its answers can ask for no more.
final class StreamConnection {
  let stream: TCPStream
  let token: Token
  /// The peer has sent all it will. It may still read.
  private(set) var hasEnded = false
  /// Nothing gets through any more: to be closed.
  private(set) var isBroken = false
  /// Everything was sent and our half is closed; what still comes is thrown away until the peer ends.
  private(set) var isLingering = false
  var lastActivity: Instant

  private let poll: EventPoll
  /// Octets pass through it both ways.
  private let tls: TLSConnection?
  private var isGreeted = false
  private var saidGoodbye = false
  private let backlogMax: Int
  private var interest: EventPoll.Interest
  private var unsent: [UInt8] = []
  private var sent = 0

  /// `backlogMax`: octets that may wait when one more answer is given; with more the peer is cut off. An answer itself may be of any size.
  init(
    _ stream: TCPStream, _ token: Token, _ poll: EventPoll, at now: Instant, backlogMax: Int,
    interest: EventPoll.Interest = .read, tls: TLSConnection? = nil
  ) throws(Errno) {
    self.tls = tls
    self.stream = stream
    self.token = token
    self.poll = poll
    self.backlogMax = backlogMax
    self.interest = interest
    lastActivity = now
    try poll.register(stream.number, token: token.rawValue, interest: interest)
  }

  /// Nothing waits to be sent.
  var isDrained: Bool { sent == unsent.count }

  /// The client's certificate was verified.
  var isPeerProved: Bool { tls?.isPeerProved ?? false }

  /// What is there to read, about `limit` octets of it at most; then look at `hasEnded` and `isBroken`.
  func read(atMost limit: Int) -> [UInt8] {
    var octets: [UInt8] = []
    // The kernel tells of an ended peer again only when the connection is gone altogether.
    if hasEnded { isBroken = true }
    while !isBroken, octets.count < limit {
      do throws(Errno) {
        switch try stream.read(into: &octets) {
        case .octets: continue
        case .end: hasEnded = true
        case .wouldBlock: break
        }
      } catch {
        isBroken = true
      }
      break
    }
    if let tls { octets = decrypt(octets, tls) }
    if hasEnded { settleInterest() }
    return isLingering ? [] : octets
  }

  /// What the peer says in what came. A handshake is some milliseconds of arithmetic, and few peers make one.
  private func decrypt(_ octets: [UInt8], _ tls: TLSConnection) -> [UInt8] {
    tls.receive(octets)
    if hasEnded { tls.receiveEnd() }
    var plain: [UInt8] = []
    do throws(TLSFailure) {
      if !isGreeted { isGreeted = try tls.handshake() }
      reading: while isGreeted {
        switch try tls.read(into: &plain) {
        case .octets: continue
        case .end:
          hasEnded = true
          break reading
        case .wouldBlock: break reading
        }
      }
    } catch {
      // Many clients end without close_notify; whether a request is whole its own framing tells.
      if error == .cutOff, isGreeted { hasEnded = true } else { isBroken = true }
    }
    unsent += tls.takeOutgoing()
    // Before a connection is given up the peer should learn why.
    if !unsent.isEmpty { _ = flush() }
    return plain
  }

  /// Sends, or keeps for when the peer reads. False: the peer is gone or reads too slowly, the connection is to be closed.
  func send(_ octets: [UInt8]) -> Bool {
    guard unsent.count - sent <= backlogMax else { return false }
    var octets = octets
    if let tls {
      do throws(TLSFailure) {
        try tls.send(octets)
      } catch {
        isBroken = true
        return false
      }
      octets = tls.takeOutgoing()
    }
    if isDrained {
      unsent = octets
      sent = 0
    } else {
      unsent.removeFirst(sent)
      sent = 0
      unsent += octets
    }
    return flush()
  }

  /// Sends what waits. False: the connection is to be closed.
  func flush() -> Bool {
    while sent < unsent.count {
      do throws(Errno) {
        guard let count = try stream.write(unsent, from: sent) else { break }
        sent += count
      } catch {
        isBroken = true
        return false
      }
    }
    if isDrained, !unsent.isEmpty {
      unsent.removeAll(keepingCapacity: false)
      sent = 0
    }
    settleInterest()
    return true
  }

  /// Nothing more will be sent. True: the connection can be closed now. False: once drained call again; when lingering wait for the peer's end, since closing
  /// with octets unread resets the connection, and the peer may lose an answer that it did not read yet (RFC 9112 §9.6).
  func finish() -> Bool {
    if let tls, isGreeted, !isBroken, !saidGoodbye {
      saidGoodbye = true
      tls.close()
      unsent += tls.takeOutgoing()
      _ = flush()
    }
    guard isDrained else { return false }
    if hasEnded || isBroken { return true }
    if !isLingering {
      isLingering = true
      stream.finishWriting()
    }
    return false
  }

  func close() { try? poll.remove(stream.number) }

  private func settleInterest() {
    let wanted: EventPoll.Interest = !isDrained ? .write : hasEnded ? .none : .read
    guard wanted != interest else { return }
    interest = wanted
    try? poll.modify(stream.number, token: token.rawValue, interest: wanted)
  }
}
