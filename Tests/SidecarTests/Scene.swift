import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import HTTPWire
import OwnerIdentity
import PolicyAPI
import Sidecar
import Simulation
import Spool
import Testing
import Timekeeping

/// A machine alone on a stage: what it wants is kept until the scene plays the world's part.
struct Scene {
  var machine: SidecarMachine
  var now: Moment
  var generator = SeededGenerator(seed: 1)
  /// Effects that nobody performed yet.
  var effects: [SidecarEffect] = []
  /// Else writes are done at once.
  var diskIsSlow = false
  private var nextClient: UInt64 = 1
  private(set) var files: [String: [UInt8]]
  /// The kernel's table, and how often it was asked for.
  var table: [ConntrackEvent]
  private(set) var dumpCount = 0
  /// The files of the state directory that were replaced.
  var keptFiles: [String] = []

  static let upstream = Endpoint(.v4(IPv4Address(192, 0, 2, 53)), 53)
  static let address = IPAddress.v4(IPv4Address(203, 0, 113, 1))

  /// A machine whose ruleset is installed and whose spool is read.
  init(
    policy: String = #"{"egress":[{"action":"allow","target":"api.example.com"}]}"#, hub: HubLocation? = nil,
    spoolBytes: Int = 1 << 20, owner: OwnerState = .unbound, ownerIsRequired: Bool = false,
    files: [String: [UInt8]] = [:], table: [ConntrackEvent] = [], diskIsSlow: Bool = false,
    change: (inout SidecarSettings) -> Void = { _ in }
  ) throws {
    self.files = files
    self.table = table
    self.diskIsSlow = diskIsSlow
    var spool = SpoolLimits()
    spool.bytesMax = spoolBytes
    var settings = SidecarSettings(
      identity: SandboxIdentity(sandboxID: "sandbox", podName: "pod", productVersion: "0"),
      boot: SpoolBoot(high: 1, low: 2), policy: try PolicyDocument.parse(Array(policy.utf8)), policySource: "test",
      always: .none, firstRevision: 1, owner: owner, ownerIsRequired: ownerIsRequired,
      firewall: FirewallParameters(ownUser: 1773, ownMark: 7, dnsPort4: 15_053, dnsPort6: nil, apiPort: 18_080),
      lease: LeaseTimes(min: .seconds(5), grace: .seconds(1), max: .seconds(60)),
      dns: DNSProxySettings(upstreams: [Upstream(Self.upstream)]), api: PolicyAPISettings(token: Array("secret".utf8)),
      spool: spool,
      forwarder: ForwarderSettings(sink: hub == nil ? .lines : .eventHubs(host: "hub.test", hub: "audit")),
      hub: hub, audit: AuditSettings(failsClosed: true, lease: nil, isStrict: false), notices: [])
    change(&settings)
    machine = SidecarMachine(settings, hash: testDigest)
    now = Moment(
      instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(microseconds: 1_900_000_000_000_000))
    let listing = files.map { SpoolFile(name: $0.key, size: $0.value.count) }
    handle(.started(listing, leases: [], grants: [], flowMarks: []))
    settleCommit(.committed)
    endTurn()
  }

  mutating func handle(_ event: SidecarEvent) {
    machine.handle(event, at: now, using: &generator)
    take()
  }

  /// Ends the turn, and lets the disk do its part.
  mutating func endTurn() { handle(.turnEnded) }

  mutating func pass(_ span: TimeSpan) {
    now = Moment(instant: now.instant + span, wall: now.wall + span)
    if let due = machine.nextDeadline, due <= now.instant { handle(.deadlineReached) }
    endTurn()
  }

  private mutating func take() {
    while let effect = machine.nextEffect() {
      switch effect {
      case .spool(.readCursor): machine.handle(.cursorRead(nil), at: now, using: &generator)
      case .spool(.write(let write)) where !diskIsSlow:
        keep(write)
        machine.handle(.spoolWritten(write.ticket, .ok), at: now, using: &generator)
      case .spool(.sync(let sync)) where !diskIsSlow:
        machine.handle(.spoolSynced(sync.ticket, .ok), at: now, using: &generator)
      case .spool(.readSegment(let name, _)) where !diskIsSlow:
        machine.handle(.segmentRead(name, files[name]), at: now, using: &generator)
      case .dumpFlows:
        dumpCount += 1
        machine.handle(.flowsDumped(table), at: now, using: &generator)
      default: effects.append(effect)
      }
    }
  }

  // MARK: The world's part

  mutating func ask(_ name: String, id: UInt16 = 1) {
    let source = Endpoint(.v4(IPv4Address(127, 0, 0, 1)), 40_000)
    handle(
      .queryReceived(
        ClientQuery(client: nextClient, source: source, isTCP: false, bytes: queryBytes(id: id, name: name))))
    nextClient += 1
    endTurn()
  }

