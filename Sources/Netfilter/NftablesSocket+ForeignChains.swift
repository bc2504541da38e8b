import Firewall

extension NftablesSocket {
  /// The address of Docker's embedded resolver. Its rules touch no other destination, and as an upstream it works with them.
  private static let embeddedResolver: [UInt8] = [127, 0, 0, 11]

  /// Base chains of type nat on the output hook that are not ours and have rules for more than Docker's embedded resolver, sorted: what they
  /// redirect, we would not see. Rules of the old iptables (`ip_tables` without nft) are not seen this way.
  package func foreignOutputNat() throws(NetlinkError) -> [ForeignChain] {
    var foreign: [ForeignChain] = []
    for chain in try outputNatChains() {
      let rules = try rules(of: chain)
      guard !rules.isEmpty else { continue }
      foreign.append(
        ForeignChain(
          place: "\(ProtocolFamily.name(chain.family)) \(chain.table) \(chain.name)",
          jumps: rules.compactMap(\.jump).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }))
    }
    return foreign.sorted { $0.place < $1.place }
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

  private struct ForeignRule {
    var jump: String?
  }

  /// The rules that do not begin with `ip daddr 127.0.0.11`.
  private func rules(of chain: Chain) throws(NetlinkError) -> [ForeignRule] {
    var rules: [ForeignRule] = []
    try requests.dump(MessageType.getRule, family: chain.family, operation: "list chain \(chain.name)") { request in
      request.attribute(TablesAttribute.table, text: chain.table)
      request.attribute(TablesAttribute.ruleChain, text: chain.name)
    } restart: {
      rules = []
    } each: { message, bytes in
      if firstComparison(message, in: bytes) != Self.embeddedResolver {
        rules.append(ForeignRule(jump: jump(message, in: bytes)))
      }
    }
    return rules
  }
}

/// A nat chain on the output hook that someone else made.
package struct ForeignChain: Hashable, Sendable, CustomStringConvertible {
  /// `FAMILY TABLE CHAIN`.
  package var place: String
  /// The chains that its rules lead to.
  package var jumps: [String]

  /// Beginnings of names of tables and chains, and whose they are.
  private static let owners = [
    ("ISTIO", "Istio"), ("PROXY_INIT", "Linkerd"), ("CILIUM", "Cilium"), ("KUBE-", "kube-proxy"), ("KUMA", "Kuma"),
    ("CNI-", "a CNI plugin"), ("DOCKER", "Docker"), ("OPENSANDBOX", "OpenSandbox"),
  ]

  package var description: String {
    let names = place.split(separator: " ").map(String.init) + jumps
    let owner = Self.owners.first { owner in names.contains { $0.uppercased().hasPrefix(owner.0) } }
    let parts =
      (jumps.isEmpty ? [] : ["to \(jumps.joined(separator: ", "))"]) + (owner.map { ["of \($0.1), it seems"] } ?? [])
    return parts.isEmpty ? place : "\(place) (\(parts.joined(separator: "; ")))"
  }
}

/// The destination address (octets 16 to 19 of an IPv4 header) that a rule demands before anything else it matches; nil when there is none.
func firstComparison(_ message: NetlinkMessage, in bytes: borrowing Span<UInt8>) -> [UInt8]? {
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

/// The chain that a rule jumps or goes to.
func jump(_ message: NetlinkMessage, in bytes: borrowing Span<UInt8>) -> String? {
  var reader = message.attributes(in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    guard attribute.type == TablesAttribute.ruleExpressions else { continue }
    var expressions = AttributeReader(attribute.value, in: bytes)
    while let expression = expressions.nextAttribute(in: bytes) {
      guard let immediate = expressionData("immediate", expression.value, in: bytes),
        let data = nest(TablesAttribute.immediateData, inside: immediate, of: bytes),
        let verdict = nest(TablesAttribute.dataVerdict, inside: data, of: bytes),
        let chain = nest(TablesAttribute.verdictChain, inside: verdict, of: bytes)
      else { continue }
      return bytes.text(chain)
    }
  }
  return nil
}

/// Where the value of the first attribute of this type inside a nest is.
private func nest(_ type: UInt16, inside range: Range<Int>, of bytes: borrowing Span<UInt8>) -> Range<Int>? {
  var reader = AttributeReader(range, in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    if attribute.type == type { return attribute.value }
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
