import Addressing
import LinuxIO

/// A TCP listener in the epoll set that rests when no connection can be taken: a backlog that stays readable would keep the loop turning.
final class ListeningPort {
  /// Connections taken in one turn: 16, so that those of the turn before are read before anything makes room for new ones.
  static let connectionsPerTurn = 16

  private let listener: TCPListener
  private let endpoint: Endpoint
  private let token: Token
  private let poll: EventPoll
  private let log: Log
  private var isResting = false
  private var isShort = false

  init(_ endpoint: Endpoint, _ token: Token, _ poll: EventPoll, _ log: Log) throws(Errno) {
    self.endpoint = endpoint
    self.token = token
    self.poll = poll
    self.log = log
    listener = try TCPListener(endpoint)
    try poll.register(listener.number, token: token.rawValue, interest: .read)
  }

  /// The next connection. Nil: none waits, or none can be taken (no descriptor is left); then the port rests.
  func accept() -> TCPStream? {
    do throws(Errno) {
      let stream = try listener.accept()
      if stream != nil { isShort = false }
      return stream
    } catch {
      if !isShort {
        log.error(
          "connections cannot be taken; tried again every second",
          [("address", endpoint.description), ("reason", error.description)])
      }
      isShort = true
      rest()
      return nil
    }
  }

  /// Until `resume`, which comes every second: connections wait in the kernel's backlog.
  func rest() {
    isResting = true
    try? poll.modify(listener.number, token: token.rawValue, interest: .none)
  }

  func resume() {
    guard isResting else { return }
    isResting = false
    try? poll.modify(listener.number, token: token.rawValue, interest: .read)
  }
}
