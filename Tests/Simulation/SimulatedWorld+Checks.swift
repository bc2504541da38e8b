import Addressing
import DNSProxy
import Firewall
import FlowAudit
import Forwarder
import HTTPWire
import Sidecar
import Spool
import Timekeeping

/// What is looked at after each step, and now and then as a whole.
extension SimulatedWorld {
  func afterStep() {
    if !isReadingConntrack, machine != nil, !kernel.conntrack.unread.isEmpty || kernel.conntrack.hasOverflowed {
      isReadingConntrack = true
      after(
        .microseconds(Int64(kernelGenerator.number(10...20_000))), .readConntrack(generation: generation))
    }
    if counts.steps % 64 == 0 { checkEverything(.onlyAllowedPasses) }
    guard let pending = machine?.pending else { return }
    check(pending.names <= asked.count + 4, .bounded, "\(pending.names) names are under way, \(asked.count) were asked")
    check(pending.changes <= changes.count, .bounded, "\(pending.changes) changes are under way")
    check(pending.held <= asked.count + changes.count, .bounded, "\(pending.held) replies are held")
    check(
      options.leasesMax == 0 || pending.leases <= options.leasesMax, .bounded, "\(pending.leases) leases")
    check(
      pending.spoolBytes <= options.spoolBytesMax + (64 << 10), .bounded, "\(pending.spoolBytes) octets are spooled")
  }

  /// Every address, port and protocol there is is tried, and every live flow.
  func checkEverything(_ invariant: Invariant) {
    guard kernel.hasTable, violation == nil else { return }
    for address in Universe.addresses {
      for port in Universe.ports {
        for transport in [TransportProtocol.tcp, .udp] {
          let destination = Endpoint(address, port)
          let source = Endpoint(Universe.pod(for: address), 19_999)
          let packet = SimulatedPacket(
            tuple: FlowTuple(source: source, destination: destination, transport: transport),
            user: Universe.workloadUser, packetMark: 0, isConnectionRequest: transport == .tcp)
          guard kernel.judge(packet, at: now).hasLeft else { continue }
          check(
            model.mayBegin(destination, transport: transport.rawValue, at: now, wall: wall, slack: slack), invariant,
            "a flow to \(destination) (\(transport)) could begin under \(model.policies.map(\.json))")
        }
      }
    }
    for entry in kernel.conntrack.live
    where entry.isLive && !entry.hasEnded && entry.original.source != Universe.visitor {
      let packet = SimulatedPacket(
        tuple: entry.original, user: Universe.workloadUser, packetMark: 0, isEstablished: true,
        connectionMark: entry.mark)
      if kernel.judge(packet, at: now).isAccepted { checkGoesOn(entry, invariant) }
    }
  }

  func checkGoesOn(_ entry: SimulatedConntrack.Entry, _ invariant: Invariant) {
    let destination = entry.original.destination
    check(
      model.mayGoOn(destination, transport: entry.original.transport.rawValue, wall: wall, slack: slack), invariant,
      "a flow to \(destination) (\(entry.original.transport), mark \(entry.mark)) goes on under \(model.policies.map(\.json))"
    )
  }

  // MARK: Words for the trace

  static func describe(_ event: SidecarEvent) -> String {
    switch event {
    case .started(let listing, let leases, let grants, _, let tampering):
      "> started \(listing.map(\.name)) leases \(leases.count) grants \(grants.count) \(tampering?.text ?? "")"
    case .rulesetChanged(let change): "> ruleset changed: \(change.text)"
    case .interceptorsFound(let chains): "> interceptors \(chains)"
    case .queryReceived(let query): "> query \(query.client) \(NaiveDNS.question(query.bytes)?.name ?? "?")"
    case .upstreamAnswered(let bytes, let from, let socket, let isTCP):
      "> upstream \(from) \(socket) \(isTCP) \(fingerprint(bytes))"
    case .conntrack(let event):
      "> conntrack \(event.kind) \(event.original.destination) \(event.original.source.port) mark \(event.mark) \(event.tcpState.map { "\($0)" } ?? "")"
    case .flowsFound(let events): "> found \(events.count)"
    case .flowsCut(let events): "> cut \(events.count)"
    case .flowsDumped(let events): "> dumped \(events.count)"
    case .sourcesFound(let addresses): "> sources \(addresses)"
    case .countsRead(let counts): "> counts of \(counts?.dropped.count ?? -1)"
    case .countsRemoved: "> counts removed"
    case .spoolRead(let read, let bytes): "> read \(read.name) \(read.offset) \(bytes?.count ?? -1)"
    case .segmentRead(let name, let bytes): "> segment \(name) \(bytes?.count ?? -1)"
    case .cursorRead(let bytes): "> cursor \(bytes?.count ?? -1)"
    case .requestReceived(let connection, let request):
      "> request \(connection) \(request.method) \(request.path) \(String(decoding: request.body, as: UTF8.self))"
    case .delivered(let id, let outcome): "> delivered \(id) \(outcome)"
    case .deliveryUnconnected(let id): "> delivery \(id) unconnected"
    case .copied(let id, let outcome): "> copied \(id) \(outcome)"
    case .noticeSent(let id, let outcome): "> notice \(id) \(outcome)"
    case .kernelCommitted(let id, let outcome): "> committed \(id) \(outcome)"
    case .spoolWritten(let ticket, let outcome): "> written \(ticket.number) \(outcome)"
    case .spoolSynced(let ticket, let outcome): "> synced \(ticket.number) \(outcome)"
    case .cursorWritten(let generation, let outcome): "> cursor written \(generation) \(outcome)"
    case .kept(let id, let outcome): "> kept \(id) \(outcome)"
    case .policyRead(let reading): "> policy read \(reading)"
    case .turnEnded: "> turn"
    case .deadlineReached: "> deadline"
    case .shutdownRequested: "> shutdown"
    case .upstreamFailed(let upstream, _, _): "> upstream failed \(upstream)"
    case .clientClosed(let client): "> client closed \(client)"
    case .flowMissing(let tuple, _): "> missing \(tuple.destination)"
    case .conntrackOverflowed: "> overflow"
    case .conntrackFailed(let code): "> conntrack failed \(code)"
    case .storageFailed(let reason): "> storage failed \(reason)"
    case .signatureChecked(let id, let outcome): "> signature \(id) \(outcome)"
    case .ownerTokenRead(let contents): "> owner token \(contents?.count ?? -1)"
    case .ownerKeysRead(let contents): "> owner keys \(contents?.count ?? -1)"
    case .tokenExchanged(let id, let outcome): "> exchanged \(id) \(outcome)"
    case .tokenReady: "> token"
    case .tokenUnavailable(let reason): "> no token \(reason)"
    }
  }

