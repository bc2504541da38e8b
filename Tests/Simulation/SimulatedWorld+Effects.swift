import Addressing
import DNSProxy
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import HTTPWire
import OwnerIdentity
import Sidecar
import Spool
import Timekeeping

/// The shell's part: each effect performed on the simulated parts. What is returned is at hand at once.
extension SimulatedWorld {
  func perform(_ effect: SidecarEffect) -> [SidecarEvent] {
    note(Self.describe(effect))
    switch effect {
    case .commit(let id, let transaction): return perform(id, transaction)
    case .rememberRuleset: break
    case .findFlows(let marks, let narrowed): return [.flowsFound(find(marks, narrowed))]
    case .deleteFlows(let flows): return [.flowsCut(delete(flows))]
    case .readCounters(let tuple, let identifier):
      if let entry = kernel.conntrack.entries[tuple], entry.identifier == identifier || identifier == 0 {
        return [.conntrack(entry.event(.snapshot))]
      }
      return [.flowMissing(tuple, identifier: identifier)]
    case .dumpFlows: return [.flowsDumped(kernel.conntrack.live.map { $0.event(.snapshot) })]
    case .readCounts: return [.countsRead(KernelCounts(rules: [:], dropped: []))]
    case .removeCounts: return [.countsRemoved]
    case .sendUpstream(let query): return send(query)
    case .reply(let reply):
      replied(reply)
      if sabotage == .replyRepeated { replied(reply) }
    case .spool(let effect): return perform(effect)
    case .readSpool(let read):
      let content = disk.contents(read.name)
      return [
        .spoolRead(
          read, content.map { Array($0[min(read.offset, $0.count)..<min(read.offset + read.length, $0.count)]) })
      ]
    case .keep(let id, let file, let bytes):
      submit(.keep(id, file, bytes, NaivePolicy(kept: bytes)))
    case .deliver(let delivery, let endpoint, let connects):
      // A kept connection ends now and then, whatever the plan.
      if !connects, endpoint != nil, hub.generator.chance(50) { return [.deliveryUnconnected(delivery.id)] }
      deliver(delivery, endpoint)
    case .copy(let id, _):
      return [.copied(id, diskGenerator.chance(plan.writeFails) ? .failed(reason: "no space left on device") : .ok)]
    case .abandonDelivery: break
    case .fetchToken:
      return [hub.generator.chance(plan.hubUnauthorized) ? .tokenUnavailable(reason: "no route") : .tokenReady]
    case .exchangeToken(let id, let endpoint): exchange(id, at: endpoint)
    case .forgetToken: tokenEnds = nil
    case .forgetResolvers: break
    // No webhook is told in this world.
    case .notify(let id, _, _): return [.noticeSent(id, .answered(200))]
    // No token is brought in this world.
    case .checkSignature(let id, _): return [.signatureChecked(id, .invalid)]
    case .respond(let connection, let response): responded(connection, response)
    case .log: break
    case .ready: becameReady()
    case .fail(let reason): daemonEnds("FAIL \(reason)", isCrash: false)
    case .stop: daemonEnds("STOP", isCrash: false)
    }
    return []
  }

  // MARK: The kernel

  private func perform(_ id: UInt64, _ transaction: KernelTransaction) -> [SidecarEvent] {
    let asked = Set(self.asked.values.map(\.name))
    if sabotage == .commitClaimedEarly, isReady {
      after(.milliseconds(300), .commit(generation: -1, id, transaction, asked: asked))
      return [.kernelCommitted(id, .committed)]
    }
    // A start waits for its ruleset and reads no socket before.
    if isReady, kernelGenerator.chance(plan.commitSlow) {
      let delay = TimeSpan.milliseconds(Int64(kernelGenerator.number(0...300)))
      after(delay, .commit(generation: generation, id, transaction, asked: asked))
      return []
    }
    return [.kernelCommitted(id, commit(transaction, asked: asked))]
  }

  func commit(_ transaction: KernelTransaction, asked: Set<String>) -> CommitOutcome {
    counts.commits += 1
    noteHeld()
    var outcome: CommitOutcome
    if kernelGenerator.chance(plan.commitRefused) {
      outcome = .refused(CommitRefusal(code: kernelGenerator.pick([105, 12]), change: nil, reason: "no memory"))
    } else {
      outcome = kernel.apply(transaction, at: now)
      if case .refused(let refusal) = outcome, sabotage == nil {
        // Nothing that the machine sends is ever wrong by itself.
        fail(Violation(.comesToRest, "the kernel refuses what the machine wants: \(refusal.reason)"))
      }
    }
    if case .committed = outcome {
      model.committed(asked, at: now)
      noteHeld()
    } else {
      counts.refusedCommits += 1
    }
    note("COMMIT \(transaction.changes.count) \(outcome == .committed)")
    return outcome
  }

