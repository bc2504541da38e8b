import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

/// A firewall, the kernel under it and the clock of both.
struct Fixture {
  var firewall: Firewall
  var kernel = StrictKernel()
  var now = Fixture.moment(0)
  var policy: RuleSet
  var revision: UInt64 = 1
  private var answer: UInt64 = 0

  static let times = LeaseTimes(min: .seconds(60), grace: .seconds(60), max: .seconds(3_600))

  /// 2026-01-01T00:00:00Z and so many seconds.
  static func moment(_ seconds: Int64) -> Moment {
    Moment(
      instant: Instant(nanoseconds: 1_000_000_000_000 + seconds * 1_000_000_000),
      wall: WallTime(microseconds: (1_767_225_600 + seconds) * 1_000_000))
  }

  static var parameters: FirewallParameters {
    FirewallParameters(
      ownUser: 65532, ownMark: 0x1234_5678, dnsPort4: 15353, dnsPort6: 15353, apiPort: 18080)
  }

  init(_ rules: String..., limits: FirewallLimits = .init(), gateOpen: Bool = true) throws {
    var parameters = Self.parameters
    parameters.limits = limits
    firewall = Firewall(parameters, lease: Self.times)
    policy = try Self.ruleSet(rules, 1)
    firewall.start(policy: policy, gateOpen: gateOpen, at: now)
    try commit()
  }

  /// Rules as `allow TARGET [PORT,PORT] [until SECONDS]`, or `default allow`.
  static func ruleSet(_ lines: [String], _ revision: UInt64) throws -> RuleSet {
    var rules: [String] = []
    var action = "deny"
    for line in lines {
      var words = line.split(separator: " ").map(String.init)
      if words[0] == "default" {
        action = words[1]
        continue
      }
      var rule = "{\"action\":\"\(words[0])\",\"target\":\"\(words[1])\""
      words.removeFirst(2)
      if words.count >= 2, words[words.count - 2] == "until", let seconds = Int64(words[words.count - 1]) {
        rule += ",\"expiresAt\":\"\(moment(seconds).wall)\""
        words.removeLast(2)
      }
      if let ports = words.first {
        rule += ",\"ports\":[" + ports.split(separator: ",").map { "\"\($0)\"" }.joined(separator: ",") + "]"
      }
      rules.append(rule + "}")
    }
    let json = "{\"defaultAction\":\"\(action)\",\"egress\":[\(rules.joined(separator: ","))]}"
    return RuleSet(try PolicyDocument.parse(Array(json.utf8)), revision: revision)
  }

  mutating func replace(_ rules: String...) throws { try replace(rules) }

  mutating func replace(_ rules: [String]) throws {
    revision += 1
    policy = try Self.ruleSet(rules, revision)
    firewall.replacePolicy(policy, at: now)
  }

  mutating func stage(_ name: String, _ addresses: String..., ttl: UInt32 = 60) throws -> LeaseStaging {
    answer += 1
    return firewall.lease(
      try #require(DomainName(name)), try addresses.map { (try address($0), ttl) }, session: 100 + answer,
      answer: answer, policy: policy, at: now)
  }

  /// Stages and commits.
  mutating func lease(_ name: String, _ addresses: String..., ttl: UInt32 = 60) throws {
    for address in addresses {
      guard case .staged = try stage(name, address, ttl: ttl) else { continue }
    }
    try commit()
  }

  @discardableResult
  mutating func commit() throws -> Settlement? {
    guard let staged = firewall.takeTransaction() else { return nil }
    try kernel.commit(staged.transaction, at: now.instant)
    return firewall.settle(staged.id, .committed, at: now)
  }

  mutating func take() -> StagedTransaction? { firewall.takeTransaction() }

  @discardableResult
  mutating func refuse() -> Settlement? {
    guard let staged = firewall.takeTransaction() else { return nil }
    return firewall.settle(staged.id, .refused(CommitRefusal(code: 12, change: nil, reason: "ENOMEM")), at: now)
  }

  /// Lets time pass, to every deadline on the way.
  mutating func pass(_ seconds: Int64) throws {
    let end = Self.moment((now.instant.nanoseconds - 1_000_000_000_000) / 1_000_000_000 + seconds)
    while let next = firewall.nextDeadline, next <= end.instant {
      let wall = end.wall.microseconds - (end.instant - next).nanoseconds / 1_000
      now = Moment(instant: max(next, now.instant), wall: WallTime(microseconds: wall))
      firewall.deadlineReached(at: now)
      try commit()
    }
    now = end
  }

  func reach(_ text: String, _ port: UInt16 = 443, _ transport: TransportProtocol = .tcp) throws -> Bool {
    kernel.verdict(try address(text), port: port, transport: transport, at: now.instant).1
  }

  func mark(_ text: String, _ port: UInt16 = 443, _ transport: TransportProtocol = .tcp) throws -> UInt32 {
    kernel.verdict(try address(text), port: port, transport: transport, at: now.instant).0
  }

  func name(_ text: String, _ port: UInt16 = 443) throws -> String? {
    firewall.attribution(mark: try mark(text, port))?.name?.description
  }
}

func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
