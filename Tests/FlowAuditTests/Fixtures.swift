import Addressing
import OwnerIdentity
import Testing
import Timekeeping

@testable import FlowAudit

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}

let epoch = WallTime(microseconds: 1_795_176_000_123_456)
let ownerText = "11111111-2222-3333-4444-555555555555/AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee"

/// A moment `milliseconds` after the beginning of the test's time.
func moment(_ milliseconds: Int64) -> Moment {
  Moment(
    instant: Instant(nanoseconds: 1_000_000_000_000) + .milliseconds(milliseconds),
    wall: epoch + .milliseconds(milliseconds))
}

func boundContext() throws -> RecordContext {
  RecordContext(
    owner: .bound(
      OwnerBinding(owner: try OwnerID.parse(ownerText), bindingID: "b-1", source: .static, boundAt: epoch)),
    policyRevision: "7", enforcement: .enforce)
}

let unboundContext = RecordContext(
  owner: .unbound, policyRevision: nil, enforcement: .degraded("workload-capabilities"))

func makeLog(_ context: RecordContext, bootID: String = "boot-1") -> AuditLog {
  AuditLog(
    bootID: bootID,
    identity: SandboxIdentity(
      sandboxID: "sb-1", podName: "pod-1", podNamespace: "team", podUID: "uid-1",
      podAddress: IPAddress("10.1.2.3"), nodeName: "node-1", productVersion: "0.1.0"),
    context: context, hash: { sha256($0) })
}

func endpoint(_ text: String) throws -> Endpoint { try #require(Endpoint(text)) }

func tuple(
  _ source: String = "10.1.2.3:40000", _ destination: String = "203.0.113.9:443", _ transport: TransportProtocol = .tcp
) throws -> FlowTuple {
  FlowTuple(source: try endpoint(source), destination: try endpoint(destination), transport: transport)
}

func query(
  _ name: String = "registry.example.com", isAllowed: Bool = true, answer: String = "203.0.113.9", at start: WallTime,
  session: UInt64 = 1
) throws -> QueryDraft {
  QueryDraft(
    isAllowed: isAllowed, name: Array(name.utf8), type: 1, typeName: "A", responseCode: isAllowed ? 0 : 3,
    responseCodeName: isAllowed ? "NOERROR" : "NXDOMAIN", answer: isAllowed ? Array(answer.utf8) : [],
    duration: .milliseconds(3), session: session, rule: "allow registry.example.com 443/tcp",
    reason: isAllowed ? nil : "DEFAULT_DENY", client: try endpoint("127.0.0.1:5353"), startedAt: start, endedAt: start)
}

func event(
  _ kind: ConntrackEvent.Kind, _ tuple: FlowTuple, id: UInt32, mark: UInt32 = 7, tcp: TCPState? = nil,
  bytes: UInt64? = nil
) -> ConntrackEvent {
  ConntrackEvent(
    kind: kind, identifier: id, original: tuple,
    reply: FlowTuple(source: tuple.destination, destination: tuple.source, transport: tuple.transport), mark: mark,
    tcpState: tcp,
    counters: bytes.map {
      FlowCounters(sentBytes: $0, sentPackets: 1, receivedBytes: 2 * $0, receivedPackets: 2)
    })
}

/// The records among actions.
func records(_ actions: [FlowAction]) -> [FlowDraft] {
  actions.compactMap { action in
    if case .record(let draft) = action { draft } else { nil }
  }
}
