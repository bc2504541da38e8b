/// The transaction as text that `nft -f` accepts, for logs, tests and people.
package func nftText(_ transaction: KernelTransaction) -> String { "" }
