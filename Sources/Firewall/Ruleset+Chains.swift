import EgressPolicy

/// The chains keep what deploy/docs/security-promise.md says, sentence by sentence.
extension Ruleset {
  private static let portProtocols: [UInt8] = [6, 17]
  private static let loopback4: [UInt8] = [127, 0, 0, 1]
  private static let loopback6: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
  private static let loopbackName = "lo"
  /// DNS (RFC 1035 §4.2).
  private static let dnsPort: UInt16 = 53
  /// RFC 4861 and RFC 4890 §4.4: router and neighbour discovery (133–136), and the listener reports (131, 132, 143) without which a switch
  /// that snoops never forwards a neighbour solicitation. All of them end at the link.
  private static let linkLocalControl: [UInt8] = [131, 132, 133, 134, 135, 136, 143]

  /// Chains that others jump to come first.
  var chains: [RuleChain] { [refuse, judge, permitPort, permit, forged, steer, out, astray, through, last, into] }

  /// Promise E9. The mark says why the flow is denied. TCP and UDP go where nobody listens: refused at once, and the flow with its original destination is
  /// an ordinary conntrack entry. Others have no such place and end at `out`.
  private var refuse: RuleChain {
    var chain = RuleChain(.refuse)
    if parameters.enforces {
      chain.add(
        .protocols(Self.portProtocols), .counter, .redirect(parameters.closedPort), counting: .refusedFlows)
    } else {
      chain.add(.protocols(Self.portProtocols), .counter, counting: .refusedFlows)
    }
    return chain
  }

  /// A look-up set the mark. A grant that has ended (`expiresAt`, with nobody there to take its addresses out) is no grant.
  private var judge: RuleChain {
    var chain = RuleChain(.judge)
    chain.add(.connectionMarkIn(.grants), .counter, .accept, counting: .permittedFlows)
    chain.add(.connectionMarkMasked(mask: FlowMark.reservedBit, value: FlowMark.reservedBit), .goTo(.refuse))
    chain.add(.setConnectionMark(FlowMark.deniedByDefault), .goTo(.refuse))
    return chain
  }

  /// Promise E3 and E4. A missing key ends the rule, so the look-up is the verdict. Leases come before address rules: a lease exists only where the rule for its name
  /// comes before the rules for its address.
  private var permitPort: RuleChain {
    var chain = RuleChain(.permitPort)
    for (sets, address) in Self.families {
      let service = [address, .protocolNumber, .destinationPort]
      chain.add(.setConnectionMarkFrom(sets.leasePort, service), .goTo(.judge))
      chain.add(.setConnectionMarkFrom(sets.leaseRange, service), .goTo(.judge))
      chain.add(.setConnectionMarkFrom(sets.lease, [address]), .goTo(.judge))
      chain.add(.setConnectionMarkFrom(sets.blockExact, service), .goTo(.judge))
      chain.add(.setConnectionMarkFrom(sets.blockPort, service), .goTo(.judge))
      chain.add(.setConnectionMarkFrom(sets.block, [address]), .goTo(.judge))
    }
    chain.add(.setConnectionMark(FlowMark.deniedByDefault), .goTo(.refuse))
    return chain
  }

  private var permit: RuleChain {
    var chain = RuleChain(.permit)
    chain.add(.protocols(Self.portProtocols), .goTo(.permitPort))
    for (sets, address) in Self.families {
      chain.add(.setConnectionMarkFrom(sets.leaseOther, [address]), .goTo(.judge))
      chain.add(.setConnectionMarkFrom(sets.lease, [address]), .goTo(.judge))
      chain.add(.setConnectionMarkFrom(sets.block, [address]), .goTo(.judge))
    }
    chain.add(.setConnectionMark(FlowMark.deniedByDefault), .goTo(.refuse))
    return chain
  }

