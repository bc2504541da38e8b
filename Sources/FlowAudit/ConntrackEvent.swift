import Addressing

/// What the kernel's connection tracking says about one flow (linux/netfilter/nfnetlink_conntrack.h), as values.
package struct ConntrackEvent: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// IPCTNL_MSG_CT_NEW with NLM_F_CREATE: the first packet passed the filter.
    case new
    /// IPCTNL_MSG_CT_NEW without it: the state changed.
    case update
    /// IPCTNL_MSG_CT_DELETE: the entry is gone. With accounting it carries the final counters.
    case destroy
    /// The answer to a GET of this entry, or one entry of a dump: counters as of now.
    case snapshot
  }

  package var kind: Kind
  /// CTA_ID: tells two flows with one tuple apart. Zero when the kernel did not say.
  package var identifier: UInt32
  /// CTA_TUPLE_ORIG: as the workload sent it, before any redirect.
  package var original: FlowTuple
  /// CTA_TUPLE_REPLY: as replies come.
  package var reply: FlowTuple
  /// CTA_MARK: the grant, or why there is none.
  package var mark: UInt32
  /// CTA_STATUS (`enum ip_conntrack_status`): bit 1 IPS_SEEN_REPLY, bit 2 IPS_ASSURED, bit 5 IPS_DST_NAT.
  package var status: UInt32
  /// CTA_PROTOINFO_TCP_STATE; nil for other protocols.
  package var tcpState: TCPState?
  /// CTA_COUNTERS_ORIG and _REPLY; nil when the event has none.
  package var counters: FlowCounters?

  package init(
    kind: Kind, identifier: UInt32, original: FlowTuple, reply: FlowTuple, mark: UInt32, status: UInt32 = 0,
    tcpState: TCPState? = nil, counters: FlowCounters? = nil
  ) {
    self.kind = kind
    self.identifier = identifier
    self.original = original
    self.reply = reply
    self.mark = mark
    self.status = status
    self.tcpState = tcpState
    self.counters = counters
  }
}

/// Source, destination and protocol. For ICMP the ports are: source the identifier, destination `type << 8 | code`.
package struct FlowTuple: Hashable, Sendable {
  package var source: Endpoint
  package var destination: Endpoint
  package var transport: TransportProtocol

  package init(source: Endpoint, destination: Endpoint, transport: TransportProtocol) {
    self.source = source
    self.destination = destination
    self.transport = transport
  }
}

/// The kernel's counters of a flow: IP packets and their octets, in each direction.
package struct FlowCounters: Hashable, Sendable {
  package var sentBytes: UInt64
  package var sentPackets: UInt64
  package var receivedBytes: UInt64
  package var receivedPackets: UInt64

  package init(sentBytes: UInt64, sentPackets: UInt64, receivedBytes: UInt64, receivedPackets: UInt64) {
    self.sentBytes = sentBytes
    self.sentPackets = sentPackets
    self.receivedBytes = receivedBytes
    self.receivedPackets = receivedPackets
  }
}

/// `enum tcp_conntrack` (linux/netfilter/nf_conntrack_tcp.h).
package enum TCPState: UInt8, Hashable, Sendable {
  case none, synSent, synReceived, established, finWait, closeWait, lastAck, timeWait, close, synSent2
}
