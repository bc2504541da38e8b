/// A range into which a name may not lead (contract §3): the IANA special-purpose registries (RFC 6890) and what clouds
/// answer on. The documentation and benchmarking ranges count as ordinary: they reach nobody's private network.
package struct SpecialPurpose: Hashable, Sendable, CustomStringConvertible {
  /// What the range is, for the record: `private`, `link-local`…
  package let purpose: String
  package let block: CIDRBlock

  package var description: String { "\(purpose) \(block)" }

  /// The range that holds `address`, nil for an ordinary address.
  package static func range(of address: IPAddress) -> SpecialPurpose? {
    (address.isIPv4 ? ranges4 : ranges6).first { $0.block.contains(address) }
  }

  private static let ranges4: [SpecialPurpose] = table([
    ("this network", "0.0.0.0/8"),
    ("private", "10.0.0.0/8"),
    ("carrier-grade NAT", "100.64.0.0/10"),
    ("loopback", "127.0.0.0/8"),
    ("cloud metadata", "169.254.169.254"),
    ("link-local", "169.254.0.0/16"),
    ("Azure platform", "168.63.129.16"),
    ("private", "172.16.0.0/12"),
    ("IETF protocol assignments", "192.0.0.0/24"),
    ("6to4 relay", "192.88.99.0/24"),
    ("private", "192.168.0.0/16"),
    ("multicast", "224.0.0.0/4"),
    ("reserved", "240.0.0.0/4"),
  ])

  // Whole families of addresses that carry an IPv4 one are withheld, whatever they carry: a gateway on the path, not
  // the pod, would decide where such a packet ends.
  private static let ranges6: [SpecialPurpose] = table([
    ("unspecified or loopback", "::/127"),
    ("IPv4-compatible", "::/96"),
    ("IPv4-mapped", "::ffff:0:0/96"),
    ("IPv4-translated", "::ffff:0:0:0/96"),
    ("NAT64", "64:ff9b::/96"),
    ("local NAT64", "64:ff9b:1::/48"),
    ("discard", "100::/64"),
    ("Teredo", "2001::/32"),
    ("ORCHID", "2001:10::/28"),
    ("ORCHID", "2001:20::/28"),
    ("6to4", "2002::/16"),
    ("unique local", "fc00::/7"),
    ("link-local", "fe80::/10"),
    ("site-local", "fec0::/10"),
    ("multicast", "ff00::/8"),
  ])

  private static func table(_ rows: [(String, String)]) -> [SpecialPurpose] {
    rows.compactMap { purpose, text in CIDRBlock(text).map { SpecialPurpose(purpose: purpose, block: $0) } }
  }
}
