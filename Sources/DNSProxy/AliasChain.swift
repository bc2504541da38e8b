import DNSWire

/// The aliases of an answer, in order from the question's name (T8).
struct AliasChain {
  /// Indices into the message's records.
  private(set) var records: [Int] = []
  /// Where the name stands at which the chain ends: the question's when there is no alias.
  private(set) var end = Header.length

  /// Every alias of the answer section must be a link of one chain, each name with one alias and none twice. An alias
  /// in another section is of no use to anyone and is not looked at.
  static func follow(_ message: Message) throws(AnswerFault) -> AliasChain {
    var chain = AliasChain()
    var aliases: [Int] = []
    for (index, record) in message.records.enumerated()
    where record.section == .answer && record.type == .cname && record.recordClass == .in {
      guard aliases.count < DNSProxySettings.aliasesMax else { throw .aliasChainTooLong }
      aliases.append(index)
    }
    guard !aliases.isEmpty else { return chain }
    var visited = [chain.end]
    while let at = aliases.firstIndex(where: { message.namesAreEqual(message.records[$0].ownerOffset, chain.end) }) {
      let index = aliases.remove(at: at)
      guard let target = message.targetOffset(of: message.records[index]) else { throw .aliasOutsideChain }
      guard !visited.contains(where: { message.namesAreEqual($0, target) }) else { throw .aliasLoop }
      chain.records.append(index)
      chain.end = target
      visited.append(target)
    }
    guard aliases.isEmpty else { throw .aliasOutsideChain }
    return chain
  }

  /// Whether the name at `offset` is one of the chain's, its end included.
  func contains(_ offset: Int, in message: Message) -> Bool {
    message.namesAreEqual(offset, end)
      || records.contains { message.namesAreEqual(message.records[$0].ownerOffset, offset) }
  }
}
