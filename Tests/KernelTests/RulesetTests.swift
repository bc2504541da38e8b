import Addressing
import Firewall
import Testing
import Timekeeping

@testable import Netfilter

extension KernelTests {
  @Suite(.serialized) struct RulesetTests {
    static let chain = ChainName(rawValue: "c")

    /// The statement as we write it, and as `nft` lists the rule.
    static let statements: [([Statement], String)] = [
      ([.socketUser(65_532), .accept], "meta skuid 65532 accept"),
      ([.socketUser(0, .notEqual), .drop], "meta skuid != 0 drop"),
      ([.packetMark(0x1234_5678), .accept], "meta mark 0x12345678 accept"),
      ([.outputInterface("lo"), .accept], "oifname \"lo\" accept"),
      ([.outputInterface("lo", .notEqual), .accept], "oifname != \"lo\" accept"),
      ([.family(ipv4: true), .accept], "meta nfproto ipv4 accept"),
      ([.family(ipv4: false), .accept], "meta nfproto ipv6 accept"),
      ([.protocols([6]), .accept], "meta l4proto tcp accept"),
      ([.protocols([6, 17]), .accept], "meta l4proto { tcp, udp } accept"),
      ([.protocols([6, 17]), .destinationPort(53), .accept], "meta l4proto { tcp, udp } th dport 53 accept"),
      ([.protocols([6]), .destinationPort(80, .notEqual), .accept], "tcp dport != 80 accept"),
      ([.protocols([17]), .sourcePort(53), .accept], "udp sport 53 accept"),
      (
        [.protocols([6]), .destinationPorts([80...80, 8000...8100, 65_535...65_535]), .accept],
        "tcp dport { 80, 8000-8100, 65535 } accept"
      ),
      ([.destinationAddress([10, 1, 2, 3]), .accept], "ip daddr 10.1.2.3 accept"),
      ([.sourcePrefix([127], ipv4: true, .notEqual), .accept], "ip saddr != 127.0.0.0/8 accept"),
      (
        [.sourcePrefix([UInt8](repeating: 0, count: 15) + [1], ipv4: false, .notEqual), .accept],
        "ip6 saddr != ::1 accept"
      ),
      (
        [.destinationAddress([0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]), .accept],
        "ip6 daddr 2001:db8::1 accept"
      ),
      ([.isConnectionRequest, .accept], "tcp flags syn / fin,syn,rst,ack accept"),
      (
        [.icmpv6Types([133, 134, 135, 136]), .accept],
        "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept"
      ),
      ([.connectionState([.established, .related]), .accept], "ct state established,related accept"),
      ([.connectionState(.new), .accept], "ct state new accept"),
      ([.connectionState([.invalid, .untracked]), .accept], "ct state invalid,untracked accept"),
      ([.direction(isReply: true), .accept], "ct direction reply accept"),
      ([.direction(isReply: false), .accept], "ct direction original accept"),
      ([.connectionMark(0x8000_0001), .accept], "ct mark 0x80000001 accept"),
      (
        [.connectionMarkMasked(mask: 0xff00, value: 0x0100), .drop],
        "ct mark & 0x0000ff00 == 0x00000100 drop"
      ),
      (
        [.connectionMarkMasked(mask: 0xff, value: 1, .notEqual), .drop], "ct mark & 0x000000ff != 0x00000001 drop"
      ),
      ([.connectionMarkIn(SetName(rawValue: "grants")), .accept], "ct mark @grants accept"),
      ([.familyIn(SetName(rawValue: "families")), .accept], "meta nfproto @families accept"),
      (
        [.fieldsIn(SetName(rawValue: "ports4"), [.ipv4Destination, .protocolNumber, .destinationPort]), .accept],
        "ip daddr . meta l4proto . th dport @ports4 accept"
      ),
      (
        [.fieldsIn(SetName(rawValue: "ports6"), [.ipv6Destination, .protocolNumber, .destinationPort]), .accept],
        "ip6 daddr . meta l4proto . th dport @ports6 accept"
      ),
      ([.setConnectionMark(0x8000_0001)], "ct mark set 0x80000001"),
      (
        [.setConnectionMarkFrom(SetName(rawValue: "lease4"), [.ipv4Destination]), .accept],
        "ct mark set ip daddr map @lease4 accept"
      ),
      (
        [.setConnectionMarkFrom(SetName(rawValue: "lease6"), [.ipv6Destination]), .accept],
        "ct mark set ip6 daddr map @lease6 accept"
      ),
      (
        [
          .setConnectionMarkFrom(
            SetName(rawValue: "lease4_port"), [.ipv4Destination, .protocolNumber, .destinationPort]), .accept,
        ], "ct mark set ip daddr . meta l4proto . th dport map @lease4_port accept"
      ),
      (
        [.countIn(SetName(rawValue: "ways4"), [.ipv4Source, .ipv4Destination, .protocolNumber])],
        "add @ways4 { ip saddr . ip daddr . meta l4proto counter }"
      ),
      (
        [.countIn(SetName(rawValue: "ways4"), [.ipv4Source, .ipv4OriginalDestination, .protocolNumber])],
        "add @ways4 { ip saddr . ct original ip daddr . meta l4proto counter }"
      ),
      (
        [.countIn(SetName(rawValue: "ways6"), [.ipv6Source, .ipv6OriginalDestination, .protocolNumber])],
        "add @ways6 { ip6 saddr . ct original ip6 daddr . meta l4proto counter }"
      ),
      ([.countsBytes, .counter], "ct original bytes > 0 counter packets 0 bytes 0"),
      ([.counter, .drop], "counter packets 0 bytes 0 drop"),
      ([.jump(ChainName(rawValue: "other"))], "jump other"),
      ([.goTo(ChainName(rawValue: "other"))], "goto other"),
      ([.returnToCaller], "return"),
    ]

