import Addressing
import CLinux

/// A non-blocking UDP socket.
package final class UDPSocket {
  package struct SendOutcome: Sendable {
    /// Taken by the kernel.
    package var sent = 0
    /// Dropped because the kernel refused them, the last reason beside.
    package var refused = 0
    package var lastError: Errno?
    /// The send buffer is full: the rest of the batch stays in it; wait for writability.
    package var isBlocked = false
  }

  private let descriptor: FileDescriptor

  /// Asked of the kernel with SO_RCVBUFFORCE: 1 MiB holds a burst of some 800 queries of small packets (each is charged
  /// about 1,280 octets).
  package static let receiveBufferOctets: Int32 = 1 << 20

  /// `bind` nil leaves the address and port to the kernel; `connect` takes datagrams of that peer only; `mark` needs
  /// CAP_NET_ADMIN.
  /// The corresponding C functions are `socket`, `bind`, `connect`.
  package init(
    family: AddressFamily, bind: Endpoint? = nil, connect: Endpoint? = nil, mark: UInt32? = nil,
    receiveBufferOctets: Int32 = UDPSocket.receiveBufferOctets
  ) throws(Errno) {
    descriptor = try SocketCalls.open(family, .datagram, mark: mark)
    // Best effort: without CAP_NET_ADMIN the kernel caps it at net.core.rmem_max.
    _ = clinux_set_receive_buffer(descriptor.number, receiveBufferOctets)
    if let bind { try SocketCalls.bind(descriptor.number, bind) }
    if let connect { _ = try SocketCalls.connect(descriptor.number, connect) }
  }

  /// A socket connected to `peer` from a random port outside `range` (the kernel's own ephemeral ports), so that no
  /// program that lets the kernel choose its port shares a conntrack entry with us. Ports 1024…65535; when `range`
  /// covers them all, any of them.
  package static func onRandomPort(
    connect peer: Endpoint, outside range: ClosedRange<UInt16>, mark: UInt32? = nil, receiveBufferOctets: Int32,
    using generator: inout some RandomNumberGenerator
  ) throws(Errno) -> UDPSocket {
    let wildcard: IPAddress = peer.address.isIPv4 ? .v4(IPv4Address(bits: 0)) : .v6(IPv6Address(high: 0, low: 0))
    var lastError = Errno.addressInUse
    for _ in 0..<portDraws {
      let port = EphemeralPorts.draw(outside: range, using: &generator)
      do throws(Errno) {
        return try UDPSocket(
          family: AddressFamily(of: peer.address), bind: Endpoint(wildcard, port), connect: peer, mark: mark,
          receiveBufferOctets: receiveBufferOctets)
      } catch {
        guard error == .addressInUse else { throw error }
        lastError = error
      }
    }
    throw lastError
  }

  /// Draws before giving up: with half of all ports taken, 64 fail together once in 2^64 times.
  private static let portDraws = 64

  /// For `EventPoll.register`.
  package var number: Int32 { descriptor.number }

  /// Fills `batch` with what is there, at most `InboundDatagrams.capacity`; 0 when nothing is. An error that an earlier
  /// datagram met (ECONNREFUSED on a connected socket) is thrown once; the next call goes on. The corresponding C
  /// function is `recvmmsg`.
  @discardableResult
  package func receive(into batch: InboundDatagrams) throws(Errno) -> Int { try batch.receive(from: descriptor.number) }

  /// Sends the whole batch, or until the send buffer is full. The corresponding C function is `sendmmsg`.
  @discardableResult
  package func send(_ batch: OutboundDatagrams) -> SendOutcome { batch.send(through: descriptor.number) }

  /// One datagram to the connected peer; false when the send buffer is full. The corresponding C function is `send`.
  package func send(_ bytes: [UInt8]) throws(Errno) -> Bool {
    try retryingUnlessBlocked("send") {
      unsafe bytes.withUnsafeBytes { unsafe clinux_send(descriptor.number, $0.baseAddress, $0.count) }
    } != nil
  }

  package func localEndpoint() throws(Errno) -> Endpoint { try SocketCalls.localEndpoint(descriptor.number) }
}
