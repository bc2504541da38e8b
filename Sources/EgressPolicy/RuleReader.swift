import JSONText
import Timekeeping

extension PolicyReader {
  /// One rule, from behind its brace.
  mutating func rule(_ path: String) throws(JSONError) {
    var action: PolicyAction? = .deny
    var target: [UInt8]?
    var condition = RuleCondition()
    var isSound = true
    var token = try json.next()
    while token == .key {
      let key = json.string
      token = try json.next()
      switch key {
      case "action": action = try self.action(token, "unsupported action")
      case "target" where token == .string: target = json.text
      case "ports": isSound = try ports(token, &condition) && isSound
      case "expiresAt": isSound = try expiry(token, &condition) && isSound
      case "reason": isSound = try reason(token, &condition) && isSound
      case "target":
        isSound = false
        target = []
        report("expected a string\(found(token))")
        try json.skip(token)
      default:
        isSound = false
        try unknown(key, token, ["action", "target", "ports", "expiresAt", "reason"])
      }
      token = try json.next()
    }
    guard let target else { return report("egress target cannot be empty", "\(path)[\(count)].target") }
    guard isSound, let action else {
      if !target.isEmpty, let fault = PolicyTarget.fault(in: target) { report(fault, "\(path)[\(count)].target") }
      return
    }
    switch checkTarget(target) {
    case .refused(let reason): report(reason, "\(path)[\(count)].target")
    case .valid(.everything) where action == .allow: report(allowsEverything, "\(path)[\(count)].target")
    case .valid(let kind): list.append(action, kind, target, condition)
    }
  }

  private mutating func ports(_ token: JSONToken, _ condition: inout RuleCondition) throws(JSONError) -> Bool {
    guard token == .beginArray else {
      report("expected an array of ports\(found(token))")
      try json.skip(token)
      return false
    }
    var texts: [String] = []
    var sets: [PortSet] = []
    var isSound = true
    var count = 0
    var item = try json.next()
    while item != .endArray {
      count += 1
      switch item {
      case .string:
        let text = json.string
        switch knownPorts(text) {
        case .valid(let ports):
          sets.append(ports)
          texts.append(text)
        case .refused(let reason):
          isSound = false
          report(reason)
        }
      case .number:
        isSound = false
        report("a port is a string: \"\(json.string)\" or \"\(json.string)/tcp\"")
      default:
        isSound = false
        report("expected a string\(found(item))")
        try json.skip(item)
      }
      item = try json.next()
    }
    if count == 0 {
      report("an empty list allows and denies nothing: leave \"ports\" out for every port")
      return false
    }
    condition.portTexts = texts
    condition.ports =
      sets.count == 1
      ? sets[0] : PortSet(tcp: sets.flatMap(\.tcp), udp: sets.flatMap(\.udp), otherProtocols: false)
    return isSound
  }

  /// As `checkPorts`, remembering the last: most rules say the same port.
  private mutating func knownPorts(_ text: String) -> PortCheck {
    if let lastPorts, lastPorts.text == text { return .valid(lastPorts.ports) }
    let check = checkPorts(text)
    if case .valid(let ports) = check { lastPorts = (text, ports) }
    return check
  }

  private mutating func expiry(_ token: JSONToken, _ condition: inout RuleCondition) throws(JSONError) -> Bool {
    guard token == .string else {
      report("expected a string\(found(token))")
      try json.skip(token)
      return false
    }
    condition.expiresAt = WallTime(json.string)
    if condition.expiresAt == nil { report("not a time of RFC 3339, for instance 2026-12-01T00:00:00Z") }
    return condition.expiresAt != nil
  }

  private mutating func reason(_ token: JSONToken, _ condition: inout RuleCondition) throws(JSONError) -> Bool {
    guard token == .string else {
      report("expected a string\(found(token))")
      try json.skip(token)
      return false
    }
    guard json.text.count <= PolicyLimits.reasonMax else {
      report("longer than \(PolicyLimits.reasonMax) octets")
      return false
    }
    condition.reason = json.string
    return true
  }
}

let allowsEverything = "\"*\" is only for deny: to allow everything, set \"defaultAction\" to \"allow\""

/// Rules in order, without those that an earlier one leaves nothing to match.
struct DistinctRules {
  private(set) var rules = RuleList()
  private var table: RuleTable

  /// Octets that a rule of a document has at least, mostly: what more rules need is found as they come.
  private static let ruleOctets = 48

  /// For the rules of a document of so many octets.
  init(ofOctets octets: Int) {
    table = RuleTable(count: octets / Self.ruleOctets)
    rules.reserve(octets / Self.ruleOctets, octets: octets)
  }

  mutating func append(_ action: PolicyAction, _ kind: TargetKind, _ target: [UInt8], _ condition: RuleCondition) {
    let number = UInt32(clamping: rules.count)
    rules.append(action, kind, target, condition)
    let index = Int(number)
    let hash = rules.targetHash(index)
    var earlier = table.first(hash) { rules.hasSameTarget(Int($0), rules, index) }
    while earlier != RuleTable.none {
      if (rules.condition(Int(earlier)) ?? .none).leavesNothing(for: condition) {
        rules.removeLast()
        return
      }
      earlier = table.next(earlier)
    }
    table.insert(number, hash) { rules.hasSameTarget(Int($0), rules, index) }
  }
}
