import Addressing
import LinuxIO
import Testing

@Suite struct UDPSocketTests {
  static let loopbacks = [Endpoint("127.0.0.1:0"), Endpoint("[::1]:0")].compactMap { $0 }

  @Test(arguments: loopbacks) func moreDatagramsThanABatchArriveWithTheirSource(_ any: Endpoint) throws {
    let server = try UDPSocket(family: AddressFamily(of: any.address), bind: any)
    let client = try UDPSocket(
      family: AddressFamily(of: any.address), bind: any, connect: try server.localEndpoint())
    let outbound = OutboundDatagrams()
    var sent: [[UInt8]] = []
    for index in 0..<100 {
      let bytes = [UInt8](repeating: UInt8(index), count: index)
      sent.append(bytes)
      outbound.append(bytes, to: nil)
      if outbound.isFull { #expect(client.send(outbound).sent == OutboundDatagrams.capacity) }
    }
    #expect(client.send(outbound).sent == 100 - OutboundDatagrams.capacity)
    #expect(outbound.isEmpty)
    let inbound = InboundDatagrams()
    var received: [[UInt8]] = []
    let source = try client.localEndpoint()
    while try server.receive(into: inbound) > 0 {
      for index in 0..<inbound.count {
        #expect(inbound[index].peer == source)
        received.append(inbound[index].bytes)
      }
    }
    #expect(received.sorted { $0.count < $1.count } == sent)
  }

  /// Queries and answers of one turn: several lengths, several clients, some of them with one datagram only.
  @Test(arguments: loopbacks) func datagramsOfOnePeerLeaveTogetherAndArriveApart(_ any: Endpoint) throws {
    let server = try UDPSocket(family: AddressFamily(of: any.address), bind: any)
    let clients = try (0..<3).map { _ in try UDPSocket(family: AddressFamily(of: any.address), bind: any) }
    let outbound = OutboundDatagrams()
    var sent: [[[UInt8]]] = [[], [], []]
    for index in 0..<OutboundDatagrams.capacity {
      let client = index == 7 ? 2 : index % 2
      // One too long to be put together, one empty, most of two lengths.
      let length = index == 20 ? OutboundDatagrams.groupedOctetsMax + 1 : index == 21 ? 0 : 40 + index % 5 / 4
      let bytes = [UInt8](repeating: UInt8(index), count: length)
      sent[client].append(bytes)
      outbound.append(bytes, to: try clients[client].localEndpoint())
    }
    let outcome = server.send(outbound)
    #expect(outcome.sent == OutboundDatagrams.capacity && outcome.refused == 0 && outbound.isEmpty)
    let inbound = InboundDatagrams()
    for (client, sent) in zip(clients, sent) {
      var received: [[UInt8]] = []
      while try client.receive(into: inbound) > 0 {
        for index in 0..<inbound.count { received.append(inbound[index].bytes) }
      }
      #expect(Set(received) == Set(sent) && received.count == sent.count)
    }
  }

  @Test func refusedGroupGoesAsSingleDatagramsAndTheOthersLeave() throws {
    let any = try #require(Endpoint("127.0.0.1:0"))
    let server = try UDPSocket(family: .v4, bind: any)
    let client = try UDPSocket(family: .v4, bind: any)
    let outbound = OutboundDatagrams()
    // Port 0 is nobody's (EINVAL).
    for _ in 0..<3 { outbound.append([9, 9], to: any) }
    for index in 0..<3 { outbound.append([UInt8(index)], to: try client.localEndpoint()) }
    let outcome = server.send(outbound)
    #expect(outcome.sent == 3 && outcome.refused == 3 && outcome.lastError != nil)
    #expect(try client.receive(into: InboundDatagrams()) == 3)
  }

  @Test func keptDatagramsSurviveTheNextReceive() throws {
    let any = try #require(Endpoint("127.0.0.1:0"))
    let server = try UDPSocket(family: .v4, bind: any)
    let client = try UDPSocket(family: .v4, connect: try server.localEndpoint())
    let inbound = InboundDatagrams()
    #expect(try client.send([1, 2, 3]))
    #expect(try server.receive(into: inbound) == 1)
    let kept = inbound[0].bytes
    #expect(try client.send([9]))
    #expect(try server.receive(into: inbound) == 1)
    #expect(kept == [1, 2, 3])
    #expect(inbound[0].bytes == [9])
    #expect(try server.receive(into: inbound) == 0)
  }

  @Test func longDatagramIsCutAndSaidSo() throws {
    let any = try #require(Endpoint("127.0.0.1:0"))
    let server = try UDPSocket(family: .v4, bind: any)
    let client = try UDPSocket(family: .v4, connect: try server.localEndpoint())
    #expect(try client.send([UInt8](repeating: 5, count: InboundDatagrams.octetsEach + 1)))
    let inbound = InboundDatagrams()
    #expect(try server.receive(into: inbound) == 1)
    #expect(inbound[0].isTruncated)
    #expect(inbound[0].bytes.count == InboundDatagrams.octetsEach)
  }

  @Test func answersGoToTheirPeersAndABadOneDoesNotHoldTheRest() throws {
    let any = try #require(Endpoint("127.0.0.1:0"))
    let server = try UDPSocket(family: .v4, bind: any)
    let clients = try (0..<2).map { _ in try UDPSocket(family: .v4, bind: any) }
    let outbound = OutboundDatagrams()
    outbound.append([0], to: try clients[0].localEndpoint())
    // Port 0 is nobody's (EINVAL).
    outbound.append([9], to: any)
    outbound.append([1], to: try clients[1].localEndpoint())
    let outcome = server.send(outbound)
    #expect(outcome.sent == 2)
    #expect(outcome.refused == 1)
    #expect(outcome.lastError != nil)
    let inbound = InboundDatagrams()
    for (index, client) in clients.enumerated() {
      #expect(try client.receive(into: inbound) == 1)
      #expect(inbound[0].bytes == [UInt8(index)])
    }
  }

  @Test func refusalOfAConnectedPeerIsToldOnce() throws {
    let any = try #require(Endpoint("127.0.0.1:0"))
    let closed = try UDPSocket(family: .v4, bind: any).localEndpoint()
    let client = try UDPSocket(family: .v4, connect: closed)
    #expect(try client.send([1]))
    let inbound = InboundDatagrams()
    #expect(throws: Errno.connectionRefused) { try client.receive(into: inbound) }
    #expect(try client.receive(into: inbound) == 0)
  }

  @Test func randomPortsLieOutsideTheKernelsRange() throws {
    let any = try #require(Endpoint("127.0.0.1:0"))
    let server = try UDPSocket(family: .v4, bind: any)
    var generator = SystemRandom()
    var ports: Set<UInt16> = []
    for _ in 0..<20 {
      let socket = try UDPSocket.onRandomPort(
        connect: try server.localEndpoint(), outside: EphemeralPorts.current(), receiveBufferOctets: 1 << 16,
        using: &generator)
      let port = try socket.localEndpoint().port
      #expect(!EphemeralPorts.current().contains(port))
      ports.insert(port)
    }
    #expect(ports.count > 10)
  }

  @Test(
    arguments: [
      (32_768...60_999, [1_024...32_767, 61_000...65_535]),
      (1_024...65_534, [65_535...65_535]),
      (1_025...65_535, [1_024...1_024]),
      (0...1_023, [1_024...65_535]),
      (0...65_535, [1_024...65_535]),
    ] as [(ClosedRange<UInt16>, [ClosedRange<UInt16>])])
  func portsAreDrawnFromAllThatIsLeft(_ range: ClosedRange<UInt16>, _ left: [ClosedRange<UInt16>]) {
    var generator = SystemRandom()
    var lowest = UInt16.max
    var highest = UInt16.min
    for _ in 0..<2_000 {
      let port = EphemeralPorts.draw(outside: range, using: &generator)
      #expect(left.contains { $0.contains(port) })
      lowest = min(lowest, port)
      highest = max(highest, port)
    }
    // Both ends of what is left are reached, give or take a twentieth.
    let slack = UInt16(left.reduce(0) { $0 + $1.count } / 20)
    #expect(lowest <= (left.first?.lowerBound ?? 0) + slack)
    #expect(highest >= (left.last?.upperBound ?? 0) - slack)
  }
}
