import Addressing

/// The small world that there is: few names and addresses, many of them shared, so that things meet.
enum Universe {
  struct Zone {
    var name: String
    var addresses: [String]
    /// Where an alias leads; nil: the addresses stand at the name itself.
    var alias: String?
  }

  static let zones = [
    Zone(name: "api.example.com", addresses: ["203.0.113.1", "203.0.113.2", "2001:db8::1"]),
    Zone(name: "registry.example.com", addresses: ["203.0.113.2", "203.0.113.3"]),
    Zone(name: "a.wild.example.org", addresses: ["198.51.100.1", "203.0.113.1"]),
    Zone(name: "b.wild.example.org", addresses: ["198.51.100.2", "2001:db8::2"]),
    Zone(name: "alias.example.com", addresses: ["203.0.113.3", "198.51.100.2"], alias: "edge.cdn.example.net"),
    Zone(name: "evil.test", addresses: ["198.51.100.66", "203.0.113.1"]),
    Zone(name: "rebind.example.com", addresses: ["10.0.0.7", "203.0.113.4"]),
    Zone(name: "gone.example.com", addresses: []),
  ]
  static let names = zones.map(\.name)

  static let hubName = "hub.servicebus.test"
  static let authorityName = "login.authority.test"
  static let authorityAddresses = ["192.0.2.20", "192.0.2.21"].compactMap { IPAddress($0) }
  static let hubAddresses = ["192.0.2.10", "192.0.2.11"].compactMap { IPAddress($0) }
  static let hubPort: UInt16 = 443
  static let upstreams = ["192.0.2.53", "192.0.2.54"].compactMap { IPAddress($0) }.map { Endpoint($0, 53) }
  static let podAddress4 = IPAddress.v4(IPv4Address(172, 20, 0, 2))
  static let podAddress6 = IPAddress.v6(IPv6Address(high: 0x2001_0db8_00aa_0000, low: 2))
  static let visitor = Endpoint(.v4(IPv4Address(172, 20, 0, 99)), 40_000)

  static let workloadUser: UInt32 = 1000
  static let ownUser: UInt32 = 1773
  static let dnsPort: UInt16 = 15_053
  static let apiPort: UInt16 = 18_080

  static let ports: [UInt16] = [443, 80, 8080]

  /// Everything that may be tried, in a fixed order.
  static let addresses: [IPAddress] = {
    var seen: [IPAddress] = []
    let strangers = ["192.0.2.200", "169.254.169.254", "10.1.2.3", "192.0.2.10"]
    for text in zones.flatMap(\.addresses) + strangers {
      if let address = IPAddress(text), !seen.contains(address) { seen.append(address) }
    }
    return seen
  }()

  /// Not to be reached by a name: what of the universe lies in a special-purpose range, by a rule of thumb of its own.
  static func isSpecial(_ address: IPAddress) -> Bool {
    let text = address.description
    return ["10.", "169.254.", "127."].contains { text.hasPrefix($0) }
  }

  static func pod(for address: IPAddress) -> IPAddress { address.isIPv4 ? podAddress4 : podAddress6 }
}