  /// Promise E1, E2, E7, E12 and G1. Sees the first packet of each flow that the pod begins, before any address translation.
  private var steer: RuleChain {
    var chain = RuleChain(.steer, .init(kind: .nat, hook: .output, priority: -100, drops: false))
    for (sets, address) in Self.families {
      chain.add(
        .socketUser(parameters.ownUser), .packetMark(parameters.ownMark),
        .fieldsIn(sets.own, [address, .protocolNumber, .destinationPort]), .setConnectionMark(FlowMark.own), .accept)
    }
    if let port = parameters.apiPort {
      chain.add(
        .outputInterface(Self.loopbackName), .protocols([6]), .destinationPort(port),
        .socketUser(parameters.ownUser, .notEqual), .setConnectionMark(FlowMark.deniedAPI), .counter,
        .redirect(parameters.closedPort), counting: .refusedFlows)
    }
    for (isIPv4, port) in [(true, parameters.dnsPort4), (false, parameters.dnsPort6)] {
      if let port {
        chain.add(
          .family(ipv4: isIPv4), .protocols(Self.portProtocols), .destinationPort(Self.dnsPort),
          .setConnectionMark(FlowMark.steeredDNS), .counter, .redirect(port), counting: .steeredQueries)
        if parameters.refusesDirectDNS, parameters.enforces {
          chain.add(
            .outputInterface(Self.loopbackName), .family(ipv4: isIPv4), .protocols(Self.portProtocols),
            .destinationPort(port), .setConnectionMark(FlowMark.deniedByDefault), .goTo(.refuse))
        }
      } else {
        chain.add(
          .family(ipv4: isIPv4), .protocols(Self.portProtocols), .destinationPort(Self.dnsPort),
          .setConnectionMark(FlowMark.deniedByDefault), .goTo(.refuse))
      }
    }
    chain.add(.outputInterface(Self.loopbackName), .accept)
    if parameters.checksSources {
      chain.add(.family(ipv4: true), .familyIn(.gate), .goTo(.permit))
      chain.add(.fieldsIn(.sources6, [.ipv6Source]), .familyIn(.gate), .goTo(.permit))
      chain.add(.familyIn(.gate), .setConnectionMark(FlowMark.deniedSource), .goTo(.refuse))
    } else {
      chain.add(.familyIn(.gate), .goTo(.permit))
    }
    chain.add(.setConnectionMark(FlowMark.deniedByGate), .goTo(.refuse))
    return chain
  }

