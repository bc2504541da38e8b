// lease-benchmark HELD LEASES: in the network namespace where it is started, with no table of Sallyport's there, loads the ruleset, leases HELD addresses to as many
// names, and then leases LEASES more, each alone: decided, staged, committed in a transaction of its own, acknowledged by the kernel and settled. Prints one
// JSON object: the median and the 99th percentile of the nanoseconds that one of them takes, and how many leases are held at the end. Takes the table away.
import Addressing
import DNSWire
import EgressPolicy
import Firewall
import LinuxIO
import Netfilter
import Timekeeping

func fail(_ words: String) -> Never {
  try? StandardStreams.error.write("lease-benchmark: \(words)\n")
  ProcessIdentity.exit(2)
}

func moment() -> Moment { Moment(instant: SystemTime.instant(), wall: SystemTime.wall()) }

/// The daemon's own model of the kernel, and its way there.
struct Leases {
  let policy: RuleSet
  let kernel: NftablesSocket
  var firewall = Firewall(
    FirewallParameters(ownUser: 65_532, ownMark: 0x1234_5678, dnsPort4: 15_353, dnsPort6: 15_353, apiPort: 18_080),
    lease: LeaseTimes(min: .seconds(3_600), grace: .seconds(60), max: .seconds(3_600)))

  init() throws {
    // One rule may not have them all.
    let rules = ["a", "b"].map { "{\"action\":\"allow\",\"target\":\"*.\($0).test\"}" }
    policy = RuleSet(try .parse(Array("{\"egress\":[\(rules.joined(separator: ","))]}".utf8)), revision: 1)
    kernel = try NftablesSocket()
    firewall.start(policy: policy, gateOpen: true, at: moment())
    commit()
  }

  /// Everything that is staged, as one transaction.
  mutating func commit() {
    guard let staged = firewall.takeTransaction() else { fail("nothing was staged") }
    let outcome = kernel.commit(staged.transaction)
    guard outcome == .committed, firewall.settle(staged.id, outcome, at: moment()) != nil else {
      fail("the kernel refused: \(outcome)")
    }
  }

  /// Lease number `index`: a name and an address of its own.
  mutating func stage(_ index: Int, _ name: DomainName) {
    let address = IPv4Address(bits: 0x2d00_0000 + UInt32(index))
    let staging = firewall.lease(
      name, [(address: .v4(address), ttl: 300)], session: UInt64(index), answer: UInt64(index), policy: policy,
      at: moment())
    guard case .staged = staging else { fail("lease \(index): \(staging)") }
  }
}

let words = ProcessEnvironment.arguments()
guard words.count == 2, let held = Int(words[0]), let count = Int(words[1]), held >= 0, count > 0 else {
  fail("HELD and LEASES are needed")
}
let names = (0..<held + count).compactMap { DomainName("n\($0).\($0 % 2 == 0 ? "a" : "b").test") }
var leases = try Leases()
for index in 0..<held {
  leases.stage(index, names[index])
  if index % 256 == 255 || index == held - 1 { leases.commit() }
}
var taken: [Int64] = []
taken.reserveCapacity(count)
for index in held..<held + count {
  let start = SystemTime.instant()
  leases.stage(index, names[index])
  leases.commit()
  taken.append((SystemTime.instant() - start).nanoseconds)
}
guard leases.kernel.commit(Ruleset.removal) == .committed else { fail("the table could not be taken away") }
taken.sort()
try StandardStreams.output.write(
  "{\"p50\":\(taken[count / 2]),\"p99\":\(taken[count * 99 / 100]),\"held\":\(leases.firewall.leaseCount)}\n")
