import EgressPolicy
import JSONText

/// What a change says, validated.
package enum PolicyChange: Hashable, Sendable {
  /// POST and PUT. `isReset`: the body was empty, which OpenSandbox answers in words of its own.
  case replace(PolicyDocument, isReset: Bool)
  /// PATCH: in front, never empty.
  case merge(RuleList)
  /// DELETE: targets as they were written, never empty.
  case remove([String])
}

extension PolicyChange {
  /// The body of POST and PUT: a document; `{}`, `null` and nothing deny everything.
  init(replacing body: [UInt8], limits: PolicyLimits) throws(Refusal) {
    guard !isBlank(body) else {
      self = .replace(.denyAll, isReset: true)
      return
    }
    let document: PolicyDocument
    do throws(PolicyProblems) {
      document = try PolicyDocument.parse(body, limits: limits.withoutRuleLimit)
    } catch {
      try refuseKind(body, unless: "object", "invalid policy", of: "policy.NetworkPolicy")
      throw Refusal("invalid policy", error)
    }
    try requireRoom(document.egress.count, limits)
    self = .replace(document, isReset: false)
  }

  /// The body of PATCH: an array of rules.
  init(merging body: [UInt8], limits: PolicyLimits) throws(Refusal) {
    try requireElements(body, "invalid patch rules")
    do throws(PolicyProblems) {
      let rules = try PolicyDocument.parseRules(body, limits: limits.withoutRuleLimit)
      guard !rules.isEmpty else { throw PolicyProblems(path: "$", reason: "empty array") }
      self = .merge(rules)
    } catch {
      try refuseKind(body, unless: "array", "invalid patch rules", of: "[]policy.EgressRule")
      // OpenSandbox merges first and validates then.
      throw Refusal("invalid merged policy", error)
    }
  }

  /// The body of DELETE: an array of strings.
  init(removing body: [UInt8], limits: PolicyLimits) throws(Refusal) {
    try requireElements(body, "invalid delete targets")
    do throws(PolicyProblems) {
      let targets = try PolicyDocument.parseTargets(body, limits: limits.withoutRuleLimit)
      guard !targets.isEmpty else { throw PolicyProblems(path: "$", reason: "empty array") }
      self = .remove(targets)
    } catch {
      try refuseKind(body, unless: "array", "invalid delete targets", of: "[]string")
      throw Refusal("invalid delete targets", error)
    }
  }
}

extension PolicyLimits {
  /// Too many rules are 413, which a reader's problem cannot say: the rules are counted after reading. `bodyMax` bounds them meanwhile.
  fileprivate var withoutRuleLimit: PolicyLimits {
    var limits = self
    limits.rulesMax = 0
    return limits
  }
}

/// Refuses a document of more rules than the operator allows, in OpenSandbox's words.
func requireRoom(_ count: Int, _ limits: PolicyLimits) throws(Refusal) {
  guard limits.rulesMax == 0 || count <= limits.rulesMax else {
    throw Refusal(413, "egress rule total count \(count) exceeds limit \(limits.rulesMax)")
  }
}

private func isSpace(_ octet: UInt8) -> Bool { octet == 0x20 || octet == 0x09 || octet == 0x0a || octet == 0x0d }

private func isBlank(_ body: [UInt8]) -> Bool { body.allSatisfy(isSpace) }

/// Refuses a body with nothing in it: none at all, `null`, and `[]`.
private func requireElements(_ body: [UInt8], _ prefix: String) throws(Refusal) {
  if isBlank(body) { throw Refusal(400, "empty body") }
  let words = body.split(whereSeparator: isSpace)
  let isNull = words.count == 1 && words[0].elementsEqual("null".utf8)
  if isNull || words.joined().elementsEqual("[]".utf8) { throw Refusal(400, "\(prefix): empty array") }
}

/// Refuses a body that is no JSON with its reason, and a body of another kind in the words of OpenSandbox's JSON library, which clients may know.
/// A body of the right kind has its faults further in, and passes.
private func refuseKind(
  _ body: [UInt8], unless kind: String, _ prefix: String, of type: String
) throws(Refusal) {
  let value: JSONValue
  do throws(JSONError) {
    value = try JSONValue.parse(body)
  } catch {
    throw Refusal(prefix, PolicyProblems(path: error.path, reason: error.reason))
  }
  let found =
    switch value {
    case .null, .object: "object"
    case .array: "array"
    case .string: "string"
    case .number: "number"
    case .bool: "bool"
    }
  guard found == kind else {
    throw Refusal(400, "\(prefix): json: cannot unmarshal \(found) into Go value of type \(type)")
  }
}
