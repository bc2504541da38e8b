import Addressing
import Configuration
import DNSWire
import LinuxIO
import Timekeeping

/// Whom the daemon must reach.
extension Preflight {
  /// A connection to another machine: 3 s.
  private static let patience = TimeSpan.seconds(3)

  mutating func checkNameservers() {
    guard let configuration else { return }
    // `.` NS, recursion desired (RFC 1035 §4.1): what every resolver can say something to.
    let query: [UInt8] = [0x5a, 0x11, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
    // One over TLS is proved by the daemon's own first query.
    for server in configuration.dnsUpstreams.filter({ $0.serverName == nil }).map(\.endpoint) {
      do throws(Errno) {
        let begun = SystemTime.instant()
        if try ask(server, query, patience: configuration.dnsUpstreamTimeout) != nil {
          let span = SystemTime.instant() - begun
          let by = isEnforced ? "; the rules that stand led the question to their daemon" : ""
          add("nameserver \(server)", .ok, "answers in \(span.milliseconds) ms\(by)")
        } else {
          add(
            "nameserver \(server)", .degraded,
            "does not answer within \(configuration.dnsUpstreamTimeout.milliseconds) ms",
            remedy: "look whether it can be reached from this pod, or set SALLYPORT_DNS_UPSTREAM")
        }
      } catch {
        add(
          "nameserver \(server)", .degraded, "\(error)",
          remedy: "look whether it can be reached from this pod, or set SALLYPORT_DNS_UPSTREAM")
      }
    }
  }

  /// The answer; nil when none came in time.
  private func ask(_ server: Endpoint, _ query: [UInt8], patience: TimeSpan) throws(Errno) -> [UInt8]? {
    let socket = try UDPSocket(family: AddressFamily(of: server.address), connect: server)
    let poll = try EventPoll()
    try poll.register(socket.number, token: 1, interest: .read)
    _ = try socket.send(query)
    let inbound = InboundDatagrams()
    let deadline = SystemTime.instant() + patience
    while true {
      let left = deadline - SystemTime.instant()
      guard left > .zero else { return nil }
      guard try !poll.wait(timeout: left).isEmpty else { continue }
      let count = try socket.receive(into: inbound)
      for index in 0..<count where inbound[index].bytes.starts(with: query.prefix(2)) { return inbound[index].bytes }
    }
  }

  mutating func checkHub() {
    guard let configuration, let hub = configuration.hub else { return }
    guard !isEnforced else {
      add("hub", .ok, "\(hub) is the daemon's alone while the rules stand: GET /audit says how delivery goes")
      return
    }
    reach("hub", hub.host, hub.port, configuration)
    if configuration.hubCredential == .workloadIdentity {
      let authority = configuration.workloadIdentity.authorityHost ?? "https://login.microsoftonline.com/"
      let host = authority.split(separator: "/", omittingEmptySubsequences: true).dropFirst().first.map(String.init)
      if let host { reach("token endpoint", host, 443, configuration) }
    }
  }

  private mutating func reach(_ name: String, _ host: String, _ port: UInt16, _ configuration: Configuration) {
    let remedy = "open the way from this pod to \(host):\(port); until then records wait in the spool"
    guard let address = IPAddress(host) ?? look(up: host, configuration) else {
      add(name, .degraded, "\(host) has no address by any nameserver", remedy: remedy)
      return
    }
    do throws(Errno) {
      let stream = try TCPStream.connecting(to: Endpoint(address, port))
      let isDone = try stream.waitUntil(.write, deadline: SystemTime.instant() + Self.patience)
      if let error = stream.connectError() {
        add(name, .degraded, "\(host) at \(address): \(error)", remedy: remedy)
      } else if !isDone {
        add(name, .degraded, "\(host) at \(address) does not answer", remedy: remedy)
      } else {
        add(name, .ok, "\(host) at \(address) can be reached")
      }
    } catch {
      add(name, .degraded, "\(host) at \(address): \(error)", remedy: remedy)
    }
  }

  private func look(up host: String, _ configuration: Configuration) -> IPAddress? {
    guard let name = DomainName(host) else { return nil }
    for type: UInt8 in [1, 28] {
      let query: [UInt8] = [0x5a, 0x12, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name.wire + [0, type, 0, 1]
      for server in configuration.dnsUpstreams.filter({ $0.serverName == nil }).map(\.endpoint) {
        guard let bytes = try? ask(server, query, patience: configuration.dnsUpstreamTimeout),
          let message = try? Message.parse(bytes)
        else { continue }
        if let address = message.records.lazy.compactMap({ message.address(of: $0) }).first { return address }
      }
    }
    return nil
  }
}
