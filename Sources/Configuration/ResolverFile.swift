import Addressing
import DNSWire

/// `/etc/resolv.conf` (resolv.conf(5)), of which only the nameservers and the search list matter. Nothing in it is an error: what is not understood is skipped,
/// as every resolver does.
package struct ResolverFile: Hashable, Sendable {
  /// Where it stands.
  package static let path = "/etc/resolv.conf"
  /// The longest file that is read, in octets; Kubernetes writes some hundred.
  package static let octetsMax = 65_536
  /// More than any resolver asks (glibc's MAXNS is 3).
  package static let nameserversMax = 8
  /// glibc's limit before 2.26 was 6, Kubernetes allows 32.
  package static let searchMax = 32

  /// In order, each once.
  package var nameservers: [IPAddress] = []
  /// In order; a later `search` or `domain` line replaces an earlier one.
  package var search: [DomainName] = []

  package init() {}

  package static func parse(_ bytes: [UInt8]) -> ResolverFile {
    var file = ResolverFile()
    for octets in bytes.prefix(octetsMax).split(separator: 0x0a) {
      let line = String(decoding: octets, as: UTF8.self)
      guard let first = line.first, first != "#", first != ";" else { continue }
      let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      guard let keyword = words.first else { continue }
      switch keyword {
      case "nameserver":
        guard words.count >= 2, let address = IPAddress(words[1]), file.nameservers.count < nameserversMax,
          !file.nameservers.contains(address)
        else { continue }
        file.nameservers.append(address)
      case "search", "domain": file.search = words.dropFirst().prefix(searchMax).compactMap { DomainName($0) }
      default: continue
      }
    }
    return file
  }
}
