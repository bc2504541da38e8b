import Addressing
import EgressPolicy
import Timekeeping

/// Why a value is refused.
struct Refusal: Error {
  var reason: String
  init(_ reason: String) { self.reason = reason }
}

/// From a text to a value, or the reason why not.
enum SettingParsing {
  /// Paths of Linux (PATH_MAX less the terminator), and far more than any text here needs, in octets.
  static let textOctetsMax = 4_095
  /// Addresses in one list: more listeners or resolvers than a pod can use.
  static let listItemsMax = 16

  static func text(_ value: String) throws(Refusal) -> String {
    guard value.utf8.count <= textOctetsMax else { throw Refusal("longer than \(textOctetsMax) octets") }
    guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { throw Refusal("holds a control character") }
    return value
  }

  static func choice<Choice: RawRepresentable & CaseIterable>(_ value: String) throws(Refusal) -> Choice
  where Choice.RawValue == String {
    guard let choice = Choice(rawValue: value) else {
      throw Refusal("not one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return choice
  }

  static func flag(_ value: String) throws(Refusal) -> Bool {
    switch value {
    case "true", "on": return true
    case "false", "off": return false
    default: throw Refusal("not true, false, on or off")
    }
  }

  static func count(_ value: String, in range: ClosedRange<Int>) throws(Refusal) -> Int {
    guard isDecimal(value), let number = Int(value), range.contains(number) else {
      throw Refusal("not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A number with `ms`, `s`, `m` or `h`; a bare `0`.
  static func duration(_ value: String, in range: ClosedRange<TimeSpan>) throws(Refusal) -> TimeSpan {
    let units: [(String, Int64)] = [
      ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]
    var span: TimeSpan?
    if value == "0" { span = .zero }
    for (unit, size) in units where value.hasSuffix(unit) {
      let digits = String(value.dropLast(unit.count))
      guard isDecimal(digits), let number = Int64(digits) else { continue }
      let product = number.multipliedReportingOverflow(by: size)
      span = product.overflow ? nil : .nanoseconds(product.partialValue)
      break
    }
    guard let span else { throw Refusal("not a number with ms, s, m or h") }
    guard range.contains(span) else { throw Refusal("not from \(range.lowerBound) to \(range.upperBound)") }
    return span
  }

  /// A number of octets, or with `KiB`, `MiB` or `GiB`.
  static func size(_ value: String, in range: ClosedRange<ByteCount>) throws(Refusal) -> ByteCount {
    let units: [(String, Int64)] = [("KiB", 1_024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("", 1)]
    for (unit, size) in units where value.hasSuffix(unit) {
      let digits = String(value.dropLast(unit.count))
      guard isDecimal(digits), let number = Int64(digits) else { break }
      let product = number.multipliedReportingOverflow(by: size)
      guard !product.overflow, range.contains(ByteCount(product.partialValue)) else {
        throw Refusal("not from \(range.lowerBound) to \(range.upperBound)")
      }
      return ByteCount(product.partialValue)
    }
    throw Refusal("not a number of octets, or with KiB, MiB or GiB")
  }

  /// Endpoints by commas; the port may be left out when there is a default.
  static func endpoints(_ value: String, defaultPort: UInt16? = nil) throws(Refusal) -> [Endpoint] {
    var endpoints: [Endpoint] = []
    for item in value.split(separator: ",", omittingEmptySubsequences: false) {
      let item = trimmed(item)
      guard let endpoint = Endpoint(item, defaultPort: defaultPort), endpoint.port != 0 else {
        throw Refusal("'\(item)' is not \(defaultPort == nil ? "IP:PORT" : "IP or IP:PORT")")
      }
      guard !endpoints.contains(endpoint) else { throw Refusal("'\(item)' is given twice") }
      endpoints.append(endpoint)
    }
    guard endpoints.count <= listItemsMax else { throw Refusal("more than \(listItemsMax) addresses") }
    return endpoints
  }

  /// Resolvers by commas: `IP`, `IP:PORT`, `tls://IP#NAME` or `tls://IP:PORT#NAME` (RFC 7858 §3.1: port 853).
  static func upstreams(_ value: String) throws(Refusal) -> [UpstreamResolver] {
    var upstreams: [UpstreamResolver] = []
    for item in value.split(separator: ",", omittingEmptySubsequences: false) {
      let item = trimmed(item)
      var upstream: UpstreamResolver?
      if item.hasPrefix("tls://") {
        let parts = item.dropFirst(6).split(separator: "#", omittingEmptySubsequences: false)
        guard parts.count == 2, let endpoint = Endpoint(parts[0], defaultPort: 853) else {
          throw Refusal("'\(item)' is not tls://IP#NAME or tls://IP:PORT#NAME, NAME as the certificate has it")
        }
        let name = String(parts[1])
        guard isHostName(name) || IPAddress(name) != nil else {
          throw Refusal("'\(name)' in '\(item)' is not a host name or address")
        }
        upstream = UpstreamResolver(endpoint, serverName: name)
      } else {
        upstream = Endpoint(item, defaultPort: 53).map { UpstreamResolver($0) }
      }
      guard let upstream, upstream.endpoint.port != 0 else {
        throw Refusal("'\(item)' is not IP, IP:PORT or tls://IP#NAME")
      }
      guard !upstreams.contains(where: { $0.endpoint == upstream.endpoint }) else {
        throw Refusal("'\(item)' is given twice")
      }
      upstreams.append(upstream)
    }
    guard upstreams.count <= listItemsMax else { throw Refusal("more than \(listItemsMax) addresses") }
    return upstreams
  }

  /// `tcp`, `none`, or ports and ranges by commas, each with `/tcp` or `/udp` or meaning both.
  static func ingress(_ value: String) throws(Refusal) -> Ingress {
    switch value {
    case "tcp": return .tcp
    case "none": return .none
    default: break
    }
    var tcp: [ClosedRange<UInt16>] = []
    var udp: [ClosedRange<UInt16>] = []
    for item in value.split(separator: ",", omittingEmptySubsequences: false) {
      let item = trimmed(item)
      let parts = item.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count <= 2, let first = parts.first, let range = portRange(first) else {
        throw Refusal("'\(item)' is not tcp, none, PORT, PORT-PORT, PORT/tcp or PORT/udp")
      }
      switch parts.dropFirst().first {
      case nil:
        tcp.append(range)
        udp.append(range)
      case "tcp": tcp.append(range)
      case "udp": udp.append(range)
      default: throw Refusal("'\(item)' names another protocol than tcp or udp")
      }
    }
    let ports = PortSet(tcp: tcp, udp: udp, otherProtocols: false)
    guard !ports.isEmpty else { throw Refusal("no port") }
    return .ports(ports, text: value)
  }

  /// `https://HOST[:PORT]/HUB`, nothing before or behind.
  static func hub(_ value: String) throws(Refusal) -> HubAddress {
    guard value.hasPrefix("https://") else { throw Refusal("does not begin with https://") }
    let parts = value.dropFirst(8).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw Refusal("not https://NAMESPACE/HUB: one path segment is expected") }
    let hub = String(parts[1])
    guard (1...256).contains(hub.utf8.count), hub.utf8.allSatisfy(isHubOctet), hub != ".", hub != ".." else {
      throw Refusal("the hub's name may have 1 to 256 letters, digits, '.', '-' and '_'")
    }
    let server = try server(String(parts[0]))
    return HubAddress(host: server.host, port: server.port, hub: hub)
  }

  /// `https://HOST[:PORT]`, with or without a slash at its end.
  static func authority(_ value: String) throws(Refusal) -> AuthorityAddress {
    guard value.hasPrefix("https://") else { throw Refusal("does not begin with https://") }
    let rest = value.dropFirst(8)
    return try server(String(rest.hasSuffix("/") ? rest.dropLast() : rest))
  }

  private static func server(_ authority: String) throws(Refusal) -> AuthorityAddress {
    if let endpoint = Endpoint(authority, defaultPort: 443), endpoint.port != 0 {
      return AuthorityAddress(host: endpoint.address.description, port: endpoint.port)
    }
    let pieces = authority.split(separator: ":", omittingEmptySubsequences: false)
    guard pieces.count <= 2, let host = pieces.first.map(String.init), isHostName(host) else {
      throw Refusal("'\(authority)' is not a host name or address with or without port")
    }
    guard let port = pieces.count == 2 ? portNumber(pieces[1]) : 443, port != 0 else {
      throw Refusal("'\(pieces[1])' is not a port")
    }
    return AuthorityAddress(host: host, port: port)
  }

  private static func portRange(_ text: Substring) -> ClosedRange<UInt16>? {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count <= 2, let first = ends.first.flatMap({ portNumber($0) }), first != 0,
      let last = ends.last.flatMap({ portNumber($0) }), first <= last
    else { return nil }
    return first...last
  }
}

private func isDecimal(_ text: String) -> Bool {
  (1...18).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
}

private func isHubOctet(_ octet: UInt8) -> Bool {
  switch octet {
  case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
  default: false
  }
}

/// Letters, digits and dashes in labels (RFC 1123 §2.1).
func isHostName(_ text: String) -> Bool {
  let labels = text.utf8.split(separator: 0x2e, omittingEmptySubsequences: false)
  return text.utf8.count <= 253
    && labels.allSatisfy { label in
      (1...63).contains(label.count) && label.first != 0x2d && label.last != 0x2d
        && label.allSatisfy { isHubOctet($0) && $0 != 0x2e && $0 != 0x5f }
    }
}