  static func describe(_ effect: SidecarEffect) -> String {
    switch effect {
    case .commit(let id, let transaction):
      "< commit \(id) \(transaction.changes.count < 12 ? transaction.changes.map { brief($0) }.joined(separator: "; ") : "installation")"
    case .rememberRuleset: "< remember ruleset"
    case .findFlows(let marks, let narrowed): "< find \(marks) \(narrowed.count)"
    case .deleteFlows(let flows): "< delete \(flows.count)"
    case .readCounters(let tuple, _): "< counters \(tuple.destination)"
    case .dumpFlows: "< dump"
    case .readCounts: "< read counts"
    case .removeCounts(let taken): "< remove \(taken.count) counts"
    case .sendUpstream(let query):
      "< upstream \(query.upstream) \(query.socket) \(query.isTCP) \(fingerprint(query.bytes))"
    case .reply(let reply):
      "< reply \(reply.client) \(NaiveDNS.reply(reply.bytes).map { "\($0.code) \($0.addresses)" } ?? "?")"
    case .spool(let effect): "< spool \(brief(effect))"
    case .readSpool(let read): "< read \(read.name) \(read.offset) \(read.length)"
    case .keep(let id, let file, let bytes): "< keep \(id) \(file) \(String(decoding: bytes, as: UTF8.self))"
    case .deliver(let delivery, let endpoint, let connects):
      "< deliver \(delivery.id) \(delivery.count) to \(endpoint.map { "\($0)" } ?? "file") \(connects) \(fingerprint(delivery.body))"
    case .copy(let id, let lines): "< copy \(id) \(fingerprint(lines))"
    case .notify(let id, let body, let endpoint): "< notify \(id) \(endpoint) \(fingerprint(body))"
    case .abandonDelivery(let id): "< abandon \(id)"
    case .fetchToken: "< token"
    case .exchangeToken(let id, let endpoint): "< exchange token \(id) \(endpoint)"
    case .forgetToken: "< forget token"
    case .checkSignature(let id, _): "< checkSignature \(id)"
    case .respond(let connection, let response): "< respond \(connection) \(response.status)"
    case .log(let entry): "< log \(entry.level) \(entry.message) \(entry.fields.map { "\($0.name)=\($0.value)" })"
    case .ready: "< ready"
    case .fail(let reason): "< fail \(reason)"
    case .stop: "< stop"
    }
  }

  private static func brief(_ change: KernelChange) -> String {
    func list(_ word: String, _ name: SetName, _ elements: [SetElement]) -> String {
      let texts = elements.map { "\($0.key)\($0.mark.map { ":\($0)" } ?? "")\($0.timeout.map { " \($0)" } ?? "")" }
      return "\(word) \(name.rawValue) \(texts.joined(separator: ","))"
    }
    return switch change {
    case .addElements(let name, let elements): list("add", name, elements)
    case .renewElements(let name, let elements): list("renew", name, elements)
    case .deleteElements(let name, let elements): list("delete", name, elements)
    case .destroyElements(let name, let elements): list("destroy", name, elements)
    default: "other"
    }
  }

  private static func brief(_ effect: SpoolEffect) -> String {
    switch effect {
    case .write(let write):
      "write \(write.ticket.number) \(write.name) \(write.offset) \(write.bytes.count) \(fingerprint(write.bytes)) holds \(recordsWritten(write.bytes, isNewFile: write.offset == 0).map { "\($0.sequence) \($0.kind)" }.joined(separator: ", "))"
    case .sync(let sync): "sync \(sync.ticket.number) \(sync.names) \(sync.directory)"
    case .writeCursor(let write): "cursor \(write.generation)"
    case .quarantine(let name, let bytes): "quarantine \(name) \(bytes.count)"
    default: "\(effect)"
    }
  }
}
