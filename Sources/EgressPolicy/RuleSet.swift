import Addressing
import DNSWire
import Timekeeping

/// A number that grows with every change of the policy.
package struct PolicyRevision: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var number: UInt64

  package init(number: UInt64) { self.number = number }

  package var description: String { String(number) }

  package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// A policy compiled for deciding: immutable, the document and the platform's lists together.
package struct RuleSet: Sendable {
  package let document: PolicyDocument
  package let always: AlwaysRules
  package let revision: PolicyRevision

  package init(_ document: PolicyDocument, always: AlwaysRules = .none, revision: UInt64) {
    self.document = document
    self.always = always
    self.revision = PolicyRevision(number: revision)
  }

  /// What the policy says of a name before any address is known. Rules about addresses do not matter here.
  package func decide(_ name: DomainName, at now: WallTime) -> NameDecision {
    let verdicts = walk(now) { target in
      switch target {
      case .name(let other): name == other ? true : nil
      case .wildcard(let other): name.isBelow(other) ? true : nil
      case .block: nil
      case .everything: false
      }
    }
    let decisive = verdicts.first { $0.rule.action == .allow } ?? verdicts[verdicts.count - 1]
    return NameDecision(isAllowed: decisive.rule.action == .allow, rule: decisive.rule)
  }

  /// Which rule decides each port of `address` when `name` led to it (nil: nobody asked DNS): a partition of all ports, in the order of precedence.
  /// A rule that allows a name does not apply to an address in a special-purpose range.
  package func verdicts(_ name: DomainName?, _ address: IPAddress, at now: WallTime) -> [PortVerdict] {
    let isSpecial = SpecialPurpose.range(of: address) != nil
    return walk(now, skipsNameAllows: isSpecial) { target in
      switch target {
      case .name(let other): name == other ? true : nil
      case .wildcard(let other): name.map { $0.isBelow(other) } == true ? true : nil
      case .block(let block): block.contains(address) ? false : nil
      case .everything: false
      }
    }
  }

  /// The rule that decides one port.
  package func decide(
    _ name: DomainName?, _ address: IPAddress, port: UInt16, transport: TransportProtocol, at now: WallTime
  ) -> RuleReference {
    let all = verdicts(name, address, at: now)
    return (all.first { $0.ports.contains(port: port, of: transport) } ?? all[all.count - 1]).rule
  }

  /// What the rules about addresses say by themselves, as disjoint ranges in order, equal neighbours merged. Ranges where only the default deny
  /// applies are left out.
  package func addressPlan(at now: WallTime) -> [AddressPlanEntry] { [] }

  /// The next time after `now` at which a rule stops by itself.
  package func nextExpiry(after now: WallTime) -> WallTime? {
    (Array(always.deny) + Array(always.allow) + Array(document.egress)).compactMap(\.expiresAt).filter { $0 > now }
      .min()
  }

  /// `matches`: nil when the rule does not match, else whether it does by name.
  private func walk(
    _ now: WallTime, skipsNameAllows: Bool = false, _ matches: (PolicyTarget) -> Bool?
  ) -> [PortVerdict] {
    var left = PortSet.everything
    var verdicts: [PortVerdict] = []
    let lists: [(RuleList, (Int) -> RulePlace)] = [
      (always.deny, { .denyAlways($0) }), (always.allow, { .allowAlways($0) }), (document.egress, { .rule($0) }),
    ]
    for (rules, place) in lists {
      for (index, rule) in rules.enumerated() {
        if let expiresAt = rule.expiresAt, expiresAt <= now { continue }
        guard let isByName = matches(rule.target), !(skipsNameAllows && isByName && rule.action == .allow) else {
          continue
        }
        let ports = left.intersection(rule.ports)
        guard !ports.isEmpty else { continue }
        left = left.subtracting(rule.ports)
        verdicts.append(PortVerdict(ports: ports, rule: rule.reference(at: place(index)), isByName: isByName))
      }
    }
    if !left.isEmpty {
      let rule = RuleReference(
        place: .defaultAction, action: document.defaultAction, text: "default \(document.defaultAction.rawValue)")
      verdicts.append(PortVerdict(ports: left, rule: rule, isByName: false))
    }
    return verdicts
  }
}

extension PolicyRule {
  /// How records name this rule: `allow registry.example.com 443/tcp`, `deny.always 169.254.169.254`.
  package func reference(at place: RulePlace) -> RuleReference {
    let source =
      switch place {
      case .denyAlways: "deny.always"
      case .allowAlways: "allow.always"
      case .rule, .defaultAction: action.rawValue
      }
    let text = ([source, targetText] + (portTexts.map { [$0.joined(separator: ",")] } ?? [])).joined(separator: " ")
    return RuleReference(place: place, action: action, text: text, expiresAt: expiresAt)
  }
}

/// What rules about addresses say of a range.
package struct AddressPlanEntry: Hashable, Sendable {
  package var first: IPAddress
  /// Inclusive, of the same family.
  package var last: IPAddress
  /// A partition of all ports; the default's remainder included.
  package var verdicts: [PortVerdict]

  package init(first: IPAddress, last: IPAddress, verdicts: [PortVerdict]) {
    self.first = first
    self.last = last
    self.verdicts = verdicts
  }
}
