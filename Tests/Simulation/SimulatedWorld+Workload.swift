import Addressing
import DNSProxy
import Firewall
import FlowAudit
import HTTPWire
import Sidecar
import Timekeeping

/// What programs do, and what they see.
extension SimulatedWorld {
  /// One act of the workload, perhaps a burst of them, and when the next one comes.
  func act() {
    guard !isResting else { return }
    let pause: TimeSpan =
      lifeGenerator.chance(15)
      ? .seconds(Int64(lifeGenerator.number(5...40))) : .microseconds(Int64(lifeGenerator.number(100...300_000)))
    after(pause, .workload)
    guard kernel.hasTable else { return }
    let burst = lifeGenerator.chance(50) ? lifeGenerator.number(2...20) : 1
    for _ in 0..<burst { perform(workload.next(at: wall)) }
    guard machine != nil else { return }
    if lifeGenerator.chance(plan.daemonCrash) {
      counts.daemonCrashes += 1
      daemonEnds("CRASH", isCrash: true)
    } else if lifeGenerator.chance(plan.machineCrash) {
      machineDies()
    } else if lifeGenerator.chance(plan.stop) {
      counts.stops += 1
      feed(.shutdownRequested)
    }
  }

  func perform(_ act: SimulatedWorkload.Act) {
    switch act {
    case .query(let name, let type, let isTCP, let hasEDNS):
      query(name, type: type, isTCP: isTCP, hasEDNS: hasEDNS)
    case .connect(let destination, let transport, let mark): connect(destination, transport: transport, mark: mark)
    case .connectTold(let transport):
      guard !told.isEmpty else { return }
      let known = flowGenerator.pick(Array(told.suffix(8)))
      connect(Endpoint(known.address, flowGenerator.pick(Universe.ports)), transport: transport)
    case .visit(let port, let transport, let isConnectionRequest):
      visit(port: port, transport: transport, isConnectionRequest: isConnectionRequest)
    case .attackAPI: connect(Endpoint(.v4(IPv4Address(127, 0, 0, 1)), Universe.apiPort), transport: 6)
    case .change(let change): request(change)
    case .read(let path): read(path)
    case .continueFlow:
      let live = kernel.conntrack.live.filter { $0.isLive && !$0.hasEnded }
      if !live.isEmpty { go(on: flowGenerator.pick(live).original, .packet) }
    }
  }

  // MARK: Names

  package func query(_ name: String, type: UInt16 = 1, isTCP: Bool = false, hasEDNS: Bool = true) {
    let id = UInt16(truncatingIfNeeded: flowGenerator.next())
    let source = Endpoint(.v4(IPv4Address(127, 0, 0, 1)), freePort())
    let tuple = FlowTuple(
      source: Endpoint(Universe.podAddress4, source.port), destination: Universe.upstreams[0],
      transport: isTCP ? .tcp : .udp)
    let verdict = kernel.judge(
      SimulatedPacket(tuple: tuple, user: Universe.workloadUser, packetMark: 0, isConnectionRequest: isTCP), at: now)
    check(
      !verdict.hasLeft, .onlyAllowedPasses, "a query of the workload passes the proxy by")
    guard let machine = verdict.redirected, machine.port == Universe.dnsPort else { return }
    kernel.conntrack.begin(
      tuple, mark: verdict.mark, redirected: verdict.redirected, isLive: false, ends: now + .seconds(10),
      loses: losesConntrack())
    guard self.machine != nil else { return }
    counts.queries += 1
    noteHeld()
    asked[nextClient] = Asked(id: id, name: name, at: now)
    let bytes = NaiveDNS.query(id: id, name: name, type: type, hasEDNS: hasEDNS)
    feed(.queryReceived(ClientQuery(client: nextClient, source: source, isTCP: isTCP, bytes: bytes)))
    nextClient += 1
  }

  func replied(_ reply: DNSReply) {
    guard let question = asked.removeValue(forKey: reply.client) else {
      return fail(Violation(.queryEndsOnce, "client \(reply.client) was answered again, or never asked"))
    }
    guard let answer = NaiveDNS.reply(reply.bytes), answer.id == question.id, answer.name == question.name else {
      return fail(Violation(.queryEndsOnce, "the answer to \(question.name) is not readable, or to another question"))
    }
    counts.answers += 1
    // Where a rule's end cuts a lease short, an answer makes it longer without a commit.
    if !answer.addresses.isEmpty { model.committed([question.name], at: now) }
    for address in answer.addresses {
      check(
        model.isTrue(question.name, address), .noLieIsTold, "\(question.name) was said to be at \(address)")
      check(
        isHeld(address) || lastHeld[address].map({ question.at <= $0 }) ?? false, .commitBeforeReply,
        "\(address) was told for \(question.name) before the kernel holds it")
      let evidence = "\(question.name) \(address)"
      check(
        (options.isStrict ? book.toldDurably : book.told).contains(evidence), .recordBeforeReply,
        "\(evidence) was told without a record")
      told.append(
        Told(
          name: question.name, address: address,
          until: now + .seconds(Int64(answer.ttl)) - .milliseconds(500), at: now,
          // What was told while a change is under way may be of either policy.
          changes: changes.isEmpty ? changesAsked : -1))
    }
    if told.count > 200 { told.removeFirst(100) }
  }

