import Timekeeping

/// The table `inet sallyport`: its sets and its chains.
package struct Ruleset: Sendable {
  package let parameters: FirewallParameters

  package init(_ parameters: FirewallParameters) { self.parameters = parameters }

  /// One batch that brings the table up, from nothing or over one that stands, without a gap, leaving leases and grants alone.
  package func installation() -> KernelTransaction { KernelTransaction() }

  /// `delete table`: only for an explicit uninstall.
  package static let removal = KernelTransaction([.addTable, .deleteTable])
}
