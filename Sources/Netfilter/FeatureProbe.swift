/// A kernel feature that rulesets need or may use.
package enum KernelFeature: String, CaseIterable, Hashable, Sendable {
  case meta, cmp, payload, immediate, lookup, bitwise, byteorder, ct, counter, redir
  case filterChain = "chain type filter"
  case natChain = "chain type nat"
  case timeoutMap = "map with timeouts"
  case intervalMap = "interval map"
  case concatenatedIntervalMap = "concatenated interval map"
  case log, reject
}

/// Tries features of the running kernel, each in a batch of its own that always aborts.
package struct FeatureProbe {
  package init() throws(NetlinkError) { fatalError() }
  /// The names of those that the kernel does not have, in order.
  package func missing(_ features: [KernelFeature]) -> [KernelFeature] { fatalError() }
}