  /// A lease of the address stands in the kernel, or a rule about addresses lets it pass anyway.
  private func isHeld(_ address: IPAddress) -> Bool {
    let isByAddress = model.policies.contains { policy in
      Universe.ports.contains { port in
        [6, 17].contains { policy.allows(nil, address, port: port, transport: $0, at: wall) }
      }
    }
    if isByAddress { return true }
    let names: [SetName] =
      address.isIPv4
      ? [.lease4, .lease4Port, .lease4Range, .lease4Other] : [.lease6, .lease6Port, .lease6Range, .lease6Other]
    return names.contains { kernel.sets[$0]?.live(at: now).contains { $0.key.first == address.bytes } ?? false }
  }

  // MARK: Flows

  func freePort() -> UInt16 {
    nextPort = nextPort == 60_000 ? 20_000 : nextPort + 1
    return nextPort
  }

  /// Whether the flow left.
  @discardableResult
  package func connect(_ destination: Endpoint, transport: UInt8, mark: UInt32 = 0) -> Bool {
    let source = Endpoint(Universe.pod(for: destination.address), freePort())
    let tuple = FlowTuple(
      source: source, destination: destination, transport: TransportProtocol(rawValue: transport))
    let verdict = kernel.judge(
      SimulatedPacket(
        tuple: tuple, user: Universe.workloadUser, packetMark: mark, isConnectionRequest: transport == 6), at: now)
    note("CONNECT \(destination) \(transport) \(verdict.hasLeft) \(verdict.mark)")
    let isLocal = isLoopbackAddress(destination.address)
    if verdict.hasLeft, !isLocal {
      counts.packetsPassed += 1
      check(
        model.mayBegin(destination, transport: transport, at: now, wall: wall, slack: slack), .onlyAllowedPasses,
        "a flow to \(destination) (\(transport)) began")
    } else {
      counts.packetsStopped += 1
      check(!verdict.hasLeft, .onlyAllowedPasses, "the workload reached the control API")
      checkReachable(destination, transport: transport)
    }
    guard verdict.isAccepted else { return false }
    kernel.conntrack.begin(
      tuple, mark: verdict.mark, redirected: verdict.redirected, isLive: verdict.hasLeft && !isLocal,
      ends: now + .seconds(verdict.hasLeft ? 30 : 10), loses: losesConntrack())
    after(
      .milliseconds(Int64(flowGenerator.number(0...30))), .flow(tuple, verdict.hasLeft ? .answered : .refused))
    return verdict.hasLeft
  }

  /// What was told, is allowed and has not ended must pass.
  private func checkReachable(_ destination: Endpoint, transport: UInt8) {
    guard destination.port != 53, changes.isEmpty, isReady, model.policies.count == 1,
      kernel.sets[.gate]?.live(at: now).count == 2
    else { return }
    let policy = model.policies[0]
    for known in told where known.address == destination.address && now < known.until && known.changes == changesAsked {
      let times = [known.at, now].map { Self.epoch + TimeSpan(nanoseconds: $0.nanoseconds) }
      let isAllowed = times.allSatisfy {
        policy.allows(known.name, destination.address, port: destination.port, transport: transport, at: $0)
      }
      check(
        !isAllowed || policy.rules.contains { $0.expires != nil }, .toldIsReachable,
        "\(destination) of \(known.name) was told until \(known.until.nanoseconds / 1_000) µs and is stopped")
    }
  }

  func go(on tuple: FlowTuple, _ step: FlowStep) {
    guard let entry = kernel.conntrack.entries[tuple], !entry.hasEnded else { return }
    switch step {
    case .answered:
      kernel.conntrack.move(tuple, to: .established, loses: losesConntrack())
      after(.milliseconds(Int64(flowGenerator.number(1...500))), .flow(tuple, .packet))
      if flowGenerator.chance(700) {
        after(.milliseconds(Int64(flowGenerator.number(100...60_000))), .flow(tuple, .closed))
      }
    case .refused: kernel.conntrack.move(tuple, to: .close, loses: losesConntrack())
    case .packet:
      var packet = SimulatedPacket(
        tuple: tuple, user: Universe.workloadUser, packetMark: 0, isEstablished: true, connectionMark: entry.mark)
      // A flow from outside: the pod's packets are its replies.
      packet.isReply = tuple.source == Universe.visitor
      if packet.isReply {
        packet.tuple = FlowTuple(source: tuple.destination, destination: tuple.source, transport: tuple.transport)
      }
      let passes = kernel.judge(packet, at: now).isAccepted
      if passes {
        counts.packetsPassed += 1
        if !packet.isReply, entry.isLive { checkGoesOn(entry, .onlyAllowedPasses) }
        kernel.conntrack.exchange(
          tuple, bytes: UInt64(flowGenerator.number(40...1_500)), until: now + .seconds(60))
      } else {
        counts.packetsStopped += 1
      }
    case .closed:
      kernel.conntrack.move(tuple, to: .finWait, loses: losesConntrack())
      kernel.conntrack.move(tuple, to: .timeWait, loses: losesConntrack())
      kernel.conntrack.exchange(tuple, bytes: 40, until: now + .seconds(10))
    }
  }