    static let sets: [SetDefinition] = [
      SetDefinition(SetName(rawValue: "grants"), key: [.mark], hasTimeouts: true),
      SetDefinition(SetName(rawValue: "families"), key: [.family], hasTimeouts: true),
      SetDefinition(SetName(rawValue: "ports4"), key: [.ipv4Address, .protocolNumber, .port], sizeMax: 1000),
      SetDefinition(
        SetName(rawValue: "ways4"), key: [.ipv4Address, .ipv4Address, .protocolNumber], sizeMax: 8, isDynamic: true),
      SetDefinition(
        SetName(rawValue: "ways6"), key: [.ipv6Address, .ipv6Address, .protocolNumber], sizeMax: 8, isDynamic: true),
      SetDefinition(SetName(rawValue: "ports6"), key: [.ipv6Address, .protocolNumber, .port]),
      SetDefinition(SetName(rawValue: "lease4"), key: [.ipv4Address], mapsToMark: true, hasTimeouts: true),
      SetDefinition(SetName(rawValue: "lease6"), key: [.ipv6Address], mapsToMark: true, hasTimeouts: true),
      SetDefinition(
        SetName(rawValue: "lease4_port"), key: [.ipv4Address, .protocolNumber, .port], mapsToMark: true,
        hasTimeouts: true),
    ]

