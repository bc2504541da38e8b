import Addressing
import EgressPolicy
import Firewall
import FlowAudit
import Foundation
import Testing
import Timekeeping

@testable import Netfilter

extension KernelTests {
  /// The firewall's own ruleset: what libnftnl loads is what its text says, and it does to packets what it promises.
  @Suite(.serialized) struct InstallationTests {
    static func parameters(_ change: (inout FirewallParameters) -> Void = { _ in }) -> FirewallParameters {
      var parameters = FirewallParameters(
        ownUser: 65_532, ownMark: 0x1234_5678, dnsPort4: 15_353, dnsPort6: 15_353, apiPort: 18_080)
      // Small sets load faster.
      parameters.limits.leasesMax = 1024
      parameters.limits.portElementsMax = 1024
      parameters.limits.grantsMax = 1024
      change(&parameters)
      return parameters
    }

    static let variants: [FirewallParameters] = [
      parameters(),
      parameters { $0.ingress = .none },
      parameters { $0.dnsPort6 = nil },
      parameters { $0.enforces = false },
      parameters { $0.checksSources = true },
      parameters {
        $0.apiPort = nil
        $0.refusesDirectDNS = false
      },
    ]

    /// The rules that the kernel holds, down to each expression, without handles. Left out are two things that `nft` adds and that do
    /// nothing: an element that ends at zero in front of ranges, and a swap of octets in the one octet of a protocol number.
    static func expressions() -> [String] {
      shell("nft --debug=netlink list ruleset").split(separator: "\n").map(String.init).filter { line in
        !line.contains("element") && !line.contains(/byteorder reg \d+ = hton\(reg \d+, 2, 1\)/)
      }.map { line in
        line.replacing(/^inet sallyport (\w+) \d+( \d+)?/) { "inet sallyport \($0.1)" }
      }
    }

    @Test(arguments: variants) func loadedRulesetEqualsItsText(_ parameters: FirewallParameters) throws {
      var installation = Ruleset(parameters).installation()
      installation.changes += [
        .addElements(
          .lease4, [SetElement([[192, 0, 2, 1]], mark: 7, timeout: .seconds(3600))]),
        .addElements(.grants, [SetElement([hostOrderBytes(7)])]),
        .addElements(.gate, [SetElement([[2]]), SetElement([[10]])]),
        .addElements(.block4, [SetElement([[10, 0, 0, 0]], last: [[10, 255, 255, 255]], mark: 8)]),
        .addElements(
          .block4Port, [SetElement([[10, 0, 0, 0], [6], [0, 80]], last: [[10, 0, 0, 255], [6], [0, 81]], mark: 9)]),
      ]
      let transaction = installation
      let ours = try NetworkNamespace().run {
        let socket = try NftablesSocket()
        #expect(socket.commit(transaction) == .committed)
        let text = Self.text()
        let expressions = Self.expressions()
        // A second installation over a standing one changes nothing.
        #expect(socket.commit(transaction) == .committed)
        #expect(Self.text() == text)
        return (text, expressions)
      }
      let theirs = try NetworkNamespace().run {
        let path = NSTemporaryDirectory() + "sallyport-\(UUID().uuidString).nft"
        try nftText(transaction).write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(shell("nft -f \(path)") == "")
        return (Self.text(), Self.expressions())
      }
      #expect(ours.1.count > 100)
      #expect(ours.0 == theirs.0)
      #expect(ours.1.difference(from: theirs.1).map { "\($0)" } == [])
    }

    /// A server across the link with two addresses of each family, and the workload's side with the rules loaded: 10.9.0.2 and fd09::2 are
    /// leased under grant 7, 10.9.1.2 and fd09::3 are not.
    final class World {
      static let grant: UInt32 = 7
      static let lease4 = SetElement([[10, 9, 0, 2]], mark: grant, timeout: .seconds(3600))
      static let lease6 = SetElement(
        [[0xfd, 9] + [UInt8](repeating: 0, count: 13) + [2]], mark: grant, timeout: .seconds(3600))

      let workload = NetworkNamespace()
      let server = NetworkNamespace()
      let listeners: [TestSocket]

      init() throws {
        try workload.connect(to: server)
        listeners = try server.run {
          setUp("ip address add 10.9.1.2/32 dev v0; ip -6 address add fd09::3/64 dev v0")
          return [.tcpListener(7000), .udpListener(7000), .tcpListener(53), .udpListener(53)]
        }
      }

      /// In the workload's namespace.
      func install() throws -> NftablesSocket {
        let socket = try NftablesSocket()
        var transaction = Ruleset(parameters()).installation()
        transaction.changes += [
          .renewElements(.grants, [SetElement([hostOrderBytes(Self.grant)])]),
          .renewElements(
            .gate, [SetElement([[2]], timeout: .seconds(600)), SetElement([[10]], timeout: .seconds(600))]),
          .renewElements(.lease4, [Self.lease4]), .renewElements(.lease6, [Self.lease6]),
        ]
        try #require(socket.commit(transaction) == .committed)
        return socket
      }
    }

