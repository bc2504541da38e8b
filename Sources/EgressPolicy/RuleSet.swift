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
///
/// Precedence (contract §3): `deny.always`, `allow.always`, the document's rules in order, `defaultAction`. Of the rules that match and have not expired, each
/// takes the ports that none before it took. A name's wildcard or length does not matter, only the order.
package struct RuleSet: Sendable {
  package let document: PolicyDocument
  package let always: AlwaysRules
  package let revision: PolicyRevision

  let index: RuleIndex
  private let skipped: RuleIndex
  /// Rules of the lists and the document.
  let ruleCount: Int
  /// What references say of the rules, made beforehand for policies of ordinary size, on demand for lists of a million names.
  let labels: [RuleReference.Label]
  private let expiries: [WallTime]
  let defaultRule: RuleReference

  /// Rules whose labels are kept: the most a document has by default. Some hundred and fifty octets each.
  static let labelsMax = 4096

  /// `former`: the policy that this one takes the place of, most of whose rules it has too.
  package init(
    _ document: PolicyDocument, always: AlwaysRules = .none, revision: UInt64, after former: RuleSet? = nil
  ) {
    self.document = document
    self.always = always
    self.revision = PolicyRevision(number: revision)
    let index = RuleIndex([always.deny, always.allow, document.egress])
    self.index = index
    skipped = RuleIndex([
      RuleList(
        always.skipLog.map { PolicyRule(action: .deny, target: $0, targetText: $0.description) })
    ])
    let count = always.deny.count + always.allow.count + document.egress.count
    ruleCount = count
    labels = count > Self.labelsMax ? [] : makeLabels(count, index, former)
    expiries = Set(always.deny.expiries + always.allow.expiries + document.egress.expiries).sorted()
    defaultRule = RuleReference(
      place: .defaultAction, action: document.defaultAction, text: "default \(document.defaultAction.rawValue)")
  }

  /// What the policy says of a name before any address is known: allowed when some port of some ordinary address may be reached by it. Rules about
  /// addresses do not matter here.
  package func decide(_ name: DomainName, at now: WallTime) -> NameDecision {
    var left = PortSet.everything
    let lists = index.lists
    for rule in index.rules(named: name).merged(with: index.everything) {
      let (list, at) = index.place(rule)
      let condition = lists.span[list].condition(at)
      if let expiresAt = condition?.expiresAt, expiresAt <= now { continue }
      let ports = condition?.ports ?? .everything
      if lists.span[list].action(at) == .allow {
        if left.isEverything || !left.intersection(ports).isEmpty {
          return NameDecision(isAllowed: true, rule: reference(rule))
        }
      } else {
        left = ports.isEverything ? .nothing : left.subtracting(ports)
        if left.isEmpty { return NameDecision(isAllowed: false, rule: reference(rule)) }
      }
    }
    return NameDecision(isAllowed: document.defaultAction == .allow, rule: defaultRule)
  }

  /// Which rule decides each port of `address` when `name` led to it (nil: nobody asked DNS): a partition of all ports, in the order of precedence.
  /// A rule that allows a name does not apply to an address in a special-purpose range.
  package func verdicts(_ name: DomainName?, _ address: IPAddress, at now: WallTime) -> [PortVerdict] {
    verdicts(
      of: matching(name, address), ignoringNameAllows: SpecialPurpose.range(of: address) != nil, at: now)
  }

  /// The rule that decides one port. A protocol without ports has `port` 0.
  package func decide(
    _ name: DomainName?, _ address: IPAddress, port: UInt16, transport: TransportProtocol, at now: WallTime
  ) -> RuleReference {
    for verdict in verdicts(name, address, at: now) where verdict.ports.contains(port: port, of: transport) {
      return verdict.rule
    }
    return defaultRule
  }

  /// The next time after `now` at which a rule stops by itself; nil when none will.
  package func nextExpiry(after now: WallTime) -> WallTime? { expiries.first { $0 > now } }

  /// Whether `log_skip.always` lists the name or the address: it gets no record of its own.
  package func skipsLog(_ name: DomainName?, _ address: IPAddress?) -> Bool {
    if let name, !skipped.rules(named: name).isEmpty { return true }
    if let address, !skipped.addresses.rules(holding: address).isEmpty { return true }
    return false
  }

  /// Rules that match, expired ones included, in the order of precedence.
  func matching(_ name: DomainName?, _ address: IPAddress?) -> RuleNumbers {
    var rules = name.map { index.rules(named: $0) } ?? RuleNumbers()
    rules = rules.merged(with: index.everything)
    if let address { rules = rules.merged(with: index.addresses.rules(holding: address)) }
    return rules
  }

  /// Gives each rule in turn the ports that are left, the default the rest.
  func verdicts(of rules: RuleNumbers, ignoringNameAllows: Bool, at now: WallTime) -> [PortVerdict] {
    if !ignoringNameAllows, let rule = rules.only { return verdicts(of: rule, at: now) }
    var left = PortSet.everything
    var verdicts: [PortVerdict] = []
    let lists = index.lists
    for rule in rules {
      let (list, at) = index.place(rule)
      let condition = lists.span[list].condition(at)
      if let expiresAt = condition?.expiresAt, expiresAt <= now { continue }
      let kind = lists.span[list].kind(at)
      let isByName = kind == .name || kind == .wildcard
      if ignoringNameAllows, isByName, lists.span[list].action(at) == .allow { continue }
      let rulePorts = condition?.ports ?? .everything
      let ports = rulePorts.isEverything ? left : left.intersection(rulePorts)
      guard !ports.isEmpty else { continue }
      verdicts.append(PortVerdict(ports: ports, rule: reference(rule), isByName: isByName))
      if rulePorts.isEverything { return verdicts }
      left = left.subtracting(rulePorts)
      if left.isEmpty { return verdicts }
    }
    verdicts.append(PortVerdict(ports: left, rule: defaultRule, isByName: false))
    return verdicts
  }

  /// The same for one rule alone, which is what a name mostly matches.
  private func verdicts(of rule: UInt32, at now: WallTime) -> [PortVerdict] {
    let (list, at) = index.place(rule)
    let lists = index.lists
    let byDefault = PortVerdict(ports: .everything, rule: defaultRule, isByName: false)
    if let expiresAt = lists.span[list].expiresAt(at), expiresAt <= now { return [byDefault] }
    let kind = lists.span[list].kind(at)
    let isByName = kind == .name || kind == .wildcard
    let shares = lists.span[list].shares(at)
    let own = PortVerdict(ports: shares.own, rule: reference(rule), isByName: isByName)
    guard !shares.own.isEverything, !shares.rest.isEmpty else { return [own] }
    return [own, PortVerdict(ports: shares.rest, rule: defaultRule, isByName: false)]
  }

  func reference(_ rule: UInt32) -> RuleReference {
    let (list, at) = index.place(rule)
    return RuleReference(
      list == 0 ? .denyAlways(at) : list == 1 ? .allowAlways(at) : .rule(at),
      labels.isEmpty ? makeLabel(list, at, index) : labels[Int(rule)])
  }
}

