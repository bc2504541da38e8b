import Addressing
import Firewall
import FlowAudit
import Testing
import Timekeeping

@testable import Netfilter

extension KernelTests {
  @Suite(.serialized) struct ConntrackTests {
    static let granted: UInt32 = 0x11
    static let denied: UInt32 = 0x8000_0001

    /// The workload's side with rules, and a server across the link that listens on TCP and UDP port 7000 of both families.
    final class World {
      let workload = NetworkNamespace()
      let server = NetworkNamespace()
      let listeners: [TestSocket]

      init() throws {
        try workload.connect(to: server)
        listeners = try server.run { [.tcpListener(7000), .udpListener(7000)] }
      }

      /// Marks and lets out what goes to port 7000; refuses the rest by a redirect to a port where nobody listens. Counters on.
      func load(_ socket: NftablesSocket) -> CommitOutcome {
        let steer = ChainName(rawValue: "steer")
        let output = ChainName(rawValue: "out")
        return socket.commit(
          KernelTransaction([
            .addTable,
            .addChain(ChainDefinition(steer, base: .init(kind: .nat, hook: .output, priority: -100, drops: false))),
            .addChain(ChainDefinition(output, base: .init(kind: .filter, hook: .output, priority: 0, drops: false))),
            .appendRule(
              RuleDefinition(
                steer, [.protocols([6, 17]), .destinationPort(7000), .setConnectionMark(granted), .accept])),
            .appendRule(
              RuleDefinition(steer, [.setConnectionMark(denied), .protocols([6, 17]), .redirect(9)])),
            .appendRule(RuleDefinition(output, [.countsBytes, .counter])),
          ]))
      }
    }

    static func waiting(
      _ monitor: inout ConntrackMonitor, _ events: inout [ConntrackEvent],
      until isThere: ([ConntrackEvent]) -> Bool
    ) -> Bool {
      for _ in 0..<100 {
        while monitor.read(into: &events) == .more {}
        if isThere(events) { return true }
        shell("sleep 0.02")
      }
      return false
    }

    @Test(arguments: [("10.9.0.2", "10.9.0.1"), ("fd09::2", "fd09::1")])
    func flowIsFollowedFromNewToDestroyWithItsMark(_ server: String, _ client: String) throws {
      let world = try World()
      try world.workload.run {
        let socket = try NftablesSocket()
        #expect(world.load(socket) == .committed)
        var monitor = try ConntrackMonitor.open()
        let table = try ConntrackTable()
        #expect(monitor.descriptor >= 0)
        var events: [ConntrackEvent] = []
        let connection = TestSocket.tcp(to: server, 7000)
        #expect(connection.failure == 0)
        #expect(connection.send("hello") == 0)
        #expect(Self.waiting(&monitor, &events) { events in events.contains { $0.mark == Self.granted } })
        let new = try #require(events.first { $0.kind == .new && $0.mark == Self.granted })
        #expect(new.original.transport == .tcp)
        #expect(new.original.destination.description.hasSuffix(":7000"))
        #expect(new.original.source.address == IPAddress(client))
        #expect(new.original.destination.address == IPAddress(server))
        #expect(new.reply.source == new.original.destination && new.reply.destination == new.original.source)
        #expect(new.tcpState == .synSent && new.identifier != 0)

        let entry = try #require(try table.get(new.original))
        #expect(entry.kind == .snapshot && entry.identifier == new.identifier && entry.mark == Self.granted)
        let counters = try #require(entry.counters)
        // A SYN, its acknowledgement and the word at least.
        #expect(counters.sentPackets >= 3 && counters.sentBytes >= 100 && counters.receivedPackets >= 1)
        #expect(try table.dump(mark: Self.granted).map(\.original) == [new.original])
        #expect(try table.dump(mark: Self.granted + 1) == [])
        #expect(try table.dump().contains { $0.original == new.original })

        // Another entry with the same tuple is not ours to delete.
        #expect(try !table.delete(new.original, identifier: new.identifier &+ 1))
        #expect(try table.delete(new.original, identifier: new.identifier))
        #expect(try !table.delete(new.original, identifier: new.identifier))
        #expect(try table.get(new.original) == nil)
        #expect(Self.waiting(&monitor, &events) { $0.contains { $0.kind == .destroy } })
        let destroyed = try #require(events.first { $0.kind == .destroy && $0.original == new.original })
        #expect(destroyed.identifier == new.identifier && destroyed.mark == Self.granted)
        #expect((destroyed.counters?.sentPackets ?? 0) >= counters.sentPackets)
      }
    }

