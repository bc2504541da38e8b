import Glibc

/// A socket of a test, closed with it. It belongs to the namespace of the thread that opened it.
final class TestSocket: @unchecked Sendable {
  let descriptor: Int32
  /// The errno of opening, binding or connecting; zero when all went well.
  let failure: Int32

  private init(_ descriptor: Int32, _ failure: Int32) {
    self.descriptor = descriptor
    self.failure = failure
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Waits at most two seconds for the connection (ETIMEDOUT or EINPROGRESS afterwards), and for whatever is received later.
  static func tcp(to host: String, _ port: Int) -> TestSocket { open(host, port, SOCK_STREAM, listens: false) }
  static func udp(to host: String, _ port: Int) -> TestSocket { open(host, port, SOCK_DGRAM, listens: false) }
  /// `::` serves both families.
  static func tcpListener(_ port: Int, _ host: String = "::") -> TestSocket {
    open(host, port, SOCK_STREAM, listens: true)
  }
  static func udpListener(_ port: Int, _ host: String = "::") -> TestSocket {
    open(host, port, SOCK_DGRAM, listens: true)
  }

  /// For echo requests that we write ourselves.
  static func icmp(to host: String) -> TestSocket {
    open(host, 0, SOCK_RAW, listens: false, transport: host.contains(":") ? 58 : 1)
  }

  private static func open(
    _ host: String, _ port: Int, _ type: __socket_type, listens: Bool, transport: Int32 = 0
  ) -> TestSocket {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(type.rawValue)
    unsafe hints.ai_flags = AI_NUMERICHOST
    var found: UnsafeMutablePointer<addrinfo>?
    // A raw socket has no ports, and a lookup with one fails.
    let service = type == SOCK_RAW ? nil : String(port)
    guard unsafe getaddrinfo(host, service, &hints, &found) == 0, let address = unsafe found else {
      return TestSocket(-1, EINVAL)
    }
    defer { unsafe freeaddrinfo(address) }
    let descriptor = socket(unsafe address.pointee.ai_family, Int32(type.rawValue), transport)
    var timeout = timeval(tv_sec: 2, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var failed: Int32
    if listens {
      failed = unsafe bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
      if failed == 0 && type == SOCK_STREAM { failed = listen(descriptor, 64) }
    } else {
      failed = unsafe Glibc.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
    }
    return TestSocket(descriptor, failed == 0 ? 0 : errno)
  }

  /// The next connection of a listener; nil when none comes within two seconds.
  func accept() -> TestSocket? {
    var timeout = timeval(tv_sec: 2, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    let accepted = Glibc.accept(descriptor, nil, nil)
    return accepted < 0 ? nil : TestSocket(accepted, 0)
  }

  func send(_ text: String) -> Int32 { send(Array(text.utf8)) }

  /// The errno, or zero.
  func send(_ bytes: [UInt8]) -> Int32 {
    // Else the socket may be closed as soon as its number was read.
    withExtendedLifetime(self) {
      unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) < 0 ? errno : 0
    }
  }

  /// What came, or the errno.
  func receive() -> Result<String, PosixError> {
    var bytes = [UInt8](repeating: 0, count: 2048)
    let count = withExtendedLifetime(self) { unsafe recv(descriptor, &bytes, bytes.count, 0) }
    return count < 0 ? .failure(PosixError(code: errno)) : .success(String(decoding: bytes[0..<count], as: UTF8.self))
  }

  /// Waits for a datagram, answers it and returns it; nil when none came.
  func answer(_ text: String) -> String? {
    var peer = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var bytes = [UInt8](repeating: 0, count: 2048)
    let reply = Array(text.utf8)
    return withExtendedLifetime(self) {
      // The address is read and written in place, within its own size.
      unsafe withUnsafeMutablePointer(to: &peer) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
          let count = unsafe recvfrom(descriptor, &bytes, bytes.count, 0, peer, &size)
          guard count >= 0, unsafe sendto(descriptor, reply, reply.count, 0, peer, size) == reply.count else {
            return nil
          }
          return String(decoding: bytes[0..<count], as: UTF8.self)
        }
      }
    }
  }

  /// The errno of one datagram sent and its answer awaited; zero for an answer.
  func ask(_ text: String) -> Int32 {
    let failure = send(text)
    if failure != 0 { return failure }
    if case .failure(let error) = receive() { return error.code }
    return 0
  }
}

struct PosixError: Error, Equatable {
  var code: Int32
}
