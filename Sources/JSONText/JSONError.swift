/// Why a text is not acceptable JSON, and where.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Octets before the fault.
  package var offset: Int
  /// From 1; lines end at LF.
  package var line: Int
  /// From 1, in characters (Unicode scalars) of the line.
  package var column: Int
  /// Where in the document the fault lies: `$.egress[3].target`.
  package var path: String
  package var reason: String

  package init(offset: Int, line: Int, column: Int, path: String, reason: String) {
    self.offset = offset
    self.line = line
    self.column = column
    self.path = path
    self.reason = reason
  }

  package var description: String { "\(path): \(reason) (line \(line), column \(column))" }

  /// The reason when a member's name stands in its object already.
  static let repeatedMember = "the member is repeated"
  package var isRepeatedMember: Bool { reason == Self.repeatedMember }
}

/// What a reader takes at most.
package struct JSONLimits: Hashable, Sendable {
  /// Arrays and objects inside one another.
  package var depthMax: Int
  /// Octets of text.
  package var sizeMax: Int

  package init(depthMax: Int = 32, sizeMax: Int = 8 << 20) {
    self.depthMax = depthMax
    self.sizeMax = sizeMax
  }

  /// Depth 32, which no document of ours comes near, and 8 MiB, the largest body the control API takes.
  package static let standard = JSONLimits()
}