    @Test(arguments: ["10.9.0.2", "fd09::2"])
    func redirectToAClosedPortRefusesAtOnceAndIsSeen(_ server: String) throws {
      let world = try World()
      try world.workload.run {
        let socket = try NftablesSocket()
        #expect(world.load(socket) == .committed)
        var monitor = try ConntrackMonitor.open()
        // 111: ECONNREFUSED.
        #expect(TestSocket.tcp(to: server, 7001).failure == 111)
        #expect(TestSocket.udp(to: server, 7001).ask("?") == 111)
        var events: [ConntrackEvent] = []
        #expect(Self.waiting(&monitor, &events) { $0.filter { $0.kind == .new }.count >= 2 })
        let refused = events.filter { $0.kind == .new && $0.mark == Self.denied }
        #expect(refused.map(\.original.transport).sorted() == [.tcp, .udp])
        // The original destination, though the packets went to a local port.
        #expect(refused.allSatisfy { $0.original.destination.port == 7001 && $0.reply.source.port == 9 })
        #expect(refused.allSatisfy { $0.original.destination.address == IPAddress(server) })
      }
    }

    @Test(arguments: ["10.9.0.2", "fd09::2"])
    func ofAFlowOnlyBeginningAndEndAreToldOf(_ server: String) throws {
      let world = try World()
      try world.workload.run {
        #expect(world.load(try NftablesSocket()) == .committed)
        var monitor = try ConntrackMonitor.open()
        var connection: TestSocket? = TestSocket.tcp(to: server, 7000)
        #expect(connection?.send("hello") == 0)
        // Both sides close, so that it goes through every state of a TCP flow.
        do {
          let accepted = try #require(world.listeners[0].accept())
          connection = nil
          #expect(accepted.receive() == .success("hello"))
        }
        var events: [ConntrackEvent] = []
        #expect(Self.waiting(&monitor, &events) { $0.contains { $0.kind == .update } })
        let flow = events.filter { $0.original.destination.port == 7000 }
        #expect(flow.map(\.kind) == [.new, .update])
        #expect(flow.map(\.tcpState) == [.synSent, .timeWait])
      }
    }

    /// What the buffer cannot hold is lost, and said; what comes afterwards is read again.
    @Test func aBurstThatOverflowsTheSocketIsSaidOnceAndTheNextEventsAreRead() throws {
      let world = try World()
      try world.workload.run {
        #expect(world.load(try NftablesSocket()) == .committed)
        var monitor = try ConntrackMonitor.open(receiveBufferSize: 16 << 10)
        let burst = (0..<400).map { _ in TestSocket.udp(to: "10.9.0.2", 7000) }
        burst.forEach { _ = $0.send("x") }
        var events: [ConntrackEvent] = []
        var outcomes: [ConntrackMonitor.ReadOutcome] = []
        repeat { outcomes.append(monitor.read(into: &events)) } while outcomes.last != .drained
        #expect(outcomes.filter { $0 == .overflowed }.count == 1)
        #expect(events.count > 0 && events.count < 400)
        // A dump knows them all.
        #expect(try ConntrackTable().dump(mark: Self.granted).count == 400)
        events = []
        _ = TestSocket.udp(to: "10.9.0.2", 7000).send("x")
        #expect(Self.waiting(&monitor, &events) { $0.contains { $0.kind == .new } })
      }
    }

    @Test func echoIsATupleOfIdentifierTypeAndCode() throws {
      let world = try World()
      try world.workload.run {
        #expect(world.load(try NftablesSocket()) == .committed)
        // Echo requests with identifier 0x1234: the checksum of ICMP is ours to write, that of ICMPv6 is the kernel's.
        #expect(TestSocket.icmp(to: "10.9.0.2").send([8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1]) == 0)
        #expect(TestSocket.icmp(to: "fd09::2").send([128, 0, 0, 0, 0x12, 0x34, 0, 1]) == 0)
        let table = try ConntrackTable()
        for (transport, type) in [(TransportProtocol.icmp, UInt16(8)), (.icmpv6, 128)] {
          let entry = try #require(
            try table.dump().first { $0.original.transport == transport && $0.original.destination.port == type << 8 })
          #expect(entry.original.source.port == 0x1234)
          #expect(try table.get(entry.original)?.identifier == entry.identifier)
          #expect(try table.delete(entry.original, identifier: entry.identifier))
        }
      }
    }

    @Test func allFlowsOfAMarkAreCutAndOthersLive() throws {
      let world = try World()
      try world.workload.run {
        #expect(world.load(try NftablesSocket()) == .committed)
        let table = try ConntrackTable()
        var open = (0..<300).map { _ in TestSocket.udp(to: "10.9.0.2", 7000) }
        open += (0..<20).map { _ in TestSocket.udp(to: "fd09::2", 7000) }
        open.forEach { _ = $0.send("x") }
        _ = TestSocket.udp(to: "10.9.0.2", 7001).send("x")
        #expect(try table.dump(mark: Self.granted).count == 320)
        let cut = try table.deleteAll(withMarks: [Self.granted, 0x99])
        #expect(cut.count == 320)
        #expect(cut.allSatisfy { ($0.counters?.sentPackets ?? 0) >= 1 && $0.mark == Self.granted })
        #expect(try table.dump(mark: Self.granted).isEmpty)
        #expect(try table.dump(mark: Self.denied).count == 1)
        #expect(try table.deleteAll(withMarks: [Self.granted]).isEmpty)
        #expect(try table.deleteAll(withMarks: []).isEmpty)
      }
    }
  }
}