/// The labels of all rules. Composing them is most of the work of a change, so those of a former policy serve again: both are walked at once, and a rule
/// that went or came is stepped over.
private func makeLabels(_ count: Int, _ index: RuleIndex, _ former: RuleSet?) -> [RuleReference.Label] {
  let rules = index.lists[2]
  // Taken out once: a policy holds dozens of references, which a copy for each rule would count.
  let old = former?.document.egress ?? []
  let kept = former?.labels ?? []
  let firstKept = kept.count - old.count
  var labels: [RuleReference.Label] = []
  labels.reserveCapacity(count)
  for rule in 0..<count - rules.count {
    let (list, at) = index.place(UInt32(rule))
    labels.append(makeLabel(list, at, index))
  }
  var next = kept.isEmpty ? old.count : 0
  for at in rules.indices {
    if next < old.count {
      var isSame = rules.isSame(at, old, next)
      if !isSame, next + 1 < old.count, rules.isSame(at, old, next + 1) {
        next += 1
        isSame = true
      }
      if isSame {
        labels.append(kept[firstKept + next])
        next += 1
        continue
      }
    }
    labels.append(makeLabel(2, at, index))
  }
  return labels
}

private func makeLabel(_ list: Int, _ at: Int, _ index: RuleIndex) -> RuleReference.Label {
  let lists = index.lists
  let action = lists.span[list].action(at)
  let source = list == 0 ? "deny.always " : list == 1 ? "allow.always " : action == .allow ? "allow " : "deny "
  let target = lists.span[list].text(at)
  var text: [UInt8] = []
  // With room for the ports most rules have.
  text.reserveCapacity(target.count + 32)
  text.append(contentsOf: source.utf8)
  text.append(contentsOf: target)
  if let portTexts = lists.span[list].condition(at)?.portTexts {
    text.append(0x20)
    text.append(contentsOf: portTexts.joined(separator: ",").utf8)
  }
  return RuleReference.Label(action, String(decoding: text, as: UTF8.self), lists.span[list].expiresAt(at))
}
