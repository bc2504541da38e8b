import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

extension Firewall {
  /// Takes over what a previous process left in the kernel: call it first, then `start` with the policy, which judges it. Ids of new grants begin above
  /// the highest seen, and none is that of a flow which outlived its grant. A grant of which nothing is known lets its flows and leases go on until they end, a permanent one for
  /// `unknownGrantLife`; the first change of the policy revokes it, since nobody can say whether its rule still stands.
  ///
  /// - Parameters:
  ///   - leases: elements of the lease maps, the time left as timeout; others are passed over.
  ///   - flowMarks: the marks in the conntrack table, read after the sets.
  package mutating func adopt(
    leases: [(SetName, SetElement)], grants adopted: [AdoptedGrant], flowMarks: Set<UInt32>, at now: Moment
  ) {
    self.now = now.instant
    strayMarks = flowMarks.subtracting(adopted.map(\.mark)).filter(FlowMark.isGrant)
    for one in adopted where FlowMark.isGrant(one.mark) && grants[one.mark] == nil {
      var grant: Grant
      if let attribution = one.attribution {
        let name = attribution.name.map { names.number(of: $0) }
        grant = Grant(attribution.rule, session: attribution.session, name: name)
        grant.ruleEnds = end(of: attribution.rule, at: now)
        grant.heldUntil = one.remaining.map { now.instant + $0 }
        if let name {
          names.add(grant: one.mark, to: name)
        } else {
          ruleGrants[attribution.rule.text] = one.mark
        }
      } else {
        let rule = RuleReference(place: .defaultAction, action: .allow, text: "adopted")
        grant = Grant(rule, session: 0, name: nil)
        grant.isUnknown = true
        grant.heldUntil = one.remaining.map { now.instant + $0 }
        grant.ruleEnds = grant.heldUntil ?? now.instant + Self.unknownGrantLife
      }
      grant.isHeld = true
      grants[one.mark] = grant
      if grant.isUnknown, let end = grant.ruleEnds { timers.set(.grant(one.mark), at: end) }
      nextGrant = max(nextGrant, one.mark == FlowMark.grantMax ? 1 : one.mark + 1)
      if grant.heldUntil != grant.ruleEnds { touch(one.mark) }
    }
    for (set, element) in leases { adopt(element, of: set, at: now) }
    for id in grants.keys.sorted() { idle(id) }
  }

  private mutating func adopt(_ element: SetElement, of set: SetName, at now: Moment) {
    guard let bytes = element.key.first, let address = IPAddress(bytes: bytes), let mark = element.mark,
      let key = Self.key(of: element, in: AddressSets.of(isIPv4: address.isIPv4), set)
    else { return }
    let until = now.instant + (element.timeout ?? times.max)
    nextGrant = FlowMark.isGrant(mark) && mark < FlowMark.grantMax ? max(nextGrant, mark + 1) : nextGrant
    let old = addresses[address]
    var new = old ?? AddressRecord()
    new.held.append(LeaseElement(key: key, mark: mark, until: until))
    new.held = Few(new.held.sorted { $0.key < $1.key })
    if let grant = grants[mark], let name = grant.name {
      let part = LeasePart(grant: mark, ports: key.ports, ruleEnds: grant.ruleEnds)
      if let place = new.leases.firstIndex(where: { $0.name == name }) {
        new.leases[place].until = min(new.leases[place].until, until)
        if let same = new.leases[place].parts.firstIndex(where: { $0.grant == mark }) {
          new.leases[place].parts[same].ports = new.leases[place].parts[same].ports.union(key.ports)
        } else {
          new.leases[place].parts.append(part)
        }
      } else {
        new.leases.append(Lease(name: name, until: until, order: leaseOrder, parts: Few(part)))
        leaseOrder += 1
      }
    }
    new.wanted = elements(of: new.leases, enumeratedMax: limits.enumeratedPortsMax)
    put(address, old, new)
  }

  private static func key(of element: SetElement, in sets: AddressSets, _ set: SetName) -> ElementKey? {
    if set == sets.lease { return .plain }
    if set == sets.leaseOther { return .other }
    guard element.key.count == 3, let transport = element.key[1].first, element.key[2].count == 2 else { return nil }
    let low = UInt16(element.key[2][0]) << 8 | UInt16(element.key[2][1])
    if set == sets.leasePort { return .port(transport, low) }
    guard set == sets.leaseRange else { return nil }
    guard let last = element.last, last.count == 3, last[2].count == 2 else { return .range(transport, low...low) }
    let high = UInt16(last[2][0]) << 8 | UInt16(last[2][1])
    return low <= high ? .range(transport, low...high) : nil
  }
}

extension ElementKey {
  /// What the element lets through.
  fileprivate var ports: PortSet {
    switch kind {
    case .plain: .everything
    case .other: PortSet(tcp: [], udp: [], otherProtocols: true)
    case .port, .range:
      transport == TransportProtocol.tcp.rawValue
        ? PortSet(tcp: [low...high], udp: [], otherProtocols: false)
        : PortSet(tcp: [], udp: [low...high], otherProtocols: false)
    }
  }
}
