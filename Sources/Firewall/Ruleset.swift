import Addressing
import EgressPolicy

/// The table `inet sallyport`: its sets and its chains.
///
/// Needs only expressions that AKS's Kata guest has (`KernelExpression.onAKSKata66`); never log, reject, socket, fib.
package struct Ruleset: Sendable {
  package let parameters: FirewallParameters

  package init(_ parameters: FirewallParameters) { self.parameters = parameters }

  /// One batch that brings the table up, from nothing or over one that stands, without a gap. Sets that are there keep their elements
  /// (leases, grants, the gate); chains get their rules anew.
  package func installation() -> KernelTransaction {
    let chains = chains
    var changes: [KernelChange] = [.addTable]
    changes += sets.map { .addSet($0) }
    changes += chains.map { .addChain($0.definition) }
    changes += chains.map { .flushChain($0.definition.name) }
    for chain in chains {
      changes += chain.rules.map { .appendRule(RuleDefinition(chain.definition.name, $0.statements)) }
    }
    return KernelTransaction(changes)
  }

  /// Where the counters stand once installed.
  package var counterPlaces: [RuleCounterPlace] {
    chains.flatMap { chain in
      chain.rules.enumerated().compactMap { index, rule in
        rule.counter.map { RuleCounterPlace(counter: $0, chain: chain.definition.name, rule: index) }
      }
    }
  }

  /// `delete table`: only for an explicit uninstall, or when the kernel refuses the installation because an older version's sets differ: then this
  /// and the installation go in one transaction.
  package static let removal = KernelTransaction([.addTable, .deleteTable])

  /// The sets. Those that learned data enters have no `size`: the kernel would allocate the hash table for it at once (16 octets for each element, some 16 MiB in every
  /// idle pod) instead of growing it. Their bounds are `FirewallLimits`, kept by the only one who writes to them. Range sets allocate nothing ahead.
  package var sets: [SetDefinition] {
    var sets: [SetDefinition] = []
    for address in [KeyPart.ipv4Address, .ipv6Address] {
      let names = AddressSets.of(isIPv4: address == .ipv4Address)
      let service = [address, .protocolNumber, .port]
      let way = [address, address, .protocolNumber]
      sets += [
        SetDefinition(names.lease, key: [address], mapsToMark: true, hasTimeouts: true),
        SetDefinition(names.leaseOther, key: [address], mapsToMark: true, hasTimeouts: true),
        SetDefinition(names.leasePort, key: service, mapsToMark: true, hasTimeouts: true),
        SetDefinition(
          names.leaseRange, key: service, mapsToMark: true, isInterval: true, hasTimeouts: true,
          sizeMax: roomy(parameters.limits.rangeElementsMax)),
        SetDefinition(names.block, key: [address], mapsToMark: true, isInterval: true),
        SetDefinition(names.blockPort, key: service, mapsToMark: true, isInterval: true),
        SetDefinition(names.blockExact, key: service, mapsToMark: true),
        SetDefinition(names.own, key: service, hasTimeouts: true),
        SetDefinition(names.cut, key: [address, .port, .port], hasTimeouts: true),
        SetDefinition(
          names.dropped, key: way, sizeMax: UInt32(clamping: parameters.limits.droppedMax), isDynamic: true),
        SetDefinition(
          names.forwarded, key: way, sizeMax: UInt32(clamping: parameters.limits.passingMax), isDynamic: true),
        SetDefinition(
          names.uninvited, key: way, sizeMax: UInt32(clamping: parameters.limits.passingMax), isDynamic: true),
      ]
    }
    sets.append(SetDefinition(.grants, key: [.mark], hasTimeouts: true))
    sets.append(SetDefinition(.gate, key: [.family], hasTimeouts: true))
    if parameters.checksSources { sets.append(SetDefinition(.sources6, key: [.ipv6Address])) }
    return sets
  }

  /// Half as much again: within a transaction a renewed element counts twice, and an expired one counts until the kernel collects it.
  private func roomy(_ max: Int) -> UInt32 { UInt32(clamping: max + max / 2) }
}

/// The sets of one family.
struct AddressSets: Sendable {
  let lease, leaseOther, leasePort, leaseRange, block, blockPort, blockExact, own, cut, dropped, forwarded,
    uninvited: SetName

  static let ipv4 = AddressSets(
    lease: .lease4, leaseOther: .lease4Other, leasePort: .lease4Port, leaseRange: .lease4Range, block: .block4,
    blockPort: .block4Port, blockExact: .block4Exact, own: .own4, cut: .cut4, dropped: .dropped4,
    forwarded: .forwarded4, uninvited: .uninvited4)
  static let ipv6 = AddressSets(
    lease: .lease6, leaseOther: .lease6Other, leasePort: .lease6Port, leaseRange: .lease6Range, block: .block6,
    blockPort: .block6Port, blockExact: .block6Exact, own: .own6, cut: .cut6, dropped: .dropped6,
    forwarded: .forwarded6, uninvited: .uninvited6)

  static func of(isIPv4: Bool) -> AddressSets { isIPv4 ? ipv4 : ipv6 }

  /// What dropped packets are told apart by.
  var way: [PacketField] {
    dropped == .dropped4
      ? [.ipv4Source, .ipv4Destination, .protocolNumber] : [.ipv6Source, .ipv6Destination, .protocolNumber]
  }

  /// The same of packets whose destination was translated.
  var originalWay: [PacketField] {
    dropped == .dropped4
      ? [.ipv4Source, .ipv4OriginalDestination, .protocolNumber]
      : [.ipv6Source, .ipv6OriginalDestination, .protocolNumber]
  }
}

/// A chain with its rules.
struct RuleChain: Sendable {
  struct Rule: Sendable {
    var statements: [Statement]
    var counter: RuleCounter?
  }

  var definition: ChainDefinition
  var rules: [Rule] = []

  init(_ name: ChainName, _ base: ChainDefinition.Base? = nil) { definition = ChainDefinition(name, base: base) }

  mutating func add(_ statements: Statement..., counting counter: RuleCounter? = nil) {
    rules.append(Rule(statements: statements, counter: counter))
  }
}

/// A mark as an element's key: host order, as the kernel compares it. Sallyport runs on little-endian machines (x86-64 and arm64).
func hostOrderBytes(_ mark: UInt32) -> [UInt8] {
  [
    UInt8(truncatingIfNeeded: mark), UInt8(truncatingIfNeeded: mark >> 8), UInt8(truncatingIfNeeded: mark >> 16),
    UInt8(truncatingIfNeeded: mark >> 24),
  ]
}

func hostOrder(_ bytes: [UInt8]) -> UInt32 { bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
