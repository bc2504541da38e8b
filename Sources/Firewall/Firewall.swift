// Firewall: what the kernel should hold, as values. `Netfilter` writes it, conntrack's events come back with its marks.
//
// Constraints
//   An address is reachable by name only while a lease for it lives in the kernel, and a flow lives only while its grant does. Both end by the kernel's own
//   timers, so that nothing here needs to run for permission to end. What one change does not concern, it does not touch: no set is flushed, no
//   element is rewritten. What the kernel holds may end later than this model says, never earlier.
//
// Format (the table is `Ruleset`)
//   grant     (name, rule) or (rule about addresses) → a number, which is the mark of the flows
//   lease     (name, address) → parts: the ports that a rule grants; written as elements `address[.protocol.port] → grant`
//   An address leased by several names has the latest grant as its mark and the longest lease as its end.
//
// Operations
//   Every input changes the model at once and notes what is dirty; `takeTransaction` compares what the kernel was sent with what it should
//   hold, and yields the difference as one transaction. One is under way at a time: what is staged meanwhile forms the next one, which is the
//   group commit. The answers that need it come back from `settle`.
//
// Promise D1: nothing here takes anything out of the kernel when the process ends.
//
// Failures
//   A refused transaction is undone exactly, by a journal of what each input replaced, and with it what was staged on top of it. Time is not
//   undone: what ended meanwhile ends again at the next deadline, no sooner than `retryPause`.
import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// The model of the kernel's table, with staged changes and group commit.
package struct Firewall: Sendable {
  /// After a refusal, no clean-up of ours is staged for this long: a kernel that refuses everything is not asked in a loop.
  static let retryPause = TimeSpan.seconds(1)
  /// How long a permanent grant of a previous process passes when nothing is known of its rule.
  static let unknownGrantLife = TimeSpan.seconds(3_600)

  package let parameters: FirewallParameters
  let times: LeaseTimes
  var limits: FirewallLimits { parameters.limits }

  var policy: RuleSet?
  var rules = AddressRules()
  /// What the kernel has been sent of them.
  var heldRules: [[SetElement]] = AddressRules().elements

  var addresses = DenseTable<IPAddress, AddressRecord>()
  var grants = DenseTable<UInt32, Grant>()
  /// Grants of rules about addresses, by the rule's text.
  var ruleGrants: [String: UInt32] = [:]
  var nextGrant: UInt32 = 1
  /// Marks of flows whose grant ended before this process: given to a new grant, they would let those flows go on.
  var strayMarks: Set<UInt32> = []
  var denyMarks: [String: UInt32] = [:]
  var denyRules: [UInt32: RuleReference] = [:]

  /// Indices into `names`.
  var nameIndices = HashIndex()
  var names: [NameRecord?] = []
  var freeNames: [Int] = []

  package internal(set) var leaseCount = 0
  var leasesUnderRule: [RuleReference.Text: Int] = [:]
  var portElements = 0
  var rangeElements = 0
  var otherElements = 0
  var leaseOrder: UInt64 = 0

  /// The pod's own IPv6 addresses, and those that the kernel was sent.
  var sources: Set<IPAddress> = []
  var heldSources: Set<IPAddress> = []

  var gate = Gate.closed
  var own: [OwnDestination: Instant?] = [:]

  var timers = FirewallTimers()
  var pausedUntil: Instant?
  /// The time of the latest input: timeouts in a transaction count from here.
  var now = Instant(nanoseconds: 0)

  var staging = Batch(id: 1)
  var underWay: Batch?

  var endedLeases: BoundedMemory<IPAddress, EndedLease>
  var endedGrants: BoundedMemory<UInt32, GrantAttribution>

  package init(_ parameters: FirewallParameters, lease: LeaseTimes) {
    self.parameters = parameters
    times = lease
    endedLeases = BoundedMemory(max: parameters.limits.endedLeasesMax)
    endedGrants = BoundedMemory(max: parameters.limits.endedGrantsMax)
  }

  /// Stages the installation of the ruleset, the address rules and the gate. What `adopt` took over is judged by `policy`. Settle it before anything
  /// else is let in; when the kernel refuses, enforcement is impossible.
  package mutating func start(policy: RuleSet, gateOpen: Bool, at now: Moment) {
    staging.installs = true
    replacePolicy(policy, isStart: true, at: now)
    if gateOpen { openGate(for: nil, at: now) } else { closeGate(at: now) }
  }

  /// Stages what the kernel must hold once more, for a table that someone else has changed: every element and, when it was more than elements, a new table in
  /// the place of the old one, so that nothing of theirs stays. One transaction; leases and grants keep their time. When it is refused, call it again.
  package mutating func restore(wholly: Bool, at now: Moment) {
    self.now = now.instant
    staging.rewrites = true
    if wholly {
      staging.installs = true
      staging.replaces = true
    }
  }

  /// New flows of the workload pass from the commit on: for this long by the kernel's timer, or until `closeGate` when nil.
  package mutating func openGate(for span: TimeSpan?, at now: Moment) {
    setGate(span.map { .until(now.instant + $0) } ?? .open, at: now)
  }

  /// New flows of the workload are refused; live ones go on.
  package mutating func closeGate(at now: Moment) { setGate(.closed, at: now) }

  private mutating func setGate(_ new: Gate, at now: Moment) {
    self.now = now.instant
    staging.journal.append(.gate(gate))
    gate = new
    staging.changesGate = true
  }

  /// Lets the daemon itself reach a destination; nil: without end. False when `ownMax` is reached.
  package mutating func permitOwn(
    _ endpoint: Endpoint, _ transports: [TransportProtocol], for span: TimeSpan?, at now: Moment
  ) -> Bool {
    self.now = now.instant
    if own.count + transports.count > limits.ownMax {
      own = own.filter { $0.value.map { now.instant < $0 } ?? true }
      guard own.count + transports.count <= limits.ownMax else { return false }
    }
    for transport in transports {
      let destination = OwnDestination(endpoint: endpoint, transport: transport)
      staging.journal.append(.own(destination, own[destination]))
      own[destination] = .some(span.map { now.instant + $0 })
      staging.own.append(destination)
    }
    return true
  }

  /// The pod's own IPv6 addresses are these now; flows under others stop. What the kernel refuses goes with the next transaction.
  package mutating func setSources(_ addresses: [IPAddress], at now: Moment) {
    self.now = now.instant
    sources = Set(addresses.filter { !$0.isIPv4 })
    staging.changesSources = staging.changesSources || sources != heldSources
  }

  /// Stages that the programs of these flows learn of the cut (see the chain `last`); commit it before their conntrack entries are deleted. More than
  /// `cutFlowsMax` at a time are left to find out when they send.
  package mutating func cut(_ flows: [CutFlow], at now: Moment) {
    self.now = now.instant
    var seen = Set(staging.cuts)
    for flow in flows where staging.cuts.count < limits.cutFlowsMax && seen.insert(flow).inserted {
      staging.cuts.append(flow)
    }
  }
}

/// Whether the workload may open flows.
enum Gate: Hashable, Sendable {
  case closed, open
  case until(Instant)
}

/// Where the daemon itself may go.
struct OwnDestination: Hashable, Sendable {
  var endpoint: Endpoint
  var transport: TransportProtocol
}

/// The last lease of an address.
struct EndedLease: Sendable {
  var name: DomainName
  var endedAt: Moment
}
