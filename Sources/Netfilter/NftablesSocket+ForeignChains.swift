import Firewall

extension NftablesSocket {
  /// The address of Docker's embedded resolver. Its rules touch no other destination, and as an upstream it works with them.
  private static let embeddedResolver: [UInt8] = [127, 0, 0, 11]

  /// Base chains of type nat on the output hook that are not ours and have rules for more than Docker's embedded resolver, as
  /// `FAMILY TABLE CHAIN`, sorted: what they redirect, we would not see. Rules of the old iptables (`ip_tables` without nft) are not
  /// seen this way.
  package func foreignOutputNat() throws(NetlinkError) -> [String] {
    var foreign: [String] = []
    for chain in try outputNatChains() where try !concernsOnlyEmbeddedResolver(chain) {
      foreign.append("\(ProtocolFamily.name(chain.family)) \(chain.table) \(chain.name)")
    }
    return foreign.sorted()
  }

  private struct Chain {
    var family: UInt8
    var table = ""
    var name = ""
    var kind = ""
    var hook: UInt32?
  }

  private func outputNatChains() throws(NetlinkError) -> [Chain] {
    var chains: [Chain] = []
    try requests.dump(MessageType.getChain, family: ProtocolFamily.unspecified, operation: "list chains") { _ in
    } restart: {
      chains = []
    } each: { message, bytes in
      var chain = Chain(family: message.payload.isEmpty ? 0 : bytes[message.payload.lowerBound])
      var reader = message.attributes(in: bytes)
      while let attribute = reader.nextAttribute(in: bytes) {
        switch attribute.type {
        case TablesAttribute.table: chain.table = bytes.text(attribute.value)
        case TablesAttribute.chainName: chain.name = bytes.text(attribute.value)
        case TablesAttribute.chainType: chain.kind = bytes.text(attribute.value)
        case TablesAttribute.chainHook:
          chain.hook = bigEndian32(TablesAttribute.hookNumber, inside: attribute.value, of: bytes)
        default: break
        }
      }
      chains.append(chain)
    }
    return chains.filter {
      $0.kind == ChainDefinition.Kind.nat.rawValue && $0.hook == ChainDefinition.Hook.output.number
        && !($0.family == ProtocolFamily.inet && $0.table == table)
    }
  }

  /// Whether every rule begins with `ip daddr 127.0.0.11`. An empty chain does nothing.
  private func concernsOnlyEmbeddedResolver(_ chain: Chain) throws(NetlinkError) -> Bool {
    var isOnly = true
    try requests.dump(MessageType.getRule, family: chain.family, operation: "list chain \(chain.name)") { request in
      request.attribute(TablesAttribute.table, text: chain.table)
      request.attribute(TablesAttribute.ruleChain, text: chain.name)
    } restart: {
      isOnly = true
    } each: { message, bytes in
      if firstComparison(message, in: bytes) != Self.embeddedResolver { isOnly = false }
    }
    return isOnly
  }
}

/// The destination address (octets 16 to 19 of an IPv4 header) that a rule demands before anything else it matches; nil when there is none.
private func firstComparison(_ message: NetlinkMessage, in bytes: borrowing Span<UInt8>) -> [UInt8]? {
  var reader = message.attributes(in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    guard attribute.type == TablesAttribute.ruleExpressions else { continue }
    var expressions = AttributeReader(attribute.value, in: bytes)
    guard let load = expressions.nextAttribute(in: bytes).flatMap({ expressionData("payload", $0.value, in: bytes) }),
      bigEndian32(TablesAttribute.payloadBase, inside: load, of: bytes) == 1,
      bigEndian32(TablesAttribute.payloadOffset, inside: load, of: bytes) == 16,
      bigEndian32(TablesAttribute.payloadLength, inside: load, of: bytes) == 4,
      let compare = expressions.nextAttribute(in: bytes).flatMap({ expressionData("cmp", $0.value, in: bytes) }),
      bigEndian32(TablesAttribute.compareOperation, inside: compare, of: bytes) == 0
    else { return nil }
    var parts = AttributeReader(compare, in: bytes)
    while let part = parts.nextAttribute(in: bytes) {
      if part.type == TablesAttribute.compareData { return dataValue(part.value, in: bytes) }
    }
  }
  return nil
}

/// Where the attributes of an expression are, when it has this name. NFTA_EXPR_NAME comes before NFTA_EXPR_DATA.
func expressionData(_ name: String, _ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> Range<Int>? {
  var hasName = false
  var reader = AttributeReader(range, in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    if attribute.type == TablesAttribute.expressionName { hasName = bytes.text(attribute.value) == name }
    if attribute.type == TablesAttribute.expressionData { return hasName ? attribute.value : nil }
  }
  return nil
}

/// The first attribute of this type inside a nest, as a number.
private func bigEndian32(_ type: UInt16, inside range: Range<Int>, of bytes: borrowing Span<UInt8>) -> UInt32? {
  var reader = AttributeReader(range, in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    if attribute.type == type, attribute.value.count == 4 { return bytes.bigEndian32(at: attribute.value.lowerBound) }
  }
  return nil
}
