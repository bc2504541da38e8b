import FlowAudit
import Foundation
import OwnerIdentity
import Testing
import Timekeeping

@testable import RecordProof

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

/// Writes the records of one start as the daemon does.
struct Writer {
  var log: AuditLog
  var generator: SeededGenerator
  private(set) var lines: [[UInt8]] = []

  /// Begins with a `SidecarStart`.
  init(_ boot: String, after previous: (boot: String, last: UInt64)? = nil, sandbox: String = "sb-1") {
    log = AuditLog(
      bootID: boot, identity: SandboxIdentity(sandboxID: sandbox, podName: "pod-1", productVersion: "0.1.0"),
      context: RecordContext(owner: .unbound, policyRevision: "1", enforcement: .enforce), hash: digest)
    // Ids of two starts differ as their names do.
    generator = SeededGenerator(seed: boot.utf8.reduce(17) { $0 &* 31 &+ UInt64($1) })
    add(.sidecarStart(SidecarStartDraft(previousBootID: previous?.boot, previousLastSequence: previous?.last)))
  }

  mutating func add(_ draft: ServiceDraft) {
    lines.append(log.seal(draft, at: epoch, using: &generator).bytes)
  }

  mutating func drop(_ range: ClosedRange<UInt64>, count: UInt64, boot: String? = nil) {
    add(.recordsDropped(RecordsDroppedDraft(count: count, sequences: range, bootID: boot, reason: "STORE_FULL")))
  }

  mutating func heartbeats(_ count: Int) {
    for _ in 0..<count {
      add(
        .heartbeat(
          HeartbeatDraft(
            acknowledgedSequence: nil, oldestUnacknowledged: nil, spoolBytes: 0, droppedTotal: 0, quarantinedTotal: 0,
            liveFlows: 0, recorded: FlowSums())))
    }
  }

  mutating func stop() { add(.sidecarStop(SidecarStopDraft(reason: "signal", unacknowledgedCount: 0, spoolBytes: 0))) }
}

/// What the lines prove, with the lines that have to be seen again given again.
func prove(_ lines: [[UInt8]]) throws -> ProofReport {
  var proof = Proof(hash: digest)
  var again: [(Proof.Revisit, [UInt8])] = []
  for line in lines {
    if let revisit = try proof.add(line) { again.append((revisit, line)) }
  }
  proof.close()
  for (revisit, line) in again { proof.revisit(line, revisit) }
  return proof.report()
}

func text(_ line: [UInt8]) -> String { String(decoding: line, as: UTF8.self) }

/// The line with the first `old` in it replaced; fails when it has none.
func edited(_ line: [UInt8], _ old: String, _ new: String) throws -> [UInt8] {
  let range = try #require(text(line).range(of: old))
  return Array(text(line).replacingCharacters(in: range, with: new).utf8)
}
