import Firewall

extension NftablesSocket {
  /// Everything of our table but its elements and counters, as octets to compare with others of the same kernel: flags of the table, chains, sets and each
  /// expression of each rule, with the handles that the kernel numbers them by, so that a rule that was deleted and made again differs too. Nil: there is no table.
  package func structure() throws(NetlinkError) -> [UInt8]? {
    guard try hasTable() else { return nil }
    let table = table
    var octets = try structure(MessageType.getTable, TablesAttribute.tableStructure)
    octets += try structure(MessageType.getChain, TablesAttribute.chainStructure)
    octets += try structure(MessageType.getSet, TablesAttribute.setStructure) { request in
      request.attribute(TablesAttribute.table, text: table)
    }
    octets += try structure(MessageType.getRule, TablesAttribute.ruleStructure) { request in
      request.attribute(TablesAttribute.table, text: table)
    }
    return octets
  }

  private func structure(
    _ type: UInt16, _ kept: Set<UInt16>, _ compose: (inout MessageWriter) -> Void = { _ in }
  ) throws(NetlinkError) -> [UInt8] {
    var octets: [UInt8] = []
    let table = table
    try requests.dump(type, family: ProtocolFamily.inet, operation: "list table \(table)", compose) {
      octets = []
    } each: { message, bytes in
      var reader = message.attributes(in: bytes)
      var own: [UInt8] = []
      var isOurs = false
      while let attribute = reader.nextAttribute(in: bytes) {
        if attribute.type == TablesAttribute.table { isOurs = bytes.text(attribute.value) == table }
        guard kept.contains(attribute.type) else { continue }
        own.append(UInt8(truncatingIfNeeded: attribute.type))
        own +=
          attribute.type == TablesAttribute.ruleExpressions && type == MessageType.getRule
          ? expressions(attribute.value, in: bytes) : bytes.array(attribute.value)
      }
      if isOurs { octets += own }
    }
    return octets
  }
}

/// The expressions of a rule without what counters have counted.
func expressions(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> [UInt8] {
  var octets: [UInt8] = []
  var list = AttributeReader(range, in: bytes)
  while let expression = list.nextAttribute(in: bytes) {
    octets += expressionData("counter", expression.value, in: bytes) == nil ? bytes.array(expression.value) : [0]
  }
  return octets
}

extension TablesAttribute {
  /// NFTA_TABLE_NAME, _FLAGS, _HANDLE.
  fileprivate static let tableStructure: Set<UInt16> = [1, 2, 4]
  /// NFTA_CHAIN_TABLE, _HANDLE, _NAME, _HOOK, _POLICY, _TYPE, _FLAGS.
  fileprivate static let chainStructure: Set<UInt16> = [1, 2, 3, 4, 5, 7, 10]
  /// NFTA_SET_TABLE, _NAME, _FLAGS, _KEY_TYPE, _KEY_LEN, _DATA_TYPE, _DATA_LEN, _HANDLE.
  fileprivate static let setStructure: Set<UInt16> = [1, 2, 3, 4, 5, 6, 7, 16]
  /// NFTA_RULE_TABLE, _CHAIN, _HANDLE, _EXPRESSIONS.
  fileprivate static let ruleStructure: Set<UInt16> = [1, 2, 3, 4]
}
