import JSONText
import Timekeeping

/// A policy as it is stored and shown (contract §3): validated, and every rule of it can match something.
package struct PolicyDocument: Hashable, Sendable {
  package var defaultAction: PolicyAction
  package var egress: RuleList

  package static let denyAll = PolicyDocument(defaultAction: .deny)

  package init(defaultAction: PolicyAction, egress: RuleList = []) {
    self.defaultAction = defaultAction
    self.egress = egress
  }

  /// Compact JSON: `egress` first and always an array, then `defaultAction`; targets and ports as they were written.
  package func json() -> [UInt8] {
    var writer = JSONWriter()
    write(into: &writer)
    return writer.bytes
  }

  package func write(into writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("egress")
    writer.beginArray()
    for rule in egress { rule.write(into: &writer) }
    writer.endArray()
    writer.key("defaultAction")
    writer.string(defaultAction.rawValue)
    writer.endObject()
  }

  /// PATCH: `rules` in front, the first of a repeated target wins, older rules about a patched target go. As with OpenSandbox, only targets are compared
  /// and not ports, in their canonical form: without case and trailing dot.
  package func merging(_ rules: RuleList) -> PolicyDocument {
    var merged = RuleList()
    var patched: Set<String> = []
    for index in rules.indices where patched.insert(rules.canonicalTarget(index)).inserted {
      merged.append(index, of: rules)
    }
    for index in egress.indices where !patched.contains(egress.canonicalTarget(index)) {
      merged.append(index, of: egress)
    }
    return PolicyDocument(defaultAction: defaultAction, egress: merged)
  }

  /// DELETE: without the rules about these targets; `removed` counts them. White space around a target is ignored, and so is what is no target.
  package func removing(targets: [String]) -> (PolicyDocument, removed: Int) {
    var unwanted: Set<String> = []
    for target in targets {
      let text = trimmed(Array(target.utf8))
      if let target = PolicyTarget(String(decoding: text, as: UTF8.self)) { unwanted.insert(target.description) }
    }
    var kept = RuleList()
    for index in egress.indices where !unwanted.contains(egress.canonicalTarget(index)) {
      kept.append(index, of: egress)
    }
    return (PolicyDocument(defaultAction: defaultAction, egress: kept), removed: egress.count - kept.count)
  }

  /// What to answer when the document, for instance after a merge, has more rules than `limits` allow; nil when it has not.
  package func problem(exceeding limits: PolicyLimits) -> PolicyProblem? {
    tooManyRules(egress.count, limits)
  }
}

extension PolicyRule {
  package func write(into writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("action")
    writer.string(action.rawValue)
    writer.key("target")
    writer.string(targetText)
    if let portTexts {
      writer.key("ports")
      writer.beginArray()
      for text in portTexts { writer.string(text) }
      writer.endArray()
    }
    if let expiresAt {
      writer.key("expiresAt")
      writer.string(expiresAt.description)
    }
    if let reason {
      writer.key("reason")
      writer.string(reason)
    }
    writer.endObject()
  }
}

extension RuleList {
  /// What targets are compared by.
  func canonicalTarget(_ index: Int) -> String { self[index].target.description }
}

func tooManyRules(_ count: Int, _ limits: PolicyLimits) -> PolicyProblem? {
  guard limits.rulesMax > 0, count > limits.rulesMax else { return nil }
  return PolicyProblem(
    path: "$.egress", reason: "egress rule total count \(count) exceeds limit \(limits.rulesMax)", isLimit: true)
}

/// Without the ASCII white space around it.
func trimmed(_ text: [UInt8]) -> [UInt8] {
  guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) }) else {
    return []
  }
  return Array(text[first...last])
}
