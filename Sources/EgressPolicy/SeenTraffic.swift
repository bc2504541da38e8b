import Addressing
import DNSWire
import Timekeeping

/// What the workload asked for since the start: names and destinations, each once. For saying what a change of the policy would touch, and what the
/// smallest policy is that would do.
package struct SeenTraffic: Sendable {
  /// Names that are remembered: 4,096, as many as a policy has rules; some 1 MiB at most. Later ones are counted only.
  package static let namesMax = 4_096
  /// Destinations that are remembered: 8,192, two for each name.
  package static let destinationsMax = 8_192
  /// Addresses whose last name is remembered in observe mode: 8,192.
  package static let addressesMax = 8_192

  /// Stands for every address of a name: from the range for documentation (RFC 5737), so an ordinary one that no rule is about.
  static let anyAddress = IPAddress.v4(IPv4Address(192, 0, 2, 0))

  /// Where flows went: by name, or by address where no name led there or none may.
  package struct Destination: Hashable, Sendable {
    package var name: DomainName?
    package var address: IPAddress
    package var transport: TransportProtocol
    /// 0 for a protocol without ports.
    package var port: UInt16
  }

  /// By name: whether it may exist. A name that an upstream said does not exist needs no rule.
  package private(set) var names: [DomainName: Bool] = [:]
  package private(set) var destinations: Set<Destination> = []
  /// What found no room.
  package private(set) var forgotten: UInt64 = 0
  private var leading: [IPAddress: DomainName] = [:]

  package init() {}

  /// A query was answered or denied. `exists`: false when an upstream said that there is no such name.
  package mutating func see(_ name: DomainName, exists: Bool) {
    if let known = names[name] {
      if exists, !known { names[name] = true }
      return
    }
    guard names.count < Self.namesMax else {
      forgotten &+= 1
      return
    }
    names[name] = exists
  }

  /// A flow began, or was denied. An address that a name led to stands for that name, unless it lies in a special-purpose range: only rules about
  /// addresses reach there.
  package mutating func see(
    _ address: IPAddress, port: UInt16, _ transport: TransportProtocol, name: DomainName?
  ) {
    var seen = Destination(name: name, address: address, transport: transport, port: port)
    if transport != .tcp && transport != .udp { seen.port = 0 }
    if name != nil {
      if SpecialPurpose.range(of: address) != nil {
        seen.name = nil
      } else {
        // One entry for all addresses of a name.
        seen.address = Self.anyAddress
      }
    }
    guard !destinations.contains(seen) else { return }
    guard destinations.count < Self.destinationsMax else {
      forgotten &+= 1
      return
    }
    destinations.insert(seen)
  }

  /// An answer told this address for that name although no rule does (observe mode).
  package mutating func lead(_ name: DomainName, to address: IPAddress) {
    guard leading.count < Self.addressesMax || leading[address] != nil else { return }
    leading[address] = name
  }

  /// The name that led there last, by `lead`.
  package func name(leadingTo address: IPAddress) -> DomainName? { leading[address] }

  /// The names that `new` decides otherwise than `old`, sorted.
  package func changes(
    from old: RuleSet, to new: RuleSet, at now: WallTime
  ) -> (allowed: [DomainName], denied: [DomainName]) {
    var allowed: [DomainName] = []
    var denied: [DomainName] = []
    for name in names.keys {
      switch (old.decide(name, at: now).isAllowed, new.decide(name, at: now).isAllowed) {
      case (false, true): allowed.append(name)
      case (true, false): denied.append(name)
      case (true, true), (false, false): break
      }
    }
    return (allowed.sorted { $0.description < $1.description }, denied.sorted { $0.description < $1.description })
  }
}
