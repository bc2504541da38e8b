// record-benchmark: makes the records of a TCP flow with a name, `FlowOpen` and `FlowClose` by turns, as the daemon does: number, id, text and link of the chain.
// Prints one JSON object: records a second over all, octets of one, and the number made.
import Addressing
import FlowAudit
import LinuxIO
import OwnerIdentity
import Timekeeping
import Transport

/// Records made, and those before that are not timed.
let count = 1_000_000
let warmUp = 50_000

let start = SystemTime.now()
let owner = try OwnerID.parse("72f988bf-86f1-41af-91ab-2d7cd011db47/6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b")
var random = SystemRandom()
var log = AuditLog(
  bootID: "0123456789abcdef0123456789abcdef",
  identity: SandboxIdentity(
    sandboxID: "sandbox-1", podName: "sandbox-1-pod", podNamespace: "sandboxes",
    podUID: "0f0e0d0c-0b0a-4908-8706-050403020100", podAddress: IPAddress("10.77.0.2"), productVersion: "0.1.0"),
  context: RecordContext(
    owner: .bound(
      OwnerBinding(owner: owner, bindingID: "static", source: .static, boundAt: start.wall)),
    policyRevision: "7", enforcement: .enforce),
  hash: SHA256.kept())
let attribution = FlowAttribution(
  .allow, name: "registry.example.com", names: ["registry.example.com"], rule: "allow registry.example.com 443/tcp",
  querySession: 42)
guard let source = IPAddress("10.77.0.2"), let destination = Endpoint("198.51.100.10:443") else {
  ProcessIdentity.exit(2)
}

var octets = 0
var begun = SystemTime.instant()
for index in 0..<count + warmUp {
  if index == warmUp {
    octets = 0
    begun = SystemTime.instant()
  }
  let now = start.wall + .milliseconds(Int64(index / 20))
  let tuple = FlowTuple(
    source: Endpoint(source, UInt16(truncatingIfNeeded: index / 2)), destination: destination, transport: .tcp)
  var draft = FlowDraft(
    stage: index % 2 == 0 ? .open : .close(.terminated), session: UInt64(index / 2), tuple: tuple,
    attribution: attribution, startedAt: now, endedAt: now)
  if index % 2 == 1 {
    draft.duration = .milliseconds(48)
    draft.counters = FlowCounters(sentBytes: 1_308, sentPackets: 11, receivedBytes: 1_870, receivedPackets: 6)
  }
  octets += log.seal(draft, at: now, using: &random).bytes.count
}
let taken = SystemTime.instant() - begun
let rate = Double(count) / (Double(taken.nanoseconds) / 1e9)
try StandardStreams.output.write("{\"rate\":\(Int(rate)),\"octets\":\(octets / count),\"made\":\(count)}\n")
