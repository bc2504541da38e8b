import Addressing
import Firewall
import FlowAudit
import Sidecar
import Spool
import Testing
import Timekeeping

/// How late a record may be, by the scene's own clock: a flow is opened within 1 s, told of every 30 s, closed within 2 s of its end, and a denial told within 1 s.
/// All of that in the turn of the event: no time passes here unless the scene lets it pass.
@Suite struct TimelinessTests {
  private static let flow = FlowTuple(
    source: Endpoint(.v4(IPv4Address(10, 1, 2, 3)), 40_000), destination: Endpoint(Scene.address, 443), transport: .tcp)

  private static func event(
    _ kind: ConntrackEvent.Kind, _ state: TCPState?, of flow: FlowTuple = flow, mark: UInt32 = FlowMark.ingress,
    bytes: UInt64? = nil
  ) -> ConntrackEvent {
    ConntrackEvent(
      kind: kind, identifier: 1, original: flow,
      reply: FlowTuple(source: flow.destination, destination: flow.source, transport: flow.transport), mark: mark,
      tcpState: state,
      counters: bytes.map { FlowCounters(sentBytes: $0, sentPackets: 1, receivedBytes: 0, receivedPackets: 0) })
  }

  /// Records of this kind that are in the spool's file.
  private static func records(_ scene: Scene, of kind: String) -> Int {
    let text = scene.files.values.map { String(decoding: $0, as: UTF8.self) }.joined()
    return text.split(separator: "\"SbxRecordKind\":\"\(kind)\"", omittingEmptySubsequences: false).count - 1
  }

  /// The kernel answers what was asked of it.
  private static func answerCounters(_ scene: inout Scene, _ state: TCPState?) {
    let asked = scene.effects.contains { if case .readCounters = $0 { true } else { false } }
    scene.effects.removeAll { if case .readCounters = $0 { true } else { false } }
    guard asked else { return }
    scene.handle(.conntrack(event(.snapshot, state, bytes: 7)))
    scene.endTurn()
  }

  @Test func aFlowIsOpenedOnRecordInTheTurnOfItsFirstPacket() throws {
    var scene = try Scene()
    scene.handle(.conntrack(Self.event(.new, .synSent)))
    scene.endTurn()
    #expect(Self.records(scene, of: "FlowOpen") == 1)
  }

  @Test func aLiveFlowIsToldOfEveryThirtySeconds() throws {
    var scene = try Scene()
    scene.handle(.conntrack(Self.event(.new, .synSent)))
    scene.endTurn()
    for second in 1...95 {
      scene.pass(.seconds(1))
      Self.answerCounters(&scene, .established)
      #expect(Self.records(scene, of: "FlowUpdate") == second / 30, "after \(second) s")
    }
    #expect(Self.records(scene, of: "FlowClose") == 0)
  }

  @Test(arguments: [TCPState.timeWait, .close])
  func aTCPFlowIsClosedOnRecordInTheTurnOfItsLastState(_ state: TCPState) throws {
    var scene = try Scene()
    scene.handle(.conntrack(Self.event(.new, .synSent)))
    scene.endTurn()
    scene.handle(.conntrack(Self.event(.update, state)))
    scene.endTurn()
    #expect(Self.records(scene, of: "FlowClose") == 0, "its last counters are asked for first")
    Self.answerCounters(&scene, state)
    #expect(Self.records(scene, of: "FlowClose") == 1)
    // What the kernel says of it two minutes later adds nothing.
    scene.pass(.seconds(120))
    scene.handle(.conntrack(Self.event(.destroy, state, bytes: 7)))
    scene.endTurn()
    #expect(Self.records(scene, of: "FlowClose") == 1)
  }

  @Test func aFlowWithoutStatesIsClosedOnRecordInTheTurnOfItsDestruction() throws {
    var scene = try Scene()
    let datagrams = FlowTuple(source: Self.flow.source, destination: Self.flow.destination, transport: .udp)
    scene.handle(.conntrack(Self.event(.new, nil, of: datagrams)))
    scene.endTurn()
    scene.handle(.conntrack(Self.event(.destroy, nil, of: datagrams, bytes: 7)))
    scene.endTurn()
    #expect(Self.records(scene, of: "FlowClose") == 1)
  }

  /// audit.md, `SbxClockSkewed`: only when the wall clock was set anew.
  @Test func recordsSayThatTheWallClockWasSetAnewUntilItIsSetBack() throws {
    var scene = try Scene()
    func skewed(_ scene: Scene) -> Int {
      let text = scene.files.values.map { String(decoding: $0, as: UTF8.self) }.joined()
      return text.split(separator: "\"SbxClockSkewed\":true", omittingEmptySubsequences: false).count - 1
    }
    scene.pass(.seconds(35))
    #expect(skewed(scene) == 0)
    scene.now.wall = scene.now.wall + .seconds(3_600)
    scene.handle(.conntrack(Self.event(.new, .synSent)))
    scene.endTurn()
    #expect(skewed(scene) == 1)
    scene.now.wall = scene.now.wall + .seconds(-3_600)
    scene.handle(.conntrack(Self.event(.destroy, .synSent, bytes: 1)))
    scene.endTurn()
    #expect(skewed(scene) == 1 && Self.records(scene, of: "FlowClose") == 1)
  }

  @Test func aDenialIsOnRecordInItsTurnAndItsRepeatsTenSecondsLater() throws {
    var scene = try Scene()
    for port: UInt16 in 1...20 {
      let attempt = FlowTuple(
        source: Endpoint(Self.flow.source.address, port), destination: Self.flow.destination, transport: .tcp)
      scene.handle(.conntrack(Self.event(.new, .synSent, of: attempt, mark: FlowMark.deniedByDefault)))
      scene.endTurn()
      #expect(Self.records(scene, of: "FlowDenied") == 1)
    }
    scene.pass(.seconds(9))
    #expect(Self.records(scene, of: "FlowDenied") == 1)
    scene.pass(.seconds(1))
    #expect(Self.records(scene, of: "FlowDenied") == 2)
    let text = scene.files.values.map { String(decoding: $0, as: UTF8.self) }.joined()
    #expect(text.contains("\"EventCount\":19"))
  }
}
