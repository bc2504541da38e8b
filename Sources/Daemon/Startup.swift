import Addressing
import Configuration
import DNSProxy
import DNSWire
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import LinuxIO
import Netfilter
import OwnerIdentity
import PolicyAPI
import Sidecar
import Spool
import Timekeeping
import Transport

/// What must be before the first event, in this order: signals, the kernel's sockets and features, the state directory, then the privileges go, then everything else that is opened.
/// Sockets that carry the daemon's own traffic are made after the change of uid: the kernel knows a socket by the uid that made it.
struct Startup {
  /// What goes to the audit file at once, at most: 1 MiB.
  private static let fileBodyMax = 1 << 20

  /// How long the end waits for a slow disk: 2 s, which the usual grace of 30 s allows after the 5 s of the delivery.
  private static let lastWritesPatience = TimeSpan.seconds(2)

  /// How long the end waits for the audit file beside the hub: 1 s; it is the hub that is promised everything.
  private static let lastCopyPatience = TimeSpan.seconds(1)

  private let configuration: Configuration
  private let policy: InitialPolicy
  private let log: Log
  private let signals: SignalDescriptor
  private let kernel: NftablesSocket
  private let conntrack: ConntrackTable
  private let state: Directory
  private let audit: LineSink
  private let ownUser: UInt32
  private var notices: [String]

  init(_ configuration: Configuration, _ policy: InitialPolicy, _ log: Log) throws(StartupFailure) {
    self.configuration = configuration
    self.policy = policy
    self.log = log
    notices = configuration.notices
    if !policy.always.skipLog.isEmpty {
      notices.append("log_skip.always keeps what it lists from records of their own; heartbeats count it")
    }
    signals = try required("signals") { () throws(Errno) in try SignalDescriptor() }
    guard ProcessIdentity.has(.networkAdministration) else {
      throw StartupFailure("CAP_NET_ADMIN: add NET_ADMIN to the container's capabilities")
    }
    kernel = try required("nf_tables") { () throws(NetlinkError) in try NftablesSocket() }
    conntrack = try required("nf_conntrack_netlink") { () throws(NetlinkError) in try ConntrackTable() }
    try Self.refuseForeign(kernel)
    state = try StateDirectory.open(configuration.stateDirectory, for: configuration.runAs)
    audit = try required("SALLYPORT_AUDIT_FILE") { () throws(Errno) in
      try LineSink(configuration.auditFile ?? "-")
    }
    ownUser = configuration.runAs
    try Self.takeUser(configuration)
  }

  /// Promise N1. Whoever else translates what leaves decides before us where it goes.
  private static func refuseForeign(_ kernel: NftablesSocket) throws(StartupFailure) {
    let foreign = try required("nf_tables") { () throws(NetlinkError) in try kernel.foreignOutputNat() }
    guard foreign.isEmpty else {
      throw StartupFailure(
        "nat OUTPUT for ourselves: another interception layer is present, \(foreign.map(\.description).joined(separator: ", "))"
      )
    }
  }

  /// Names what the kernel lacks. Asked only when it refused the ruleset: each probe waits for a grace period of the kernel, all of them for a quarter of a second.
  private static func missingFeatures() -> String {
    guard let missing = try? FeatureProbe().missing(KernelFeature.required), !missing.isEmpty else { return "" }
    return "; the kernel lacks "
      + missing.map { "\($0.feature.rawValue) (\($0.refusal.reason))" }.joined(separator: ", ")
  }

  /// From here on the process is `SALLYPORT_RUN_AS` with CAP_NET_ADMIN and nothing else.
  private static func takeUser(_ configuration: Configuration) throws(StartupFailure) {
    let user = configuration.runAs
    guard ProcessIdentity.effectiveUser != user else { return }
    guard ProcessIdentity.effectiveUser == 0 else {
      throw StartupFailure(
        "SALLYPORT_RUN_AS: started as uid \(ProcessIdentity.effectiveUser), which cannot become \(user); start as 0 or as \(user)"
      )
    }
    try required("SALLYPORT_RUN_AS") { () throws(ProcessIdentity.DropFailure) in
      try ProcessIdentity.drop(to: user, keeping: [.networkAdministration])
    }
  }

  func logNotices() {
    for notice in notices { log.warning(notice) }
  }

