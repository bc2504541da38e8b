import Addressing

/// What became of one item of `ports`.
enum PortCheck {
  case valid(PortSet)
  case refused(String)
}

/// Reads `443`, `443/tcp`, `8000-8100` or `8000-8100/udp`. Without a protocol it is TCP and UDP.
func checkPorts(_ text: String) -> PortCheck {
  let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
  let ends = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
  guard let first = ends.first.flatMap({ portNumber($0) }), let last = ends.last.flatMap({ portNumber($0) }) else {
    return .refused("not a port: 443, 443/tcp, 8000-8100 or 8000-8100/udp")
  }
  guard first > 0 else { return .refused("there is no port 0") }
  guard first <= last else { return .refused("the range is the wrong way round: \(last)-\(first)") }
  switch parts.count == 2 ? parts[1] : "" {
  case "tcp": return .valid(PortSet(tcp: [first...last], udp: [], otherProtocols: false))
  case "udp": return .valid(PortSet(tcp: [], udp: [first...last], otherProtocols: false))
  case "" where parts.count == 1:
    return .valid(PortSet(tcp: [first...last], udp: [first...last], otherProtocols: false))
  default: return .refused("the protocol of a port is tcp or udp")
  }
}
