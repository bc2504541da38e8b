import Addressing
import CLinux
import Glibc

/// A listening TCP socket.
package final class TCPListener: Sendable {
  private let descriptor: FileDescriptor
  private let blocking: Bool

  /// Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn (4,096 by default).
  package static let backlog: Int32 = 1_024

  /// Port 0: the kernel chooses; see `localEndpoint`. `blocking`: accept waits, and its streams block.
  /// The corresponding C functions are `socket`, `bind`, `listen`.
  package init(_ endpoint: Endpoint, blocking: Bool = false) throws(Errno) {
    let opened = try SocketCalls.open(AddressFamily(of: endpoint.address), .stream, mark: nil, blocking: blocking)
    // A restart must not wait for connections of the last run to leave TIME_WAIT.
    _ = try retrying("setsockopt SO_REUSEADDR") { clinux_set_reuse_address(opened.number) }
    try SocketCalls.bind(opened.number, endpoint)
    _ = try retrying("listen \(endpoint)") { listen(opened.number, TCPListener.backlog) }
    descriptor = opened
    self.blocking = blocking
  }

  package var number: Int32 { descriptor.number }

  /// The next connection, nil when none waits. A peer that left before it was accepted is skipped. Throws EMFILE and
  /// the like: then stop listening for a while, or the loop spins. The corresponding C function is `accept4`.
  package func accept() throws(Errno) -> TCPStream? {
    while true {
      var peer = clinux_endpoint()
      do throws(Errno) {
        let number = try retryingUnlessBlocked("accept") {
          unsafe clinux_accept(descriptor.number, &peer, blocking ? 1 : 0)
        }
        guard let number else { return nil }
        let accepted = FileDescriptor(owning: number)
        guard let endpoint = peer.endpoint else { continue }
        return TCPStream(accepted, peer: endpoint)
      } catch {
        guard error.code == ECONNABORTED || error.code == EPROTO else { throw error }
      }
    }
  }

  package func localEndpoint() throws(Errno) -> Endpoint { try SocketCalls.localEndpoint(descriptor.number) }
}
