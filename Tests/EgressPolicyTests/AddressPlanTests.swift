import Addressing
import EgressPolicy
import Testing
import Timekeeping

private func shown(_ plan: [AddressPlanEntry]) -> [String] {
  plan.map { "\($0.first)-\($0.last): \($0.verdicts.map(\.rule.text).joined(separator: ", "))" }
}

@Test func nestedBlocksAreFlattened() throws {
  let set = try ruleSet(
    rule("deny 10.0.0.4"), rule("allow 10.0.0.0/29 443"), rule("allow a.test"), rule("deny 10.0.0.0/24"),
    rule("allow 2001:db8::/127"))
  #expect(
    shown(set.addressPlan(at: noon)) == [
      "10.0.0.0-10.0.0.3: allow 10.0.0.0/29 443, deny 10.0.0.0/24", "10.0.0.4-10.0.0.4: deny 10.0.0.4",
      "10.0.0.5-10.0.0.7: allow 10.0.0.0/29 443, deny 10.0.0.0/24", "10.0.0.8-10.0.0.255: deny 10.0.0.0/24",
      "2001:db8::-2001:db8::1: allow 2001:db8::/127",
    ])
}

@Test func equalNeighboursAreOneRange() throws {
  let set = try ruleSet(rule("allow 10.0.0.0/8"), rule("deny 10.0.0.7"), rule("deny 10.9.0.0/16 22"))
  #expect(shown(set.addressPlan(at: noon)) == ["10.0.0.0-10.255.255.255: allow 10.0.0.0/8"])
}

@Test func defaultDenyIsLeftOutAndDefaultAllowIsNot() throws {
  #expect(try ruleSet(rule("allow a.test")).addressPlan(at: noon).isEmpty)
  let ends = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
  #expect(
    shown(try ruleSet(rule("deny 0.0.0.0"), rule("deny \(ends)"), action: "allow").addressPlan(at: noon)) == [
      "0.0.0.0-0.0.0.0: deny 0.0.0.0", "0.0.0.1-255.255.255.255: default allow",
      "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe: default allow", "\(ends)-\(ends): deny \(ends)",
    ])
  #expect(
    shown(try ruleSet(rule("deny * 25/tcp"), rule("allow 255.255.255.255")).addressPlan(at: noon)) == [
      "0.0.0.0-255.255.255.254: deny * 25/tcp, default deny",
      "255.255.255.255-255.255.255.255: deny * 25/tcp, allow 255.255.255.255",
      "::-\(ends): deny * 25/tcp, default deny",
    ])
}

@Test func expiredRulesAreNotPlanned() throws {
  let set = try ruleSet(#""action":"allow","target":"10.0.0.0/8","expiresAt":"\#(noon)""#, rule("allow 10.0.0.1"))
  #expect(shown(set.addressPlan(at: noon)) == ["10.0.0.1-10.0.0.1: allow 10.0.0.1"])
  #expect(shown(set.addressPlan(at: WallTime(microseconds: 0))).count == 1)
}

@Test func thePlanSaysWhatTheNaiveReadingSays() throws {
  var maker = PolicyMaker(generator: SplitMix(state: 4632))
  let low: [IPAddress] = (0..<34).flatMap { octet -> [IPAddress] in
    [
      .v4(IPv4Address(10, 0, 0, octet)), .v4(IPv4Address(192, 0, 2, octet)),
      .v6(IPv6Address(high: 0x2001_0db8_0000_0000, low: UInt64(octet))),
    ]
  }
  let edges = ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "9.255.255.255"]
    .compactMap { IPAddress($0) }
  for _ in 0..<60 {
    let naive = try maker.policy()
    let set = RuleSet(naive.document, always: naive.always, revision: 1)
    let plan = set.addressPlan(at: noon)
    for (entry, next) in zip(plan, plan.dropFirst()) {
      #expect(entry.last < next.first)
      #expect(entry.first.isIPv4 == entry.last.isIPv4)
    }
    #expect(plan.allSatisfy { $0.first <= $0.last })
    for address in low + edges {
      let entries = plan.filter { $0.first <= address && address <= $0.last && $0.first.isIPv4 == address.isIPv4 }
      #expect(entries.count <= 1)
      for (port, transport) in PolicyMaker.probes {
        let expected = naive.decide(nil, address, port: port, transport: transport, at: noon)
        if let entry = entries.first {
          #expect(entry.verdicts.first { $0.ports.contains(port: port, of: transport) }?.rule.place == expected.place)
        } else {
          #expect(expected.place == .defaultAction && expected.action == .deny)
        }
      }
    }
  }
}
