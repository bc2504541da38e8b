import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

/// Random policies, leases, refusals and time against a naive reading of the policy.
struct RandomPolicyTests {
  struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
      return mixed ^ (mixed >> 31)
    }
  }

  private static let hosts = ["198.51.100.1", "198.51.100.2", "198.51.100.7", "2001:db8::1", "2001:db8::7", "10.0.0.5"]
  private static let names = ["a.pool.test", "b.pool.test", "c.pool.test", "api.test"]
  private static let targets =
    names + ["*.pool.test", "198.51.100.0/30", "198.51.100.7", "2001:db8::/64", "10.0.0.0/8", "0.0.0.0/0", "::/0"]
  private static let ports = ["", " 443", " 443/tcp", " 1000-3000/tcp", " 2000-2500", " 53-60/udp,443/tcp"]
  private static let probes: [(UInt16, TransportProtocol)] = [
    (443, .tcp), (443, .udp), (1_500, .tcp), (2_100, .tcp), (2_100, .udp), (55, .udp), (9_999, .tcp), (0, .icmp),
  ]

  private func rules(_ random: inout Generator, _ now: Int64) -> [String] {
    var lines = (0..<Int.random(in: 0...6, using: &random)).map { _ -> String in
      let action = Int.random(in: 0..<4, using: &random) == 0 ? "deny" : "allow"
      let target = Self.targets[Int.random(in: 0..<Self.targets.count, using: &random)]
      let ports = Self.ports[Int.random(in: 0..<Self.ports.count, using: &random)]
      let until =
        Int.random(in: 0..<5, using: &random) == 0 ? " until \(now + Int64.random(in: 1...300, using: &random))" : ""
      return "\(action) \(target)\(ports)\(until)"
    }
    if Int.random(in: 0..<8, using: &random) == 0 { lines.append("default allow") }
    return lines
  }

  @Test(arguments: 0..<60)
  func kernelLetsThroughWhatThePolicyAndTheLeasesSay(seed: Int) throws {
    var random = Generator(state: UInt64(seed))
    var world = try Fixture()
    try world.replace(rules(&random, 0))
    try world.commit()
    var clock: Int64 = 0
    for _ in 0..<60 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let name = Self.names[Int.random(in: 0..<Self.names.count, using: &random)]
        let host = Self.hosts[Int.random(in: 0..<Self.hosts.count, using: &random)]
        _ = try world.stage(name, host, ttl: UInt32.random(in: 0...400, using: &random))
      case 5:
        let old = world.policy
        try world.replace(rules(&random, clock))
        if Bool.random(using: &random) {
          _ = world.refuse()
          world.policy = old
        }
      case 6: _ = world.refuse()
      case 7:
        let taken = world.take()
        if let taken {
          let name = Self.names[Int.random(in: 0..<Self.names.count, using: &random)]
          _ = try world.stage(name, Self.hosts[Int.random(in: 0..<Self.hosts.count, using: &random)])
          if Bool.random(using: &random) {
            try world.kernel.commit(taken.transaction, at: world.now.instant)
            _ = world.firewall.settle(taken.id, .committed, at: world.now)
          } else {
            let refusal = CommitRefusal(code: 12, change: nil, reason: "ENOMEM")
            _ = world.firewall.settle(taken.id, .refused(refusal), at: world.now)
          }
        }
      default:
        try world.commit()
        let span = Int64.random(in: 1...120, using: &random)
        clock += span
        try world.pass(span)
      }
      try world.commit()
      try check(world, "seed \(seed)")
    }
    // At rest everything ends, and nothing is left behind.
    try world.replace("deny *")
    try world.commit()
    try world.pass(5_000)
    #expect(world.firewall.counts == FirewallCounts(leases: 0, grants: 0, portElements: 0, rangeElements: 0))
    #expect(world.kernel.live(.grants, at: world.now.instant) == [])
    #expect(world.firewall.names.count == 0)
    #expect(world.firewall.leasesUnderRule.values.allSatisfy { $0 == 0 })
  }

  private func check(_ world: Fixture, _ comment: Comment) throws {
    for text in Self.hosts {
      let ip = try address(text)
      let leasing = world.firewall.names(leasing: ip, at: world.now.instant)
      for (port, transport) in Self.probes {
        let byAddress = world.policy.decide(nil, ip, port: port, transport: transport, at: world.now.wall)
        let byName = leasing.contains { name in
          world.policy.verdicts(name, ip, at: world.now.wall).contains {
            $0.isByName && $0.rule.action == .allow && $0.ports.contains(port: port, of: transport)
          }
        }
        let (mark, passes) = world.kernel.verdict(ip, port: port, transport: transport, at: world.now.instant)
        #expect(
          passes == (byName || byAddress.action == .allow), "\(comment) \(text) \(port) \(transport) mark \(mark)")
        if passes { #expect(world.firewall.attribution(mark: mark)?.rule.action == .allow, comment) }
      }
    }
  }
}