  /// Answers the query that was sent upstream last.
  mutating func answer(_ addresses: [IPAddress] = [address], ttl: UInt32 = 30) throws {
    let query = try #require(upstreamQueries.last)
    handle(
      .upstreamAnswered(
        answerBytes(to: query.bytes, addresses, ttl: ttl), from: query.upstream, socket: query.socket,
        isTCP: query.isTCP))
    endTurn()
  }

  /// The kernel's word on the transaction that is under way.
  mutating func settleCommit(_ outcome: CommitOutcome) {
    let id = effects.reversed().lazy.compactMap { effect -> UInt64? in
      if case .commit(let id, _) = effect { id } else { nil }
    }.first
    if let id { handle(.kernelCommitted(id, outcome)) }
    endTurn()
  }

  private mutating func keep(_ write: SpoolWrite) {
    files[write.name] = Array((files[write.name] ?? []).prefix(write.offset)) + write.bytes
  }

  /// Reads what is asked for until nothing more is.
  mutating func readSpool() {
    while let read = effects.lazy.compactMap({ if case .readSpool(let read) = $0 { read } else { nil } }).first {
      effects.removeAll { if case .readSpool = $0 { true } else { false } }
      let content = files[read.name] ?? []
      handle(
        .spoolRead(
          read, Array(content[min(read.offset, content.count)..<min(read.offset + read.length, content.count)])))
      endTurn()
    }
  }

  mutating func finishCursors() {
    let writes = effects.compactMap { effect -> SpoolCursorWrite? in
      if case .spool(.writeCursor(let write)) = effect { write } else { nil }
    }
    effects.removeAll { if case .spool(.writeCursor) = $0 { true } else { false } }
    for write in writes { handle(.cursorWritten(write.generation, .ok)) }
  }

  mutating func finishWrites(_ outcome: StorageOutcome = .ok) {
    let writes = effects.compactMap { effect -> SpoolWrite? in
      if case .spool(.write(let write)) = effect { write } else { nil }
    }
    effects.removeAll { if case .spool(.write) = $0 { true } else { false } }
    for write in writes {
      if outcome == .ok { keep(write) }
      handle(.spoolWritten(write.ticket, outcome))
    }
    endTurn()
  }

  mutating func put(_ policy: String, on connection: UInt64 = 9) {
    var headers: HeaderFields = [:]
    headers.append("OPENSANDBOX-EGRESS-AUTH", Array("secret".utf8))
    handle(
      .requestReceived(
        connection,
        HTTPRequest(method: "PUT", target: "/policy", path: "/policy", headers: headers, body: Array(policy.utf8))))
    endTurn()
  }

  // MARK: What it did

  var replies: [DNSReply] { effects.compactMap { if case .reply(let reply) = $0 { reply } else { nil } } }
  var upstreamQueries: [UpstreamQuery] {
    effects.compactMap { if case .sendUpstream(let query) = $0 { query } else { nil } }
  }
  var commits: [KernelTransaction] {
    effects.compactMap { if case .commit(_, let transaction) = $0 { transaction } else { nil } }
  }
  var responses: [Int] {
    effects.compactMap { if case .respond(_, let response) = $0 { response.status } else { nil } }
  }
  var deliveries: [Delivery] {
    effects.compactMap { if case .deliver(let delivery, _, _) = $0 { delivery } else { nil } }
  }
}

extension Scene {
  /// The numbers of the files to be kept.
  var keeps: [UInt64] { effects.compactMap { if case .keep(let id, _, _) = $0 { id } else { nil } } }
}

extension Scene {
  mutating func forgetCommits() { effects.removeAll { if case .commit = $0 { true } else { false } } }

  private func changesGate(_ wanted: (KernelChange) -> Bool) -> Bool {
    commits.contains { $0.changes.contains(where: wanted) }
  }

  var hasClosedGate: Bool {
    changesGate { if case .destroyElements(.gate, _) = $0 { true } else { false } }
  }

  /// After the installation.
  var hasOpenedGate: Bool {
    changesGate { if case .renewElements(.gate, _) = $0 { true } else { false } }
  }
}

extension Scene {
  /// The records in the segments' files, in their order.
  var storedRecords: [(sequence: UInt64, kind: String, text: String)] {
    let octets = files.keys.filter { $0.hasPrefix("segment") }.sorted().flatMap { files[$0] ?? [] }
    return String(decoding: octets, as: UTF8.self).split(separator: "{\"SbxChain\":").dropFirst().compactMap { piece in
      func value(_ member: String) -> Substring? {
        piece.split(separator: "\"\(member)\":", maxSplits: 1).dropFirst().first?.prefix { $0 != "," && $0 != "}" }
      }
      guard let sequence = value("SbxSeq").flatMap({ UInt64($0) }), let kind = value("SbxRecordKind") else {
        return nil
      }
      return (sequence, kind.filter { $0 != "\"" }, String(piece))
    }
  }
}