  mutating func run() throws(StartupFailure) -> Int32 {
    var random = SystemRandom()
    let mark = UInt32.random(in: 1...UInt32.max, using: &random)
    let poll = try required("epoll") { () throws(Errno) in try EventPoll() }
    let monitor = try required("conntrack events") { () throws(NetlinkError) in try ConntrackMonitor.open() }
    let rules = try required("nf_tables events") { () throws(NetlinkError) in try RulesetMonitor.open(besides: kernel) }
    let addresses = try required("addresses") { () throws(NetlinkError) in try AddressMonitor.open() }
    let listen = dnsEndpoints()
    guard !listen.isEmpty else { throw StartupFailure("SALLYPORT_DNS_LISTEN: no address can be listened on") }
    let names = try required("SALLYPORT_DNS_LISTEN") { () throws(Errno) in try DNSServer(listen, poll, log) }
    let apiSettings = PolicyAPISettings(
      token: configuration.apiToken.map { Array($0.text.utf8) }, limits: InitialPolicy.limits(configuration))
    // As the user that will read it again when it changes.
    let tls = try required("SALLYPORT_API_TLS_CERT_FILE") { () throws(CryptographyFault) in
      try configuration.apiIdentity.map { identity throws(CryptographyFault) in try identity.load() }
    }
    let api = try required("SALLYPORT_API_LISTEN") { () throws(Errno) in
      try APIServer(
        configuration.apiListen, apiSettings, identity: configuration.apiIdentity, tls: tls, poll, log)
    }
    // After the listeners: of two that are alike the second should name the port.
    guard state.claim() else {
      throw StartupFailure("SALLYPORT_STATE_DIR: another process uses \(state.path)")
    }
    let storage = try required("SALLYPORT_STATE_DIR") { () throws(Errno) in try Storage(state) }
    let settings = sidecarSettings(listen, mark, apiSettings, &random)
    let delivery = try required("delivery") { () throws(Errno) in
      try DeliveryWorker(
        hub: configuration.hub, target: settings.forwarder.sink.target, proxy: hubProxy, audit: audit,
        authorityFile: configuration.authorityFile, mark: mark)
    }
    let ownerFiles = try required("SALLYPORT_OWNER_TOKEN_FILE") { () throws(Errno) in
      try OwnerFiles(configuration, log, at: SystemTime.instant())
    }
    let file = audit
    let secondSink = try required("SALLYPORT_AUDIT_FILE") { () throws(Errno) in
      settings.audit.hasSecondSink ? try SecondSinkWorker(name: "audit-file") { ($0.id, file.copy($0.lines)) } : nil
    }
    let webhook = try required("OPENSANDBOX_EGRESS_DENY_WEBHOOK") { () throws(Errno) in
      try configuration.openSandbox.denyWebhook.map { address throws(Errno) in
        try DenialWebhook(address, authorityFile: configuration.authorityFile, mark: mark).worker()
      }
    }
    let tokens = try required("AZURE_AUTHORITY_HOST") { () throws(Errno) in
      try configuration.federatedIdentity.map { identity throws(Errno) in
        try TokenWorker(
          identity, scope: configuration.hubScope, proxy: authorityProxy, authorityFile: configuration.authorityFile,
          mark: mark)
      }
    }
    let runner = EffectRunner(
      kernel: kernel, ruleset: Ruleset(settings.firewall), conntrack: conntrack, names: names,
      upstreams: UpstreamSockets(poll, mark: mark, authorityFile: configuration.authorityFile, log), api: api,
      storage: storage, delivery: delivery, ownerFiles: ownerFiles, secondSink: secondSink, webhook: webhook,
      tokens: tokens,
      credentials: configuration.hub.map { HubCredentials(configuration.hubCredential, $0) },
      attemptTimeout: settings.forwarder.attemptTimeout, log: log)
    try checkProfile(settings.firewall)
    let start = try adopted(settings, storage)
    let end: EffectRunner.ProcessEnd
    let checksum: SpoolChecksum? = ProcessorChecksum.isThere ? ProcessorChecksum.crc32c : nil
    do throws(Errno) {
      let files = try PolicyFiles(configuration, policy, log)
      var loop = try EventLoop(
        SidecarMachine(settings, hash: SHA256.kept(), policyHash: Self.policyHash, checksum: checksum), runner, poll,
        signals, monitor, rules, addresses, files,
        upstreamPatience: configuration.dnsUpstreamTimeout * 2)
      // A policy of a million names is read and compiled by now.
      ProcessMemory.trim()
      end = try loop.run(from: start)
    } catch {
      throw StartupFailure("the event loop: \(error)")
    }
    if let secondSink, !secondSink.finish(within: Self.lastCopyPatience) {
      log.error("the audit file did not take its last records in time")
    }
    if let reason = storage.finish(within: Self.lastWritesPatience) {
      log.error("the last writes to the state directory are not all on the disk", [("reason", reason)])
    }
    if case .failed(let reason) = end { throw StartupFailure(reason + Self.missingFeatures()) }
    log.info("stopped; the rules stay and keep enforcing")
    return 0
  }

