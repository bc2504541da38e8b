import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

/// SplitMix64: the same numbers from the same seed.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

func wire(_ name: String) -> [UInt8] {
  name == "." ? [0] : name.split(separator: ".").reduce(into: []) { $0 += [UInt8($1.utf8.count)] + $1.utf8 } + [0]
}

/// A record of a made-up upstream; the owner is written out.
struct Record {
  var owner: String
  var type: RecordType
  var ttl: Int
  var data: [UInt8]

  static func a(_ owner: String, _ address: String, ttl: Int = 300) -> Record {
    Record(owner: owner, type: .a, ttl: ttl, data: IPAddress(address)?.bytes ?? [])
  }
  static func aaaa(_ owner: String, _ address: String, ttl: Int = 300) -> Record {
    Record(owner: owner, type: .aaaa, ttl: ttl, data: IPAddress(address)?.bytes ?? [])
  }
  static func alias(_ owner: String, _ target: String, ttl: Int = 300) -> Record {
    Record(owner: owner, type: .cname, ttl: ttl, data: wire(target))
  }
  static func soa(_ owner: String, ttl: Int, minimum: Int) -> Record {
    Record(
      owner: owner, type: .soa, ttl: ttl,
      data: [0, 0] + [UInt8](repeating: 0, count: 16) + word(minimum >> 16) + word(minimum))
  }

  var bytes: [UInt8] {
    wire(owner) + word(Int(type.rawValue)) + word(1) + word(ttl >> 16) + word(ttl) + word(data.count) + data
  }
}

/// The machine with a policy, a clock and the effects that came out so far.
struct Stage {
  static let resolver = Endpoint(.v4(IPv4Address(10, 53, 0, 53)), 53)
  static let second = Endpoint(.v4(IPv4Address(10, 53, 0, 54)), 53)
  static let client = Endpoint(.v4(IPv4Address(127, 0, 0, 1)), 40_000)

  var proxy: DNSProxy
  var policy: RuleSet
  var gate = DNSGate.open
  var generator = SeededGenerator(state: 1)
  var milliseconds: Int64 = 1_000_000

  init(
    _ rules: [(PolicyAction, String)] = [(.allow, "*.acme.test"), (.allow, "acme.test")],
    defaultAction: PolicyAction = .deny, upstreams: [Endpoint] = [Stage.resolver], cache: Bool = false,
    isObserving: Bool = false, change: (inout DNSProxySettings) -> Void = { _ in }
  ) {
    var settings = DNSProxySettings(
      upstreams: upstreams.map { Upstream($0) }, cacheIsEnabled: cache, upstreamSockets: 8, isObserving: isObserving)
    change(&settings)
    proxy = DNSProxy(settings)
    policy = Stage.policy(rules, defaultAction: defaultAction)
  }

  static func policy(_ rules: [(PolicyAction, String)], defaultAction: PolicyAction = .deny) -> RuleSet {
    let list = rules.compactMap { action, target -> PolicyRule? in
      let parsed: PolicyTarget? =
        target.hasPrefix("*.")
        ? DomainName(target.dropFirst(2)).map(PolicyTarget.wildcard)
        : CIDRBlock(target).map(PolicyTarget.block) ?? DomainName(target).map(PolicyTarget.name)
      return parsed.map { PolicyRule(action: action, target: $0, targetText: target) }
    }
    return RuleSet(PolicyDocument(defaultAction: defaultAction, egress: RuleList(list)), revision: 1)
  }

  var now: Moment {
    Moment(
      instant: Instant(nanoseconds: milliseconds * 1_000_000),
      wall: WallTime(microseconds: 1_700_000_000_000_000 + milliseconds * 1_000))
  }

  static func query(
    _ name: String, _ type: RecordType = .a, recordClass: RecordClass = .in, id: UInt16 = 77, flags: UInt16 = 0x0100,
    edns: EDNS? = EDNS(payloadSize: 1232)
  ) -> [UInt8] {
    var composer = MessageComposer(
      Header(id: id, flags: flags), name: DomainName(checkedWire: wire(name)), type: type, recordClass: recordClass)
    if let edns { composer.append(edns) }
    return composer.bytes
  }

  /// What came out since the last call.
  mutating func drain() -> [DNSAction] {
    var actions: [DNSAction] = []
    while let action = proxy.nextAction() { actions.append(action) }
    return actions
  }

  mutating func receive(_ bytes: [UInt8], isTCP: Bool = false) -> [DNSAction] {
    proxy.receive(
      ClientQuery(client: 5, source: Stage.client, isTCP: isTCP, bytes: bytes), policy: policy, gate: gate, at: now,
      using: &generator)
    return drain()
  }

