/// An address and a port.
package struct Endpoint: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var address: IPAddress
  package var port: UInt16

  package init(_ address: IPAddress, _ port: UInt16) {
    self.address = address
    self.port = port
  }

  /// `ADDRESS:PORT`, an IPv6 address in brackets; without a port only when `defaultPort` is given. Nil for anything else.
  package init?(_ text: some StringProtocol, defaultPort: UInt16? = nil) {
    let text = Substring(text)
    if text.hasPrefix("[") {
      guard let close = text.firstIndex(of: "]"),
        let address = IPv6Address(text[text.index(after: text.startIndex)..<close])
      else { return nil }
      let rest = text[text.index(after: close)...]
      guard let port = rest.isEmpty ? defaultPort : rest.first == ":" ? portNumber(rest.dropFirst()) : nil else {
        return nil
      }
      self.init(.v6(address), port)
    } else if let address = IPAddress(text) {
      guard let defaultPort else { return nil }
      self.init(address, defaultPort)
    } else {
      guard let colon = text.lastIndex(of: ":"), let address = IPv4Address(text[..<colon]),
        let port = portNumber(text[text.index(after: colon)...])
      else { return nil }
      self.init(.v4(address), port)
    }
  }

  package var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

  package static func < (left: Self, right: Self) -> Bool { (left.address, left.port) < (right.address, right.port) }
}

/// A decimal port without sign or leading zero, 0…65535.
package func portNumber(_ text: some StringProtocol) -> UInt16? {
  guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text.utf8.count == 1 || text.first != "0" else {
    return nil
  }
  return UInt16(text)
}
