import Addressing
import Firewall
import FlowAudit
import Sidecar
import Spool
import Testing

/// What a start makes of the records of the one before.
@Suite struct SuccessionTests {
  private static let flow = FlowTuple(
    source: Endpoint(.v4(IPv4Address(10, 1, 2, 3)), 40_000), destination: Endpoint(Scene.address, 443), transport: .tcp)

  private static func event(_ kind: ConntrackEvent.Kind, _ tcp: TCPState) -> ConntrackEvent {
    ConntrackEvent(
      kind: kind, identifier: 1, original: flow,
      reply: FlowTuple(source: flow.destination, destination: flow.source, transport: .tcp), mark: FlowMark.ingress,
      tcpState: tcp)
  }

  private static func records(_ scene: Scene, of kind: String) -> Int {
    let text = scene.files.values.map { String(decoding: $0, as: UTF8.self) }.joined()
    return text.split(separator: "\"SbxRecordKind\":\"\(kind)\"", omittingEmptySubsequences: false).count - 1
  }

  @Test func theTableIsAskedForWhenTheRecordsAreRead() throws {
    var first = try Scene()
    first.handle(.conntrack(Self.event(.new, .synSent)))
    first.endTurn()
    let name = try #require(first.files.keys.first)
    var next = try Scene(files: first.files, diskIsSlow: true)
    #expect(next.dumpCount == 0)
    // Events are lost meanwhile: what the table has cannot be judged yet.
    next.handle(.conntrackOverflowed)
    next.diskIsSlow = false
    next.handle(.segmentRead(name, first.files[name]))
    next.endTurn()
    #expect(next.dumpCount == 2)
    #expect(Self.records(next, of: "FlowClose") == 1)
  }

  @Test(arguments: [
    ([ConntrackEvent](), 1, 1), ([event(.snapshot, .timeWait)], 1, 1), ([event(.snapshot, .established)], 2, 0),
  ])
  func whatWasOpenIsClosedOrGoesOn(_ table: [ConntrackEvent], _ opens: Int, _ closes: Int) throws {
    var first = try Scene()
    first.handle(.conntrack(Self.event(.new, .synSent)))
    first.endTurn()
    #expect(Self.records(first, of: "FlowOpen") == 1)
    let next = try Scene(files: first.files, table: table)
    #expect(Self.records(next, of: "FlowOpen") == opens && Self.records(next, of: "FlowClose") == closes)
    // The start after that finds nothing to add but what lives.
    let last = try Scene(files: next.files, table: table)
    #expect(Self.records(last, of: "FlowOpen") == 2 * opens - 1 && Self.records(last, of: "FlowClose") == closes)
  }
}
