import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

/// A play for the proxy as text: a line does something, and the lines with `>` behind it are all that comes out of the proxy then.
///
///     set KEY VALUE                  upstreams, cache (on), stale (seconds), names (of a wildcard rule), rate (of one client), deny (refused), svcb (refuse)
///     policy allow NAME, deny NAME   from now on; everything else is denied
///     gate REASON TEXT | gate open
///     ask NAME TYPE [tcp] [noedns] [size N] [class N]
///     answer [N] [tc] [other-id] [other-case] [RCODE] [RECORD; …] [/ AUTHORITY] [/ ADDITIONAL]
///                                    by the resolver that got the N-th query that left, or the last one
///     fill N                         the last query is answered by a datagram of N octets with addresses
///     fail [N]                       the network says that nobody is there
///     held SECONDS | unheld REASON   what became of the lease that was asked for last
///     pass MILLISECONDS              deadline by deadline
///     resolvers ADDRESS, …           from now on
///     limits NAME COUNT, …           what the metric says of limits that were reached
///
/// A record is `OWNER TTL TYPE DATA`. Nothing else is random than spelling and identifiers, which the text does not show.
struct Script {
  struct Fault: Error, CustomStringConvertible {
    var description: String
  }

  private var stage: Stage
  private var queries: [UpstreamQuery] = []
  private var leases: [LeaseRequest] = []

