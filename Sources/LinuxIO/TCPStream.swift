import Addressing
import CLinux
import Glibc
import Timekeeping

/// A TCP connection; closed when the last reference goes.
package final class TCPStream: Sendable {
  package enum ReadOutcome: Hashable, Sendable {
    /// So many octets were appended.
    case octets(Int)
    /// The peer has sent all it will.
    case end
    case wouldBlock
  }

  private let descriptor: FileDescriptor
  package let peer: Endpoint

  /// What one read asks for at most: a TLS record (16 KiB) and its frame fit.
  package static let readOctets = 16_640

  init(_ descriptor: consuming FileDescriptor, peer: Endpoint) {
    self.descriptor = descriptor
    self.peer = peer
    // Requests and answers are written whole: waiting for more only delays them.
    _ = clinux_set_no_delay(self.descriptor.number)
  }

  /// Starts connecting without waiting: writability says it ended, `connectError` how. `mark` needs CAP_NET_ADMIN;
  /// `bind` nil leaves the source to the kernel. The corresponding C functions are `socket`, `connect`.
  package static func connecting(to peer: Endpoint, bind: Endpoint? = nil, mark: UInt32? = nil) throws(Errno)
    -> TCPStream
  {
    let opened = try SocketCalls.open(AddressFamily(of: peer.address), .stream, mark: mark)
    if let bind { try SocketCalls.bind(opened.number, bind) }
    _ = try SocketCalls.connect(opened.number, peer)
    return TCPStream(opened, peer: peer)
  }

  package var number: Int32 { descriptor.number }

  /// The error that ended the connecting, or that is pending; nil when there is none. The corresponding C function is
  /// `getsockopt` SO_ERROR.
  package func connectError() -> Errno? {
    let code = clinux_socket_error(descriptor.number)
    return code == 0 ? nil : Errno(code < 0 ? EBADF : code, "connect \(peer)")
  }

  /// Appends what is there, at most `readOctets`, to `buffer`. The corresponding C function is `recv`.
  package func read(into buffer: inout [UInt8], atMost limit: Int = TCPStream.readOctets) throws(Errno) -> ReadOutcome {
    let start = buffer.count
    let wanted = min(limit, TCPStream.readOctets)
    precondition(wanted > 0)
    let part = try unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: wanted) {
      (scratch: UnsafeMutableBufferPointer<UInt8>) throws(Errno) -> Int? in
      let got = try retryingUnlessBlocked("recv") {
        unsafe clinux_receive(descriptor.number, scratch.baseAddress, wanted)
      }
      guard let got, got > 0 else { return got }
      unsafe buffer.append(contentsOf: UnsafeBufferPointer(rebasing: scratch[..<got]))
      return got
    }
    guard let part else { return .wouldBlock }
    return part == 0 ? .end : .octets(buffer.count - start)
  }

  /// Sends octets from `offset` on; how many the kernel took, nil when none because its buffer is full. The
  /// corresponding C function is `send`.
  package func write(_ bytes: [UInt8], from offset: Int = 0) throws(Errno) -> Int? {
    precondition(offset <= bytes.count)
    return try retryingUnlessBlocked("send") {
      unsafe bytes.withUnsafeBytes { octets in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: octets[offset...])
        return unsafe clinux_send(descriptor.number, rest.baseAddress, rest.count)
      }
    }
  }

  /// Tells the peer that nothing more comes; reading goes on. The corresponding C function is `shutdown`.
  package func finishWriting() { _ = shutdown(descriptor.number, Int32(SHUT_WR)) }

  /// Both directions at once: also wakes a thread that is blocked on this stream.
  package func shutdownBoth() { _ = shutdown(descriptor.number, Int32(SHUT_RDWR)) }

  /// Closing will send RST and throw away what was not sent (SO_LINGER zero): for faults in tests, and for slow
  /// clients.
  package func resetOnClose() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    _ = unsafe setsockopt(
      descriptor.number, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }

  /// Blocks until readable (or writable) or `deadline`: false when it passed. For worker threads. The corresponding C
  /// function is `poll`.
  package func waitUntil(_ interest: EventPoll.Interest, deadline: Instant) throws(Errno) -> Bool {
    var entry = pollfd(fd: descriptor.number, events: 0, revents: 0)
    if interest.contains(.read) { entry.events |= Int16(POLLIN) }
    if interest.contains(.write) { entry.events |= Int16(POLLOUT) }
    while true {
      let left = deadline - SystemTime.instant()
      guard left > .zero else { return false }
      // Rounded up, or the last millisecond would be spun through; capped, for poll counts milliseconds in 32 bits.
      let milliseconds = Int32(min(left.milliseconds + 1, 60_000))
      if try interruptedAsNone("poll", unsafe poll(&entry, 1, milliseconds)) > 0 { return true }
    }
  }

  package func localEndpoint() throws(Errno) -> Endpoint { try SocketCalls.localEndpoint(descriptor.number) }
}
