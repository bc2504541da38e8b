import Addressing
import Firewall
import FlowAudit
import Testing
import Timekeeping

@testable import Netfilter

extension KernelTests {
  /// Real packets against each kind of set: what is in it passes, what is beside it is refused.
  @Suite(.serialized) struct PacketTests {
    static let steer = ChainName(rawValue: "steer")
    static let refused: Int32 = 111

    /// What of these destinations a TCP connection reaches, when `map` decides.
    static func reached(
      _ set: SetDefinition, _ fields: [PacketField], _ elements: [SetElement], _ destinations: [(String, Int)]
    ) throws -> [Bool] {
      let workload = NetworkNamespace()
      let server = NetworkNamespace()
      try workload.connect(to: server)
      let listeners = try server.run {
        setUp(
          "ip address add 10.9.1.2/32 dev v0; ip address add 10.9.2.2/32 dev v0; ip -6 address add fd09::3/64 dev v0"
        )
        return (7000...7002).map { TestSocket.tcpListener($0) }
      }
      return try workload.run {
        let socket = try NftablesSocket()
        let outcome = socket.commit(
          KernelTransaction([
            .addTable, .addSet(set), .addElements(set.name, elements),
            .addChain(
              ChainDefinition(steer, base: .init(kind: .nat, hook: .output, priority: -100, drops: false))),
            .appendRule(RuleDefinition(steer, [.setConnectionMarkFrom(set.name, fields), .accept])),
            .appendRule(RuleDefinition(steer, [.protocols([6, 17]), .redirect(9)])),
          ]))
        try #require(outcome == .committed)
        _ = listeners
        return destinations.map { destination in
          let failure = TestSocket.tcp(to: destination.0, destination.1).failure
          #expect(failure == 0 || failure == refused, "\(destination): \(failure)")
          return failure == 0
        }
      }
    }

    @Test func addressMapMatches() throws {
      let set = SetDefinition(SetName(rawValue: "m"), key: [.ipv4Address], mapsToMark: true, hasTimeouts: true)
      let element = SetElement([[10, 9, 1, 2]], mark: 1, timeout: .seconds(60))
      #expect(
        try Self.reached(
          set, [.ipv4Destination], [element], [("10.9.1.2", 7000), ("10.9.0.2", 7000), ("fd09::2", 7000)])
          == [true, false, false])
    }

    @Test func intervalMapMatches() throws {
      let set = SetDefinition(SetName(rawValue: "m"), key: [.ipv4Address], mapsToMark: true, isInterval: true)
      let element = SetElement([[10, 9, 1, 0]], last: [[10, 9, 1, 255]], mark: 1)
      #expect(
        try Self.reached(
          set, [.ipv4Destination], [element], [("10.9.1.2", 7000), ("10.9.0.2", 7000), ("10.9.2.2", 7000)])
          == [true, false, false])
    }

    @Test func concatenatedMapMatches() throws {
      let set = SetDefinition(
        SetName(rawValue: "m"), key: [.ipv6Address, .protocolNumber, .port], mapsToMark: true, hasTimeouts: true)
      let address: [UInt8] = [0xfd, 9] + [UInt8](repeating: 0, count: 13) + [2]
      let element = SetElement([address, [6], [0x1b, 0x58]], mark: 1, timeout: .seconds(60))
      #expect(
        try Self.reached(
          set, [.ipv6Destination, .protocolNumber, .destinationPort], [element],
          [("fd09::2", 7000), ("fd09::2", 7001), ("fd09::3", 7000)]) == [true, false, false])
    }

    @Test func concatenatedIntervalMapMatches() throws {
      let set = SetDefinition(
        SetName(rawValue: "m"), key: [.ipv4Address, .protocolNumber, .port], mapsToMark: true, isInterval: true,
        hasTimeouts: true)
      let element = SetElement(
        [[10, 9, 0, 0], [6], [0x1b, 0x58]], last: [[10, 9, 1, 255], [6], [0x1b, 0x59]], mark: 1, timeout: .seconds(60))
      #expect(
        try Self.reached(
          set, [.ipv4Destination, .protocolNumber, .destinationPort], [element],
          [("10.9.0.2", 7000), ("10.9.1.2", 7001), ("10.9.1.2", 7002), ("10.9.2.2", 7000)])
          == [true, true, false, false])
    }

    @Test func elementExpiresByTheKernelsOwnTimer() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        let set = SetDefinition(SetName(rawValue: "grants"), key: [.mark], hasTimeouts: true)
        let short = SetElement([hostOrderBytes(1)], timeout: .milliseconds(50))
        let long = SetElement([hostOrderBytes(2)], timeout: .seconds(60))
        #expect(
          socket.commit(KernelTransaction([.addTable, .addSet(set), .addElements(set.name, [short, long])]))
            == .committed)
        shell("sleep 0.2")
        #expect(try socket.elements(of: set).map(\.key) == [long.key])
        // An expired one is as good as gone: it can be renewed and destroyed.
        #expect(socket.commit(KernelTransaction([.renewElements(set.name, [short])])) == .committed)
        #expect(socket.commit(KernelTransaction([.destroyElements(set.name, [short, long])])) == .committed)
        #expect(try socket.elements(of: set).isEmpty)
      }
    }
  }
}
