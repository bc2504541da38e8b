import LinuxIO
import Timekeeping

/// A TCP connection with what could not be sent yet.
final class StreamConnection {
  /// What one peer may leave unread before it is cut off: 1 MiB, an answer to GET /policy with thousands of rules fits.
  static let unsentMax = 1 << 20

  let stream: TCPStream
  let token: Token
  private let poll: EventPoll
  private var unsent: [UInt8] = []
  private var sent = 0
  /// Closes when everything was sent.
  private(set) var isClosing = false
  var lastActivity: Instant
  private var wantsWriting = false

  init(_ stream: TCPStream, _ token: Token, _ poll: EventPoll, at now: Instant, interest: EventPoll.Interest = .read)
    throws(Errno)
  {
    self.stream = stream
    self.token = token
    self.poll = poll
    lastActivity = now
    wantsWriting = interest.contains(.write)
    try poll.register(stream.number, token: token.rawValue, interest: interest)
  }

  /// What is there to read; nil when the peer has ended or the connection is broken.
  func read() -> [UInt8]? {
    var octets: [UInt8] = []
    while true {
      do throws(Errno) {
        switch try stream.read(into: &octets) {
        case .octets: if octets.count >= 1 << 18 { return octets }
        case .end: return octets.isEmpty ? nil : octets
        case .wouldBlock: return octets
        }
      } catch {
        return octets.isEmpty ? nil : octets
      }
    }
  }

  /// Sends, or keeps for when the peer reads. False: the peer is gone or reads too slowly.
  func send(_ octets: [UInt8]) -> Bool {
    unsent += octets
    return flush()
  }

  /// Sends what waits. False: the connection is to be closed.
  func flush() -> Bool {
    while sent < unsent.count {
      do throws(Errno) {
        guard let count = try stream.write(unsent, from: sent) else { break }
        sent += count
      } catch {
        return false
      }
    }
    if sent == unsent.count {
      unsent.removeAll(keepingCapacity: false)
      sent = 0
    }
    guard unsent.count - sent <= Self.unsentMax else { return false }
    let wants = !unsent.isEmpty
    if wants != wantsWriting {
      wantsWriting = wants
      try? poll.modify(stream.number, token: token.rawValue, interest: wants ? [.read, .write] : .read)
    }
    return !(isClosing && !wants)
  }

  /// Ends the connection once everything was sent. True: it can be closed now.
  func closeWhenSent() -> Bool {
    isClosing = true
    return unsent.isEmpty
  }

  func close() { try? poll.remove(stream.number) }
}
