import Addressing
import CNetlink
import Glibc

/// The pod's own IPv6 addresses, and the kernel's word that they changed (rtnetlink(7)).
package struct AddressMonitor: ~Copyable {
  /// Octets that may wait. When they do not suffice the addresses are read all the same.
  static let receiveBufferSize: Int32 = 64 << 10

  /// Datagrams of one read, so that an interface that flaps does not keep the loop.
  static let datagramsPerReadMax = 256

  private let socket: NetlinkSocket
  private var requests: NetlinkRequester
  private var datagram = [UInt8](repeating: 0, count: NetlinkSocket.datagramSizeMax)

  private init(socket: consuming NetlinkSocket, requests: consuming NetlinkRequester) {
    self.socket = socket
    self.requests = requests
  }

  /// Subscribes in the network namespace of the calling thread.
  package static func open() throws(NetlinkError) -> AddressMonitor {
    // RTMGRP_IPV6_IFADDR is bit 8 (linux/rtnetlink.h).
    let socket = try NetlinkSocket.open(bus: NETLINK_ROUTE, groups: 1 << 8, receiveBufferSize: receiveBufferSize)
    return AddressMonitor(socket: socket, requests: try NetlinkRequester.open(bus: NETLINK_ROUTE))
  }

  /// For epoll: readable when something changed.
  package var descriptor: Int32 { socket.descriptor }

  /// Takes what waits to be told, and reads all addresses anew: of every interface, also those that are not yet in use. The corresponding command is
  /// `ip -6 address show`.
  package mutating func read() throws(NetlinkError) -> [IPAddress] {
    for _ in 0..<Self.datagramsPerReadMax {
      if case .failed(let code) = socket.receive(into: &datagram, waits: false), code != ENOBUFS { break }
    }
    var found: [IPAddress] = []
    try requests.dump(RouteMessage.getAddress, family: UInt8(AF_INET6), operation: "get addresses") { _ in
    } restart: {
      found.removeAll()
    } each: { message, bytes in
      if message.type == RouteMessage.newAddress, let address = ownAddress(message, in: bytes) { found.append(address) }
    }
    return found
  }
}

/// The local end of a link, or else the only address of the message.
private func ownAddress(_ message: NetlinkMessage, in bytes: borrowing Span<UInt8>) -> IPAddress? {
  let start = message.payload.lowerBound + RouteMessage.addressHeaderLength
  guard start <= message.payload.upperBound else { return nil }
  var reader = AttributeReader(start..<message.payload.upperBound, in: bytes)
  var address: IPAddress?
  while let attribute = reader.nextAttribute(in: bytes) {
    switch attribute.type {
    case RouteMessage.local: return IPAddress(bytes: bytes.array(attribute.value))
    case RouteMessage.address: address = IPAddress(bytes: bytes.array(attribute.value))
    default: break
    }
  }
  return address
}

/// linux/rtnetlink.h and linux/if_addr.h.
private enum RouteMessage {
  static let newAddress: UInt16 = 20
  static let getAddress: UInt16 = 22
  /// `struct ifaddrmsg`.
  static let addressHeaderLength = 8
  static let address: UInt16 = 1
  static let local: UInt16 = 2
}