  func noteHeld() {
    for name in [SetName.lease4, .lease4Port, .lease4Other, .lease6, .lease6Port, .lease6Other] {
      for element in kernel.sets[name]?.live(at: now) ?? [] {
        if let address = element.key.first.flatMap({ IPAddress(bytes: $0) }) { lastHeld[address] = now }
      }
    }
  }

  private func find(_ marks: [UInt32], _ narrowed: [NarrowedGrant]) -> [ConntrackEvent] {
    kernel.conntrack.live.filter { entry in
      let destination = entry.original.destination
      return marks.contains(entry.mark)
        || narrowed.contains {
          $0.mark == entry.mark && $0.first <= destination.address && destination.address <= $0.last
            && !$0.allowed.contains(port: destination.port, of: entry.original.transport)
        }
    }
    .map { $0.event(.snapshot) }
  }

  private func delete(_ flows: [ConntrackEvent]) -> [ConntrackEvent] {
    guard sabotage != .cutIgnored else { return [] }
    var gone: [ConntrackEvent] = []
    for flow in flows {
      guard let entry = kernel.conntrack.entries[flow.original], entry.identifier == flow.identifier else { continue }
      kernel.conntrack.remove(entry.original, loses: losesConntrack())
      gone.append(entry.event(.snapshot))
    }
    return gone
  }

  func losesConntrack() -> Bool { kernelGenerator.chance(plan.conntrackLost) }

  func readConntrack() {
    isReadingConntrack = false
    let (events, hasOverflowed) = kernel.conntrack.takeUnread()
    for event in events { feed(.conntrack(event)) }
    if hasOverflowed { feed(.conntrackOverflowed) }
  }

  /// Whether the daemon's own rules let its own packet out.
  private func ownPasses(_ endpoint: Endpoint, transport: TransportProtocol) -> Bool {
    let source = Endpoint(Universe.pod(for: endpoint.address), 30_000)
    let packet = SimulatedPacket(
      tuple: FlowTuple(source: source, destination: endpoint, transport: transport), user: Universe.ownUser,
      packetMark: settings?.firewall.ownMark ?? 0, isConnectionRequest: transport == .tcp)
    return kernel.judge(packet, at: now).hasLeft
  }

  // MARK: Names

  private func send(_ query: UpstreamQuery) -> [SidecarEvent] {
    check(
      ownPasses(query.upstream, transport: query.isTCP ? .tcp : .udp), .ownTrafficPasses,
      "a query to \(query.upstream) is stopped")
    let name = NaiveDNS.question(query.bytes)?.name ?? ""
    let (answers, truths) = upstream.answer(query, plan)
    for truth in truths { model.learn(name, truth.address, ttl: truth.ttl) }
    for answer in answers {
      later(
        answer.delay, .upstreamAnswered(answer.bytes, from: answer.from, socket: query.socket, isTCP: answer.isTCP))
    }
    return []
  }

  // MARK: The hub

  private func exchange(_ id: UInt64, at endpoint: Endpoint) {
    counts.exchanges += 1
    check(ownPasses(endpoint, transport: .tcp), .ownTrafficPasses, "an exchange at \(endpoint) is stopped")
    // Refused at once, or never answered until the shell gives up; else a token that lives for some seconds or long.
    let fails = hub.generator.chance(plan.exchangeFails)
    let delay = TimeSpan.milliseconds(
      Int64(hub.generator.number(1...(fails && hub.generator.chance(300) ? 10_000 : 300))))
    let lifetime = TimeSpan.seconds(Int64(hub.generator.pick([8, 30, 120, 3_600])))
    after(delay, .exchanged(generation: generation, id, fails ? nil : lifetime))
  }

  /// The shell takes a token before it tells the machine.
  func exchanged(_ id: UInt64, _ lifetime: TimeSpan?) {
    if lifetime == nil { counts.exchangesFailed += 1 } else { tokenEnds = now + (lifetime ?? .zero) }
    let retryAfter: TimeSpan? = hub.generator.chance(300) ? .seconds(2) : nil
    feed(
      .tokenExchanged(
        id, lifetime.map { .issued(lifetime: $0) } ?? .failed(reason: "the authority is busy", retryAfter: retryAfter)))
  }

  private func deliver(_ delivery: Delivery, _ endpoint: Endpoint?) {
    if options.usesAuthority {
      check(tokenEnds.map { now < $0 } ?? false, .deliveryHasToken, "a delivery leaves without a token that is valid")
    }
    if let endpoint {
      check(ownPasses(endpoint, transport: .tcp), .ownTrafficPasses, "a delivery to \(endpoint) is stopped")
    }
    let (answer, taken) = hub.receive(delivery.body, plan)
    if case .outcome(.response(status: 201, _, _)) = answer {} else { counts.failedDeliveries += 1 }
    for record in taken {
      counts.delivered += 1
      if sabotage != .hubForgets { fail(book.delivered(record)) }
    }
    if case .outcome(let outcome) = answer {
      later(.milliseconds(Int64(hub.generator.number(1...80))), .delivered(delivery.id, outcome))
    }
  }

