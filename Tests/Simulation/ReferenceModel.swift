import Addressing
import Timekeeping

/// What may pass, naively: who was told what, until when, and which policies may be in force.
struct ReferenceModel {
  /// A name's address that the kernel may hold, at most until then.
  struct Grant {
    var name: String
    var address: IPAddress
    var ends: Instant
  }

  /// What an upstream said.
  struct Fact: Hashable {
    var name: String
    var address: IPAddress
    var ttl: UInt32
  }

  /// The last one was answered with 200, or was loaded; the ones after it are under way.
  var policies: [NaivePolicy]
  var grants: [Grant] = []
  /// Every pair that was ever leased: their flows outlive the lease.
  private(set) var everLeased: Set<Pair> = []
  private(set) var facts: Set<Fact> = []
  /// Names and addresses, to make sure of `noLieIsTold`.
  private(set) var truths: Set<Pair> = []
  /// Nothing at all may begin.
  var isClosedForEver = false

  let leaseMin: TimeSpan
  let leaseMax: TimeSpan
  let grace: TimeSpan

  struct Pair: Hashable {
    var name: String
    var address: IPAddress
  }

  mutating func learn(_ name: String, _ address: IPAddress, ttl: UInt32) {
    facts.insert(Fact(name: name, address: address, ttl: ttl))
    truths.insert(Pair(name: name, address: address))
  }

  func isTrue(_ name: String, _ address: IPAddress) -> Bool { truths.contains(Pair(name: name, address: address)) }

  /// The kernel took a transaction that may lease what was told of these names.
  mutating func committed(_ names: Set<String>, at now: Instant) {
    for fact in facts where names.contains(fact.name) {
      let life = max(min(.seconds(Int64(fact.ttl)), leaseMax), min(leaseMin, leaseMax)) + grace
      everLeased.insert(Pair(name: fact.name, address: fact.address))
      if let index = grants.firstIndex(where: { $0.name == fact.name && $0.address == fact.address }) {
        grants[index].ends = max(grants[index].ends, now + life)
      } else {
        grants.append(Grant(name: fact.name, address: fact.address, ends: now + life))
      }
    }
  }

  /// A change was answered: only this policy holds, and what it does not allow is no longer leased.
  mutating func settle(_ policy: NaivePolicy, at wall: WallTime) {
    policies = [policy]
    grants.removeAll { grant in
      !Universe.ports.contains { port in
        [6, 17].contains { policy.allows(grant.name, grant.address, port: port, transport: $0, at: wall) }
      }
    }
  }

  /// May the first packet of a flow leave? Timers of the kernel may be late by `slack`.
  func mayBegin(
    _ destination: Endpoint, transport: UInt8, at now: Instant, wall: WallTime, slack: TimeSpan
  ) -> Bool {
    if isClosedForEver { return false }
    let earlier = WallTime(microseconds: wall.microseconds - slack.nanoseconds / 1_000)
    for policy in policies {
      var names: [String?] = [nil]
      for grant in grants where grant.address == destination.address && now < grant.ends + slack {
        names.append(grant.name)
      }
      for name in names
      where policy.allows(
        name, destination.address, port: destination.port, transport: transport, from: earlier, to: wall)
      {
        return true
      }
    }
    return false
  }

  /// May a packet of a flow that lives leave? Leases do not matter any more, the policy does.
  func mayGoOn(_ destination: Endpoint, transport: UInt8, wall: WallTime, slack: TimeSpan) -> Bool {
    let earlier = WallTime(microseconds: wall.microseconds - slack.nanoseconds / 1_000)
    var names: [String?] = [nil]
    for name in Universe.names where everLeased.contains(Pair(name: name, address: destination.address)) {
      names.append(name)
    }
    return policies.contains { policy in
      names.contains {
        policy.allows($0, destination.address, port: destination.port, transport: transport, from: earlier, to: wall)
      }
    }
  }
}
