import EgressPolicy
import Timekeeping

/// Connections into the pod whose replies may leave.
package enum Ingress: Hashable, Sendable {
  /// TCP to every port.
  case tcp
  /// None but to the control API.
  case none
  /// These ports; a new TCP flow must begin with a SYN.
  case ports(PortSet)
}

/// What the ruleset is made of: fixed while the daemon runs.
package struct FirewallParameters: Hashable, Sendable {
  /// The uid that the daemon takes.
  package var ownUser: UInt32
  /// The mark on the daemon's sockets, random at each boot of the daemon. Only together with the uid and a permitted destination does it exempt.
  package var ownMark: UInt32
  /// Where the DNS proxy listens on 127.0.0.1; nil: not at all, queries over IPv4 are refused.
  package var dnsPort4: UInt16?
  /// Where the DNS proxy listens on ::1; nil: not at all, queries over IPv6 are refused.
  package var dnsPort6: UInt16?
  /// The control API, closed to the workload; nil: there is none.
  package var apiPort: UInt16?
  package var ingress: Ingress
  /// A local port where nobody listens (discard, RFC 863): what is denied goes there and is refused at once.
  package var closedPort: UInt16 = 9
  /// False in observe mode: nothing is blocked, but marks say what would have been.
  package var enforces = true
  /// Whether a query sent to the proxy's port directly, not through port 53, is refused.
  package var refusesDirectDNS = true
  /// Whether packets of IPv6 leave only under the addresses that `Firewall.setSources` names.
  package var checksSources = false
  package var limits = FirewallLimits()

  package init(
    ownUser: UInt32, ownMark: UInt32, dnsPort4: UInt16?, dnsPort6: UInt16?, apiPort: UInt16?, ingress: Ingress = .tcp
  ) {
    self.ownUser = ownUser
    self.ownMark = ownMark
    self.dnsPort4 = dnsPort4
    self.dnsPort6 = dnsPort6
    self.apiPort = apiPort
    self.ingress = ingress
  }
}

/// The bounds on what learned data may grow to.
package struct FirewallLimits: Hashable, Sendable {
  /// Leases in all: pairs of name and address. A lease costs some 400 octets here and 100 in the kernel.
  package var leasesMax = 131_072
  /// Leases under one rule: a wildcard cannot take the whole table from the other rules.
  package var leasesPerRuleMax = 98_304
  /// Live leases of one name: a name that rotates through a cloud's addresses (some thousands) is cut off here, and its old flows live on.
  package var addressesPerNameMax = 1_024
  /// Elements for protocols other than TCP and UDP under rules that leave out some ports: rare.
  package var otherElementsMax = 4_096
  /// Elements with single ports: a lease under a rule with ports takes one for each.
  package var portElementsMax = 262_144
  /// Elements with port ranges. They live in interval sets, where a commit costs by size: some 100 µs at this one.
  package var rangeElementsMax = 1_024
  /// A rule with more (protocol, port) pairs than this goes by ranges instead of one element for each pair.
  package var enumeratedPortsMax = 128
  /// Grants: pairs of name and rule, and a rule about addresses counts as one.
  package var grantsMax = 131_072
  /// The daemon's own destinations: resolvers, hub and token endpoint, some addresses each.
  package var ownMax = 1_024
  /// TCP flows that were cut within `cutSpan`: as many as the tracker knows to live.
  package var cutFlowsMax = 65_536
  /// How long what the peer of a cut flow sends may still provoke the reset: 60 s, several of TCP's retransmissions.
  package var cutSpan = TimeSpan.seconds(60)
  /// Ended leases that are remembered, to say `LEASE_EXPIRED` and of which name.
  package var endedLeasesMax = 8_192
  /// Ended grants that are remembered, so that late events of their flows still find their name.
  package var endedGrantsMax = 8_192
  /// Dropped packets of different ways (source, destination, protocol) that the kernel tells apart between two readings a second apart; the rest is counted as
  /// one. The kernel allocates 16 octets for each at once.
  package var droppedMax = 1_024
  /// The same for forwarded packets and for ones from outside: anyone there can send, and must not fill the record.
  package var passingMax = 64

  package init() {}
}

/// How long the kernel holds a learned address: clamp(TTL, min, max) + grace (contract §2).
package struct LeaseTimes: Hashable, Sendable {
  package var min: TimeSpan
  package var grace: TimeSpan
  package var max: TimeSpan

  package init(min: TimeSpan, grace: TimeSpan, max: TimeSpan) {
    self.min = min
    self.grace = grace
    self.max = max
  }
}
