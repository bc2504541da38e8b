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

  /// Reads a document. `{}` and `null` deny everything; a missing `defaultAction` or `action` is `deny`.
  package static func parse(
    _ bytes: [UInt8], limits: PolicyLimits = .standard
  ) throws(PolicyProblems) -> PolicyDocument {
    throw PolicyProblems(path: "$", reason: "documents cannot be read yet")
  }

  /// Reads the body of PATCH: an array of rules.
  package static func parseRules(
    _ bytes: [UInt8], limits: PolicyLimits = .standard
  ) throws(PolicyProblems) -> RuleList {
    throw PolicyProblems(path: "$", reason: "documents cannot be read yet")
  }

  /// Reads the body of DELETE: an array of targets, as they were written.
  package static func parseTargets(
    _ bytes: [UInt8], limits: PolicyLimits = .standard
  ) throws(PolicyProblems) -> [String] {
    throw PolicyProblems(path: "$", reason: "documents cannot be read yet")
  }

  /// Compact JSON: `egress` first and always an array, then `defaultAction`.
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

  /// PATCH: `rules` in front, the first of a repeated target wins, older rules about a patched target go.
  package func merging(_ rules: RuleList) -> PolicyDocument {
    PolicyDocument(
      defaultAction: defaultAction,
      egress: RuleList(Array(rules) + egress.filter { old in !rules.contains { $0.target == old.target } }))
  }

  /// DELETE: without the rules about these targets; `removed` counts them.
  package func removing(targets: [String]) -> (PolicyDocument, removed: Int) {
    let kept = egress.filter { !targets.contains($0.targetText) }
    return (PolicyDocument(defaultAction: defaultAction, egress: RuleList(kept)), removed: egress.count - kept.count)
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
