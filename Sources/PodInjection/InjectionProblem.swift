/// One thing that is wrong, and where.
package struct InjectionProblem: Hashable, Sendable, CustomStringConvertible {
  /// A JSON path: `$.spec.containers[0].securityContext.privileged`.
  package var path: String
  package var reason: String

  init(_ path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  package var description: String { "\(path): \(reason)" }
}

/// Everything wrong with a pod or a settings document; never empty.
package struct InjectionRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  package var problems: [InjectionProblem]

  /// One line a problem.
  package var description: String { problems.map(\.description).joined(separator: "\n") }
}
