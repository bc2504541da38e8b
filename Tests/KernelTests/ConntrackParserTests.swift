import Addressing
import FlowAudit
import Testing

@testable import Netfilter

/// The parser alone: no kernel and no privileges needed.
@Suite struct ConntrackParserTests {
  /// A NEW event of a TCP flow over IPv6 with everything that the parser reads.
  static func event() -> [UInt8] {
    var writer = MessageWriter()
    writer.beginMessage(
      type: MessageType.conntrackNew, flags: NetlinkHeader.create | NetlinkHeader.exclusive, sequence: 0,
      family: ProtocolFamily.ipv6)
    for (kind, source, destination) in [
      (ConntrackAttribute.original, UInt8(1), UInt8(2)), (ConntrackAttribute.reply, 2, 1),
    ] {
      let tuple = writer.beginNest(kind)
      let addresses = writer.beginNest(ConntrackAttribute.tupleAddresses)
      writer.attribute(ConntrackAttribute.ipv6Source, bytes: [0xfd] + [UInt8](repeating: 0, count: 14) + [source])
      writer.attribute(
        ConntrackAttribute.ipv6Destination, bytes: [0xfd] + [UInt8](repeating: 0, count: 14) + [destination])
      writer.endNest(addresses)
      let ports = writer.beginNest(ConntrackAttribute.tupleProtocol)
      writer.attribute(ConntrackAttribute.protocolNumber, bigEndian: UInt8(6))
      writer.attribute(ConntrackAttribute.sourcePort, bigEndian: UInt16(source) * 1000)
      writer.attribute(ConntrackAttribute.destinationPort, bigEndian: UInt16(destination) * 1000)
      writer.endNest(ports)
      writer.endNest(tuple)
    }
    writer.attribute(ConntrackAttribute.identifier, bigEndian: UInt32(0x0102_0304))
    writer.attribute(ConntrackAttribute.mark, bigEndian: UInt32(0x8000_0001))
    writer.attribute(ConntrackAttribute.status, bigEndian: UInt32(0x2a))
    let information = writer.beginNest(ConntrackAttribute.protocolInformation)
    let tcp = writer.beginNest(ConntrackAttribute.tcp)
    writer.attribute(ConntrackAttribute.tcpState, bigEndian: UInt8(3))
    writer.endNest(tcp)
    writer.endNest(information)
    for (kind, base) in [(ConntrackAttribute.countersOriginal, UInt64(10)), (ConntrackAttribute.countersReply, 20)] {
      let counters = writer.beginNest(kind)
      writer.attribute(ConntrackAttribute.packets, bigEndian: base)
      writer.attribute(ConntrackAttribute.octets, bigEndian: base * 1000)
      writer.endNest(counters)
    }
    writer.endMessage()
    return writer.bytes
  }

  static func parse(_ bytes: [UInt8], length: Int? = nil, isAnswer: Bool = false) -> [ConntrackEvent] {
    var events: [ConntrackEvent] = []
    ConntrackParser.parse(bytes.span, length: length ?? bytes.count, isAnswer: isAnswer, into: &events)
    return events
  }

  @Test func everyFieldIsRead() throws {
    let source = try #require(Endpoint("[fd00::1]:1000"))
    let destination = try #require(Endpoint("[fd00::2]:2000"))
    let expected = ConntrackEvent(
      kind: .new, identifier: 0x0102_0304,
      original: FlowTuple(source: source, destination: destination, transport: .tcp),
      reply: FlowTuple(source: destination, destination: source, transport: .tcp), mark: 0x8000_0001, status: 0x2a,
      tcpState: .established,
      counters: FlowCounters(sentBytes: 10_000, sentPackets: 10, receivedBytes: 20_000, receivedPackets: 20))
    #expect(Self.parse(Self.event()) == [expected])
    #expect(Self.parse(Self.event() + Self.event()).count == 2)
    #expect(Self.parse(Self.event(), isAnswer: true).map(\.kind) == [.snapshot])
  }

  @Test func kindFollowsTypeAndFlags() {
    var update = Self.event()
    update[6] = 0
    update[7] = 0
    #expect(Self.parse(update).map(\.kind) == [.update])
    var destroy = update
    destroy[4] = 2
    #expect(Self.parse(destroy).map(\.kind) == [.destroy])
    var other = update
    other[5] = 10
    #expect(Self.parse(other).isEmpty)
  }

  @Test func truncatedEventsAreLeftOut() {
    let event = Self.event()
    for length in 0..<event.count {
      #expect(Self.parse(event, length: length).isEmpty)
      #expect(Self.parse(Array(event[..<length])).isEmpty)
      // The message claims to be as short as it is: inner lengths no longer fit.
      guard length >= 16 else { continue }
      var shorter = Array(event[..<length])
      shorter[0] = UInt8(length & 0xff)
      shorter[1] = UInt8(length >> 8)
      #expect(Self.parse(shorter).count <= 1)
    }
    #expect(Self.parse(event, length: event.count + 1000).count == 1)
  }

  /// Any octets can be read: what it returns does not matter, that it returns does.
  @Test func mutatedEventsNeverCrash() {
    var generator = SplitMix(state: 20_261_120)
    let event = Self.event() + Self.event()
    for _ in 0..<20_000 {
      var mutated = event
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let index = Int.random(in: 0..<mutated.count, using: &generator)
        mutated[index] =
          [0, 1, 3, 4, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &generator)]
          .randomElement(using: &generator) ?? 0
      }
      #expect(Self.parse(mutated).count <= mutated.count / 16)
    }
    for _ in 0..<2_000 {
      let noise = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      #expect(Self.parse(noise).count <= noise.count / 16)
    }
  }
}

/// A small seeded generator, so that a failure repeats.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
