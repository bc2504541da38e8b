import CNetlink
import Firewall
import Glibc

/// The kernel's stream of changes to rules, without our own.
///
/// The kernel tells each commit as the messages of its steps and one NFT_MSG_NEWGEN behind them, with the process that made it; all of them carry the port of the
/// socket that sent the batch (`nlmsg_pid`). A socket filter drops those of our own socket before they are queued, so that leases cost nothing here.
package struct RulesetMonitor: ~Copyable {
  /// What became of one reading.
  package struct Findings: Hashable, Sendable {
    /// What was done to our table.
    package var change: ForeignChange?
    /// Whether other tables were changed.
    package var othersChanged = false
    /// The socket itself failed with this errno.
    package var failure: Int32?
  }

  /// Octets that may wait (SO_RCVBUFFORCE). When they do not suffice, that alone says that someone changed something.
  static let receiveBufferSize: Int32 = 1 << 20

  /// Datagrams of one read, so that a flood of changes does not keep the loop from answering DNS.
  static let datagramsPerReadMax = 256

  private let socket: NetlinkSocket
  private let table: String
  private var datagram = [UInt8](repeating: 0, count: NetlinkSocket.datagramSizeMax)
  /// Of a commit whose end is not read yet.
  private var open = ForeignChange()

  private init(socket: consuming NetlinkSocket, table: String) {
    self.socket = socket
    self.table = table
  }

  /// Subscribes in the network namespace of the calling thread to every change but those that come through `own`.
  package static func open(besides own: NftablesSocket) throws(NetlinkError) -> RulesetMonitor {
    // NFNLGRP_NFTABLES is group 7 (linux/netfilter/nfnetlink.h).
    let socket = try NetlinkSocket.open(groups: 1 << 6, receiveBufferSize: receiveBufferSize)
    try socket.ignore(port: own.port)
    return RulesetMonitor(socket: socket, table: own.table)
  }

  /// For epoll: readable when changes wait. `read` never blocks.
  package var descriptor: Int32 { socket.descriptor }

  /// Everything that waits.
  package mutating func read() -> Findings {
    var findings = Findings()
    for _ in 0..<Self.datagramsPerReadMax {
      switch socket.receive(into: &datagram, waits: false) {
      case .datagram(let length): parse(length, into: &findings)
      case .failed(code: EAGAIN): return findings
      case .failed(code: ENOBUFS), .failed(code: EMSGSIZE):
        open = ForeignChange()
        findings.add(.unknown)
        findings.othersChanged = true
      case .failed(let code):
        findings.failure = code
        return findings
      }
    }
    return findings
  }

  private mutating func parse(_ length: Int, into findings: inout Findings) {
    var offset = 0
    while let message = NetlinkMessage.read(at: &offset, in: datagram.span, end: length) {
      if message.type == MessageType.newGeneration {
        open.process = foreignProcess(message, in: datagram.span)
        if open.isEmpty { findings.othersChanged = true } else { findings.add(open) }
        open = ForeignChange()
      } else if let step = foreignStep(message, table: table, in: datagram.span) {
        open.add(step)
      }
    }
  }
}

extension RulesetMonitor.Findings {
  fileprivate mutating func add(_ other: ForeignChange) {
    if change == nil { change = other } else { change?.merge(other) }
  }
}

/// What a message says was changed; nil: nothing of this table.
func foreignStep(
  _ message: NetlinkMessage, table: String, in bytes: borrowing Span<UInt8>
) -> ForeignChange.Step? {
  guard message.type >> 8 == MessageType.subsystemTables, !message.payload.isEmpty,
    bytes[message.payload.lowerBound] == ProtocolFamily.inet
  else { return nil }
  var texts: [UInt16: String] = [:]
  var reader = message.attributes(in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    // NFTA_*_TABLE is 1 everywhere; names follow at 2 or 3.
    if attribute.type <= TablesAttribute.chainName, texts[attribute.type] == nil {
      texts[attribute.type] = bytes.text(attribute.value)
    }
  }
  guard texts[TablesAttribute.table] == table else { return nil }
  let second = texts[TablesAttribute.ruleChain] ?? ""
  switch message.type {
  case MessageType.newTable, MessageType.deleteTable:
    return .init(.table, isDeletion: message.type == MessageType.deleteTable)
  case MessageType.newChain, MessageType.deleteChain:
    let name = texts[TablesAttribute.chainName] ?? ""
    return .init(.chain(name), isDeletion: message.type == MessageType.deleteChain)
  case MessageType.newRule, MessageType.deleteRule:
    return .init(.rule(second), isDeletion: message.type == MessageType.deleteRule)
  case MessageType.newSet, MessageType.deleteSet:
    return .init(.set(second), isDeletion: message.type == MessageType.deleteSet)
  case MessageType.newElements, MessageType.deleteElements:
    return .init(.elements(second), isDeletion: message.type == MessageType.deleteElements)
  case MessageType.newObject, MessageType.deleteObject:
    return .init(.other("object \(second)"), isDeletion: message.type == MessageType.deleteObject)
  case MessageType.newFlowTable, MessageType.deleteFlowTable:
    return .init(.other("flow table \(second)"), isDeletion: message.type == MessageType.deleteFlowTable)
  default: return .init(.unknown, isDeletion: false)
  }
}

/// Who made the changes before a message of a new generation.
func foreignProcess(_ message: NetlinkMessage, in bytes: borrowing Span<UInt8>) -> String? {
  var name: String?
  var number: UInt32?
  var reader = message.attributes(in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    switch attribute.type {
    case TablesAttribute.generationProcess: number = bytes.bigEndian32(at: attribute.value.lowerBound)
    case TablesAttribute.generationProcessName: name = bytes.text(attribute.value)
    default: break
    }
  }
  guard let number else { return name }
  return "\(name ?? "an unnamed one") (process \(number))"
}
