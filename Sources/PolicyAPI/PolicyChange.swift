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
    do throws(PolicyProblems) {
      self = .replace(try PolicyDocument.parse(body, limits: limits), isReset: false)
    } catch {
      if error.isLimit, let problem = error.problems.first { throw Refusal(413, problem.reason) }
      try refuseKind(body, unless: .beginObject, "invalid policy", of: "policy.NetworkPolicy", limits)
      throw Refusal("invalid policy", error)
    }
  }

  /// The body of PATCH: an array of rules.
  init(merging body: [UInt8], limits: PolicyLimits) throws(Refusal) {
    try requireElements(body, "invalid patch rules")
    do throws(PolicyProblems) {
      // What counts is how many rules there are after the merge, which only `PolicyChangeRequest.decide` knows.
      var unlimited = limits
      unlimited.rulesMax = 0
      self = .merge(try PolicyDocument.parseRules(body, limits: unlimited))
    } catch {
      try refuseKind(body, unless: .beginArray, "invalid patch rules", of: "[]policy.EgressRule", limits)
      // OpenSandbox merges first and validates then.
      throw Refusal("invalid merged policy", error)
    }
  }

  /// The body of DELETE: an array of strings.
  init(removing body: [UInt8], limits: PolicyLimits) throws(Refusal) {
    try requireElements(body, "invalid delete targets")
    do throws(PolicyProblems) {
      self = .remove(try PolicyDocument.parseTargets(body, limits: limits))
    } catch {
      try refuseKind(body, unless: .beginArray, "invalid delete targets", of: "[]string", limits)
      throw Refusal("invalid delete targets", error)
    }
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
  _ body: [UInt8], unless kind: JSONToken, _ prefix: String, of type: String, _ limits: PolicyLimits
) throws(Refusal) {
  let first: JSONToken
  do throws(JSONError) {
    var reader = JSONReader(body, limits: JSONLimits(depthMax: limits.depthMax, sizeMax: limits.bodyMax))
    first = try reader.next()
    while try reader.next() != .end {}
  } catch {
    let reason = "\(error.reason) (line \(error.line), column \(error.column))"
    throw Refusal(prefix, PolicyProblems(path: error.path, reason: reason))
  }
  guard first != kind else { return }
  let found =
    switch first {
    case .beginArray: "array"
    case .string: "string"
    case .number: "number"
    case .bool: "bool"
    case .beginObject, .null, .key, .endObject, .endArray, .end: "object"
    }
  throw Refusal(400, "\(prefix): json: cannot unmarshal \(found) into Go value of type \(type)")
}
