// Configuration: what the daemon was told, as typed values, and where each came from.
//
//   Setting           one variable: name, default, meaning, whether it has effect yet
//   SettingsFile      the lines of `--config FILE`
//   SettingProblem    what is wrong with one variable
//   Configuration     all of it, parsed; `printed` is `--print-configuration`
//   ResolverFile      `/etc/resolv.conf`
//
// Constraints. Parsing is a pure function of the environment, the settings file and a way to read files; it finds every problem in one pass. A secret never
// reaches a problem, a notice or the print. The environment wins over the file, `SALLYPORT_…` over `OPENSANDBOX_EGRESS_…`.
//
// Format. `NAME=value`; sizes in `KiB MiB GiB`, durations in `ms s m h`, lists by commas. An empty value is the same as none.
//
// Failures. A value that cannot be honoured is a problem and the daemon does not start; a value that is understood and has no effect yet is a notice.

import Addressing
import OwnerIdentity
import Timekeeping

/// Everything the daemon was told, checked. Each field's comment names its variable, unit and default.
package struct Configuration: Sendable {
  /// `SALLYPORT_POLICY` or `SALLYPORT_POLICY_FILE`: the document's octets; nil denies everything.
  package var policy: PolicyInput?
  /// `SALLYPORT_ALWAYS_DIR`, `/var/egress/rules`.
  package var alwaysDirectory = "/var/egress/rules"
  /// `SALLYPORT_MODE`, `enforce`.
  package var mode = Mode.enforce
  /// `SALLYPORT_DNS_LISTEN`, `127.0.0.1:15353,[::1]:15353`.
  package var dnsListen: [Endpoint] = []
  /// `SALLYPORT_DNS_UPSTREAM`, else the nameservers of `/etc/resolv.conf`; never empty.
  package var dnsUpstreams: [UpstreamResolver] = []
  /// They are those of `ResolverFile`, and follow it.
  package var usesResolverFile = false
  /// `SALLYPORT_DNS_UPSTREAM_TIMEOUT`, 2 s, for each try.
  package var dnsUpstreamTimeout = TimeSpan.seconds(2)
  /// `SALLYPORT_DNS_CACHE`, on.
  package var isDNSCacheOn = true
  /// `SALLYPORT_DNS_STALE`; zero is off.
  package var dnsStale = TimeSpan.zero
  /// `SALLYPORT_DNS_DENY_CODE`, nxdomain.
  package var dnsDenialCode = DenialCode.nxdomain
  /// `SALLYPORT_DNS_SVCB`, strip.
  package var dnsServiceBindings = ServiceBindings.strip
  /// `SALLYPORT_DNS_NAME_BUDGET`, 98,304 names a day and rule; 0 is no limit.
  package var dnsNameBudget = 98_304
  /// `SALLYPORT_DNS_CHANNEL_BUDGET`, 128 KiB a day and rule; 0 is no limit.
  package var dnsChannelBudget = ByteCount(131_072)
  /// `SALLYPORT_DNS_CLIENT_RATE` and `SALLYPORT_DNS_RATE`, queries a second; 0 is no limit.
  package var dnsClientRate = 0
  package var dnsRate = 0
  /// `SALLYPORT_LEASE_MIN`, 60 s: a shorter TTL counts as this.
  package var leaseMin = TimeSpan.seconds(60)
  /// `SALLYPORT_LEASE_GRACE`, 60 s, added to every lease.
  package var leaseGrace = TimeSpan.seconds(60)
  /// `SALLYPORT_LEASE_MAX`, 1 h: a longer TTL counts as this.
  package var leaseMax = TimeSpan.seconds(3_600)
  /// `SALLYPORT_API_LISTEN`, `0.0.0.0:18080`.
  package var apiListen: [Endpoint] = []
  /// `SALLYPORT_API_TOKEN` or `_FILE`; nil refuses every change. Secret.
  package var apiToken: Secret?
  /// `SALLYPORT_API_TLS_CERT_FILE`, `_KEY_FILE`, `_CLIENT_CA_FILE`; nil: plain HTTP.
  package var apiIdentity: ServerIdentity?
  /// `SALLYPORT_MAX_RULES`, 4,096; nil (`0`) is no limit.
  package var rulesMax: Int? = 4_096
  /// `SALLYPORT_OWNER`.
  package var owner: OwnerID?
  /// `SALLYPORT_OWNER_TOKEN_FILE`.
  package var ownerTokenFile: String?
  /// `SALLYPORT_OWNER_JWKS_FILE`.
  package var ownerKeysFile: String?
  /// What it held at the start; nil without it.
  package var ownerKeys: KeySet?
  /// `SALLYPORT_OWNER_ISSUER`; nil: whoever has one of the keys.
  package var ownerIssuer: OwnerIssuer?
  /// `SALLYPORT_OWNER_AUDIENCE`, `egress-sidecar`.
  package var ownerAudience = "egress-sidecar"
  /// `SALLYPORT_OWNER_REQUIRED`, true; false when only OpenSandbox's variables are set.
  package var isOwnerRequired = true
  /// `SALLYPORT_STATE_DIR`, `/var/lib/sallyport`.
  package var stateDirectory = "/var/lib/sallyport"
  /// `SALLYPORT_SPOOL_MAX`, 64 MiB.
  package var spoolMax = ByteCount(67_108_864)
  /// `SALLYPORT_AUDIT_FAIL`, closed.
  package var auditFail = AuditFail.closed
  /// `SALLYPORT_AUDIT_LEASE`; nil (`0`) is off.
  package var auditLease: TimeSpan?
  /// `SALLYPORT_AUDIT_SYNC`, group.
  package var auditSync = AuditSync.group
  /// `SALLYPORT_FLUSH_INTERVAL`, 1 s.
  package var flushInterval = TimeSpan.seconds(1)
  /// `SALLYPORT_EVENTHUB_URL`; nil writes records to `auditFile`.
  package var hub: HubAddress?
  /// `SALLYPORT_AUDIT_FILE`: `-` (standard output) when there is no hub; beside a hub a second sink, none unless given.
  package var auditFile: String?
  /// `SALLYPORT_EVENTHUB_AUTH` and what it needs; workload identity.
  package var hubCredential = HubCredential.workloadIdentity
  /// `SALLYPORT_EVENTHUB_SCOPE`.
  package var hubScope = "https://eventhubs.azure.net/.default"
  /// `SALLYPORT_EVENTHUB_MAX_BODY`, 240,000 bytes.
  package var hubBodyMax = ByteCount(240_000)
  /// `SALLYPORT_EVENTHUB_MAX_RATE`, events a second, and as many kilobytes; nil (`0`) is no limit.
  package var hubRateMax: Int?
  /// `HTTPS_PROXY` and `NO_PROXY`; ask `proxy(to:port:)`.
  package internal(set) var proxy: ProxyAddress?
  package internal(set) var proxyExemptions = ProxyExemptions()
  /// `SALLYPORT_CA_FILE`; nil takes the system's roots.
  package var authorityFile: String?
  /// `AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_FEDERATED_TOKEN_FILE`, `AZURE_AUTHORITY_HOST`.
  package var workloadIdentity = WorkloadIdentity()
  /// The same, checked; nil when the hub is told otherwise who we are.
  package var federatedIdentity: FederatedIdentity?
  /// `SALLYPORT_SANDBOX_ID`, host name.
  package var sandboxID = ""
  /// `POD_NAME`, host name.
  package var podName = ""
  /// `POD_NAMESPACE`.
  package var podNamespace: String?
  /// `POD_UID`.
  package var podUID: String?
  /// `POD_IP`.
  package var podAddress: IPAddress?
  /// `NODE_NAME`.
  package var nodeName: String?
  /// `SALLYPORT_INGRESS`, tcp.
  package var ingress = Ingress.tcp
  /// `SALLYPORT_RUN_AS`, 65532; never 0.
  package var runAs: UInt32 = 65_532
  /// `SALLYPORT_KERNEL_PROFILE`, auto.
  package var kernelProfile = KernelProfile.auto
  /// `SALLYPORT_LOG_LEVEL`, info.
  package var logLevel = LogLevel.info
  /// What OpenSandbox's variables asked for beside our own settings.
  package var openSandbox = OpenSandboxSettings()

  /// What the operator should know, one line each; the daemon logs them at its start.
  package internal(set) var notices: [String] = []
  /// Every setting with its value as text and where it came from, in the table's order.
  package internal(set) var entries: [SettingEntry] = []

  init() {}
}

/// One line of the print: a setting in force.
package struct SettingEntry: Hashable, Sendable {
  package var name: String
  /// `<set>` for a secret; empty when there is none.
  package var value: String
  /// `default`, `environment`, `FILE:LINE`, or the `OPENSANDBOX_EGRESS_…` variable it was taken from.
  package var source: String
}
