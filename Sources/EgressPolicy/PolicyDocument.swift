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

  /// Compact JSON: `egress` first and always an array, then `defaultAction`; targets and ports as they were written. By octets: a document is
  /// written with every change of it.
  package func json() -> [UInt8] {
    var json: [UInt8] = []
    json.reserveCapacity(egress.jsonCount + 64)
    compose(into: &json) { _ in }
    return json
  }

  /// `json()` in pieces, for whoever need not hold it whole: that of a million names has 70 MB.
  package func forEachPieceOfJSON(_ body: ([UInt8]) -> Void) {
    var json: [UInt8] = []
    compose(into: &json) { piece in
      body(piece)
      piece.removeAll(keepingCapacity: true)
    }
    body(json)
  }

  private func compose(into json: inout [UInt8], flush: (inout [UInt8]) -> Void) {
    json.append(contentsOf: Array("{\"egress\":[".utf8))
    egress.appendJSON(to: &json, flush: flush)
    json.append(contentsOf: Array("],\"defaultAction\":\"\(defaultAction.rawValue)\"}".utf8))
  }

  package func write(into writer: inout JSONWriter) { writer.raw(json()) }

  /// PATCH: `rules` in front, the first of a repeated target wins, older rules about a patched target go. As with OpenSandbox, only targets are compared
  /// and not ports, in their canonical form: without case and trailing dot.
  package func merging(_ rules: RuleList) -> PolicyDocument {
    var merged = RuleList()
    var patched = TargetSet(of: rules)
    for index in rules.indices where patched.insert(index) { merged.append(index..<index + 1, of: rules) }
    appendEgress(without: patched, to: &merged)
    return PolicyDocument(defaultAction: defaultAction, egress: merged)
  }

  /// DELETE: without the rules about these targets; `removed` counts them. White space around a target is ignored, and so is what is no target.
  package func removing(targets: [String]) -> (PolicyDocument, removed: Int) {
    var named = RuleList()
    for target in targets {
      let text = trimmed(Array(target.utf8))
      guard case .valid(let kind) = checkTarget(text) else { continue }
      named.append(.deny, kind, text, .none)
    }
    var unwanted = TargetSet(of: named)
    for index in named.indices { _ = unwanted.insert(index) }
    var kept = RuleList()
    appendEgress(without: unwanted, to: &kept)
    return (PolicyDocument(defaultAction: defaultAction, egress: kept), removed: egress.count - kept.count)
  }

  /// In runs: most rules stay, and copying octets costs a fraction of taking a rule apart.
  private func appendEgress(without targets: TargetSet, to list: inout RuleList) {
    var start = 0
    for index in egress.indices where targets.contains(index, of: egress) {
      list.append(start..<index, of: egress)
      start = index + 1
    }
    list.append(start..<egress.count, of: egress)
  }

  /// What to answer when the document, for instance after a merge, has more rules than `limits` allow; nil when it has not.
  package func problem(exceeding limits: PolicyLimits) -> PolicyProblem? {
    tooManyRules(egress.count, limits)
  }
}

extension PolicyRule {
  package func write(into writer: inout JSONWriter) {
    var json: [UInt8] = []
    RuleList([self]).appendJSON(to: &json)
    writer.raw(json)
  }
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
