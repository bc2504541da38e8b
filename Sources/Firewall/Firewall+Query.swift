import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

extension Firewall {
  /// Whose flow a mark is: the name and rule of a grant, or the rule of a deny mark. Nil for the reserved words of `FlowMark` and for what is
  /// long gone.
  package func attribution(mark: UInt32) -> GrantAttribution? {
    if let grant = grants[mark] { return grant.isUnknown ? nil : attribution(of: grant) }
    if let rule = denyRules[mark] { return GrantAttribution(name: nil, rule: rule, session: 0) }
    return endedGrants[mark]
  }

  /// The names that lease an address now, ascending.
  package func names(leasing address: IPAddress, at now: Instant) -> [DomainName] {
    guard let record = addresses[address] else { return [] }
    return record.leases.filter { lease in lease.parts.contains { now < lease.end(of: $0) } }
      .compactMap { names[$0.name] }.sorted()
  }

  /// The DNS session that told this address last under this grant; nil when no lease of it stands.
  package func querySession(mark: UInt32, address: IPAddress) -> UInt64? {
    let lease = addresses[address]?.leases.first { lease in lease.parts.contains { $0.grant == mark } }
    return lease.flatMap { $0.session == 0 ? nil : $0.session }
  }

  /// The last name whose lease of this address ended, and when; nil when none did, or when it is forgotten.
  package func lastLease(of address: IPAddress) -> (name: DomainName, endedAt: Moment)? {
    endedLeases[address].map { ($0.name, $0.endedAt) }
  }

  /// Every grant as it stands, ascending: what `adopt` needs of it after a restart.
  package var attributions: [(mark: UInt32, attribution: GrantAttribution)] {
    grants.keys.sorted().compactMap { id in
      grants[id].flatMap { $0.isUnknown ? nil : (id, attribution(of: $0)) }
    }
  }

  /// A flow with this mark began: its grant stays until it ends.
  package mutating func flowOpened(_ mark: UInt32) {
    guard grants[mark] != nil else { return }
    grants[mark]?.flows += 1
    grants[mark]?.lingersUntil = nil
  }

  /// A live flow that was there before us, or whose beginning was missed: its address may have no lease any more, and a later change must still find it.
  package mutating func flowAdopted(_ mark: UInt32, to destination: Endpoint, _ transport: TransportProtocol) {
    flowOpened(mark)
    let ports: PortSet
    switch transport {
    case .tcp: ports = PortSet(tcp: [destination.port...destination.port], udp: [], otherProtocols: false)
    case .udp: ports = PortSet(tcp: [], udp: [destination.port...destination.port], otherProtocols: false)
    default: ports = PortSet(tcp: [], udp: [], otherProtocols: true)
    }
    grants[mark]?.remember(adopted: destination.address, ports)
  }

  /// It ended: the entry is gone from conntrack.
  package mutating func flowClosed(_ mark: UInt32, at now: Moment) {
    self.now = now.instant
    guard let grant = grants[mark], grant.flows > 0 else { return }
    grants[mark]?.flows -= 1
    idle(mark)
  }

  package var counts: FirewallCounts {
    FirewallCounts(
      leases: leaseCount, grants: grants.count, portElements: portElements, rangeElements: rangeElements)
  }
}
