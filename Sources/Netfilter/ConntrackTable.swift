import Addressing
import FlowAudit
import Glibc

/// Requests about entries of the connection tracking table, IPv4 and IPv6. Not for two threads at once.
package final class ConntrackTable {
  /// Deletions in one datagram: below 32 KiB, and their errors fit the receive buffer many times over.
  static let deletionsMax = 128

  private var requests: NetlinkRequester

  /// Opens a socket in the network namespace of the calling thread.
  package init() throws(NetlinkError) { requests = try NetlinkRequester.open() }

  /// The entry with this original tuple as of now, as `.snapshot`; nil when there is none.
  package func get(_ original: FlowTuple) throws(NetlinkError) -> ConntrackEvent? {
    var found: ConntrackEvent?
    do throws(NetlinkError) {
      try requests.ask(MessageType.conntrackGet, family: original.family, operation: "get flow") { request in
        request.attribute(tuple: original)
      } answer: { message, bytes in
        found = ConntrackParser.event(message, in: bytes, isAnswer: true)
      }
    } catch {
      if case .failed(_, code: ENOENT) = error { return nil }
      throw error
    }
    return found
  }

  /// Deletes one entry. False when it is not there any more, or when another stands there with the same tuple.
  /// With `identifier` zero any entry with the tuple is meant.
  @discardableResult
  package func delete(_ original: FlowTuple, identifier: UInt32) throws(NetlinkError) -> Bool {
    do throws(NetlinkError) {
      try requests.exchange(
        MessageType.conntrackDelete, family: original.family, operation: "delete flow"
      ) { request in
        request.attribute(tuple: original)
        if identifier != 0 { request.attribute(ConntrackAttribute.identifier, bigEndian: identifier) }
      } each: { _, _ in
      }
    } catch {
      if case .failed(_, code: ENOENT) = error { return false }
      throw error
    }
    return true
  }

  /// Every entry, or those whose mark under `mask` is `mark` (the kernel filters).
  package func dump(mark: UInt32? = nil, mask: UInt32 = .max) throws(NetlinkError) -> [ConntrackEvent] {
    var entries: [ConntrackEvent] = []
    try requests.dump(
      MessageType.conntrackGet, family: ProtocolFamily.unspecified, operation: "dump flows"
    ) { request in
      if let mark {
        request.attribute(ConntrackAttribute.mark, bigEndian: mark)
        request.attribute(ConntrackAttribute.markMask, bigEndian: mask)
      }
    } restart: {
      entries = []
    } each: { message, bytes in
      if let entry = ConntrackParser.event(message, in: bytes, isAnswer: true) { entries.append(entry) }
    }
    return entries
  }

  /// Deletes every entry with one of these marks; returns what was cut, with its last counters. What was gone before we came to it is
  /// left out. An entry made meanwhile stays: take the grant out of the kernel first.
  @discardableResult
  package func deleteAll(withMarks marks: Set<UInt32>) throws(NetlinkError) -> [ConntrackEvent] {
    if marks.isEmpty { return [] }
    let entries = try (marks.count == 1 ? dump(mark: marks.first) : dump()).filter { marks.contains($0.mark) }
    var deleted: [ConntrackEvent] = []
    var start = 0
    while start < entries.count {
      let chunk = entries[start..<min(start + Self.deletionsMax, entries.count)]
      var gone: Set<Int> = []
      var failure: Int32 = 0
      try requests.exchangeMany(count: chunk.count, MessageType.conntrackDelete, operation: "delete flows") {
        index, request in
        let entry = chunk[start + index]
        request.attribute(tuple: entry.original)
        if entry.identifier != 0 { request.attribute(ConntrackAttribute.identifier, bigEndian: entry.identifier) }
        return entry.original.family
      } failed: { index, code in
        gone.insert(start + index)
        if code != ENOENT { failure = code }
      }
      if failure != 0 { throw .failed(operation: "delete flows", code: failure) }
      for index in chunk.indices where !gone.contains(index) { deleted.append(chunk[index]) }
      start += chunk.count
    }
    return deleted
  }
}

extension FlowTuple {
  fileprivate var family: UInt8 { source.address.isIPv4 ? ProtocolFamily.ipv4 : ProtocolFamily.ipv6 }
}

extension MessageWriter {
  /// CTA_TUPLE_ORIG.
  fileprivate mutating func attribute(tuple: FlowTuple) {
    let nest = beginNest(ConntrackAttribute.original)
    let addresses = beginNest(ConntrackAttribute.tupleAddresses)
    put(tuple.source.address, ConntrackAttribute.ipv4Source, ConntrackAttribute.ipv6Source)
    put(tuple.destination.address, ConntrackAttribute.ipv4Destination, ConntrackAttribute.ipv6Destination)
    endNest(addresses)
    let protocolNest = beginNest(ConntrackAttribute.tupleProtocol)
    attribute(ConntrackAttribute.protocolNumber, bigEndian: tuple.transport.rawValue)
    let type = UInt8(tuple.destination.port >> 8)
    let code = UInt8(tuple.destination.port & 0xff)
    switch tuple.transport {
    case .icmp:
      attribute(ConntrackAttribute.icmpIdentifier, bigEndian: tuple.source.port)
      attribute(ConntrackAttribute.icmpType, bigEndian: type)
      attribute(ConntrackAttribute.icmpCode, bigEndian: code)
    case .icmpv6:
      attribute(ConntrackAttribute.icmpv6Identifier, bigEndian: tuple.source.port)
      attribute(ConntrackAttribute.icmpv6Type, bigEndian: type)
      attribute(ConntrackAttribute.icmpv6Code, bigEndian: code)
    default:
      attribute(ConntrackAttribute.sourcePort, bigEndian: tuple.source.port)
      attribute(ConntrackAttribute.destinationPort, bigEndian: tuple.destination.port)
    }
    endNest(protocolNest)
    endNest(nest)
  }

  private mutating func put(_ address: IPAddress, _ ipv4: UInt16, _ ipv6: UInt16) {
    switch address {
    case .v4(let address): attribute(ipv4, bigEndian: address.bits)
    case .v6(let address):
      beginAttribute(ipv6, length: 16)
      appendBigEndian(address.high)
      appendBigEndian(address.low)
    }
  }
}
