import Addressing
import Timekeeping

/// What a `FlowOpen`, `FlowUpdate`, `FlowClose` or `FlowDenied` record says.
package struct FlowDraft: Hashable, Sendable {
  package enum Stage: Hashable, Sendable {
    case open
    case update
    case close(FlowEnd)
    case denied(DenialReason)
  }

  /// How a flow came to our knowledge when it was not by its NEW event; `AdditionalFields` says so.
  package enum Origin: String, Hashable, Sendable {
    /// Its NEW event was seen.
    case seen = "Seen"
    /// It lived already when the daemon started.
    case adopted = "Adopted"
    /// Its NEW event was lost, or came while no daemon lived, and a dump of the kernel's table told of it.
    case recovered = "Recovered"
    /// The table of live flows was full: no `FlowUpdate` or `FlowClose` will follow.
    case untracked = "Untracked"
    /// Packets that were dropped on their way out and made no entry: the kernel counted them by source, destination and protocol.
    case counted = "Counted"
    /// The same, for packets that the pod would only have forwarded.
    case forwarded = "Forwarded"
    /// The same, for packets from outside that may not begin a flow.
    case uninvited = "Uninvited"

    /// Told by a counter: neither ports nor ICMP's type are known.
    var isCounted: Bool { self == .counted || self == .forwarded || self == .uninvited }
  }

  /// What a denial stands for that counts many: `AdditionalFields` says so.
  package enum Rollup: String, Hashable, Sendable {
    /// Ports of one address: the record has no ports.
    case ports = "ports of this address"
    /// Addresses and ports: the destination is the unspecified address of its family.
    case addresses = "many addresses"
  }

  package var stage: Stage
  /// `NetworkSessionId` is made of the boot id and this number, the same in all records of a flow.
  package var session: UInt64
  /// `NetworkSessionId` in the records of an earlier start of the daemon: an opening says that it goes on with that flow, a close closes that one.
  package var formerSession: String?
  /// As the sender sent it, before any redirect.
  package var tuple: FlowTuple
  package var attribution: FlowAttribution
  package var origin: Origin
  package var startedAt: WallTime
  package var endedAt: WallTime
  /// `NetworkDuration`, by the monotonic clock.
  package var duration: TimeSpan
  /// What the kernel counted; nil when it did not say.
  package var counters: FlowCounters?
  /// `EventCount`.
  package var count: Int
  /// Nil when the record is of one destination.
  package var rollup: Rollup?

  package init(
    stage: Stage, session: UInt64, formerSession: String? = nil, tuple: FlowTuple, attribution: FlowAttribution,
    origin: Origin = .seen,
    startedAt: WallTime, endedAt: WallTime, duration: TimeSpan = .zero, counters: FlowCounters? = nil, count: Int = 1
  ) {
    self.stage = stage
    self.session = session
    self.formerSession = formerSession
    self.tuple = tuple
    self.attribution = attribution
    self.origin = origin
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.duration = duration
    self.counters = counters
    self.count = count
  }
}

/// How a flow ended: `EventResultDetails` of its `FlowClose`.
package enum FlowEnd: Hashable, Sendable {
  /// Both sides closed.
  case terminated
  /// The kernel's entry ran out, or was found gone.
  case timeout
  /// A reset ended it.
  case reset
  /// A change of policy cut it: `NA`, with `EventOriginalResultDetails` `REVOKED`.
  case revoked
  /// Something else took its place unseen: `NA`.
  case unknown
}

/// Which decision a flow came from.
package struct FlowAttribution: Hashable, Sendable {
  package enum Verdict: Hashable, Sendable {
    /// The policy lets it out.
    case allow
    case deny(DenialReason)
    /// It came into the pod by a permitted port.
    case inbound
    /// The daemon's own, to a resolver or the hub: on the record and marked so (`SbxOwnFlow`).
    case own
    /// Between programs of the pod, or to the DNS proxy, whose decisions have records of their own: no record.
    case local
  }

  package var verdict: Verdict
  /// `DstFQDN`: the name that leased the address; for a denied flow the last known.
  package var name: String?
  /// `SbxDstNames`: every name that leases the address.
  package var names: [String]
  /// `NetworkRuleName`.
  package var rule: String?
  /// `SbxDnsSessionId`: the query that granted the address.
  package var querySession: UInt64?
  /// An attempt against the sidecar itself, for instance at the control API: Severity `High`.
  package var isTampering: Bool
  /// `log_skip.always` lists it: no records of its own, only a count.
  package var isSkipped: Bool

  package init(
    _ verdict: Verdict, name: String? = nil, names: [String] = [], rule: String? = nil, querySession: UInt64? = nil,
    isTampering: Bool = false, isSkipped: Bool = false
  ) {
    self.verdict = verdict
    self.name = name
    self.names = names
    self.rule = rule
    self.querySession = querySession
    self.isTampering = isTampering
    self.isSkipped = isSkipped
  }
}
