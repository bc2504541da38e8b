import CNetlink
import FlowAudit
import Glibc

/// The kernel's conntrack event stream.
package struct ConntrackMonitor: ~Copyable {
  package enum ReadOutcome: Hashable, Sendable {
    /// Nothing more to read now.
    case drained
    /// `datagramsPerReadMax` was reached: call again.
    case more
    /// Events were lost (ENOBUFS): dump the table and reconcile. More may be waiting.
    case overflowed
    /// The socket itself failed with this errno.
    case failed(Int32)
  }

  /// Octets that may wait (SO_RCVBUFFORCE). An event is charged 640, so that 6,500 fit: a burst of a sixth of a second at 20,000 flows
  /// opened and closed a second. Kernel memory is taken only while events wait.
  package static let receiveBufferSize: Int32 = 4 << 20

  /// Datagrams of one read, so that a flood of flows does not keep the loop from answering DNS: about a millisecond of work.
  static let datagramsPerReadMax = 256

  private let socket: NetlinkSocket
  private var datagram = [UInt8](repeating: 0, count: NetlinkSocket.datagramSizeMax)

  private init(socket: consuming NetlinkSocket) { self.socket = socket }

  /// Subscribes, in the network namespace of the calling thread, to what begins and ends flows: NEW, DESTROY, and of UPDATE the states TIME_WAIT and CLOSE of TCP.
  ///
  /// With NETLINK_BROADCAST_ERROR the kernel keeps a DESTROY that did not fit and tries again. While any process listens, conntrack
  /// events are on (`nf_conntrack_events` 2, the default).
  package static func open(receiveBufferSize: Int32 = receiveBufferSize) throws(NetlinkError) -> ConntrackMonitor {
    // NF_NETLINK_CONNTRACK_NEW, _UPDATE and _DESTROY (linux/netfilter/nfnetlink_compat.h).
    let socket = try NetlinkSocket.open(groups: 1 | 2 | 4, receiveBufferSize: receiveBufferSize)
    try socket.set(SOL_NETLINK, NETLINK_BROADCAST_ERROR, 1, "NETLINK_BROADCAST_ERROR")
    try socket.watchEnds()
    return ConntrackMonitor(socket: socket)
  }

  /// For epoll: readable when events wait. `read` never blocks.
  package var descriptor: Int32 { socket.descriptor }

  /// Appends what waits, in the kernel's order.
  package mutating func read(into events: inout [ConntrackEvent]) -> ReadOutcome {
    for _ in 0..<Self.datagramsPerReadMax {
      switch socket.receive(into: &datagram, waits: false) {
      case .datagram(let length): ConntrackParser.parse(datagram.span, length: length, isAnswer: false, into: &events)
      case .failed(code: EAGAIN): return .drained
      case .failed(code: ENOBUFS), .failed(code: EMSGSIZE): return .overflowed
      case .failed(let code): return .failed(code)
      }
    }
    return .more
  }
}