    @Test(arguments: [("10.9.0.2", "10.9.1.2"), ("fd09::2", "fd09::3")])
    func leasedAddressIsReachedAndOthersAreRefused(_ leased: String, _ other: String) throws {
      let world = try World()
      try world.workload.run {
        let socket = try world.install()
        #expect(TestSocket.tcp(to: leased, 7000).failure == 0)
        // 111: ECONNREFUSED, 11: EAGAIN, nobody answers the datagram that arrived.
        #expect(TestSocket.udp(to: leased, 7000).ask("?") == 11)
        #expect(TestSocket.tcp(to: other, 7000).failure == 111)
        #expect(TestSocket.udp(to: other, 7000).ask("?") == 111)
        let permitted = try socket.counts(of: .judge).compactMap(\.self)
        #expect(permitted.map(\.packets) == [2])
        let refused = try socket.counts(of: .refuse).compactMap(\.self)
        #expect(refused.map(\.packets) == [2])
      }
      // The datagram to the leased address arrived, and no other.
      try world.server.run {
        #expect(world.listeners[1].receive() == .success("?"))
      }
    }

    @Test(arguments: [("10.9.1.2", "127.0.0.1"), ("fd09::3", "::1")])
    func namesAreAskedOfTheProxyAlone(_ resolver: String, _ proxy: String) throws {
      let world = try World()
      try world.workload.run {
        _ = try world.install()
        let datagrams = TestSocket.udpListener(15_353, proxy)
        let connections = TestSocket.tcpListener(15_353, proxy)
        #expect(datagrams.failure == 0 && connections.failure == 0)
        let query = TestSocket.udp(to: resolver, 53)
        #expect(query.send("query") == 0)
        #expect(datagrams.answer("answer") == "query")
        #expect(query.receive() == .success("answer"))
        #expect(TestSocket.tcp(to: resolver, 53).failure == 0)
        // The proxy's port is not for direct queries.
        #expect(TestSocket.udp(to: proxy, 15_353).ask("?") == 111)
        #expect(TestSocket.tcp(to: proxy, 15_353).failure == 111)
      }
    }

    @Test(arguments: ["10.9.0.2", "fd09::2"])
    func revocationResetsALiveConnectionAndStopsIt(_ leased: String) throws {
      let world = try World()
      try world.workload.run {
        let socket = try world.install()
        let table = try ConntrackTable()
        let connection = TestSocket.tcp(to: leased, 7000)
        #expect(connection.failure == 0 && connection.send("before") == 0)
        let outcome = socket.commit(
          KernelTransaction([
            .destroyElements(.grants, [SetElement([hostOrderBytes(World.grant)])]),
            .destroyElements(.lease4, [World.lease4]), .destroyElements(.lease6, [World.lease6]),
          ]))
        #expect(outcome == .committed)
        let cut = try table.deleteAll(withMarks: [World.grant])
        #expect(cut.map(\.original.destination.port) == [7000])
        #expect(connection.send("after") == 0)
        // 104: ECONNRESET.
        #expect(connection.receive() == .failure(PosixError(code: 104)))
        #expect(TestSocket.tcp(to: leased, 7000).failure == 111)
      }
    }

    /// Found with a download: the program sent nothing after its flow was cut, so nothing was refused, and it hung.
    @Test(arguments: ["10.9.0.2", "fd09::2"])
    func aProgramThatOnlyReceivesIsResetWhenItsFlowIsCut(_ leased: String) throws {
      let world = try World()
      let socket = try world.workload.run { try world.install() }
      let connection = try world.workload.run { TestSocket.tcp(to: leased, 7000) }
      let peer = try world.server.run { try #require(world.listeners[0].accept()) }
      try world.workload.run {
        let table = try ConntrackTable()
        #expect(
          socket.commit(
            KernelTransaction([
              .destroyElements(.grants, [SetElement([hostOrderBytes(World.grant)])]),
              .destroyElements(.lease4, [World.lease4]), .destroyElements(.lease6, [World.lease6]),
            ])) == .committed)
        let flows = try table.dump(mark: World.grant)
        let flow = try #require(flows.first)
        let address = flow.original.destination.address
        #expect(
          socket.commit(
            KernelTransaction([
              .renewElements(
                address.isIPv4 ? .cut4 : .cut6,
                [
                  SetElement(
                    [
                      address.bytes, bigEndianBytes(flow.original.destination.port),
                      bigEndianBytes(flow.original.source.port),
                    ], timeout: .seconds(60))
                ])
            ])) == .committed)
        #expect(try table.delete(flow.original, identifier: flow.identifier))
      }
      try world.server.run { #expect(peer.send("pushed") == 0) }
      try world.workload.run {
        // What was pushed arrives, and its acknowledgement, which is refused, resets the program.
        #expect(connection.receive() == .success("pushed") || connection.receive() == .failure(PosixError(code: 104)))
        #expect(connection.receive() == .failure(PosixError(code: 104)) || connection.send("x") != 0)
      }
    }

    @Test func closedGateRefusesEverything() throws {
      let world = try World()
      try world.workload.run {
        let socket = try world.install()
        #expect(socket.commit(KernelTransaction([.flushSet(.gate)])) == .committed)
        var monitor = try ConntrackMonitor.open()
        #expect(TestSocket.tcp(to: "10.9.0.2", 7000).failure == 111)
        #expect(TestSocket.tcp(to: "fd09::2", 7000).failure == 111)
        // The kernel forgets a connection that was answered by a reset alone, but tells of it first.
        var events: [ConntrackEvent] = []
        #expect(monitor.read(into: &events) == .drained)
        let denied = events.filter {
          $0.kind == .new && $0.mark == FlowMark.deniedByGate && $0.original.transport == .tcp
        }
        #expect(denied.map(\.original.destination.port) == [7000, 7000])
      }
    }

    /// As people see it; times run.
    private static func text() -> String {
      shell("nft list ruleset").replacing(/expires [0-9a-z]+/) { _ in "expires" }
    }
  }
}