  /// Promise E5, E6, E8, E12 and D3. Every packet that leaves. Address translation has happened, but the output interface is still that of the original destination, so
  /// what was redirected is told by mark, address and port.
  private var out: RuleChain {
    var chain = RuleChain(.out, .init(kind: .filter, hook: .output, priority: 0, drops: parameters.enforces))
    for (sets, address) in Self.families {
      chain.add(
        .socketUser(parameters.ownUser), .packetMark(parameters.ownMark),
        .fieldsIn(sets.own, [address, .protocolNumber, .destinationPort]), .accept)
    }
    if let port = parameters.apiPort {
      chain.add(
        .outputInterface(Self.loopbackName), .protocols([6]), .destinationPort(port),
        .socketUser(parameters.ownUser, .notEqual), .drop)
      // While the daemon is away the workload could listen in its place, and be told the API's token.
      chain.add(
        .protocols([6]), .sourcePort(port), .socketUser(parameters.ownUser, .notEqual), .drop)
    }
    // A packet that meets a leftover entry of one of our own queries is not translated and so still goes to port 53.
    for (sets, _) in Self.families {
      chain.add(
        .protocols(Self.portProtocols), .destinationPort(Self.dnsPort), .countIn(sets.dropped, sets.way))
    }
    chain.add(
      .protocols(Self.portProtocols), .destinationPort(Self.dnsPort), .counter, .drop, counting: .strayQueries)
    chain.add(.outputInterface(Self.loopbackName), .accept)
    // Only towards where the flow was let out. Without the direction, a flow that begins under a false source (IPv6 asks for no privilege) would let the
    // "reply" to that source out.
    if parameters.checksSources {
      chain.add(.family(ipv4: true), .direction(isReply: false), .connectionMarkIn(.grants), .accept)
      chain.add(.fieldsIn(.sources6, [.ipv6Source]), .direction(isReply: false), .connectionMarkIn(.grants), .accept)
    } else {
      chain.add(.direction(isReply: false), .connectionMarkIn(.grants), .accept)
    }
    for service in ingressReplies {
      chain.rules.append(
        .init(statements: [.direction(isReply: true), .connectionMark(FlowMark.ingress)] + service + [.accept]))
    }
    for (isIPv4, loopback, dns) in [
      (true, Self.loopback4, parameters.dnsPort4), (false, Self.loopback6, parameters.dnsPort6),
    ] {
      chain.add(
        .connectionMarkMasked(mask: FlowMark.reservedBit, value: FlowMark.reservedBit), .family(ipv4: isIPv4),
        .destinationAddress(loopback), .protocols(Self.portProtocols), .destinationPort(parameters.closedPort), .accept)
      if let dns {
        chain.add(
          .connectionMark(FlowMark.steeredDNS), .family(ipv4: isIPv4), .destinationAddress(loopback),
          .protocols(Self.portProtocols), .destinationPort(dns), .accept)
      }
    }
    // The kernel's own have no user; a program's would carry whatever it likes as far as there are routers.
    chain.add(
      .icmpv6Types(Self.linkLocalControl), .socketUser(parameters.ownUser, .notEqual),
      .countIn(.dropped6, AddressSets.ipv6.way))
    chain.add(
      .icmpv6Types(Self.linkLocalControl), .socketUser(parameters.ownUser, .notEqual), .counter, .drop,
      counting: .droppedOut)
    chain.add(.icmpv6Types(Self.linkLocalControl), .accept)
    // Any rule that reads conntrack's bytes switches accounting on in this namespace, where /proc/sys cannot be written.
    chain.add(.countsBytes, .counter)
    // A rule of its own: with the set full it ends there, and the packet is dropped all the same.
    for (sets, _) in Self.families { chain.add(.countIn(sets.dropped, sets.way)) }
    if parameters.enforces {
      chain.add(.counter, .drop, counting: .droppedOut)
    } else {
      chain.add(.counter, counting: .droppedOut)
    }
    return chain
  }

  /// From where replies to connections into the pod may come: what a former setting permitted ends with it.
  private var ingressReplies: [[Statement]] {
    let api = parameters.apiPort.map { [[Statement.protocols([6]), .sourcePort($0)]] } ?? []
    switch parameters.ingress {
    case .tcp: return [[]]
    case .none: return api
    case .ports(let ports):
      let tcp: [[Statement]] = ports.tcp.isEmpty ? [] : [[.protocols([6]), .sourcePorts(ports.tcp)]]
      let udp: [[Statement]] = ports.udp.isEmpty ? [] : [[.protocols([17]), .sourcePorts(ports.udp)]]
      return api + tcp + udp
    }
  }

  /// A packet within the pod from where only the daemon's peers are. What was redirected comes back in the name of its original destination; anything else is a forgery, and the
  /// daemon would take it for an answer.
  private var forged: RuleChain {
    var chain = RuleChain(.forged)
    chain.add(.connectionMark(FlowMark.own), .counter, .drop)
    chain.add(.connectionMarkMasked(mask: FlowMark.reservedBit, value: FlowMark.reservedBit), .accept)
    chain.add(.counter, .drop)
    return chain
  }

  /// A socket bound to an interface keeps it when its packet is redirected: that would leave the pod under the address of loopback. Only here is the output interface
  /// that of the new destination. No event tells of a flow that ends here.
  private var astray: RuleChain {
    var chain = RuleChain(.astray, .init(kind: .filter, hook: .postrouting, priority: 0, drops: false))
    for (sets, loopback) in [(AddressSets.ipv4, Self.loopback4), (.ipv6, Self.loopback6)] {
      chain.add(
        .outputInterface(Self.loopbackName, .notEqual), .destinationAddress(loopback),
        .countIn(sets.dropped, sets.originalWay))
      chain.add(
        .outputInterface(Self.loopbackName, .notEqual), .destinationAddress(loopback), .counter, .drop,
        counting: .droppedOut)
    }
    return chain
  }

