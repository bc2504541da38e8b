import CNetlink
import Glibc

/// A netlink socket to netfilter, or to another part of the kernel. It acts on the network namespace of the thread that opened it.
///
/// `@safe`: the pointer is private, non-nil from `init` to `deinit`, and the type cannot be copied.
@safe struct NetlinkSocket: ~Copyable {
  /// How long an answer may take. The kernel works a request off inside `send`, so that an answer waits already; two seconds pass only
  /// when something is broken, and one thread owns the data path.
  static let answerTimeoutSeconds = 2

  /// Octets of the buffer of one receive. The kernel fills dumps up to 32 KiB a datagram; events and answers are below 8 KiB.
  static let datagramSizeMax = 65_536

  /// Octets of a batch that the kernel takes in one piece (SO_SNDBUFFORCE; a limit, not an allocation): some 250,000 elements.
  static let sendBufferSize: Int32 = 32 << 20

  let descriptor: Int32
  /// libmnl's socket: opened by `init`, closed by `deinit`, used by nobody else.
  private let handle: OpaquePointer

  enum Received {
    case datagram(length: Int)
    /// EAGAIN: nothing there (or the timeout passed). ENOBUFS: the kernel had to throw datagrams away.
    case failed(code: Int32)
  }

  private init(owning handle: OpaquePointer) {
    unsafe self.handle = handle
    descriptor = unsafe mnl_socket_get_fd(handle)
  }

  /// `bus` is the protocol (`NETLINK_*`, linux/netlink.h), `groups` the bit mask of multicast groups to join. The corresponding C functions are `mnl_socket_open2` and `mnl_socket_bind`.
  static func open(bus: Int32 = NETLINK_NETFILTER, groups: UInt32 = 0, receiveBufferSize: Int32) throws(NetlinkError)
    -> NetlinkSocket
  {
    guard let handle = unsafe mnl_socket_open2(bus, Int32(SOCK_CLOEXEC.rawValue)) else {
      throw .failed(operation: "netlink socket", code: errno)
    }
    // Owned before anything can throw, so that `deinit` closes it.
    let socket = unsafe NetlinkSocket(owning: handle)
    guard unsafe mnl_socket_bind(socket.handle, groups, MNL_SOCKET_AUTOPID) == 0 else {
      throw .failed(operation: "netlink bind", code: errno)
    }
    try socket.set(SOL_SOCKET, SO_SNDBUFFORCE, Self.sendBufferSize, "SO_SNDBUFFORCE")
    try socket.set(SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferSize, "SO_RCVBUFFORCE")
    try socket.set(SOL_NETLINK, NETLINK_EXT_ACK, 1, "NETLINK_EXT_ACK")
    try socket.set(SOL_NETLINK, NETLINK_CAP_ACK, 1, "NETLINK_CAP_ACK")
    var timeout = timeval(tv_sec: Self.answerTimeoutSeconds, tv_usec: 0)
    // The kernel copies the structure before the call returns.
    let result = unsafe setsockopt(
      socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    guard result == 0 else { throw .failed(operation: "SO_RCVTIMEO", code: errno) }
    return socket
  }

  deinit { unsafe mnl_socket_close(handle) }

  /// The port by which the kernel knows this socket. The corresponding C function is `mnl_socket_get_portid`.
  var port: UInt32 { unsafe mnl_socket_get_portid(handle) }

  /// From now on multicasts that answer a request from this port are dropped before they are queued (SO_ATTACH_FILTER).
  borrowing func ignore(port: UInt32) throws(NetlinkError) {
    guard cnetlink_ignore(descriptor, port) == 0 else { throw .failed(operation: "SO_ATTACH_FILTER", code: errno) }
  }

  borrowing func set(
    _ level: Int32, _ option: Int32, _ value: Int32, _ operation: String
  ) throws(NetlinkError) {
    var value = value
    // The kernel copies the number before the call returns.
    guard unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw .failed(operation: operation, code: errno)
    }
  }

  /// Sends one datagram to the kernel, which works it off before this returns. Zero or the errno.
  borrowing func send(_ bytes: [UInt8]) -> Int32 {
    let descriptor = descriptor
    // The array lives through the call. Without a destination a netlink socket sends to port 0, the kernel.
    let result = repeatingInterrupted {
      unsafe bytes.withUnsafeBytes { unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
    }
    return result < 0 ? errno : 0
  }

  /// Receives one datagram into `buffer`, which has room for `datagramSizeMax` octets.
  borrowing func receive(into buffer: inout [UInt8], waits: Bool) -> Received {
    let descriptor = descriptor
    let flags = waits ? 0 : Int32(MSG_DONTWAIT)
    let length = repeatingInterrupted {
      // The kernel writes at most `count` octets into the array's own storage.
      unsafe buffer.withUnsafeMutableBytes { unsafe cnetlink_receive(descriptor, $0.baseAddress, $0.count, flags) }
    }
    if length < 0 { return .failed(code: errno) }
    return length <= buffer.count ? .datagram(length: length) : .failed(code: EMSGSIZE)
  }
}

/// The one place where a call that a signal interrupted is made again.
private func repeatingInterrupted(_ call: () -> Int) -> Int {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}

/// `strerror`, as text for people.
func errorName(_ code: Int32) -> String {
  // The text belongs to the C library (or to this thread) and is copied at once.
  guard let text = unsafe strerror(code) else { return "errno \(code)" }
  return unsafe "\(String(cString: text)) (errno \(code))"
}
