import Addressing
import DNSWire

/// `/etc/resolv.conf` (resolv.conf(5)), of which only the nameservers and the search list matter.
package struct ResolverFile: Hashable, Sendable {
  /// In order.
  package var nameservers: [IPAddress] = []
  package var search: [DomainName] = []

  package static func parse(_ bytes: [UInt8]) -> ResolverFile { ResolverFile() }
}