  mutating func ask(_ name: String, _ type: RecordType = .a) -> [DNSAction] { receive(Stage.query(name, type)) }

  mutating func respond(_ query: UpstreamQuery, _ bytes: [UInt8]) -> [DNSAction] {
    proxy.receiveUpstream(
      bytes, from: query.upstream, socket: query.socket, isTCP: query.isTCP, policy: policy, gate: gate, at: now,
      using: &generator)
    return drain()
  }

  mutating func respond(
    _ query: UpstreamQuery, code: Int = 0, flags: Int = 0x8180, _ answers: [Record] = [], authority: [Record] = [],
    additional: [Record] = []
  ) -> [DNSAction] {
    let bytes = Stage.reply(to: query, code: code, flags: flags, answers, authority, additional)
    guard !query.isTCP, bytes.count >= DNSProxySettings.datagramMax else { return respond(query, bytes) }
    // More than a datagram is asked for again by TCP.
    guard case .sendUpstream(let again)? = respond(query, bytes).first else { return [] }
    return respond(again, Stage.reply(to: again, code: code, flags: flags, answers, authority, additional))
  }

  static func reply(
    to query: UpstreamQuery, code: Int = 0, flags: Int = 0x8180, _ answers: [Record] = [], _ authority: [Record] = [],
    _ additional: [Record] = []
  ) -> [UInt8] {
    let end = (try? Query.parse(query.bytes).question.end) ?? 12
    return Array(query.bytes[..<2]) + word(flags | code) + word(1) + word(answers.count) + word(authority.count)
      + word(additional.count) + query.bytes[12..<end] + (answers + authority + additional).flatMap(\.bytes)
  }

  mutating func settle(_ lease: LeaseRequest, _ outcome: LeaseOutcome = .held(shortest: .seconds(360))) -> [DNSAction] {
    proxy.leaseSettled(lease.answer, outcome, at: now)
    return drain()
  }

  /// Asks, answers, settles.
  mutating func resolve(_ name: String, _ address: String = "198.51.100.1", ttl: Int = 300) throws {
    let query = try ask(name).onlyUpstream()
    _ = try settle(respond(query, [.a(name, address, ttl: ttl)]).onlyLease()).onlyReply()
  }

  mutating func wait(milliseconds span: Int64) -> [DNSAction] {
    milliseconds += span
    proxy.deadlineReached(policy: policy, gate: gate, at: now, using: &generator)
    return drain()
  }

  /// Time passes as the shell lets it, deadline by deadline, and nothing comes out.
  mutating func waitQuietly(milliseconds span: Int64, _ location: SourceLocation = #_sourceLocation) {
    let end = milliseconds + span
    while let next = proxy.nextDeadline, next.nanoseconds <= end * 1_000_000 {
      milliseconds = max(milliseconds, (next.nanoseconds + 999_999) / 1_000_000)
      proxy.deadlineReached(policy: policy, gate: gate, at: now, using: &generator)
      let actions = drain()
      if !actions.isEmpty { Issue.record("\(actions)", sourceLocation: location) }
    }
    milliseconds = end
  }

  mutating func fail(_ query: UpstreamQuery) -> [DNSAction] {
    proxy.upstreamFailed(
      query.upstream, socket: query.socket, isTCP: query.isTCP, policy: policy, gate: gate, at: now, using: &generator)
    return drain()
  }
}

/// The effect there must be alone.
extension [DNSAction] {
  func onlyUpstream(_ location: SourceLocation = #_sourceLocation) throws -> UpstreamQuery {
    guard count == 1, case .sendUpstream(let query) = self[0] else {
      Issue.record("not one query upstream: \(self)", sourceLocation: location)
      throw Missing()
    }
    return query
  }

  func onlyLease(_ location: SourceLocation = #_sourceLocation) throws -> LeaseRequest {
    guard count == 1, case .lease(let lease) = self[0] else {
      Issue.record("not one lease: \(self)", sourceLocation: location)
      throw Missing()
    }
    return lease
  }

  func onlyReply(_ location: SourceLocation = #_sourceLocation) throws -> (message: Message, facts: DNSFacts?) {
    guard count == 1, case .reply(let reply) = self[0] else {
      Issue.record("not one reply: \(self)", sourceLocation: location)
      throw Missing()
    }
    return (try Message.parse(reply.bytes), reply.facts)
  }
}

struct Missing: Error {}

extension Message {
  var errorText: String { String(decoding: edns?.extendedError?.text ?? [], as: UTF8.self) }
  var addresses: [String] { records.compactMap { address(of: $0)?.description } }
}