    /// Interfaces only exist on one side: `iifname` belongs into an input chain, and needs no other listing.
    @Test func everyStatementIsListedAsIntended() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        let other = ChainName(rawValue: "other")
        var changes: [KernelChange] = [.addTable] + Self.sets.map { .addSet($0) }
        changes += [.addChain(ChainDefinition(other)), .addChain(ChainDefinition(Self.chain))]
        changes += Self.statements.map { .appendRule(RuleDefinition(Self.chain, $0.0)) }
        #expect(socket.commit(KernelTransaction(changes)) == .committed)
        let listed = shell("nft list chain inet sallyport c").split(separator: "\n").map {
          $0.drop { $0 == "\t" }
        }
        #expect(listed.dropFirst(2).dropLast(2).map(String.init) == Self.statements.map(\.1))
      }
    }

    @Test func baseChainsAndRedirectAreListedAsIntended() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        let steer = ChainName(rawValue: "steer")
        let input = ChainName(rawValue: "in")
        #expect(
          socket.commit(
            KernelTransaction([
              .addTable,
              .addChain(
                ChainDefinition(steer, base: .init(kind: .nat, hook: .output, priority: -100, drops: false))),
              .addChain(
                ChainDefinition(input, base: .init(kind: .filter, hook: .input, priority: 0, drops: true))),
              .appendRule(RuleDefinition(steer, [.protocols([6, 17]), .destinationPort(53), .redirect(15_353)])),
              .appendRule(RuleDefinition(input, [.inputInterface("lo"), .accept])),
              .appendRule(RuleDefinition(input, [.inputInterface("eth0", .notEqual), .drop])),
            ])) == .committed)
        let expected = """
          table inet sallyport {
          \tchain steer {
          \t\ttype nat hook output priority -100; policy accept;
          \t\tmeta l4proto { tcp, udp } th dport 53 redirect to :15353
          \t}

          \tchain in {
          \t\ttype filter hook input priority filter; policy drop;
          \t\tiifname "lo" accept
          \t\tiifname != "eth0" drop
          \t}
          }

          """
        #expect(shell("nft list ruleset") == expected)
        // A second time is no error, and changes nothing.
        #expect(socket.commit(KernelTransaction([.addTable])) == .committed)
        #expect(socket.commit(KernelTransaction([.flushChain(input)])) == .committed)
        #expect(!shell("nft list ruleset").contains("eth0"))
        #expect(try socket.hasTable())
        #expect(socket.commit(KernelTransaction([.deleteTable])) == .committed)
        #expect(shell("nft list ruleset") == "")
        #expect(try !socket.hasTable())
      }
    }

    @Test func setsAreListedAsIntended() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        #expect(
          socket.commit(KernelTransaction([.addTable] + Self.sets.map { .addSet($0) })) == .committed)
        let listed = shell("nft list ruleset")
        for type in [
          "type mark\n", "type nf_proto\n", "type ipv4_addr . inet_proto . inet_service\n\t\tsize 1000",
          "type ipv4_addr : mark\n\t\tflags timeout", "type ipv6_addr : mark",
          "type ipv6_addr . inet_proto . inet_service\n",
          "type ipv4_addr . inet_proto . inet_service : mark\n\t\tflags timeout",
        ] {
          #expect(listed.contains(type), "\(type) in \(listed)")
        }
        // Declaring an equal set again is no error.
        #expect(socket.commit(KernelTransaction(Self.sets.map { .addSet($0) })) == .committed)
        #expect(socket.commit(KernelTransaction([.deleteSet(Self.sets[0].name)])) == .committed)
        #expect(!shell("nft list ruleset").contains("grants"))
      }
    }

    @Test func refusedTransactionRollsBackWholeAndNamesItsChange() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        let set = SetDefinition(SetName(rawValue: "s"), key: [.mark])
        let outcome = socket.commit(
          KernelTransaction([
            .addTable, .addSet(set), .addElements(set.name, [SetElement([[1, 0, 0, 0]])]),
            .deleteElements(set.name, [SetElement([[2, 0, 0, 0]])]), .addChain(ChainDefinition(Self.chain)),
          ]))
        guard case .refused(let refusal) = outcome else {
          Issue.record("was committed")
          return
        }
        #expect(refusal.code == 2)
        #expect(refusal.change == 3)
        #expect(refusal.reason.contains("delete 1 elements of s"), "\(refusal.reason)")
        #expect(shell("nft list ruleset") == "")
        // The socket works on.
        #expect(socket.commit(KernelTransaction([.addTable])) == .committed)
      }
    }

    @Test func manyErrorsAreOneRefusalThatNamesTheFirst() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        #expect(socket.commit(KernelTransaction([.addTable])) == .committed)
        let changes = (0..<20_000).map { KernelChange.deleteSet(SetName(rawValue: "absent\($0)")) }
        guard case .refused(let refusal) = socket.commit(KernelTransaction(changes)) else {
          Issue.record("was committed")
          return
        }
        #expect(refusal.change == 0)
        #expect(socket.commit(KernelTransaction([.deleteTable])) == .committed)
      }
    }

    @Test func anEmptyTransactionNeedsNoKernel() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        #expect(socket.commit(KernelTransaction()) == .committed)
      }
    }

    @Test func foreignNatOnOutputIsSeen() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        let base = ChainDefinition.Base(kind: .nat, hook: .output, priority: -100, drops: false)
        #expect(
          socket.commit(KernelTransaction([.addTable, .addChain(ChainDefinition(Self.chain, base: base))]))
            == .committed)
        #expect(try socket.foreignOutputNat() == [])
        shell(
          """
          nft add table ip mesh
          nft add chain ip mesh OUTPUT '{ type nat hook output priority -100; }'
          nft add chain ip mesh PRE '{ type nat hook prerouting priority -100; }'
          nft add table inet other
          nft add chain inet other o '{ type filter hook output priority 0; }'
          nft add chain inet other n '{ type nat hook output priority 0; }'
          nft add rule ip mesh PRE redirect
          nft add rule inet other o accept
          """)
        // Chains without rules do nothing, and Docker's resolver is known.
        #expect(try socket.foreignOutputNat() == [])
        shell("nft add rule ip mesh OUTPUT ip daddr 127.0.0.11 counter accept")
        #expect(try socket.foreignOutputNat() == [])
        shell(
          """
          nft add rule ip mesh OUTPUT ip saddr 127.0.0.11 counter accept
          nft add rule inet other n tcp dport 80 redirect to :15001
          nft add chain ip mesh ISTIO_OUTPUT
          nft add rule ip mesh OUTPUT meta l4proto tcp jump ISTIO_OUTPUT
          """)
        #expect(
          try socket.foreignOutputNat().map(\.description) == [
            "inet other n", "ip mesh OUTPUT (to ISTIO_OUTPUT; of Istio, it seems)",
          ])
      }
    }

    @Test func logIsListedWhereTheKernelHasIt() throws {
      try NetworkNamespace().run {
        let missing = try FeatureProbe().missing([.log])
        let socket = try NftablesSocket()
        let outcome = socket.commit(
          KernelTransaction([
            .addTable, .addChain(ChainDefinition(Self.chain)),
            .appendRule(RuleDefinition(Self.chain, [.log(group: 5)])),
          ]))
        #expect((outcome == .committed) == missing.isEmpty)
        #expect(shell("nft list ruleset").contains("log group 5") == missing.isEmpty)
      }
    }

    @Test func featureProbeLeavesNothingBehind() throws {
      try NetworkNamespace().run {
        let probe = try FeatureProbe()
        #expect(probe.missing(KernelFeature.required).map(\.feature) == [])
        #expect(shell("nft list ruleset") == "")
      }
    }
  }
}
