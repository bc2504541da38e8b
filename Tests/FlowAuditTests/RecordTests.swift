import Addressing
import Foundation
import JSONText
import OwnerIdentity
import Testing
import Timekeeping

@testable import FlowAudit

/// One draft of every shape that a record can have, sealed in order.
private func sealEverything(_ context: RecordContext) throws -> [SealedRecord] {
  var log = makeLog(context)
  var generator = SeededGenerator(seed: 1)
  let allow = FlowAttribution(
    .allow, name: "registry.example.com", names: ["a.example.com", "registry.example.com"],
    rule: "allow registry.example.com", querySession: 9)
  let counters = FlowCounters(sentBytes: 100, sentPackets: 2, receivedBytes: 9_000, receivedPackets: 8)
  let policy = PolicyChangeDraft.Version(revision: "8", hash: "ab12", ruleCount: 3)
  let owner = try OwnerID.parse(ownerText)
  var records: [SealedRecord] = []
  func flow(
    _ stage: FlowDraft.Stage, _ attribution: FlowAttribution, _ tuple: FlowTuple, origin: FlowDraft.Origin = .seen
  ) {
    records.append(
      log.seal(
        FlowDraft(
          stage: stage, session: 5, tuple: tuple, attribution: attribution, origin: origin, startedAt: epoch,
          endedAt: epoch + .seconds(2), duration: .seconds(2), counters: counters),
        at: epoch + .seconds(2), using: &generator))
  }
  flow(.open, allow, try tuple())
  flow(.open, allow, try tuple(), origin: .adopted)
  flow(.open, FlowAttribution(.inbound), try tuple("[2001:db8::1]:1", "[2001:db8::2]:8080"))
  flow(.update, allow, try tuple())
  for end in [FlowEnd.terminated, .timeout, .reset, .revoked, .unknown] { flow(.close(end), allow, try tuple()) }
  for reason in DenialReason.allCases {
    flow(.denied(reason), FlowAttribution(.deny(reason)), try tuple("10.1.2.3:8", "203.0.113.9:2048", .icmp))
  }
  let tampering = FlowAttribution(.deny(.ruleDeny), isTampering: true)
  flow(.denied(.ruleDeny), tampering, try tuple("10.1.2.3:8", "203.0.113.9:0", TransportProtocol(rawValue: 47)))
  for isAllowed in [true, false] {
    records.append(log.seal(try query(isAllowed: isAllowed, at: epoch), at: epoch, using: &generator))
  }
  let services: [ServiceDraft] = [
    .policyChange(
      PolicyChangeDraft(change: .create, operation: "PolicyLoad", source: "SALLYPORT_POLICY", old: nil, new: policy)),
    .policyChange(
      PolicyChangeDraft(
        change: .set, operation: "PolicyReplace", source: "api", old: policy, new: nil, refusal: "kernel refused")),
    .ownerChange(OwnerChangeDraft(operation: .bind, old: nil, new: owner, source: "api")),
    .ownerChange(
      OwnerChangeDraft(
        operation: .rebindRefused, old: owner, new: owner, source: "api", refusal: "OWNER_BOUND", detail: "bound")),
    .ownerChange(OwnerChangeDraft(operation: .restore, old: nil, new: owner, source: "owner.json")),
    .ownerChange(OwnerChangeDraft(operation: .tokenVanished, old: owner, new: owner, source: "file")),
    .sidecarStart(SidecarStartDraft(previousBootID: "boot-0", previousLastSequence: 12, notices: ["one", "two"])),
    .sidecarStop(SidecarStopDraft(reason: "SIGTERM", unacknowledgedCount: 0, spoolBytes: 0)),
    .heartbeat(
      HeartbeatDraft(
        acknowledgedSequence: 3, oldestUnacknowledged: .seconds(1), spoolBytes: 10, droppedTotal: 0,
        quarantinedTotal: 0, liveFlows: 2, recorded: FlowSums(), kernelAllowed: 4, kernelDenied: 5)),
    .recordsDropped(RecordsDroppedDraft(count: 2, sequences: 4...5, reason: "STORE_FULL")),
    .tamper(TamperDraft(object: "chain out", what: "flushed", isRestored: true)),
  ]
  for service in services { records.append(log.seal(service, at: epoch, using: &generator)) }
  return records
}

private struct Column {
  var type: String
  var isMandatory: Bool
  var values: Set<String>
}