  /// Plays the text to its end. Throws at the first line at which something else happens than is written.
  static func play(_ text: String) throws {
    var steps: [(number: Int, line: String, expected: [String])] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = line.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)[0]
      let words = line.split(separator: " ").joined(separator: " ")
      guard !words.isEmpty else { continue }
      if words.hasPrefix("> ") {
        guard !steps.isEmpty else { throw Fault(description: "line \(index + 1): nothing was done yet") }
        steps[steps.count - 1].expected.append(String(words.dropFirst(2)))
      } else {
        steps.append((index + 1, words, []))
      }
    }
    var script = try Script(steps.prefix { $0.line.hasPrefix("set ") }.map(\.line))
    for step in steps where !step.line.hasPrefix("set ") {
      let came = try script.perform(step.line, at: step.number)
      guard came == step.expected else {
        throw Fault(
          description:
            "line \(step.number), \(step.line): expected\n\(step.expected.joined(separator: "\n"))\nand there came\n\(came.joined(separator: "\n"))"
        )
      }
    }
  }

  private init(_ settings: [String]) throws {
    var upstreams = [Stage.resolver]
    var changes: [(inout DNSProxySettings) -> Void] = []
    for line in settings {
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 3 else { throw Fault(description: line) }
      let number = Int(words[2]) ?? 0
      switch words[1] {
      case "upstreams": upstreams = (1...number).map { Endpoint(.v4(IPv4Address(10, 53, 0, UInt8(52 + $0))), 53) }
      case "cache": changes.append { $0.cacheIsEnabled = true }
      case "stale": changes.append { $0.staleSpan = .seconds(Int64(number)) }
      case "names": changes.append { $0.namesPerRule = number }
      case "rate": changes.append { $0.clientRate = number }
      case "deny": changes.append { $0.denialCode = .refused }
      case "svcb": changes.append { $0.refusesServiceBindings = true }
      default: throw Fault(description: line)
      }
    }
    stage = Stage([], upstreams: upstreams) { settings in for change in changes { change(&settings) } }
  }

  private mutating func perform(_ line: String, at number: Int) throws -> [String] {
    var words = line.split(separator: " ").map(String.init)[...]
    let verb = words.removeFirst()
    var actions: [DNSAction] = []
    switch verb {
    case "policy":
      let rules = words.joined(separator: " ").split(separator: ",").map { $0.split(separator: " ").map(String.init) }
      stage.policy = Stage.policy(rules.map { ($0[0] == "allow" ? .allow : .deny, $0[1]) })
    case "gate":
      let reason = words.removeFirst()
      stage.gate = reason == "open" ? .open : .closed(reason: reason, text: words.joined(separator: " "))
    case "ask": actions = try ask(words)
    case "answer":
      let query = try query(&words)
      actions = stage.respond(query, try reply(to: query, words))
    case "fill":
      guard let query = queries.last, let size = Int(words.first ?? "") else { throw Fault(description: line) }
      var bytes = Stage.reply(to: query, (0..<(size / 40)).map { .a("www.acme.test", "198.51.100.\($0 % 250)") })
      bytes += [UInt8](repeating: 0, count: max(size - bytes.count, 0))
      actions = stage.respond(query, Array(bytes.prefix(size)))
    case "fail": actions = stage.fail(try query(&words))
    case "held", "unheld":
      guard let lease = leases.popLast() else { throw Fault(description: "line \(number): no lease was asked for") }
      let outcome: LeaseOutcome =
        verb == "held" ? .held(shortest: .seconds(Int64(words[1]) ?? 0)) : .failed(reason: words[1], text: words[1])
      actions = stage.settle(lease, outcome)
    case "pass": actions = pass(Int64(words[1]) ?? 0)
    case "resolvers":
      let upstreams = words.joined().split(separator: ",").compactMap { IPAddress($0) }
      stage.proxy.replaceUpstreams(
        upstreams.map { Upstream(Endpoint($0, 53)) }, policy: stage.policy, gate: stage.gate, at: stage.now,
        using: &stage.generator)
      actions = stage.drain()
    case "limits":
      let counts = stage.proxy.counters.limits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      let told = counts.joined(separator: ", ")
      guard told == words.joined(separator: " ") else {
        throw Fault(description: "line \(number): the limits are \(told)")
      }
    default: throw Fault(description: "line \(number): \(verb) is no step of a script")
    }
    return try actions.map { try tell($0).split(separator: " ").joined(separator: " ") }
  }

  private mutating func ask(_ words: ArraySlice<String>) throws -> [DNSAction] {
    var words = Array(words)
    let name = words.removeFirst()
    let type = try type(words.removeFirst())
    func option(_ key: String) -> Int? {
      words.firstIndex(of: key).flatMap { words.indices.contains($0 + 1) ? Int(words[$0 + 1]) : nil }
    }
    let edns = words.contains("noedns") ? nil : EDNS(payloadSize: UInt16(option("size") ?? 1_232))
    let bytes = Stage.query(
      name, type, recordClass: RecordClass(rawValue: UInt16(option("class") ?? 1)), edns: edns)
    return stage.receive(bytes, isTCP: words.contains("tcp"))
  }

  /// The query of this number, from 1, when the words begin with one; else the last.
  private func query(_ words: inout ArraySlice<String>) throws -> UpstreamQuery {
    var index = queries.count - 1
    if let number = words.first.flatMap({ Int($0) }) {
      words.removeFirst()
      index = number - 1
    }
    guard queries.indices.contains(index) else { throw Fault(description: "no such query has left") }
    return queries[index]
  }

  private func reply(to query: UpstreamQuery, _ words: ArraySlice<String>) throws -> [UInt8] {
    var words = words
    var flags = 0x8180
    var code = 0
    var otherID = false
    var otherCase = false
    loop: while let word = words.first {
      switch word {
      case "tc": flags |= 0x0200
      case "other-id": otherID = true
      case "other-case": otherCase = true
      case "NOERROR": code = 0
      case "SERVFAIL": code = 2
      case "NXDOMAIN": code = 3
      case "REFUSED": code = 5
      default: break loop
      }
      words.removeFirst()
    }
    let sections = try words.joined(separator: " ").split(separator: "/", omittingEmptySubsequences: false).map {
      try $0.split(separator: ";").filter { !$0.allSatisfy { $0 == " " } }.map { try record(String($0)) }
    }
    func section(_ index: Int) -> [Record] { sections.indices.contains(index) ? sections[index] : [] }
    var bytes = Stage.reply(to: query, code: code, flags: flags, section(0), section(1), section(2))
    if otherID { bytes[1] ^= 1 }
    if otherCase {
      for index in 12..<bytes.count where bytes[index] & ~0x20 &- 0x41 < 26 {
        bytes[index] ^= 0x20
        break
      }
    }
    return bytes
  }

  private func record(_ text: String) throws -> Record {
    let words = text.split(separator: " ").map(String.init)
    guard words.count >= 4, let ttl = Int(words[1]) else { throw Fault(description: "no record: \(text)") }
    switch words[2] {
    case "A": return .a(words[0], words[3], ttl: ttl)
    case "AAAA": return .aaaa(words[0], words[3], ttl: ttl)
    case "CNAME": return .alias(words[0], words[3], ttl: ttl)
    case "SOA": return .soa(words[0], ttl: ttl, minimum: Int(words[3]) ?? 0)
    default:
      let octets = words[3].utf8.map { $0 }
      return Record(owner: words[0], type: try type(words[2]), ttl: ttl, data: [UInt8(octets.count)] + octets)
    }
  }

  private func type(_ name: String) throws -> RecordType {
    if let number = UInt16(name) { return RecordType(rawValue: number) }
    guard let found = (1...UInt16(257)).lazy.map({ RecordType(rawValue: $0) }).first(where: { $0.description == name })
    else { throw Fault(description: "no type: \(name)") }
    return found
  }

  private mutating func pass(_ span: Int64) -> [DNSAction] {
    let end = stage.milliseconds + span
    var actions: [DNSAction] = []
    while let next = stage.proxy.nextDeadline, next.nanoseconds <= end * 1_000_000 {
      actions += stage.wait(milliseconds: max((next.nanoseconds + 999_999) / 1_000_000 - stage.milliseconds, 0))
    }
    stage.milliseconds = end
    return actions
  }

  private mutating func tell(_ action: DNSAction) throws -> String {
    switch action {
    case .sendUpstream(let query):
      queries.append(query)
      let parsed = try Query.parse(query.bytes)
      return "upstream \(parsed.name) \(parsed.type) @\(query.upstream.address)\(query.isTCP ? " tcp" : "")"
    case .lease(let request):
      leases.append(request)
      return "lease \(request.name) " + request.addresses.map { "\($0.address)/\($0.ttl)" }.joined(separator: " ")
    case .reply(let reply):
      let message = try Message.parse(reply.bytes)
      var text = "reply \(message.responseCode)"
      if message.header.isTruncated { text += " tc" }
      let records = message.records.map { record in
        let data =
          message.address(of: record)?.description ?? message.targetOffset(of: record).map {
            message.name(at: $0).description
          } ?? "…"
        return "\(message.name(at: record.ownerOffset)) \(record.ttl) \(record.type) \(data)"
      }
      if !records.isEmpty { text += " " + records.joined(separator: "; ") }
      if let error = message.edns?.extendedError {
        text += " EDE \(error.code.rawValue) \(String(decoding: error.text, as: UTF8.self))"
      }
      return text
    case .resolvedForDaemon(_, let addresses, _):
      return "resolved " + addresses.map(\.description).joined(separator: " ")
    case .daemonLookupFailed(_, let reason): return "unresolved \(reason)"
    }
  }
}
