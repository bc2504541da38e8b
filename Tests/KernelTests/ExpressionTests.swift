import Addressing
import EgressPolicy
import Firewall
import Testing

@testable import Netfilter

extension KernelTests {
  /// What goes to the kernel, read back from the octets of the batch.
  struct ExpressionTests {
    static let variants: [FirewallParameters] =
      InstallationTests.variants + [
        InstallationTests.parameters {
          $0.ingress = .ports(PortSet(tcp: [80...80, 8000...8100], udp: [53...53], otherProtocols: false))
        }
      ]

    /// The names of the expressions of each rule (`NFTA_EXPR_NAME`), in the order of the transaction.
    static func names(in transaction: KernelTransaction) -> [[String]] {
      var batch = NftablesBatch(
        reusing: NftablesBatch.Storage(), scratch: LibnftnlMessage(), table: "sallyport", firstSequence: 1,
        removal: .destroy)
      for (index, change) in transaction.changes.enumerated() { batch.append(change, at: index) }
      let octets = batch.finalize().bytes
      var rules: [[String]] = []
      var offset = 0
      while let message = NetlinkMessage.read(at: &offset, in: octets.span, end: octets.count) {
        guard message.type == MessageType.newRule else { continue }
        var names: [String] = []
        var reader = message.attributes(in: octets.span)
        while let attribute = reader.nextAttribute(in: octets.span) {
          guard attribute.type == TablesAttribute.ruleExpressions else { continue }
          var list = AttributeReader(attribute.value, in: octets.span)
          while let expression = list.nextAttribute(in: octets.span) {
            var parts = AttributeReader(expression.value, in: octets.span)
            while let part = parts.nextAttribute(in: octets.span) {
              if part.type == TablesAttribute.expressionName { names.append(octets.span.text(part.value)) }
              guard part.type == TablesAttribute.expressionData, names.last == "dynset" else { continue }
              // What each element gets stands inside: NFTA_DYNSET_EXPR (7).
              var inner = AttributeReader(part.value, in: octets.span)
              while let attribute = inner.nextAttribute(in: octets.span) {
                guard attribute.type == 7 else { continue }
                var element = AttributeReader(attribute.value, in: octets.span)
                while let part = element.nextAttribute(in: octets.span) {
                  if part.type == TablesAttribute.expressionName { names.append(octets.span.text(part.value)) }
                }
              }
            }
          }
        }
        rules.append(names)
      }
      return rules
    }

    @Test(arguments: variants) func nothingOnTheWireIsOutsideWhatAKSsGuestHasC3(
      _ parameters: FirewallParameters
    ) {
      let transaction = Ruleset(parameters).installation()
      let wire = Self.names(in: transaction)
      let rules = transaction.changes.compactMap { if case .appendRule(let rule) = $0 { rule } else { nil } }
      #expect(wire.count == rules.count)
      for (names, rule) in zip(wire, rules) {
        for name in names { #expect(KernelExpression.onAKSKata66.contains(name), "\(name) in \(rule)") }
        // What the core says of itself is what is sent.
        let said = rule.statements.reduce(into: Set<KernelExpression>()) { $0.formUnion($1.expressions) }
        #expect(Set(names) == Set(said.map(\.rawValue)), "\(rule)")
      }
    }

    @Test(arguments: variants) func everyExpressionIsProbedInABatchOfItsOwn(_ parameters: FirewallParameters) {
      let probed = Set(KernelFeature.required.map(\.rawValue))
      for expression in Ruleset(parameters).expressions { #expect(probed.contains(expression.rawValue)) }
    }
  }
}
