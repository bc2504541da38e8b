import Addressing
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

struct NFTTextTests {
  @Test func changesReadAsNFTWritesThem() {
    let element = SetElement([[198, 51, 100, 1], [6], [1, 187]], mark: 7, timeout: .seconds(120))
    let range = SetElement(
      [[10, 0, 0, 0], [17], [0, 53]], last: [[10, 255, 255, 255], [17], [0, 60]], mark: 0xc000_0001)
    let text = nftText(
      KernelTransaction([
        .addTable,
        .addSet(SetDefinition(.gate, key: [.family], hasTimeouts: true, sizeMax: 16)),
        .addElements(.lease4Port, [element]),
        .renewElements(.grants, [SetElement([[7, 0, 0, 0]])]),
        .destroyElements(.block4Port, [range]),
        .appendRule(RuleDefinition(.out, [.protocols([6, 17]), .destinationPort(53), .counter, .drop])),
      ]))
    #expect(
      text == """
        add table inet sallyport
        add set inet sallyport gate { type nf_proto; size 16; flags timeout; }
        add element inet sallyport lease4_port { 198.51.100.1 . tcp . 443 timeout 120000ms : 0x00000007 }
        add element inet sallyport grants { 0x00000007 }
        delete element inet sallyport grants { 0x00000007 }
        add element inet sallyport grants { 0x00000007 }
        add element inet sallyport block4_port { 10.0.0.0-10.255.255.255 . udp . 53-60 : 0xc0000001 }
        delete element inet sallyport block4_port { 10.0.0.0-10.255.255.255 . udp . 53-60 }
        add rule inet sallyport out meta l4proto { tcp, udp } th dport 53 counter drop

        """)
  }

  @Test(arguments: variants) func everyExpressionOfTheRulesetIsOneThatAKSsGuestHasC3(_ variant: Variant) {
    var parameters = Fixture.parameters
    variant.change(&parameters)
    let ruleset = Ruleset(parameters)
    for case .appendRule(let rule) in ruleset.installation().changes {
      for statement in rule.statements {
        for expression in statement.expressions.sorted() {
          #expect(KernelExpression.onAKSKata66.contains(expression.rawValue), "\(expression) in \(rule)")
        }
      }
    }
    #expect(ruleset.expressions.count > 8)
    #expect(!KernelExpression.onAKSKata66.contains(KernelExpression.log.rawValue))
  }

  @Test func everyCounterStandsWhereItSays() throws {
    let ruleset = Ruleset(Fixture.parameters)
    #expect(Set(ruleset.counterPlaces.map(\.counter)).isSubset(of: RuleCounter.allCases))
    #expect(Set(ruleset.counterPlaces.map(\.counter)).count == RuleCounter.allCases.count)
    var rules: [ChainName: [[Statement]]] = [:]
    for case .appendRule(let rule) in ruleset.installation().changes {
      rules[rule.chain, default: []].append(rule.statements)
    }
    for place in ruleset.counterPlaces {
      #expect(rules[place.chain]?[place.rule].contains(.counter) == true)
    }
  }

  struct Variant: CustomStringConvertible, Sendable {
    var description: String
    var change: @Sendable (inout FirewallParameters) -> Void
  }

  static let variants: [Variant] = [
    Variant(description: "usual") { _ in },
    Variant(description: "no IPv6 listener") { $0.dnsPort6 = nil },
    Variant(description: "no ingress") { $0.ingress = .none },
    Variant(description: "ingress ports") {
      $0.ingress = .ports(PortSet(tcp: [8080...8080, 44_000...44_772], udp: [5_000...5_000], otherProtocols: false))
    },
    Variant(description: "observe") { $0.enforces = false },
    Variant(description: "no API") { $0.apiPort = nil },
  ]

  @Test(.enabled(if: NetworkNamespace.isPossible), arguments: variants)
  func textLoadsFromNothingAndOverItself(_ variant: Variant) throws {
    var parameters = Fixture.parameters
    variant.change(&parameters)
    let namespace = try NetworkNamespace()
    let text = nftText(Ruleset(parameters).installation())
    try namespace.inPod("nft", "-f", "-", input: text)
    try namespace.inPod("nft", "add element inet sallyport lease4 { 192.0.2.1 timeout 1h : 5 }")
    let once = try namespace.inPod("nft", "-s", "list", "ruleset")
    try namespace.inPod("nft", "-f", "-", input: text)
    #expect(try namespace.inPod("nft", "-s", "list", "ruleset") == once)
    #expect(once.contains("192.0.2.1"))
    // The same through the sockets of the library: nothing is left of it after the removal.
    try namespace.inPod("nft", "-f", "-", input: nftText(Ruleset.removal))
    #expect(try namespace.inPod("nft", "list", "ruleset") == "")
  }

  /// What the model stages is what the real kernel takes, step by step: new, renewed, moved to another mark, cut where ranges overlap, deleted.
  @Test(.enabled(if: NetworkNamespace.isPossible))
  func everyTransactionOfALifeIsAccepted() throws {
    let namespace = try NetworkNamespace()
    var world = try Fixture()
    try namespace.inPod("nft", "-f", "-", input: nftText(Ruleset(Fixture.parameters).installation()))
    func commit() throws {
      let taken = world.take()
      guard let taken else { return }
      try namespace.inPod("nft", "-f", "-", input: nftText(taken.transaction))
      try world.kernel.commit(taken.transaction, at: world.now.instant)
      _ = world.firewall.settle(taken.id, .committed, at: world.now)
    }
    let first = [
      "deny 203.0.113.0/24 25", "allow a.test 1000-2000/tcp", "allow b.test 1500-2500/tcp", "allow *.pool.test",
      "allow c.test 443", "allow 10.0.0.0/8 22/tcp", "allow 10.1.0.0/16", "allow 2001:db8:1::/48 80-90,443",
      "deny 192.0.2.0/24",
    ]
    try world.replace(first)
    try commit()
    for (name, host) in [
      ("a.test", "198.51.100.1"), ("b.test", "198.51.100.1"), ("x.pool.test", "198.51.100.1"),
      ("y.pool.test", "198.51.100.1"), ("c.test", "2001:db8::5"), ("a.test", "2001:db8::5"),
    ] {
      _ = try world.stage(name, host)
      try commit()
    }
    world.now = Fixture.moment(70)
    _ = try world.stage("a.test", "198.51.100.1", ttl: 500)
    _ = try world.stage("y.pool.test", "198.51.100.1", ttl: 500)
    try commit()
    world.firewall.closeGate(at: world.now)
    try commit()
    world.firewall.openGate(for: .seconds(30), at: world.now)
    try commit()
    #expect(
      world.firewall.permitOwn(Endpoint(try address("10.0.0.53"), 53), [.udp, .tcp], for: .seconds(60), at: world.now))
    try commit()
    try world.replace(
      "allow a.test 1000-1700/tcp", "allow x.pool.test", "allow 10.0.0.0/9", "allow 2001:db8:1::/48 85", "default allow"
    )
    try commit()
    try world.replace("deny *")
    try commit()
    world.firewall.restore(wholly: true, at: world.now)
    try commit()
    let text = try namespace.inPod("nft", "list", "ruleset")
    #expect(!text.contains("198.51.100.1"))
    #expect(text.contains("198.51.100.1") == false && text.contains("redirect to :9"))
  }
}
