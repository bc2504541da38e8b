import Firewall

/// Commits transactions to `table inet sallyport` and reads it back. Not for two threads at once.
package final class NftablesSocket {
  /// Opens a socket in the network namespace of the calling thread.
  package init(table: String = "sallyport") throws(NetlinkError) { fatalError() }

  /// Applies every change or none, and waits for the kernel's word on it.
  package func commit(_ transaction: KernelTransaction) -> CommitOutcome { fatalError() }

  /// Every element of a set of our table, in the kernel's order. `timeout` is what is left of it.
  package func elements(of set: SetDefinition) throws(NetlinkError) -> [SetElement] { fatalError() }

  /// Whether our table is there.
  package func hasTable() throws(NetlinkError) -> Bool { fatalError() }

  /// Base chains of type nat on the output hook that are not ours, as `FAMILY TABLE CHAIN`, sorted.
  package func foreignOutputNat() throws(NetlinkError) -> [String] { fatalError() }
}
