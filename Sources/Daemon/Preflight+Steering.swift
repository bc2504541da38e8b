import Addressing
import Firewall
import FlowAudit
import LinuxIO
import Netfilter
import Timekeeping

/// Whether the kernel really does what the rules say, tried on a connection of our own.
extension Preflight {
  /// A connection inside the machine, or its refusal, takes microseconds: 1 s.
  private static let patience = TimeSpan.seconds(1)
  private static let table = "sallyport-doctor"
  /// TEST-NET-1 (RFC 5737): nobody is there, and where the rules stand it is denied.
  private static let nowhere = Endpoint(.v4(IPv4Address(192, 0, 2, 1)), 9)

  mutating func checkSteering() {
    do {
      var monitor = try ConntrackMonitor.open()
      if isEnforced { try checkStandingRules() } else { try checkRulesOfOurOwn() }
      checkEvents(&monitor)
    } catch {
      add("redirect", .missing, "\(error)", remedy: "see the checks above")
    }
  }

  /// A denied connection must be refused at once: it was led to a port where nobody listens.
  private mutating func checkStandingRules() throws {
    let stream = try TCPStream.connecting(to: Self.nowhere)
    _ = try stream.waitUntil(.write, deadline: SystemTime.instant() + Self.patience)
    if let error = stream.connectError(), error == .connectionRefused {
      add("redirect", .ok, "the rules that stand refuse \(Self.nowhere) at once")
    } else {
      add(
        "redirect", .missing, "the rules that stand do not refuse \(Self.nowhere)",
        remedy: "look whether someone changed table inet sallyport: its daemon says so in a Tamper record")
    }
  }

  /// From a port where nobody listens to one where we do.
  private mutating func checkRulesOfOurOwn() throws {
    let loopback = IPAddress.v4(IPv4Address(127, 0, 0, 1))
    let listener = try TCPListener(Endpoint(loopback, 0))
    let closed = try TCPListener(Endpoint(loopback, 0)).localEndpoint()
    let socket = try NftablesSocket(table: Self.table)
    defer { _ = socket.commit(KernelTransaction([.addTable, .deleteTable])) }
    let chain = ChainDefinition(
      ChainName(rawValue: "steer"), base: .init(kind: .nat, hook: .output, priority: -100, drops: false))
    let filter = ChainDefinition(
      ChainName(rawValue: "count"), base: .init(kind: .filter, hook: .output, priority: 0, drops: false))
    let outcome = socket.commit(
      KernelTransaction([
        .addTable, .addChain(chain), .addChain(filter),
        .appendRule(
          RuleDefinition(
            chain.name,
            [
              .outputInterface("lo"), .protocols([6]), .destinationPort(closed.port),
              .redirect(try listener.localEndpoint().port),
            ])),
        // Switches conntrack's accounting on, as the ruleset does.
        .appendRule(RuleDefinition(filter.name, [.countsBytes, .counter])),
      ]))
    if case .refused(let refusal) = outcome {
      add("redirect", .missing, refusal.reason, remedy: "use a kernel with nft_redir, nft_nat and nf_conntrack")
      return
    }
    let stream = try TCPStream.connecting(to: closed)
    _ = try stream.waitUntil(.write, deadline: SystemTime.instant() + Self.patience)
    if stream.connectError() == nil, try listener.accept() != nil {
      add("redirect", .ok, "a connection of our own was redirected")
    } else {
      add(
        "redirect", .missing, "the kernel takes the rule and does not redirect",
        remedy: "this kernel cannot enforce: use another one")
    }
  }

  private mutating func checkEvents(_ monitor: inout ConntrackMonitor) {
    var events: [ConntrackEvent] = []
    _ = monitor.read(into: &events)
    if events.isEmpty {
      add(
        "conntrack events", .missing, "no event arrived for a connection of our own",
        remedy: "use a kernel with CONFIG_NF_CONNTRACK_EVENTS; set net.netfilter.nf_conntrack_events to 1 or 2")
    } else {
      add("conntrack events", .ok, "arrive")
    }
    let accounting = try? File.readWhole("/proc/sys/net/netfilter/nf_conntrack_acct", limit: 16)
    if accounting?.first == 0x31 {
      add("conntrack accounting", .ok, "on")
    } else {
      add(
        "conntrack accounting", .degraded, "off: records of flows will have no octets and packets",
        remedy: "set net.netfilter.nf_conntrack_acct to 1")
    }
  }
}
