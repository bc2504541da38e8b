/// What is wrong with a text, and where. Lines and columns count from 1, columns in octets.
package struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
  package var line: Int
  package var column: Int
  package var reason: String

  package init(line: Int, column: Int, reason: String) {
    self.line = line
    self.column = column
    self.reason = reason
  }

  package var description: String { "line \(line), column \(column): \(reason)" }

  /// Octets of a text: 8 MiB, more than etcd holds of all manifests of a release (1.5 MiB an object).
  package static let sizeMax = 8 << 20
  /// Nodes inside one another: 64, twice what the deepest Kubernetes object has. The parser recurses as deep.
  package static let depthMax = 64
}
