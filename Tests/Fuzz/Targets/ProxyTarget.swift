import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Timekeeping

extension FuzzTarget {
  /// The whole proxy: clients, upstreams that send anything, leases that fail, time, changes of policy and gate, in the order the octets say.
  static let dnsProxy = FuzzTarget(name: "dns-proxy", octetsMax: 2_048) { octets in
    var play = ProxyPlay(octets)
    play.run()
  }
}

/// A proxy, and what must hold of all that comes out of it.
private struct ProxyPlay {
  private static let names = ["www.acme.test", "a.acme.test", "files.evil.test", "one.test", "x.a.acme.test", "."]
  private static let types: [UInt16] = [1, 28, 65, 5, 16, 255, 6, 64, 46, 10, 41]
  private static let policies = [
    policy(#"{"egress":[{"action":"allow","target":"*.acme.test"},{"action":"allow","target":"one.test"}]}"#),
    policy(#"{"egress":[{"action":"deny","target":"198.51.100.7"},{"action":"allow","target":"one.test"}]}"#),
  ]

  private static func policy(_ text: String) -> RuleSet {
    guard let document = try? PolicyDocument.parse(Array(text.utf8)) else { fatalError("the policy of the play") }
    return RuleSet(document, revision: 1)
  }

  private static func upstream(_ number: UInt8) -> Upstream {
    Upstream(Endpoint(.v4(IPv4Address(10, 53, 0, number)), 53))
  }

  private var input: ArraySlice<UInt8>
  private var proxy: DNSProxy
  private var generator: Generator
  private var now: Int64 = 1_000_000_000
  private var policy = 0
  private var isOpen = true
  private var queries: [UpstreamQuery] = []
  private var leases: [LeaseRequest] = []
  /// Whatever was ever held.
  private var held: Set<IPAddress> = []
  /// The lease that was held in this step, and how long: no TTL of the answers that leave with it may be longer.
  private var shortest: UInt32?

  /// SplitMix64.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = state
      mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
      return mixed ^ mixed >> 31
    }
  }

  init(_ octets: [UInt8]) {
    input = octets[...]
    let first = input.popFirst() ?? 0
    var settings = DNSProxySettings(
      upstreams: (0...Int(first & 1)).map { Upstream(Endpoint(.v4(IPv4Address(10, 53, 0, UInt8($0 + 1))), 53)) },
      cacheIsEnabled: first & 2 != 0, upstreamSockets: 4)
    if first & 4 != 0 { settings.staleSpan = .seconds(600) }
    if first & 8 != 0 { settings.namesPerRule = 2 }
    if first & 16 != 0 { settings.clientRate = 20 }
    if first & 32 != 0 {
      settings.upstreams.append(Upstream(Endpoint(.v4(IPv4Address(10, 53, 0, 9)), 853), serverName: "a"))
    }
    proxy = DNSProxy(settings)
    generator = Generator(state: UInt64(first))
  }

  private mutating func take() -> Int { Int(input.popFirst() ?? 0) }

  private mutating func take(_ count: Int) -> [UInt8] {
    let taken = Array(input.prefix(count))
    input = input.dropFirst(count)
    return taken
  }

  private var moment: Moment {
    Moment(instant: Instant(nanoseconds: now), wall: WallTime(microseconds: 1_700_000_000_000_000 + now / 1_000))
  }
  private var rules: RuleSet { Self.policies[policy] }
  private var gate: DNSGate { isOpen ? .open : .closed(reason: "OWNER_UNBOUND", text: "no owner") }

  mutating func run() {
    while !input.isEmpty {
      step()
      drain()
    }
    // Whatever happened, it ends: every query is answered or given up.
    for _ in 0..<1_000 where proxy.nextDeadline != nil { pass(seconds: 1) }
    require(proxy.pendingCount == 0, "\(proxy.pendingCount) queries never end")
  }

  private mutating func step() {
    shortest = nil
    switch take() & 7 {
    case 0: receive(composed())
    case 1: receive(take(take()))
    case 2: answer()
    case 3: answerRaw()
    case 4:
      now += Int64(take()) * 20_000_000
      proxy.deadlineReached(policy: rules, gate: gate, at: moment, using: &generator)
    case 5: settle()
    case 6:
      guard let query = pick(queries) else { return }
      proxy.upstreamFailed(
        query.upstream, socket: query.socket, isTCP: query.isTCP, policy: rules, gate: gate, at: moment,
        using: &generator)
    default:
      let choice = take()
      policy = choice & 1
      isOpen = take() & 3 != 0
      guard choice & 2 != 0 else { return }
      let first = UInt8(1 + choice >> 3 & 3)
      var resolvers = [Self.upstream(first)]
      if choice & 4 != 0 { resolvers.append(Self.upstream(first + 1)) }
      proxy.replaceUpstreams(resolvers, policy: rules, gate: gate, at: moment, using: &generator)
    }
  }

  private mutating func pass(seconds: Int64) {
    now += seconds * 1_000_000_000
    proxy.deadlineReached(policy: rules, gate: gate, at: moment, using: &generator)
    drain()
  }

  private mutating func pick<Element>(_ all: [Element]) -> Element? { all.isEmpty ? nil : all[take() % all.count] }

