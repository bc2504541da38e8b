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

private func ruleCount(_ message: NetlinkMessage, in bytes: borrowing Span<UInt8>) -> RuleCount? {
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

private func expressionCount(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> RuleCount? {
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