  /// Promise E6. What may begin a flow from outside. Everything else that is new is dropped before it makes an entry: else the next packet of a server whose flow was
  /// cut would begin a flow of its own, to which the workload's packets were replies.
  private var into: RuleChain {
    var chain = RuleChain(.into, .init(kind: .filter, hook: .input, priority: 0, drops: false))
    // A resolver's answer comes from outside, or from loopback if that is where it is. Within the pod anyone can send in its name: over IPv6 it takes no privilege.
    for (sets, address, isIPv4, own) in [
      (AddressSets.ipv4, PacketField.ipv4Source, true, Array(Self.loopback4.prefix(1))),
      (.ipv6, .ipv6Source, false, Self.loopback6),
    ] {
      chain.add(
        .inputInterface(Self.loopbackName), .sourcePrefix(own, ipv4: isIPv4, .notEqual),
        .fieldsIn(sets.own, [address, .protocolNumber, .sourcePort]), .goTo(.forged))
    }
    chain.add(.inputInterface(Self.loopbackName), .accept)
    let begins: [Statement] = [.connectionState(.new), .protocols([6]), .isConnectionRequest]
    let accept: [Statement] = [.setConnectionMark(FlowMark.ingress), .accept]
    if let port = parameters.apiPort, parameters.ingress != .tcp {
      chain.rules.append(.init(statements: begins + [.destinationPort(port)] + accept))
    }
    switch parameters.ingress {
    case .tcp: chain.rules.append(.init(statements: begins + accept))
    case .none: break
    case .ports(let ports):
      if !ports.tcp.isEmpty {
        chain.rules.append(.init(statements: begins + [.destinationPorts(ports.tcp)] + accept))
      }
      if !ports.udp.isEmpty {
        chain.rules.append(
          .init(
            statements: [.connectionState(.new), .protocols([17]), .destinationPorts(ports.udp)] + accept))
      }
    }
    if parameters.enforces {
      for (sets, _) in Self.families {
        chain.add(
          .connectionState(.new), .protocols(Self.portProtocols), .countIn(sets.uninvited, sets.way))
      }
      chain.add(
        .connectionState(.new), .protocols(Self.portProtocols), .counter, .drop, counting: .droppedIn)
    }
    return chain
  }

  /// Promise E10. What the pod only forwards, for a network namespace made inside it, met none of the other chains: it would be a way out.
  private var through: RuleChain {
    var chain = RuleChain(.through, .init(kind: .filter, hook: .forward, priority: 0, drops: parameters.enforces))
    for (sets, _) in Self.families { chain.add(.countIn(sets.forwarded, sets.way)) }
    chain.add(.counter, counting: .droppedForward)
    return chain
  }

  /// A program that only receives would never learn that its flow was cut: nothing it sends could be answered by a reset. So what the peer of a cut flow sends on
  /// passes by connection tracking for a while; the acknowledgement that it provokes begins a flow like any other, is refused, and resets the program. It never reaches the peer.
  private var last: RuleChain {
    var chain = RuleChain(.last, .init(kind: .filter, hook: .prerouting, priority: -300, drops: false))
    for (sets, address) in [(AddressSets.ipv4, PacketField.ipv4Source), (.ipv6, .ipv6Source)] {
      chain.add(.protocols([6]), .fieldsIn(sets.cut, [address, .sourcePort, .destinationPort]), .notrack)
    }
    return chain
  }

  /// Both families, with what a packet's destination is in each.
  private static let families: [(sets: AddressSets, address: PacketField)] = [
    (.ipv4, .ipv4Destination), (.ipv6, .ipv6Destination),
  ]
}
