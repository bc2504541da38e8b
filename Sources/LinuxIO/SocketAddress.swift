import Addressing
import CLinux

/// Which Internet protocol a socket speaks.
package enum AddressFamily: Hashable, Sendable {
  case v4
  case v6

  package init(of address: IPAddress) { self = address.isIPv4 ? .v4 : .v6 }

  var number: Int32 { self == .v4 ? 4 : 6 }
}

extension clinux_endpoint {
  @inline(__always)
  init(_ endpoint: Endpoint) {
    switch endpoint.address {
    case .v4(let address): self.init(high: 0, low: UInt64(address.bits), port: endpoint.port, family: 4)
    case .v6(let address): self.init(high: address.high, low: address.low, port: endpoint.port, family: 6)
    }
  }

  /// Nil when the kernel gave an address of another family, or none.
  @inline(__always)
  var endpoint: Endpoint? {
    switch family {
    case 4: Endpoint(.v4(IPv4Address(bits: UInt32(truncatingIfNeeded: low))), port)
    case 6: Endpoint(.v6(IPv6Address(high: high, low: low)), port)
    default: nil
    }
  }
}

/// What both kinds of socket do alike, by descriptor number.
enum SocketCalls {
  enum Kind: Int32 {
    case datagram = 1
    case stream = 2
  }

  static func open(
    _ family: AddressFamily, _ kind: Kind, mark: UInt32?, blocking: Bool = false
  ) throws(Errno) -> FileDescriptor {
    let descriptor = FileDescriptor(
      owning: try retrying("socket") { clinux_socket(family.number, kind.rawValue, blocking ? 1 : 0) })
    // So that [::] and 0.0.0.0 are two sockets, and an IPv4 peer never looks like ::ffff:a.b.c.d.
    if family == .v6 { _ = try retrying("setsockopt IPV6_V6ONLY") { clinux_set_only_ipv6(descriptor.number) } }
    if let mark { _ = try retrying("setsockopt SO_MARK") { clinux_set_mark(descriptor.number, mark) } }
    return descriptor
  }

  static func bind(_ number: Int32, _ endpoint: Endpoint) throws(Errno) {
    var address = clinux_endpoint(endpoint)
    _ = try retrying("bind \(endpoint)") { unsafe clinux_bind(number, &address) }
  }

  /// False while the connection is being made (non-blocking TCP).
  static func connect(_ number: Int32, _ endpoint: Endpoint) throws(Errno) -> Bool {
    var address = clinux_endpoint(endpoint)
    return try retryingUnlessBlocked("connect \(endpoint)") { unsafe clinux_connect(number, &address) } != nil
  }

  static func localEndpoint(_ number: Int32) throws(Errno) -> Endpoint {
    var address = clinux_endpoint()
    _ = try retrying("getsockname") { unsafe clinux_local(number, &address) }
    guard let endpoint = address.endpoint else { throw Errno.familyNotSupported }
    return endpoint
  }
}
