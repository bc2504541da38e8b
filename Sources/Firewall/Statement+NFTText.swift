import Addressing

/// One statement as `nft` writes it.
func nftText(_ statement: Statement) -> String {
  switch statement {
  case .socketUser(let user, let comparison): "meta skuid \(nft(comparison))\(user)"
  case .packetMark(let mark): "meta mark \(mark)"
  case .outputInterface(let name, let comparison): "oifname \(nft(comparison))\"\(name)\""
  case .inputInterface(let name, let comparison): "iifname \(nft(comparison))\"\(name)\""
  case .family(let isIPv4): "meta nfproto \(isIPv4 ? "ipv4" : "ipv6")"
  case .protocols(let numbers):
    "meta l4proto " + nftList(numbers.map { TransportProtocol(rawValue: $0).description })
  case .destinationPort(let port, let comparison): "th dport \(nft(comparison))\(port)"
  case .sourcePort(let port, let comparison): "th sport \(nft(comparison))\(port)"
  case .destinationPorts(let ranges): "th dport { \(nftRanges(ranges)) }"
  case .sourcePorts(let ranges): "th sport { \(nftRanges(ranges)) }"
  case .destinationAddress(let bytes):
    (bytes.count == 4 ? "ip" : "ip6") + " daddr " + (IPAddress(bytes: bytes)?.description ?? "?")
  case .sourcePrefix(let octets, let isIPv4, let comparison):
    (isIPv4 ? "ip" : "ip6") + " saddr " + nft(comparison) + nftPrefix(octets, length: isIPv4 ? 4 : 16)
  case .isConnectionRequest: "tcp flags & (fin | syn | rst | ack) == syn"
  case .icmpv6Types(let types): "icmpv6 type " + nftList(types.map(String.init))
  case .connectionState(let state): "ct state " + nftStates(state)
  case .direction(let isReply): "ct direction \(isReply ? "reply" : "original")"
  case .connectionMark(let mark): "ct mark \(mark)"
  case .connectionMarkMasked(let mask, let value, let comparison):
    "ct mark & \(mask) \(comparison == .equal ? "==" : "!=") \(value)"
  case .connectionMarkIn(let set): "ct mark @\(set.rawValue)"
  case .familyIn(let set): "meta nfproto @\(set.rawValue)"
  case .fieldsIn(let set, let fields): nftFields(fields) + " @\(set.rawValue)"
  case .countIn(let set, let fields): "add @\(set.rawValue) { \(nftFields(fields)) counter }"
  case .setConnectionMark(let mark): "ct mark set \(mark)"
  case .setConnectionMarkFrom(let map, let fields): "ct mark set \(nftFields(fields)) map @\(map.rawValue)"
  case .countsBytes: "ct original bytes > 0"
  case .counter: "counter"
  case .redirect(let port): "redirect to :\(port)"
  case .notrack: "notrack"
  case .log(let group): "log group \(group)"
  case .accept: "accept"
  case .drop: "drop"
  case .jump(let chain): "jump \(chain.rawValue)"
  case .goTo(let chain): "goto \(chain.rawValue)"
  case .returnToCaller: "return"
  }
}

private func nft(_ comparison: Statement.Comparison) -> String { comparison == .equal ? "" : "!= " }

private func nftRanges(_ ranges: [ClosedRange<UInt16>]) -> String {
  ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
}

private func nftPrefix(_ octets: [UInt8], length: Int) -> String {
  let address = IPAddress(bytes: octets + [UInt8](repeating: 0, count: max(length - octets.count, 0)))
  return (address?.description ?? "?") + (octets.count < length ? "/\(octets.count * 8)" : "")
}

private func nftList(_ items: [String]) -> String {
  items.count == 1 ? items[0] : "{ " + items.joined(separator: ", ") + " }"
}

private func nftFields(_ fields: [PacketField]) -> String {
  fields.map {
    switch $0 {
    case .ipv4Source: "ip saddr"
    case .ipv4Destination: "ip daddr"
    case .ipv6Source: "ip6 saddr"
    case .ipv6Destination: "ip6 daddr"
    case .protocolNumber: "meta l4proto"
    case .sourcePort: "th sport"
    case .destinationPort: "th dport"
    case .connectionMark: "ct mark"
    case .ipv4OriginalDestination: "ct original ip daddr"
    case .ipv6OriginalDestination: "ct original ip6 daddr"
    }
  }.joined(separator: " . ")
}

private func nftStates(_ state: ConnectionState) -> String {
  let words: [(ConnectionState, String)] = [
    (.invalid, "invalid"), (.established, "established"), (.related, "related"), (.new, "new"),
    (.untracked, "untracked"),
  ]
  return words.filter { state.contains($0.0) }.map(\.1).joined(separator: ",")
}
