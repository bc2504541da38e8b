/// What is wrong with one variable.
package struct SettingProblem: Error, Hashable, Sendable, CustomStringConvertible {
  package var variable: String
  /// As it was given; nil for a secret, and when there is none.
  package var value: String?
  package var reason: String
  /// Where it was given: `environment` or `FILE:LINE`.
  package var source: String

  package init(variable: String, value: String?, reason: String, source: String) {
    self.variable = variable
    self.value = value
    self.reason = reason
    self.source = source
  }

  package var description: String {
    let shown = value.map { "=\($0)" } ?? ""
    return "\(variable)\(shown) (\(source)): \(reason)"
  }
}

/// Everything that is wrong, in order of variable.
package struct SettingProblems: Error, Hashable, Sendable {
  package var problems: [SettingProblem]
  package init(_ problems: [SettingProblem]) { self.problems = problems }
}