  private func visit(port: UInt16, transport: UInt8, isConnectionRequest: Bool) {
    let tuple = FlowTuple(
      source: Universe.visitor, destination: Endpoint(Universe.podAddress4, port),
      transport: TransportProtocol(rawValue: transport))
    guard kernel.conntrack.entries[tuple] == nil else { return go(on: tuple, .packet) }
    var packet = SimulatedPacket(tuple: tuple, user: 0, packetMark: 0, isConnectionRequest: isConnectionRequest)
    packet.isInbound = true
    let verdict = kernel.judge(packet, at: now)
    let mayEnter = transport == 6 && isConnectionRequest && (port == 80 || port == Universe.apiPort)
    check(verdict.isAccepted == mayEnter, .onlyAllowedPasses, "a visitor to port \(port) (\(transport))")
    guard verdict.isAccepted else { return }
    kernel.conntrack.begin(
      tuple, mark: verdict.mark, redirected: nil, isLive: true, ends: now + .seconds(30), loses: losesConntrack())
    after(.milliseconds(10), .flow(tuple, .answered))
  }

  // MARK: The API

  private func request(_ change: SimulatedWorkload.Change) {
    // What a merge makes depends on what stands: nothing may be under way then.
    guard changes.count < 3 else { return }
    switch change {
    case .replace(let policy): put(policy)
    case .merge(let rules):
      guard changes.isEmpty, model.policies.count == 1 else { return }
      var new = model.policies[0]
      var front: [NaivePolicy.Rule] = []
      for rule in rules where !front.contains(where: { $0.targetText == rule.targetText }) { front.append(rule) }
      new.rules = front + new.rules.filter { old in !front.contains { $0.targetText == old.targetText } }
      isMergeUnderWay = true
      self.change(to: new, method: "PATCH", body: "[\(rules.map(\.json).joined(separator: ","))]")
    case .remove(let targets):
      guard changes.isEmpty, model.policies.count == 1 else { return }
      var new = model.policies[0]
      new.rules.removeAll { targets.contains($0.targetText) }
      isMergeUnderWay = true
      self.change(
        to: new, method: "DELETE", body: "[\(targets.map { #""\#($0)""# }.joined(separator: ","))]")
    }
  }

  /// Asks for this policy.
  package func put(_ policy: NaivePolicy) {
    guard !isMergeUnderWay else { return }
    change(to: policy, method: "PUT", body: policy.json)
  }

  private func change(to policy: NaivePolicy, method: String, body: String) {
    guard machine != nil, isReady, let request = parsed(method, "/policy", body) else { return isMergeUnderWay = false }
    changesAsked += 1
    changes.append((nextConnection, policy))
    model.policies.append(policy)
    feed(.requestReceived(nextConnection, request))
    nextConnection += 1
  }

  package func read(_ path: String) {
    guard machine != nil, let request = parsed("GET", path, "") else { return }
    readings.insert(nextConnection)
    feed(.requestReceived(nextConnection, request))
    nextConnection += 1
  }

  private func parsed(_ method: String, _ path: String, _ body: String) -> HTTPRequest? {
    let octets = Array(body.utf8)
    let head =
      "\(method) \(path) HTTP/1.1\r\nHost: pod\r\nOPENSANDBOX-EGRESS-AUTH: \(Self.apiToken)\r\nContent-Length: \(octets.count)\r\n\r\n"
    var parser = RequestParser()
    parser.receive(Array(head.utf8) + octets)
    guard case .request(let request) = parser.next() else { return nil }
    return request
  }

  func responded(_ connection: UInt64, _ response: HTTPResponse) {
    guard let index = changes.firstIndex(where: { $0.connection == connection }) else {
      check(readings.remove(connection) != nil, .queryEndsOnce, "connection \(connection) was answered again")
      return
    }
    check(index == 0, .changeIsInForce, "a change overtook another")
    let policy = changes.remove(at: index).policy
    let inForce = response.status == 200 ? policy : model.policies[0]
    if response.status == 200 { counts.changesAccepted += 1 } else { counts.changesRefused += 1 }
    note("ANSWERED \(response.status)")
    isMergeUnderWay = false
    if changes.isEmpty {
      model.settle(inForce, at: wall)
      checkEverything(.changeIsInForce)
    } else {
      model.policies = [inForce] + changes.map(\.policy)
    }
  }
}