private func columns(of schema: String) -> [String: Column] {
  var columns: [String: Column] = [:]
  for line in asimColumns.split(separator: "\n") {
    let parts = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard parts[0] == schema else { continue }
    columns[parts[1]] = Column(
      type: parts[2], isMandatory: parts[3] == "Mandatory",
      values: Set(parts[4].split(separator: "|", omittingEmptySubsequences: false).map(String.init).filter { $0 != "" })
    )
  }
  return columns
}

@Suite struct RecordTests {
  @Test func everyKindIsJudgedWellByASIM() throws {
    let reserved = [
      "EventTime", "EventProcessedUtcTime", "EventEnqueuedUtcTime", "PartitionId", "TenantId", "Type", "Title",
      "UniqueId", "id",
    ]
    // In the published schemas, and not in the older tester.
    let newer = ["SrcUserAadId", "SrcUserScopeId"]
    for context in [try boundContext(), unboundContext] {
      let records = try sealEverything(context)
      #expect(Set(records.map(\.kind)) == Set(RecordKind.allCases))
      for record in records {
        let object = try #require(try JSONValue.parse(record.bytes).object)
        let members = Dictionary(uniqueKeysWithValues: object.map { ($0.key, $0.value) })
        let schema = try #require(members["EventSchema"]?.string)
        let judged = columns(of: schema)
        #expect(members["SbxRecordKind"]?.string == record.kind.rawValue)
        for (name, column) in judged where column.isMandatory {
          #expect(members[name] != nil, "\(record.kind) lacks \(name)")
        }
        for (name, value) in members {
          #expect(name.utf8.count <= 45 && name.first?.isLetter == true && !reserved.contains(name))
          guard let column = judged[name] else {
            #expect(name.hasPrefix("Sbx") || schema == "AuditEvent" || newer.contains(name), "\(name) in \(schema)")
            continue
          }
          switch column.type {
          case "int", "long": #expect(value.integer != nil, "\(name)")
          case "datetime": #expect(value.string.flatMap { WallTime($0) } != nil, "\(name)")
          case "dynamic": #expect(value.object != nil, "\(name)")
          default: #expect(value.string != nil, "\(name)")
          }
          if let text = value.string, !column.values.isEmpty {
            #expect(column.values.contains(text), "\(record.kind) \(name) \(text)")
          }
        }
      }
    }
  }

  @Test func theChainIsSHA256OverThePreviousLinkAndTheRecordWithoutItsOwn() throws {
    #expect(
      Data(sha256(Array("abc".utf8))).base64EncodedString() == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
    var previous = "boot-1"
    for (index, record) in try sealEverything(try boundContext()).enumerated() {
      let text = try #require(String(bytes: record.bytes, encoding: .utf8))
      let parts = text.components(separatedBy: "\"")
      #expect(parts[1] == "SbxChain")
      let link = parts[3]
      let member = "\"SbxChain\":\"\(link)\","
      let rest = text.replacingOccurrences(of: member, with: "")
      #expect(rest.utf8.count == text.utf8.count - member.utf8.count)
      let digest = Data(sha256(Array((previous + rest).utf8)).prefix(16)).base64EncodedString()
      let expected = digest.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        .replacingOccurrences(of: "=", with: "")
      #expect(link == expected)
      #expect(record.sequence == UInt64(index + 1))
      let split = try #require(RecordChain.split(record.bytes))
      #expect(String(decoding: split.link, as: UTF8.self) == link && split.rest == Array(rest.utf8))
      previous = link
    }
  }

  @Test func unboundRecordsNameNoOwner() throws {
    for record in try sealEverything(unboundContext) {
      let object = try #require(try JSONValue.parse(record.bytes).object)
      #expect(!object.contains { $0.key.hasPrefix("SrcUser") || $0.key == "SbxOwnerBindingId" })
      #expect(object.first { $0.key == "SbxOwnerState" }?.value.string == "unbound")
    }
  }

  @Test func boundRecordsNameTheOwnerInLowerCase() throws {
    let record = try #require(try sealEverything(try boundContext()).first)
    let value = try JSONValue.parse(record.bytes)
    #expect(value["SrcUserId"]?.string == "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
    #expect(value["SrcUserAadId"]?.string == value["SrcUserId"]?.string)
    #expect(value["SrcUserScopeId"]?.string == "11111111-2222-3333-4444-555555555555")
  }

