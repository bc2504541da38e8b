import Addressing
import DNSWire
import Timekeeping

/// What a rule does with what it matches.
package enum PolicyAction: String, Hashable, Sendable {
  case allow, deny
}

/// What a rule is about (contract §3).
package enum PolicyTarget: Hashable, Sendable {
  /// Exactly this name.
  case name(DomainName)
  /// Every name below this one at any depth, not the name itself: `*.example.com`.
  case wildcard(DomainName)
  /// An address or a block of them.
  case block(CIDRBlock)
  /// `*`: everything; only to deny.
  case everything
}

/// One rule of a policy document, validated.
package struct PolicyRule: Hashable, Sendable {
  package var action: PolicyAction
  package var target: PolicyTarget
  /// The target as it was written, for GET and for comparing targets on DELETE.
  package var targetText: String
  /// The items of `ports` as they were written (`443/tcp`); nil when the rule has none and so covers every port and protocol.
  package var portTexts: [String]?
  /// What `portTexts` says; `.everything` without it.
  package var ports: PortSet
  package var expiresAt: WallTime?
  package var reason: String?

  package init(
    action: PolicyAction, target: PolicyTarget, targetText: String, portTexts: [String]? = nil,
    ports: PortSet = .everything, expiresAt: WallTime? = nil, reason: String? = nil
  ) {
    self.action = action
    self.target = target
    self.targetText = targetText
    self.portTexts = portTexts
    self.ports = ports
    self.expiresAt = expiresAt
    self.reason = reason
  }
}

/// Where a rule stands. Earlier sources win over later ones.
package enum RulePlace: Hashable, Comparable, Sendable {
  /// Index into `deny.always`.
  case denyAlways(Int)
  /// Index into `allow.always`.
  case allowAlways(Int)
  /// Index into `egress`.
  case rule(Int)
  /// `defaultAction`.
  case defaultAction
}

/// The rule that made a decision, as records and `explain` name it. Sixteen octets: it travels with every query and stays with every grant.
package struct RuleReference: Hashable, Sendable {
  /// What of a rule stays the same while others come and go. A policy and the one after it share those of the rules that both have.
  final class Label: Sendable {
    let action: PolicyAction
    let text: String
    let expiresAt: WallTime?
    let textHash: Int

    init(_ action: PolicyAction, _ text: String, _ expiresAt: WallTime?) {
      self.action = action
      self.text = text
      self.expiresAt = expiresAt
      var hasher = Hasher()
      hasher.combine(text)
      textHash = hasher.finalize()
    }
  }

  private let label: Label
  /// The place: its case in the two highest bits, its index below.
  private let number: UInt64

  init(_ place: RulePlace, _ label: Label) {
    self.label = label
    number =
      switch place {
      case .denyAlways(let index): UInt64(index)
      case .allowAlways(let index): 1 << 62 | UInt64(index)
      case .rule(let index): 2 << 62 | UInt64(index)
      case .defaultAction: 3 << 62
      }
  }

  package init(place: RulePlace, action: PolicyAction, text: String, expiresAt: WallTime? = nil) {
    self.init(place, Label(action, text, expiresAt))
  }

  package var place: RulePlace {
    let index = Int(number & (1 << 62 - 1))
    return switch number >> 62 {
    case 0: .denyAlways(index)
    case 1: .allowAlways(index)
    case 2: .rule(index)
    default: .defaultAction
    }
  }
  package var action: PolicyAction { label.action }
  /// `allow registry.example.com 443/tcp`, `deny.always 169.254.169.254`, `default deny`: does not depend on the rule's index, so that it stays the
  /// same while other rules come and go. Two rules with equal text are the same rule for a grant.
  package var text: String { label.text }
  package var expiresAt: WallTime? { label.expiresAt }

  package static func == (left: Self, right: Self) -> Bool {
    left.number == right.number
      && (left.label === right.label
        || left.action == right.action && left.text == right.text && left.expiresAt == right.expiresAt)
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(label.textHash) }

  /// What is the same for equal texts: a key that needs no text to be hashed.
  package struct Text: Hashable, Sendable {
    private let label: Label

    fileprivate init(_ label: Label) { self.label = label }

    package static func == (left: Self, right: Self) -> Bool {
      left.label === right.label || left.label.text == right.label.text
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(label.textHash) }
  }

  package var textKey: Text { Text(label) }
}

/// Ports for which one rule is the first match.
package struct PortVerdict: Hashable, Sendable {
  package var ports: PortSet
  package var rule: RuleReference
  /// The rule matched the name and not the address: it grants what DNS told.
  package var isByName: Bool

  package init(ports: PortSet, rule: RuleReference, isByName: Bool) {
    self.ports = ports
    self.rule = rule
    self.isByName = isByName
  }
}

/// What the policy says of a name, before any address is known.
package struct NameDecision: Hashable, Sendable {
  /// Whether some port of some ordinary address may be reached by this name.
  package var isAllowed: Bool
  /// The first rule that allows when allowed, else the rule that denies.
  package var rule: RuleReference

  package init(isAllowed: Bool, rule: RuleReference) {
    self.isAllowed = isAllowed
    self.rule = rule
  }
}
