import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import OwnerIdentity
import PolicyAPI
import Spool
import Timekeeping

/// Everything the machine is told once, at its start.
package struct SidecarSettings: Sendable {
  package var identity: SandboxIdentity
  /// Random, new at each start: `SbxBootId` and the spool's boot.
  package var boot: SpoolBoot
  /// The policy to start with, and where it came from, for the record (`SALLYPORT_POLICY`, `state`).
  package var policy: PolicyDocument
  package var policySource: String
  /// SHA-256 of the policy file in hexadecimal; nil without one.
  package var policyFileDigest: String?
  package var always: AlwaysRules
  /// A revision that no earlier policy of this pod had.
  package var firstRevision: UInt64
  package var owner: OwnerState
  package var ownerIsRequired: Bool
  /// What a token must say to bind an owner; nil: no token can.
  package var ownerProof: OwnerProof?
  /// The keys that may sign one, as they are at the start.
  package var ownerKeys = KeySet()
  /// Where tokens are exchanged by workload identity; nil when tokens are had otherwise.
  package var authority: HubLocation?
  package var firewall: FirewallParameters
  package var lease: LeaseTimes
  package var dns: DNSProxySettings
  package var api: PolicyAPISettings
  package var spool: SpoolLimits
  package var forwarder: ForwarderSettings
  /// Where the hub is; nil when records go to a file.
  package var hub: HubLocation?
  /// The webhook that is told of denied names; nil: none is.
  package var webhook: HubLocation?
  package var audit: AuditSettings
  /// What was configured without effect, or degrades enforcement: said in `SidecarStart`.
  package var notices: [String]

  package init(
    identity: SandboxIdentity, boot: SpoolBoot, policy: PolicyDocument, policySource: String,
    policyFileDigest: String? = nil, always: AlwaysRules, firstRevision: UInt64, owner: OwnerState,
    ownerIsRequired: Bool, firewall: FirewallParameters, lease: LeaseTimes,
    dns: DNSProxySettings, api: PolicyAPISettings, spool: SpoolLimits, forwarder: ForwarderSettings,
    hub: HubLocation?, audit: AuditSettings, notices: [String]
  ) {
    self.identity = identity
    self.boot = boot
    self.policy = policy
    self.policySource = policySource
    self.policyFileDigest = policyFileDigest
    self.always = always
    self.firstRevision = firstRevision
    self.owner = owner
    self.ownerIsRequired = ownerIsRequired
    self.firewall = firewall
    self.lease = lease
    self.dns = dns
    self.api = api
    self.spool = spool
    self.forwarder = forwarder
    self.hub = hub
    self.audit = audit
    self.notices = notices
  }

  /// How often the pulse goes on record: 30 s (audit.md, `Heartbeat`).
  static let heartbeatInterval = TimeSpan.seconds(30)
  /// How often the kernel's counters are read: 1 s, 20 µs of work.
  static let countsInterval = TimeSpan.seconds(1)
  /// How long a stop waits for the hub before the rest stays in the spool: 5 s, a sixth of Kubernetes' usual grace.
  static let drainSpan = TimeSpan.seconds(5)
  /// After the kernel refused to put the rules back: 100 ms, ten tries a second.
  static let restorationRetry = TimeSpan.milliseconds(100)
  /// Between two records of changes that others made to the rules and that were undone: 1 s. Who changes them in a loop must not fill the spool.
  static let tamperRecordInterval = TimeSpan.seconds(1)
  /// A step of the wall clock that is not worth a word, in seconds: what NTP slews is followed by the other clock too.
  static let clockStepMax: UInt64 = 10
  /// How long `SidecarStop` may take to reach disk and hub: 1 s, a healthy one needs a few milliseconds.
  static let lastWordSpan = TimeSpan.seconds(1)
  /// Octets of records that a start reads again to learn which flows are on record: 4 MiB, some 2,800 records of 1.5 KB, read in a fraction of a second, at most an eighth of the spool. Where they do not
  /// reach back as far as the kernel's entries, the difference is counted as `SbxUnreconciled`.
  static let flowMemoryBytes = 4 << 20
  /// Octets of records between two checkpoints, at least: 64 KiB, forty times a checkpoint's own, so that a small spool is not filled by them.
  static let checkpointOctets = 64 << 10
}

extension SidecarSettings {
  /// Between two heartbeats. An audit lease is renewed by deliveries, and a quiet sandbox has nothing else to deliver: three heartbeats fit it.
  var pulse: TimeSpan { audit.lease.map { min(Self.heartbeatInterval, $0 / 3) } ?? Self.heartbeatInterval }
}

/// Where the daemon's own connections go: to the hub, to the proxy that leads to it, to the webhook.
package struct HubLocation: Hashable, Sendable {
  package enum Host: Hashable, Sendable {
    /// Resolved by our own proxy's upstreams, again for each connection.
    case name(DomainName)
    case address(IPAddress)
  }

  package var host: Host
  package var port: UInt16

  package init(host: Host, port: UInt16) {
    self.host = host
    self.port = port
  }
}

/// What evidence the workload's egress depends on (contract §2).
package struct AuditSettings: Hashable, Sendable {
  /// `SALLYPORT_AUDIT_FAIL=closed`: without room for records new flows are denied; else the oldest records go.
  package var failsClosed: Bool
  /// `SALLYPORT_AUDIT_LEASE`: new flows pass only so long after a delivery was acknowledged; nil: off.
  package var lease: TimeSpan?
  /// `SALLYPORT_AUDIT_SYNC=strict`: a reply waits for the disk and not for the file only.
  package var isStrict: Bool
  /// Records go to the audit file beside the hub (`copy`).
  package var hasSecondSink: Bool

  package init(failsClosed: Bool, lease: TimeSpan?, isStrict: Bool, hasSecondSink: Bool = false) {
    self.failsClosed = failsClosed
    self.lease = lease
    self.isStrict = isStrict
    self.hasSecondSink = hasSecondSink
  }
}
