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

  /// Reads a list: one target a line, `#` begins a comment. `file` is named in problems: `deny.always:12`.
  package static func parse(
    _ text: [UInt8], file: String, action: PolicyAction
  ) throws(PolicyProblems) -> RuleList {
    throw PolicyProblems(path: file, reason: "lists cannot be read yet")
  }

  /// Reads a list of targets without an action (`log_skip.always`).
  package static func parseTargets(_ text: [UInt8], file: String) throws(PolicyProblems) -> [PolicyTarget] {
    throw PolicyProblems(path: file, reason: "lists cannot be read yet")
  }
}
