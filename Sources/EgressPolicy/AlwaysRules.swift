/// What the platform decides whatever the document says (contract §3): the lists in `SALLYPORT_ALWAYS_DIR`.
package struct AlwaysRules: Hashable, Sendable {
  /// `deny.always`.
  package var deny: RuleList
  /// `allow.always`.
  package var allow: RuleList
  /// `log_skip.always`: what is not worth a record of its own.
  package var skipLog: [PolicyTarget]

  package static let none = AlwaysRules()

  package init(deny: RuleList = [], allow: RuleList = [], skipLog: [PolicyTarget] = []) {
    self.deny = deny
    self.allow = allow
    self.skipLog = skipLog
  }

  /// Reads a list: one target a line, `#` begins a comment, white space around a target does not matter, a repeated target counts once.
  /// `file` is named in problems: `deny.always:12`.
  package static func parse(
    _ text: [UInt8], file: String, action: PolicyAction, limits: PolicyLimits = .files
  ) throws(PolicyProblems) -> RuleList {
    var list = DistinctRules(ofOctets: text.count)
    try eachTarget(text, file, limits) { target, kind in
      if kind == .everything, action == .allow { return allowsEverything }
      list.append(action, kind, target, .none)
      return nil
    }
    return list.rules
  }

  /// Reads a list of targets without an action (`log_skip.always`). `*` is refused: it would silence the audit.
  package static func parseTargets(
    _ text: [UInt8], file: String, limits: PolicyLimits = .files
  ) throws(PolicyProblems) -> [PolicyTarget] {
    var targets: [PolicyTarget] = []
    try eachTarget(text, file, limits) { target, kind in
      if kind == .everything { return "\"*\" would keep everything out of the record" }
      if let target = PolicyTarget(kind: kind, text: String(decoding: target, as: UTF8.self)) { targets.append(target) }
      return nil
    }
    return targets
  }
}

/// Calls `take` with each target of a list; what it returns is a problem of that line.
private func eachTarget(
  _ text: [UInt8], _ file: String, _ limits: PolicyLimits, _ take: ([UInt8], TargetKind) -> String?
) throws(PolicyProblems) {
  guard text.count <= limits.bodyMax else {
    let reason = "list of \(text.count) octets exceeds limit \(limits.bodyMax)"
    throw PolicyProblems([PolicyProblem(path: file, reason: reason, isLimit: true)])
  }
  var problems: [PolicyProblem] = []
  var number = 0
  var start = 0
  while start < text.count, problems.count < PolicyProblems.countMax {
    var end = start
    var comment = -1
    while end < text.count, text[end] != 0x0a {
      if text[end] == 0x23, comment < 0 { comment = end }
      end += 1
    }
    number += 1
    let target = trimmed(Array(text[start..<(comment < 0 ? end : comment)]))
    start = end + 1
    if target.isEmpty { continue }
    let problem: String?
    switch checkTarget(target) {
    case .refused(let reason): problem = reason
    case .valid(let kind): problem = take(target, kind)
    }
    if let problem { problems.append(PolicyProblem(path: "\(file):\(number)", reason: problem)) }
  }
  guard problems.isEmpty else { throw PolicyProblems(problems) }
}
