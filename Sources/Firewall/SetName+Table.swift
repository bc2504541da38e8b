/// The sets and maps of the table. A map leads to a mark; what is learned from DNS is in hash tables, what the policy states in intervals.
extension SetName {
  /// Learned address → grant, every port and protocol.
  package static let lease4 = Self(rawValue: "lease4")
  package static let lease6 = Self(rawValue: "lease6")
  /// Learned address → grant, for protocols other than TCP and UDP alone (a rule that leaves out some ports).
  package static let lease4Other = Self(rawValue: "lease4_other")
  package static let lease6Other = Self(rawValue: "lease6_other")
  /// Learned address, protocol, port → grant.
  package static let lease4Port = Self(rawValue: "lease4_port")
  package static let lease6Port = Self(rawValue: "lease6_port")
  /// Learned address, protocol, range of ports → grant: for rules with many ports, few elements.
  package static let lease4Range = Self(rawValue: "lease4_range")
  package static let lease6Range = Self(rawValue: "lease6_range")
  /// Address range of a rule → grant or deny mark, for what `block4_port` does not name.
  package static let block4 = Self(rawValue: "block4")
  package static let block6 = Self(rawValue: "block6")
  /// Address range, protocol, range of ports → grant or deny mark.
  package static let block4Port = Self(rawValue: "block4_port")
  package static let block6Port = Self(rawValue: "block6_port")
  /// One address, protocol, one port of a rule → grant or deny mark. Each costs the same, however many there are; taking one out of `block4_port` costs by
  /// how many stay.
  package static let block4Exact = Self(rawValue: "block4_exact")
  package static let block6Exact = Self(rawValue: "block6_exact")
  /// Grants in force. What leaves needs one, established or new.
  package static let grants = Self(rawValue: "grants")
  /// Families in which the workload may open flows ("no evidence, no egress").
  package static let gate = Self(rawValue: "gate")
  /// Where the daemon itself may go: address, protocol, port.
  package static let own4 = Self(rawValue: "own4")
  package static let own6 = Self(rawValue: "own6")
  /// Peers of TCP flows that were cut: source address and port, our port. What they still send must reach the program, which answers, and is reset.
  package static let cut4 = Self(rawValue: "cut4")
  package static let cut6 = Self(rawValue: "cut6")
  /// The pod's own IPv6 addresses: under another one nothing of a flow leaves. Over IPv4 the kernel itself refuses a false source to programs without NET_RAW.
  package static let sources6 = Self(rawValue: "sources6")
  /// Packets that were dropped and make no conntrack entry, by source, destination and protocol: what the record is told of them.
  package static let dropped4 = Self(rawValue: "dropped4")
  package static let dropped6 = Self(rawValue: "dropped6")
  package static let forwarded4 = Self(rawValue: "forwarded4")
  package static let forwarded6 = Self(rawValue: "forwarded6")
  package static let uninvited4 = Self(rawValue: "uninvited4")
  package static let uninvited6 = Self(rawValue: "uninvited6")
}

extension ChainName {
  /// nat, output: the verdict on each new flow.
  package static let steer = Self(rawValue: "steer")
  /// New flows while the gate is open.
  package static let permit = Self(rawValue: "permit")
  /// The same for TCP and UDP, by port first.
  package static let permitPort = Self(rawValue: "permit_port")
  /// A look-up set the mark: is it a grant in force?
  package static let judge = Self(rawValue: "judge")
  /// The mark says why not: to the closed port.
  package static let refuse = Self(rawValue: "refuse")
  /// filter, output: what leaves.
  package static let out = Self(rawValue: "out")
  /// In the name of the daemon's resolver or hub, from within the pod.
  package static let forged = Self(rawValue: "forged")
  /// filter, postrouting: what was turned to loopback and still goes elsewhere.
  package static let astray = Self(rawValue: "astray")
  /// filter, prerouting, before connection tracking: what peers of cut flows still send.
  package static let last = Self(rawValue: "last")
  /// filter, forward: nothing passes through the pod.
  package static let through = Self(rawValue: "through")
  /// filter, input: what may begin a flow from outside.
  package static let into = Self(rawValue: "in")
}

/// A counter of the ruleset: the checkpoint compares them with the sums of the records.
package enum RuleCounter: Hashable, Sendable, CaseIterable {
  /// New flows of the workload that a grant let out.
  case permittedFlows
  /// New TCP and UDP flows of the workload that were refused: sent to the closed port. Other protocols end at `out`.
  case refusedFlows
  /// Queries steered to the proxy.
  case steeredQueries
  /// Packets to port 53 that met a leftover entry and so were not steered; dropped.
  case strayQueries
  /// Packets dropped in `out`.
  case droppedOut
  /// Packets that the pod would only have forwarded; dropped.
  case droppedForward
  /// Packets from outside that may not begin a flow; dropped.
  case droppedIn
}

/// Where a counter stands.
package struct RuleCounterPlace: Hashable, Sendable {
  package var counter: RuleCounter
  package var chain: ChainName
  /// Index among the rules of the chain.
  package var rule: Int
}
