import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

/// The contract's precedence, written as it is told: every rule is looked at, one port at a time.
struct NaivePolicy {
  let document: PolicyDocument
  let always: AlwaysRules
  /// In order of precedence, with where they stand.
  let rules: [(RulePlace, PolicyRule)]

  init(document: PolicyDocument, always: AlwaysRules) {
    self.document = document
    self.always = always
    rules =
      always.deny.enumerated().map { (.denyAlways($0.offset), $0.element) }
      + always.allow.enumerated().map { (.allowAlways($0.offset), $0.element) }
      + document.egress.enumerated().map { (.rule($0.offset), $0.element) }
  }

  func decide(
    _ name: DomainName?, _ address: IPAddress?, port: UInt16, transport: TransportProtocol, at now: WallTime
  ) -> (place: RulePlace, action: PolicyAction) {
    let isSpecial = address.map { SpecialPurpose.range(of: $0) != nil } ?? false
    for (place, rule) in rules {
      if let expiresAt = rule.expiresAt, expiresAt <= now { continue }
      guard rule.ports.contains(port: port, of: transport) else { continue }
      let matches: Bool
      switch rule.target {
      case .everything: matches = true
      case .block(let block): matches = address.map { block.contains($0) } ?? false
      case .name(let other): matches = name == other && !(isSpecial && rule.action == .allow)
      case .wildcard(let other):
        matches = name.map { $0.isBelow(other) } == true && !(isSpecial && rule.action == .allow)
      }
      if matches { return (place, rule.action) }
    }
    return (.defaultAction, document.defaultAction)
  }
}

/// Small policies full of collisions.
struct PolicyMaker {
  var generator: SplitMix

  static let labels = ["a", "b", "c"]
  /// One of each stretch between the ports that the texts below name, and a protocol without ports.
  static let probes: [(UInt16, TransportProtocol)] =
    [0, 79, 80, 100, 443, 444, 8050, 65535].flatMap { [($0, .tcp), ($0, .udp)] } + [(0, .icmp)]
  static let ports = ["80", "443/tcp", "443", "80-443", "8000-8100/udp", "1-65535/tcp"]

  mutating func name() -> String {
    (0...Int.random(in: 0...2, using: &generator)).map { _ in pick(Self.labels) }.joined(separator: ".") + ".x.test"
  }

  /// In 10.0.0.0/27 (private), 192.0.2.0/27 (ordinary) or 2001:db8::/124.
  mutating func address() -> IPAddress {
    let low = UInt8.random(in: 0..<32, using: &generator)
    switch Int.random(in: 0...2, using: &generator) {
    case 0: return .v4(IPv4Address(10, 0, 0, low))
    case 1: return .v4(IPv4Address(192, 0, 2, low))
    default: return .v6(IPv6Address(high: 0x2001_0db8_0000_0000, low: UInt64(low % 16)))
    }
  }

  mutating func rule(_ action: PolicyAction?) -> String {
    let target: String
    var action = action ?? (Bool.random(using: &generator) ? .allow : .deny)
    switch Int.random(in: 0...9, using: &generator) {
    case 0:
      target = "*"
      action = .deny
    case 1...3: target = name()
    case 4...5: target = "*." + name().drop { $0 != "." }.dropFirst()
    default:
      let address = address()
      let length =
        Bool.random(using: &generator)
        ? address.bitWidth : Int.random(in: address.bitWidth - 6...address.bitWidth, using: &generator)
      let edge = Int.random(in: 0..<30, using: &generator) == 0 ? 0 : length
      target = CIDRBlock(containing: address, prefixLength: edge)?.description ?? "0.0.0.0/0"
    }
    var text = #"{"action":"\#(action)","target":"\#(target)""#
    if Bool.random(using: &generator) {
      text += #","ports":["\#(pick(Self.ports))","\#(pick(Self.ports))"]"#
    }
    if Int.random(in: 0..<6, using: &generator) == 0 {
      text += #","expiresAt":"2026-01-0\#(Int.random(in: 1...3, using: &generator))T00:00:00Z""#
    }
    return text + "}"
  }

  mutating func policy() throws -> NaivePolicy {
    let rules = (0..<Int.random(in: 0...12, using: &generator)).map { _ in rule(nil) }
    let action = pick(["allow", "deny", "deny"])
    let document = try PolicyDocument.parse(
      Array(#"{"defaultAction":"\#(action)","egress":[\#(rules.joined(separator: ","))]}"#.utf8))
    var always = AlwaysRules.none
    for _ in 0..<Int.random(in: 0...2, using: &generator) {
      try always.deny.append(PolicyDocument.parseRules(Array("[\(rule(.deny))]".utf8))[0])
      let allowed = try PolicyDocument.parseRules(Array("[\(rule(.allow))]".utf8))[0]
      if allowed.action == .allow { always.allow.append(allowed) }
    }
    return NaivePolicy(document: document, always: always)
  }

  mutating func pick(_ choices: [String]) -> String { choices[Int.random(in: 0..<choices.count, using: &generator)] }
}

func named(_ text: String) throws -> DomainName { try #require(DomainName(text)) }

func addressed(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