  private mutating func composed() -> [UInt8] {
    let name = DomainName(Self.names[take() % Self.names.count]) ?? .root
    let type = Self.types[take() % Self.types.count]
    let flags = take()
    var composer = MessageComposer(
      Header(id: UInt16(take()), flags: 0x0100 | UInt16(flags & 0x30)), name: name, type: RecordType(rawValue: type))
    if flags & 1 != 0 { composer.append(EDNS(payloadSize: UInt16(flags) << 5, isDNSSECWanted: flags & 2 != 0)) }
    return composer.bytes
  }

  private mutating func receive(_ octets: [UInt8]) {
    let source = Endpoint(.v4(IPv4Address(127, 0, 0, UInt8(take() & 3))), 4_000)
    proxy.receive(
      ClientQuery(client: 1, source: source, isTCP: take() & 1 != 0, bytes: octets), policy: rules, gate: gate,
      at: moment, using: &generator)
  }

  /// A reply that belongs to a query, with records by the input and, now and then, octets changed.
  private mutating func answer() {
    guard let query = pick(queries), let question = try? Query.parse(query.bytes).question else { return }
    let flags = take()
    let count = take() & 7
    var octets = Array(query.bytes[..<question.end])
    octets[2] = 0x80 | (flags & 1 != 0 ? 2 : 0)
    octets[3] = UInt8(flags >> 1 & 3)
    octets[7] = UInt8(count)
    for index in 8..<12 { octets[index] = 0 }
    for _ in 0..<count {
      let kind = take()
      // Owner: the question, or a name of its own; data: an address, an alias, or octets of the input.
      octets += kind & 1 == 0 ? [0xc0, 12] : [1, UInt8(0x61 + kind >> 5), 0]
      let type = kind & 2 == 0 ? question.type.rawValue : kind & 4 == 0 ? 5 : 1
      let data: [UInt8]
      switch type {
      case 1: data = [198, 51, 100, UInt8(take() & 15)]
      case 28: data = [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [UInt8(take())]
      case 5: data = [1, UInt8(0x61 + take() & 7), 0]
      default: data = take(take() & 31)
      }
      octets += [UInt8(type >> 8), UInt8(type & 255), 0, 1, 0, 0, 0, UInt8(take()), 0, UInt8(data.count)] + data
    }
    if flags & 64 != 0 { octets[(take() << 3 | take() & 7) % octets.count] ^= UInt8(take()) }
    send(octets, for: query)
  }

  /// The right head, and then whatever the input has.
  private mutating func answerRaw() {
    guard let query = pick(queries), let question = try? Query.parse(query.bytes).question else { return }
    let tail = take(take())
    var octets = Array(query.bytes[..<question.end])
    octets[2] = 0x80
    octets[7] = UInt8(tail.count & 7)
    send(octets + tail, for: query)
  }

  private mutating func send(_ octets: [UInt8], for query: UpstreamQuery) {
    proxy.receiveUpstream(
      octets, from: query.upstream, socket: query.socket, isTCP: query.isTCP, policy: rules, gate: gate, at: moment,
      using: &generator)
  }

  private mutating func settle() {
    guard let lease = pick(leases) else { return }
    let word = take()
    if word & 3 == 0 {
      proxy.leaseSettled(lease.answer, .failed(reason: "LEASES_MAX", text: "full"), at: moment)
    } else {
      held.formUnion(lease.addresses.map(\.address))
      shortest = UInt32(word)
      proxy.leaseSettled(lease.answer, .held(shortest: .seconds(Int64(word))), at: moment)
    }
    leases.removeAll { $0.answer == lease.answer }
  }

  private mutating func drain() {
    while let action = proxy.nextAction() {
      switch action {
      case .sendUpstream(let query):
        guard let parsed = try? Query.parse(query.bytes) else { fatalError("a query upstream that is none") }
        require(isOpen && rules.decide(parsed.name, at: moment.wall).isAllowed, "\(parsed.name) left and is denied")
        queries.append(query)
        if queries.count > 64 { queries.removeFirst() }
      case .lease(let request):
        require(rules.decide(request.name, at: moment.wall).isAllowed, "a lease of \(request.name), which is denied")
        require(
          !request.addresses.isEmpty && request.addresses.count <= DNSProxySettings.answerAddressesMax,
          "\(request.addresses.count) addresses in one lease")
        leases.append(request)
      case .reply(let reply): check(reply)
      case .resolvedForDaemon, .daemonLookupFailed: fatalError("nobody asked")
      }
    }
    require(proxy.pendingCount <= 2 * DNSProxySettings.pendingQueriesMax, "too much is under way")
    require(proxy.cachedOctets <= DNSProxySettings.cachedOctetsMax, "the cache is too large")
  }

  private func check(_ reply: DNSReply) {
    guard let message = try? Message.parse(reply.bytes) else { fatalError("a reply that is no message") }
    require(message.header.isResponse, "a reply that is a query")
    require(reply.isTCP || reply.bytes.count <= DNSProxySettings.replySizeMax, "a datagram of \(reply.bytes.count)")
    for record in message.records {
      guard let address = message.address(of: record) else { continue }
      require(held.contains(address), "\(address) left and was never held")
      require(shortest.map { record.ttl <= $0 } ?? true, "\(address) left with a TTL longer than its lease")
    }
    if let facts = reply.facts, !facts.isAllowed { require(message.records.isEmpty, "a denial with records") }
  }
}