  @Test func aNewContextIsInTheNextRecord() throws {
    var log = makeLog(unboundContext)
    var generator = SeededGenerator(seed: 2)
    _ = log.seal(
      .sidecarStop(SidecarStopDraft(reason: "test", unacknowledgedCount: 0, spoolBytes: 0)), at: epoch,
      using: &generator)
    log.context = try boundContext()
    let record = log.seal(
      .sidecarStop(SidecarStopDraft(reason: "test", unacknowledgedCount: 0, spoolBytes: 0)), at: epoch,
      using: &generator)
    let value = try JSONValue.parse(record.bytes)
    #expect(value["SbxOwnerState"]?.string == "bound" && value["SbxPolicyRevision"]?.string == "7")
  }

  @Test func skippedNumbersLeaveAGap() throws {
    var log = makeLog(unboundContext)
    var generator = SeededGenerator(seed: 3)
    #expect(log.skip(0) == nil)
    #expect(log.skip(3) == 1...3)
    #expect(
      log.seal(
        .sidecarStop(SidecarStopDraft(reason: "test", unacknowledgedCount: 0, spoolBytes: 0)), at: epoch,
        using: &generator
      ).sequence == 4)
  }

  @Test(arguments: [
    "\u{0}\u{1f}\"\\\n", "ÿ💥é", "a\u{2028}b", "\u{7f}",
  ])
  func foreignTextReadsBackAsItWas(_ text: String) throws {
    var log = makeLog(unboundContext)
    var generator = SeededGenerator(seed: 4)
    let record = log.seal(try query(text, at: epoch), at: epoch, using: &generator)
    #expect(try JSONValue.parse(record.bytes)["DnsQuery"]?.string == text)
  }

  @Test func badUTF8BecomesReplacementCharacters() throws {
    var log = makeLog(unboundContext)
    var generator = SeededGenerator(seed: 5)
    var draft = try query(at: epoch)
    draft.name = [0x61, 0xff, 0xc3, 0x62]
    let record = log.seal(draft, at: epoch, using: &generator)
    #expect(try JSONValue.parse(record.bytes)["DnsQuery"]?.string == "a\u{fffd}\u{fffd}b")
  }

  @Test(arguments: ["x", "\u{1}", "💥", "\""])
  func theLongestRecordsStayBelow32KiBAndSayThatTheyAreCut(_ filling: String) throws {
    let long = String(repeating: filling, count: 40_000)
    var log = AuditLog(
      bootID: "boot-1",
      identity: SandboxIdentity(
        sandboxID: long, podName: long, podNamespace: long, podUID: long, nodeName: long, productVersion: long),
      context: RecordContext(
        owner: try boundContext().owner, policyRevision: long, enforcement: .degraded(long), isClockSkewed: true),
      hash: { sha256($0) })
    var generator = SeededGenerator(seed: 6)
    var draft = try query(long, answer: long, at: epoch)
    draft.typeName = long
    draft.className = long
    draft.rule = long
    draft.reason = long
    let version = PolicyChangeDraft.Version(revision: long, hash: long, ruleCount: .max)
    let records = [
      log.seal(draft, at: epoch, using: &generator),
      log.seal(
        FlowDraft(
          stage: .open, session: .max, tuple: try tuple(),
          attribution: FlowAttribution(.allow, name: long, names: [long, long], rule: long, querySession: .max),
          startedAt: epoch, endedAt: epoch), at: epoch, using: &generator),
      log.seal(
        .policyChange(
          PolicyChangeDraft(
            change: .set, operation: long, source: long, old: version, new: version, refusal: long)),
        at: epoch, using: &generator),
    ]
    for record in records {
      #expect(record.bytes.count <= AuditLog.recordOctetsMax)
      #expect(try JSONValue.parse(record.bytes)["SbxTruncated"]?.bool == true)
    }
  }

  @Test func uniqueIDsAreOfVersion7AndCarryTheMillisecond() throws {
    var generator = SeededGenerator(seed: 7)
    let text = AuditLog.makeBootID(at: epoch, using: &generator)
    let id = try #require(UUID(uuidString: text)).uuid
    #expect(id.6 >> 4 == 7 && id.8 >> 6 == 2)
    let milliseconds = [id.0, id.1, id.2, id.3, id.4, id.5].reduce(Int64(0)) { $0 << 8 | Int64($1) }
    #expect(milliseconds == epoch.microseconds / 1_000)
    #expect(text == text.lowercased())
  }

  @Test func base64URLAgreesWithFoundation() {
    var generator = SeededGenerator(seed: 8)
    for count in 0..<70 {
      let octets = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      let expected = Data(octets).base64EncodedString().replacingOccurrences(of: "+", with: "-")
        .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
      #expect(String(decoding: base64URL(octets), as: UTF8.self) == expected)
    }
  }
}
