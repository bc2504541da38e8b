/// What a change would do to the workload: names that it asked for and flows that live.
package struct ChangeImpact: Hashable, Sendable {
  /// Asked for since the start, denied now, and allowed then.
  package var namesAllowed: [String]
  /// Asked for since the start, allowed now, and denied then.
  package var namesDenied: [String]
  /// Live flows that would be cut.
  package var flowsCut: [FlowView]

  package init(namesAllowed: [String], namesDenied: [String], flowsCut: [FlowView]) {
    self.namesAllowed = namesAllowed
    self.namesDenied = namesDenied
    self.flowsCut = flowsCut
  }
}