  /// SHA-256 of a policy's JSON, which is never held whole.
  @Sendable private static func policyHash(_ document: PolicyDocument) -> [UInt8] {
    let state = SHA256State()
    document.forEachPieceOfJSON { state.update($0) }
    return state.finish()
  }

  /// Promise N2. `SALLYPORT_KERNEL_PROFILE`: nothing that the named kernel lacks is even tried.
  private func checkProfile(_ parameters: FirewallParameters) throws(StartupFailure) {
    guard configuration.kernelProfile == .aksKata66 else { return }
    let outside = Ruleset(parameters).expressions.filter { !KernelExpression.onAKSKata66.contains($0.rawValue) }
    guard outside.isEmpty else {
      let names = outside.sorted().map(\.rawValue).joined(separator: ", ")
      throw StartupFailure(
        "SALLYPORT_KERNEL_PROFILE=\(configuration.kernelProfile.rawValue): the ruleset needs \(names)")
    }
  }

  /// Promise D2. What an earlier process left: it is taken over, not flushed.
  private func adopted(_ settings: SidecarSettings, _ storage: Storage) throws(StartupFailure) -> SidecarEvent {
    let listing = try required("SALLYPORT_STATE_DIR") { () throws(Errno) in try storage.listing }
    var leases: [AdoptedLease] = []
    var grants: [AdoptedGrant] = []
    try required("nf_tables") { () throws(NetlinkError) in
      guard try kernel.hasTable() else { return }
      for set in Ruleset(settings.firewall).sets where set.hasTimeouts {
        guard let elements = try elements(of: set) else { continue }
        if set.name == .grants {
          grants += elements.compactMap { element in
            element.key.first.flatMap { hostNumber($0) }.map {
              AdoptedGrant(
                mark: $0, remaining: element.timeout,
                attribution: element.comment.flatMap(GrantAttribution.init(comment:)))
            }
          }
        } else if set.mapsToMark {
          leases += elements.map { AdoptedLease(set: set.name, element: $0) }
        }
      }
    }
    // After the sets: whatever begins a flow from here on is among their elements.
    let flows = try required("conntrack") { () throws(NetlinkError) in try conntrack.dump() }
    return .started(
      listing, leases: leases, grants: grants, flowMarks: Set(flows.map(\.mark)), tampering: try tampering())
  }

  /// What someone else did to the rules since an earlier process loaded them.
  private func tampering() throws(StartupFailure) -> ForeignChange? {
    let structure = try required("nf_tables") { () throws(NetlinkError) in try kernel.structure() }
    let now = RulesetMemory(structure)
    return try required("SALLYPORT_STATE_DIR") { () throws(Errno) in
      let differs = try now.differs(fromKeptIn: state)
      try RulesetMemory.beginLoading(in: state)
      guard differs else { return nil }
      var change = ForeignChange()
      change.add(.init(now.isOfNone ? .table : .unknown, isDeletion: now.isOfNone))
      change.process = "someone, while the daemon was not running"
      return change
    }
  }

  /// Nil: a set that this version has and the one before did not. A set that cannot be read ends the start: its leases would be lost, and with them the flows.
  private func elements(of set: SetDefinition) throws(NetlinkError) -> [SetElement]? {
    do throws(NetlinkError) {
      return try kernel.elements(of: set)
    } catch {
      guard error.isMissingObject else { throw error }
      return nil
    }
  }

