/// One thing wrong with a policy, and where.
package struct PolicyProblem: Hashable, Sendable, CustomStringConvertible {
  /// A JSON path (`$.egress[2].ports[0]`) or a line of a list file (`deny.always:12`).
  package var path: String
  package var reason: String

  package init(path: String, reason: String) {
    self.path = path
    self.reason = reason
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

  /// One line a problem.
  package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// What a document may hold at most (contract §4).
package struct PolicyLimits: Hashable, Sendable {
  /// Rules in a document; 0 for no limit.
  package var rulesMax: Int
  /// Octets of JSON.
  package var bodyMax: Int
  /// Arrays and objects inside one another.
  package var depthMax: Int

  package init(rulesMax: Int = 4096, bodyMax: Int = 8 << 20, depthMax: Int = 32) {
    self.rulesMax = rulesMax
    self.bodyMax = bodyMax
    self.depthMax = depthMax
  }

  package static let standard = PolicyLimits()
}