  // MARK: The disk

  private func perform(_ effect: SpoolEffect) -> [SidecarEvent] {
    switch effect {
    case .readCursor(let name): return [.cursorRead(disk.contents(name))]
    case .readSegment(let name, let bytesMax):
      return [.segmentRead(name, disk.contents(name).flatMap { $0.count <= bytesMax ? $0 : nil })]
    case .write(let write):
      if sabotage == .writeClaimedEarly {
        after(.milliseconds(300), .disk(generation: generation))
        disk.submit(.write(write), at: now)
        return [.spoolWritten(write.ticket, .ok)]
      }
      if diskGenerator.chance(plan.diskSlow) || !disk.tasks.isEmpty && plan.diskSlow > 0 {
        submit(.write(write))
        return []
      }
      let failure = diskGenerator.chance(plan.writeFails) ? "no space left on device" : nil
      let partial = diskGenerator.number(0...10_000)
      if failure != nil { counts.diskFailures += 1 }
      let outcome = disk.write(write, failure: failure, partial: partial)
      wrote(write, outcome, partial)
      return [.spoolWritten(write.ticket, outcome)]
    case .sync(let sync): submit(.sync(sync))
    case .writeCursor(let write): submit(.cursor(write))
    case .deleteSegment(let name): submit(.delete(name))
    case .truncate(let name, let length): submit(.truncate(name, length))
    case .setAside(let name): submit(.setAside(name))
    case .quarantine(_, let bytes):
      counts.quarantined += 1
      book.quarantined(bytes)
    case .recovered, .stored, .durable, .stalled, .damaged: break
    }
    return []
  }

  private func submit(_ task: SimulatedDisk.Task) {
    disk.submit(task, at: now)
    let slow = diskGenerator.chance(plan.diskSlow) ? diskGenerator.number(1...200) : 0
    // Tasks end one after the other, so each waits at least for the ones before it.
    diskBusyUntil =
      max(diskBusyUntil, now) + .milliseconds(Int64(slow)) + .microseconds(Int64(diskGenerator.number(50...2_000)))
    queue.add(.disk(generation: generation), at: diskBusyUntil)
  }

  func diskFinished() {
    let isSync: Bool
    switch disk.tasks.first {
    case .sync?: isSync = true
    default: isSync = false
    }
    let chance = isSync ? plan.syncFails : plan.writeFails
    var failure = diskGenerator.chance(chance) ? "no space left on device" : nil
    if case .keep? = disk.tasks.first, diskGenerator.chance(plan.keepFails) { failure = "read-only file system" }
    if let event = finishTask(failure: failure), sabotage != .writeClaimedEarly || !isWrite(event) { feed(event) }
  }

  private func isWrite(_ event: SidecarEvent) -> Bool { if case .spoolWritten = event { true } else { false } }

  @discardableResult
  func finishTask(failure: String?) -> SidecarEvent? {
    if failure != nil { counts.diskFailures += 1 }
    let began = disk.beganAt
    let partial = diskGenerator.number(0...10_000)
    guard let (task, outcome) = disk.finish(failure: failure, partial: partial, at: now) else { return nil }
    switch task {
    case .write(let write):
      wrote(write, outcome, partial)
      return .spoolWritten(write.ticket, outcome)
    case .sync(let sync):
      if outcome == .ok { book.synced(sync.names, began: began) }
      return .spoolSynced(sync.ticket, outcome)
    case .cursor(let write): return .cursorWritten(write.generation, outcome)
    case .keep(let id, _, _, _): return .kept(id, outcome)
    case .delete, .truncate, .setAside: return nil
    }
  }

  private func wrote(_ write: SpoolWrite, _ outcome: StorageOutcome, _ partial: Int) {
    var bytes = write.bytes
    if outcome != .ok { bytes = Array(bytes.prefix(SimulatedDisk.part(of: write, partial))) }
    let records = recordsWritten(bytes, isNewFile: write.offset == 0)
    let wasOvertaken = overtakenWrites.remove(write.ticket) != nil
    // A name comes again when its file was deleted.
    if write.offset == 0 { holedFiles.remove(write.name) }
    if outcome == .ok { counts.records += records.count }
    // Behind a hole nothing counts as stored.
    if outcome != .ok {
      holedFiles.insert(write.name)
      // Nor what was on its way then: the machine writes it again.
      for case .write(let other) in disk.tasks { overtakenWrites.insert(other.ticket) }
    }
    let isWhole = !wasOvertaken && !holedFiles.contains(write.name)
    fail(book.wrote(records, in: write.name, isWhole: isWhole, at: now))
  }
}