  /// A family that the pod does not have is skipped, and said.
  private mutating func dnsEndpoints() -> [Endpoint] {
    var usable: [Endpoint] = []
    for endpoint in configuration.dnsListen {
      do throws(Errno) {
        _ = try UDPSocket(family: AddressFamily(of: endpoint.address), bind: endpoint)
        usable.append(endpoint)
      } catch {
        if error == .familyNotSupported || error == .addressNotAvailable {
          let notice = "not listening on \(endpoint): this pod has no such address family"
          notices.append(notice)
          log.warning(notice)
        } else {
          // In use, or not permitted: the server says so by name.
          usable.append(endpoint)
        }
      }
    }
    return usable
  }

  private mutating func sidecarSettings(
    _ listen: [Endpoint], _ mark: UInt32, _ api: PolicyAPISettings, _ random: inout SystemRandom
  ) -> SidecarSettings {
    let now = SystemTime.now()
    var kept = keptPolicy()
    var firstRevision = kept?.revision ?? 1
    if let digest = kept?.fileDigest, let now = policy.fileDigest, digest != now {
      // It changed after what is kept was decided.
      kept = nil
      firstRevision += 1
    }
    let owner = firstOwner(at: now.wall)
    var firewall = FirewallParameters(
      ownUser: ownUser, ownMark: mark, dnsPort4: listen.first { $0.address.isIPv4 }?.port,
      dnsPort6: listen.first { !$0.address.isIPv4 }?.port, apiPort: configuration.apiListen.first?.port)
    firewall.enforces = configuration.mode == .enforce
    firewall.checksSources = true
    switch configuration.ingress {
    case .tcp: firewall.ingress = .tcp
    case .none: firewall.ingress = .none
    case .ports(let ports, _): firewall.ingress = .ports(ports)
    }
    var spool = SpoolLimits()
    spool.bytesMax = Int(clamping: configuration.spoolMax.octets)
    var settings = SidecarSettings(
      identity: SandboxIdentity(
        sandboxID: configuration.sandboxID, podName: configuration.podName, podNamespace: configuration.podNamespace,
        podUID: configuration.podUID, podAddress: configuration.podAddress, nodeName: configuration.nodeName,
        productVersion: Daemon.version),
      boot: SpoolBoot(high: random.next(), low: random.next()), policy: kept?.document ?? policy.document,
      policySource: kept.map { $0.source ?? "\(state.path)/\(KeptPolicy.file)" } ?? policy.source,
      policyFileDigest: policy.fileDigest, always: policy.always, firstRevision: firstRevision, owner: owner,
      ownerIsRequired: configuration.isOwnerRequired,
      firewall: firewall,
      lease: LeaseTimes(min: configuration.leaseMin, grace: configuration.leaseGrace, max: configuration.leaseMax),
      dns: dnsSettings, api: api,
      spool: spool, forwarder: forwarder, hub: hubLocation,
      audit: AuditSettings(
        failsClosed: configuration.auditFail == .closed, lease: configuration.auditLease,
        isStrict: configuration.auditSync == .strict,
        hasSecondSink: configuration.hub != nil && configuration.auditFile != nil), notices: notices)
    settings.webhook = configuration.openSandbox.denyWebhook.flatMap { Self.location(of: $0.host, $0.port) }
    settings.authority = configuration.federatedIdentity.flatMap { identity in
      Self.location(of: identity.authority.host, identity.authority.port, proxy: authorityProxy)
    }
    if let keys = configuration.ownerKeys, let podUID = configuration.podUID {
      settings.ownerKeys = keys
      settings.ownerProof = OwnerProof(
        issuer: configuration.ownerIssuer ?? .platform(nil), audience: configuration.ownerAudience, podUID: podUID)
    }
    return settings
  }

  /// The static owner, else the one that was bound in this pod. A binding of another pod is void: whoever owned that one does not own this one.
  private mutating func firstOwner(at now: WallTime) -> OwnerState {
    if let owner = configuration.owner {
      return .bound(OwnerBinding(owner: owner, bindingID: "static", source: .static, boundAt: now))
    }
    do throws(Errno) {
      guard let bytes = try state.readWhole(KeptOwner.file, limit: KeptOwner.bytesMax) else { return .unbound }
      do throws(KeptOwner.Problem) {
        let kept = try KeptOwner.parse(bytes)
        if kept.podUID == configuration.podUID { return .bound(kept.binding) }
        note("\(KeptOwner.file) in the state directory is of another pod: nobody is bound here")
      } catch {
        note("\(KeptOwner.file) in the state directory is not usable and was left alone: \(error)")
      }
    } catch {
      note("\(KeptOwner.file) in the state directory cannot be read: \(error)")
    }
    return .unbound
  }

