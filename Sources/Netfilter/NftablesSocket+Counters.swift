import Firewall

/// What a `counter` statement has counted since its rule was made.
package struct RuleCount: Hashable, Sendable {
  package var packets: UInt64
  package var bytes: UInt64

  package init(packets: UInt64, bytes: UInt64) {
    self.packets = packets
    self.bytes = bytes
  }
}

extension NftablesSocket {
  /// The counters of a chain of our table, one item a rule in the chain's order: nil for a rule without `counter`. The corresponding
  /// command is `nft list chain inet sallyport CHAIN`.
  package func counts(of chain: ChainName) throws(NetlinkError) -> [RuleCount?] {
    var counts: [RuleCount?] = []
    let table = table
    try requests.dump(
      MessageType.getRule, family: ProtocolFamily.inet, operation: "list chain \(chain.rawValue)"
    ) { request in
      request.attribute(TablesAttribute.table, text: table)
      request.attribute(TablesAttribute.ruleChain, text: chain.rawValue)
    } restart: {
      counts = []
    } each: { message, bytes in
      counts.append(ruleCount(message, in: bytes))
    }
    return counts
  }
}

extension NftablesSocket {
  /// What the kernel counted, and the dropped packets not yet taken.
  package func counts(of ruleset: Ruleset) throws(NetlinkError) -> KernelCounts {
    var rules: [RuleCounter: UInt64] = [:]
    var chains: [ChainName: [RuleCount?]] = [:]
    for set in ruleset.sets {
      guard let counter = Ruleset.flowSets.first(where: { $0.value == set.name })?.key else { continue }
      rules[counter] = try countedElements(of: set).reduce(0) { $0 + $1.count.packets }
    }
    for place in ruleset.counterPlaces where Ruleset.flowSets[place.counter] == nil {
      if chains[place.chain] == nil { chains[place.chain] = try counts(of: place.chain) }
      guard let chain = chains[place.chain], chain.indices.contains(place.rule), let count = chain[place.rule] else {
        continue
      }
      rules[place.counter, default: 0] += count.packets
    }
    return KernelCounts(rules: rules, dropped: try dropped(by: ruleset))
  }

  /// The dropped packets not yet taken.
  package func dropped(by ruleset: Ruleset) throws(NetlinkError) -> [DroppedPackets] {
    var dropped: [DroppedPackets] = []
    for set in ruleset.sets where set.isDynamic {
      for (element, count) in try countedElements(of: set) where count.packets > 0 {
        if let one = DroppedPackets(element, packets: count.packets, of: set.name) { dropped.append(one) }
      }
    }
    return dropped
  }
}

func ruleCount(_ message: NetlinkMessage, in bytes: borrowing Span<UInt8>) -> RuleCount? {
  var reader = message.attributes(in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    guard attribute.type == TablesAttribute.ruleExpressions else { continue }
    var expressions = AttributeReader(attribute.value, in: bytes)
    while let expression = expressions.nextAttribute(in: bytes) {
      if let count = expressionCount(expression.value, in: bytes) { return count }
    }
  }
  return nil
}

/// What a `counter` expression says; nil for another expression.
func expressionCount(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> RuleCount? {
  guard let data = expressionData("counter", range, in: bytes) else { return nil }
  var count = RuleCount(packets: 0, bytes: 0)
  var reader = AttributeReader(data, in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    let number = bytes.bigEndian64(at: attribute.value.lowerBound) ?? 0
    if attribute.type == TablesAttribute.counterBytes { count.bytes = number }
    if attribute.type == TablesAttribute.counterPackets { count.packets = number }
  }
  return count
}
