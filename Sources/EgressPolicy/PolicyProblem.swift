/// One thing wrong with a policy, and where.
package struct PolicyProblem: Hashable, Sendable, CustomStringConvertible {
  /// A JSON path (`$.egress[2].ports[0]`) or a line of a list file (`deny.always:12`).
  package var path: String
  package var reason: String
  /// The policy is too large and not wrong: the API answers 413.
  package var isLimit: Bool

  package init(path: String, reason: String, isLimit: Bool = false) {
    self.path = path
    self.reason = reason
    self.isLimit = isLimit
  }

  package var description: String { "\(path): \(reason)" }
}

/// Everything wrong with a policy, in the order of the text; never empty.
package struct PolicyProblems: Error, Hashable, Sendable, CustomStringConvertible {
  /// More are not collected: who sends a thousand mistakes does not read a thousand lines.
  package static let countMax = 100

  package var problems: [PolicyProblem]

  package init(_ problems: [PolicyProblem]) { self.problems = problems }

  package init(path: String, reason: String) { problems = [PolicyProblem(path: path, reason: reason)] }

  /// The policy is only too large: 413 instead of 400.
  package var isLimit: Bool { problems.allSatisfy(\.isLimit) }

  /// One line a problem.
  package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// What a document may hold at most (contract §4).
package struct PolicyLimits: Hashable, Sendable {
  /// Rules in a document; 0 for no limit. They are counted as they come, duplicates too, as OpenSandbox does.
  package var rulesMax: Int
  /// Octets of JSON, or of a list file.
  package var bodyMax: Int
  /// Arrays and objects inside one another.
  package var depthMax: Int

  package init(rulesMax: Int = 4096, bodyMax: Int = 8 << 20, depthMax: Int = 32) {
    self.rulesMax = rulesMax
    self.bodyMax = bodyMax
    self.depthMax = depthMax
  }

  package static let standard = PolicyLimits()

  /// For files that whoever runs the sandbox put there: no limit of rules, and 256 MiB, some millions of names.
  package static let files = PolicyLimits(rulesMax: 0, bodyMax: 256 << 20)

  /// Octets in the longest `reason` of a rule: a ticket's number and a sentence.
  package static let reasonMax = 256
}
