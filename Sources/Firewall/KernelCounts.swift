import Addressing

/// What the kernel counted by itself: the other side of the checkpoint, and the packets that no conntrack entry tells of.
package struct KernelCounts: Hashable, Sendable {
  /// Packets, which for flows are their first ones: of new flows since the table was made, of the rest since the ruleset was installed. Read before `dropped`: what was counted until then is in there.
  package var rules: [RuleCounter: UInt64]
  /// Of each family the sets that `Ruleset.countingSets` names, in that order.
  package var dropped: [DroppedPackets]

  package init(rules: [RuleCounter: UInt64], dropped: [DroppedPackets]) {
    self.rules = rules
    self.dropped = dropped
  }
}

/// Packets that were dropped on one way since they were last taken.
package struct DroppedPackets: Hashable, Sendable {
  /// Where in the rules.
  package enum Place: Hashable, Sendable, CaseIterable {
    /// On the way out of the pod: another protocol than TCP and UDP, or a packet of no flow that may leave.
    case out
    /// The pod would have been a router.
    case forward
    /// New TCP or UDP from outside that ingress does not permit.
    case inbound
  }

  package var place: Place
  package var source: IPAddress
  package var destination: IPAddress
  package var transport: TransportProtocol
  package var packets: UInt64

  package init(
    place: Place, source: IPAddress, destination: IPAddress, transport: TransportProtocol, packets: UInt64
  ) {
    self.place = place
    self.source = source
    self.destination = destination
    self.transport = transport
    self.packets = packets
  }

  /// An element of one of the counting sets; nil when it is none.
  package init?(_ element: SetElement, packets: UInt64, of set: SetName) {
    guard let place = Ruleset.countingSets.first(where: { $0.set == set })?.place, element.key.count == 3,
      let source = IPAddress(bytes: element.key[0]), let destination = IPAddress(bytes: element.key[1]),
      let transport = element.key[2].first
    else { return nil }
    self.init(
      place: place, source: source, destination: destination, transport: TransportProtocol(rawValue: transport),
      packets: packets)
  }

  /// Where the kernel counts it.
  package var set: SetName {
    let sets = AddressSets.of(isIPv4: destination.isIPv4)
    return switch place {
    case .out: sets.dropped
    case .forward: sets.forwarded
    case .inbound: sets.uninvited
    }
  }

  /// Takes these out of the kernel, once they are on record. What was counted since they were read is lost with them: the rules' counters tell of it.
  package static func removal(of taken: [DroppedPackets]) -> KernelTransaction {
    var groups = ElementGroups()
    for one in taken {
      groups.append(SetElement([one.source.bytes, one.destination.bytes, [one.transport.rawValue]]), to: one.set)
    }
    return KernelTransaction(groups.changes { .destroyElements($0, $1) })
  }
}

extension Ruleset {
  /// The sets whose elements count new flows, over every installation of the rules.
  package static let flowSets: [RuleCounter: SetName] = [.permittedFlows: .permitted, .refusedFlows: .refused]

  /// The sets whose elements count packets.
  package static let countingSets: [(set: SetName, place: DroppedPackets.Place)] = [
    (.dropped4, .out), (.dropped6, .out), (.forwarded4, .forward), (.forwarded6, .forward), (.uninvited4, .inbound),
    (.uninvited6, .inbound),
  ]
}
