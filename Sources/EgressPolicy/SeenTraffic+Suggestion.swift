import Addressing
import DNSWire
import Timekeeping

/// The smallest policy that would allow what was seen.
///
/// One rule a name, with the ports that flows used; a name that was only looked up gets 443/tcp, since a rule must have some port. Names side by side with
/// the same ports become one wildcard where there are many of them and nobody else can have a name below it (`isShared`). An address gets a rule of
/// its own where no name led to it, or none may. What a rule denies by intent is left out: a suggestion does not undo a decision.
extension SeenTraffic {
  /// Names side by side that make a wildcard: 4. Fewer are as quickly listed, and a wildcard allows more than was seen.
  static let siblingsMin = 4

  package func suggestion(beside policy: RuleSet, at now: WallTime) -> PolicyDocument {
    var used: [DomainName: Ports] = [:]
    for (name, exists) in names where exists && !isDenied(policy.decide(name, at: now).rule) { used[name] = Ports() }
    var addresses: [IPAddress: Ports] = [:]
    for seen in destinations {
      let rule = policy.decide(seen.name, seen.address, port: seen.port, transport: seen.transport, at: now)
      guard !isDenied(rule) else { continue }
      if let name = seen.name {
        used[name, default: Ports()].insert(seen)
      } else {
        addresses[seen.address, default: Ports()].insert(seen)
      }
    }
    var rules = grouped(used, beside: policy, at: now)
    for (address, ports) in addresses.sorted(by: { $0.key < $1.key }) {
      let range = SpecialPurpose.range(of: address).map { "seen; \($0): look twice" } ?? "seen without a name"
      rules.append(rule(address.description, ports, reason: range))
    }
    return PolicyDocument(defaultAction: .deny, egress: RuleList(rules.compactMap(\.self)))
  }

  /// A rule that denies more than everything denies it by intent.
  private func isDenied(_ rule: RuleReference) -> Bool {
    rule.action == .deny && rule.place != .defaultAction && rule.text != "deny *"
  }

  private func grouped(_ used: [DomainName: Ports], beside policy: RuleSet, at now: WallTime) -> [PolicyRule?] {
    struct Family: Hashable {
      var parent: String
      var ports: Ports
    }
    var families: [Family: [String]] = [:]
    for (name, ports) in used {
      let text = name.description.lowercased()
      let parent = text.firstIndex(of: ".").map { String(text[text.index(after: $0)...]) } ?? ""
      families[Family(parent: parent, ports: ports), default: []].append(text)
    }
    var rules: [(order: String, rule: PolicyRule?)] = []
    for (family, names) in families {
      let suffix = "." + family.parent
      let isOpposed = self.names.keys.contains {
        $0.description.lowercased().hasSuffix(suffix) && isDenied(policy.decide($0, at: now).rule)
      }
      if names.count >= Self.siblingsMin, !isShared(Array(family.parent.utf8)), !isOpposed {
        rules.append(
          ("\(family.parent) ", rule("*.\(family.parent)", family.ports, reason: "\(names.count) names seen")))
      } else {
        let reason = family.ports.isEmpty ? "only looked up" : "seen"
        for name in names { rules.append((name, rule(name, family.ports, reason: reason))) }
      }
    }
    return rules.sorted { $0.order < $1.order }.map(\.rule)
  }

  /// Nil for a name that no document can have, for instance one with an octet that is no letter, digit, hyphen or underscore.
  private func rule(_ target: String, _ ports: Ports, reason: String) -> PolicyRule? {
    guard let parsed = PolicyTarget(target) else { return nil }
    guard !ports.hasOthers else {
      return PolicyRule(action: .allow, target: parsed, targetText: target, reason: reason)
    }
    let texts = ports.isEmpty ? ["443/tcp"] : ports.texts
    return PolicyRule(
      action: .allow, target: parsed, targetText: target, portTexts: texts,
      ports: PortSet(
        tcp: ports.isEmpty ? [443...443] : ports.tcp.map { $0...$0 }, udp: ports.udp.map { $0...$0 },
        otherProtocols: false),
      reason: reason)
  }

  /// The ports that flows to one target used.
  private struct Ports: Hashable {
    var tcp: Set<UInt16> = []
    var udp: Set<UInt16> = []
    /// A protocol without ports, which only a rule without ports allows.
    var hasOthers = false

    var isEmpty: Bool { tcp.isEmpty && udp.isEmpty && !hasOthers }

    mutating func insert(_ seen: Destination) {
      switch seen.transport {
      case .tcp: tcp.insert(seen.port)
      case .udp: udp.insert(seen.port)
      default: hasOthers = true
      }
    }

    var texts: [String] { tcp.sorted().map { "\($0)/tcp" } + udp.sorted().map { "\($0)/udp" } }
  }
}