  private var dnsSettings: DNSProxySettings {
    var settings = DNSProxySettings(
      upstreams: configuration.dnsUpstreams.map { Upstream($0.endpoint, serverName: $0.serverName) },
      upstreamTimeout: configuration.dnsUpstreamTimeout, cacheIsEnabled: configuration.isDNSCacheOn)
    settings.isObserving = configuration.mode == .observe
    settings.staleSpan = configuration.dnsStale
    settings.denialCode = configuration.dnsDenialCode == .refused ? .refused : .nameError
    settings.refusesServiceBindings = configuration.dnsServiceBindings == .refuse
    settings.namesPerRule = configuration.dnsNameBudget
    settings.octetsPerRule = Int(clamping: configuration.dnsChannelBudget.octets)
    settings.clientRate = configuration.dnsClientRate
    settings.totalRate = configuration.dnsRate
    return settings
  }

  private var forwarder: ForwarderSettings {
    let sink: ForwarderSink = configuration.hub.map { .eventHubs(host: $0.host, hub: $0.hub) } ?? .lines
    var settings = ForwarderSettings(
      sink: sink, usesToken: configuration.hub != nil && configuration.hubCredential != .none)
    settings.bodyMax = Int(clamping: configuration.hubBodyMax.octets)
    if configuration.hub == nil {
      // A file has no limit of its own, and each body is a sync: under load few large ones cost less than many small ones.
      settings.bodyMax = Self.fileBodyMax
      settings.eventsMax = Self.fileBodyMax / 512
    }
    settings.flushInterval = configuration.flushInterval
    settings.rateMax = configuration.hub == nil ? nil : configuration.hubRateMax
    return settings
  }

  private var hubLocation: HubLocation? {
    configuration.hub.flatMap { Self.location(of: $0.host, $0.port, proxy: hubProxy) }
  }

  /// Where connections to a server go: to it, or to the proxy that leads to it.
  private static func location(of host: String, _ port: UInt16, proxy: ProxyAddress? = nil) -> HubLocation? {
    let (host, port) = proxy.map { ($0.host, $0.port) } ?? (host, port)
    if let address = IPAddress(host) { return HubLocation(host: .address(address), port: port) }
    return DomainName(host).map { HubLocation(host: .name($0), port: port) }
  }

  /// What leads to the hub; the daemon may reach it instead of the hub.
  private var hubProxy: ProxyAddress? {
    configuration.hub.flatMap { configuration.proxy(to: $0.host, port: $0.port) }
  }

  /// The same for the token endpoint.
  private var authorityProxy: ProxyAddress? {
    configuration.federatedIdentity.flatMap { configuration.proxy(to: $0.authority.host, port: $0.authority.port) }
  }

  /// What the API changed in this pod wins over the settings (contract §3). A file that cannot be read is said and left alone; the settings' policy holds then.
  private mutating func keptPolicy() -> KeptPolicy? {
    do throws(Errno) {
      guard let bytes = try state.readWhole(KeptPolicy.file, limit: KeptPolicy.bytesMax) else { return nil }
      do throws(PolicyProblems) {
        let kept = try KeptPolicy.parse(bytes, limits: InitialPolicy.limits(configuration))
        return kept.podUID == configuration.podUID ? kept : nil
      } catch {
        note("\(KeptPolicy.file) in the state directory is not usable and was left alone: \(error)")
      }
    } catch {
      note("\(KeptPolicy.file) in the state directory cannot be read: \(error)")
    }
    return nil
  }

  private mutating func note(_ notice: String) {
    notices.append(notice)
    log.error(notice)
  }
}

/// Four octets in the host's order, as the kernel keeps marks.
private func hostNumber(_ bytes: [UInt8]) -> UInt32? {
  guard bytes.count == 4 else { return nil }
  return bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
}
