import Addressing
import EgressPolicy
import Foundation
import Testing
import Timekeeping

@testable import Firewall

/// Real packets through the real kernel, under what the model stages.
@Suite(.enabled(if: NetworkNamespace.isPossible), .serialized)
struct PacketTests {
  private static let ownMark = 0x1234_5678

  /// The pod's side with its listeners, the world's with its servers.
  private final class World {
    let namespace: NetworkNamespace
    var model: Fixture
    private let servers: [LineProcess]

    init(_ rules: String...) throws {
      namespace = try NetworkNamespace()
      model = try Fixture()
      func serve(_ name: String, as user: [String] = [], _ places: [String]) throws -> LineProcess {
        try LineProcess(
          ["ip", "netns", "exec", name] + user + ["python3", "-c", PacketScript.servers] + places)
      }
      var outside: [String] = ["10.9.0.2", "53", "fd09::2", "53"]
      for host in 1...4 {
        for port in ["22", "53", "443", "1500"] {
          outside += ["198.51.100.\(host)", port, "2001:db8::\(host)", port]
        }
      }
      servers = [
        try serve(namespace.world, outside),
        try serve(
          namespace.pod, as: ["env", "SERVE_AS=65532"],
          ["127.0.0.1", "15353", "::1", "15353", "0.0.0.0", "18080", "0.0.0.0", "7000", "fd09::1", "7000"]),
      ]
      try namespace.inPod("nft", "-f", "-", input: nftText(Ruleset(Fixture.parameters).installation()))
      model.firewall.openGate(for: nil, at: model.now)
      try model.replace(rules)
      try commit()
      for server in servers { try #require(server.nextLine() == "ready") }
    }

    func commit() throws {
      let taken = model.take()
      guard let taken else { return }
      try namespace.inPod("nft", "-f", "-", input: nftText(taken.transaction))
      _ = model.firewall.settle(taken.id, .committed, at: model.now)
      for mark in taken.revoked {
        _ = try? namespace.inPod("conntrack", "-D", "--mark", String(mark))
        _ = try? namespace.inPod("conntrack", "-D", "-f", "ipv6", "--mark", String(mark))
      }
    }

    /// `PROTOCOL ADDRESS PORT [UID [MARK [SOURCE-PORT]]]` → what it came to.
    func tries(_ rows: [(String, String)], from outside: Bool = false) throws {
      let input = rows.map { row in
        let words = row.0.split(separator: " ").map(String.init)
        return (words + Array(repeating: "-", count: 6 - words.count)).joined(separator: " ") + "\n"
      }.joined()
      let output = try NetworkNamespace.run(
        ["ip", "netns", "exec", outside ? namespace.world : namespace.pod, "python3", "-c", PacketScript.tries],
        input: input)
      for (row, answer) in zip(rows, output.split(separator: "\n", omittingEmptySubsequences: false)) {
        #expect(answer == row.1, "\(row.0)")
      }
    }

    func flow(_ address: String, _ port: String) throws -> LineProcess {
      try LineProcess(["ip", "netns", "exec", namespace.pod, "python3", "-c", PacketScript.flow, address, port])
    }
  }

  @Test func whatIsGrantedConnectsAndTheRestIsRefusedAtOnce() throws {
    let world = try World(
      "deny 198.51.100.4 443/tcp", "allow a.test", "allow b.test 443/tcp", "allow c.test 1000-2000",
      "allow 198.51.100.4/30 440-450/tcp,22")
    try stage(world, "a.test", "198.51.100.1", "2001:db8::1")
    try stage(world, "b.test", "198.51.100.2", "2001:db8::2")
    try stage(world, "c.test", "198.51.100.3", "2001:db8::3")
    try world.commit()
    try world.tries([
      ("tcp 198.51.100.1 443", "tcp443:hi"), ("udp 198.51.100.1 443", "udp443:hi"),
      ("tcp 2001:db8::1 22", "tcp22:hi"), ("udp 2001:db8::1 1500", "udp1500:hi"),
      ("tcp 198.51.100.2 443", "tcp443:hi"), ("udp 198.51.100.2 443", "refused"),
      ("tcp 198.51.100.2 22", "refused"), ("tcp 2001:db8::2 443", "tcp443:hi"),
      ("udp 2001:db8::2 443", "refused"), ("tcp 2001:db8::2 22", "refused"),
      ("tcp 198.51.100.3 1500", "tcp1500:hi"), ("udp 2001:db8::3 1500", "udp1500:hi"),
      ("tcp 198.51.100.3 443", "refused"), ("tcp 198.51.100.4 443", "refused"),
      ("tcp 198.51.100.4 22", "tcp22:hi"), ("udp 198.51.100.4 22", "udp22:hi"),
      ("udp 198.51.100.4 443", "refused"), ("tcp 2001:db8::4 443", "refused"), ("udp 2001:db8::4 443", "refused"),
      ("tcp ::ffff:198.51.100.4 443", "refused"),
    ])
  }

  @Test func pingGoesByLeaseToo() throws {
    let world = try World("allow a.test", "allow b.test 443")
    try stage(world, "a.test", "198.51.100.1", "2001:db8::1")
    try stage(world, "b.test", "198.51.100.2")
    try world.commit()
    func pings(_ host: String) -> Bool {
      (try? world.namespace.inPod("python3", "-c", PacketScript.ping, host)) != nil
    }
    #expect(pings("198.51.100.1"))
    #expect(pings("2001:db8::1"))
    #expect(!pings("198.51.100.2"))
  }

  @Test func everyQueryLandsAtTheProxy() throws {
    let world = try World("allow a.test")
    try stage(world, "a.test", "198.51.100.1")
    try world.commit()
    try world.tries([
      ("udp 198.51.100.1 53", "udp15353:hi"), ("tcp 198.51.100.1 53", "tcp15353:hi"),
      ("udp 8.8.8.8 53", "udp15353:hi"), ("tcp 8.8.8.8 53 1000", "tcp15353:hi"),
      ("udp 2001:db8::9 53", "udp15353:hi"), ("tcp 2001:db8::9 53", "tcp15353:hi"),
      ("udp 127.0.0.1 53", "udp15353:hi"), ("udp ::1 53", "udp15353:hi"), ("udp 10.9.0.1 53", "udp15353:hi"),
      ("udp 127.0.0.1 15353", "refused"), ("tcp ::1 15353", "refused"),
    ])
  }

  @Test func exemptionNeedsUserAndMarkAndDestination() throws {
    let world = try World("allow a.test")
    #expect(
      world.model.firewall.permitOwn(
        Endpoint(try address("10.9.0.2"), 53), [.udp, .tcp], for: nil, at: world.model.now))
    #expect(
      world.model.firewall.permitOwn(
        Endpoint(try address("2001:db8::4"), 443), [.tcp], for: nil, at: world.model.now))
    try world.commit()
    let mark = String(Self.ownMark)
    try world.tries([
      ("udp 10.9.0.2 53 65532 \(mark)", "udp53:hi"), ("tcp 10.9.0.2 53 65532 \(mark)", "tcp53:hi"),
      ("tcp 2001:db8::4 443 65532 \(mark)", "tcp443:hi"),
      ("udp 10.9.0.2 53 65532", "udp15353:hi"), ("udp 10.9.0.2 53 1000 \(mark)", "udp15353:hi"),
      ("tcp 2001:db8::4 443 65532", "refused"), ("tcp 2001:db8::4 443 1000 \(mark)", "refused"),
      ("tcp 2001:db8::4 22 65532 \(mark)", "refused"), ("udp 2001:db8::4 443 65532 \(mark)", "refused"),
      ("tcp 198.51.100.4 443 65532 \(mark)", "refused"),
      // The daemon's query leaves an entry that is not translated: whoever borrows its port must not ride on it.
      ("udp 10.9.0.2 53 65532 \(mark) 40001", "udp53:hi"),
    ])
    // The kernel drops such a packet: the send itself fails.
    try world.tries([("udp 10.9.0.2 53 1000 - 40001", "[Errno 1] Operation not permitted")])
  }

  @Test func controlInterfaceIsClosedToTheWorkloadAlone() throws {
    let world = try World("allow a.test")
    try world.tries([
      ("tcp 127.0.0.1 18080 1000", "refused"), ("tcp 10.9.0.1 18080 1000", "refused"),
      ("tcp 127.0.0.1 18080 0", "refused"), ("tcp 127.0.0.1 18080 65532", "tcp18080:hi"),
      ("tcp 127.0.0.1 7000 1000", "tcp7000:hi"),
    ])
    try world.tries(
      [
        ("tcp 10.9.0.1 18080", "tcp18080:hi"), ("tcp 10.9.0.1 7000", "tcp7000:hi"), ("tcp fd09::1 7000", "tcp7000:hi"),
        ("tcp 10.9.0.1 7001", "refused"), ("udp 10.9.0.1 7000", "silence"),
      ], from: true)
  }

  @Test func closedGateRefusesNewFlowsAndLeavesLiveOnes() throws {
    let world = try World("allow a.test")
    try stage(world, "a.test", "198.51.100.1")
    try world.commit()
    let flow = try world.flow("198.51.100.1", "443")
    #expect(flow.ask("one") == "tcp443:one")
    world.model.firewall.closeGate(at: world.model.now)
    try world.commit()
    try world.tries([("tcp 198.51.100.1 443", "refused"), ("udp 198.51.100.1 443", "refused")])
    #expect(flow.ask("two") == "tcp443:two")
  }

  @Test func revocationCutsWhoSendsAndWhoOnlyReceives() throws {
    let world = try World("allow a.test", "allow b.test")
    try stage(world, "a.test", "198.51.100.1", "2001:db8::1")
    try stage(world, "b.test", "198.51.100.2", "198.51.100.1")
    try world.commit()
    try stage(world, "a.test", "198.51.100.3")
    try world.commit()
    let sends = try world.flow("198.51.100.3", "443")
    let receives = try world.flow("2001:db8::1", "443")
    let other = try world.flow("198.51.100.2", "443")
    #expect(sends.ask("one") == "tcp443:one")
    #expect(receives.ask("push") == "tcp443:push")
    #expect(other.ask("one") == "tcp443:one")
    try world.model.replace("allow b.test")
    try world.commit()
    #expect(sends.ask("two") == "reset")
    // Nothing arrives any more, whoever sends.
    #expect(receives.ask("listen") != "closed")
    #expect(["reset", "silence"].contains(receives.ask("listen")))
    #expect(other.ask("two") == "tcp443:two")
    try world.tries([("tcp 198.51.100.1 443", "tcp443:hi"), ("tcp 198.51.100.3 443", "refused")])
  }

  private func stage(_ world: World, _ name: String, _ addresses: String...) throws {
    for address in addresses { _ = try world.model.stage(name, address, ttl: 600) }
  }
}
