import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Firewall
import FlowAudit
import Forwarder
import OwnerIdentity
import PolicyAPI
import Sidecar
import Spool
import Timekeeping

/// Start, death and rest of the daemon.
extension SimulatedWorld {
  /// Reads what is there and begins, as the shell does.
  func start() {
    generation += 1
    isReady = false
    isReadingConntrack = false
    book.restart()
    var document: PolicyDocument?
    if let bytes = disk.contents("policy.json"), let kept = try? KeptPolicy.parse(bytes, limits: .standard) {
      document = kept.document
      policyLoaded = disk.keptPolicy ?? policyLoaded
      settings?.firstRevision = kept.revision
    } else {
      document = try? PolicyDocument.parse(Array(policyLoaded.json.utf8))
    }
    guard let document else { return fail(Violation(.comesToRest, "the policy cannot be read: \(policyLoaded.json)")) }
    if !model.policies.contains(policyLoaded) { model.policies.append(policyLoaded) }
    var settings = makeSettings(document)
    settings.firstRevision = self.settings?.firstRevision ?? 1
    self.settings = settings
    machine = SidecarMachine(settings, hash: testDigest)
    note("START \(generation) with \(policyLoaded.json)")
    var leases: [AdoptedLease] = []
    var grants: [AdoptedGrant] = []
    for name in kernel.sets.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
      guard let table = kernel.sets[name], table.definition.hasTimeouts else { continue }
      for element in table.live(at: now) {
        let left = element.ends.map { $0 - now }
        if name == .grants, let key = element.key.first, key.count == 4 {
          let mark = (0..<4).reduce(UInt32(0)) { $0 | UInt32(key[$1]) << UInt32($1 * 8) }
          grants.append(
            AdoptedGrant(
              mark: mark, remaining: left, attribution: element.comment.flatMap(GrantAttribution.init(comment:))))
        } else if table.definition.mapsToMark {
          leases.append(
            AdoptedLease(
              set: name, element: SetElement(element.key, last: element.last, mark: element.mark, timeout: left)))
        }
      }
    }
    model.forgetWhoseLeases()
    after(.seconds(1), .sweep(generation: generation))
    let flowMarks = Set(kernel.conntrack.entries.values.map(\.mark))
    feed(.started(disk.listing, leases: leases, grants: grants, flowMarks: flowMarks))
    drain()
  }

  private func makeSettings(_ document: PolicyDocument) -> SidecarSettings {
    var firewall = FirewallParameters(
      ownUser: Universe.ownUser, ownMark: UInt32(truncatingIfNeeded: lifeGenerator.next()) | 1,
      dnsPort4: Universe.dnsPort, dnsPort6: Universe.dnsPort, apiPort: Universe.apiPort,
      ingress: .ports(PortSet(tcp: [80...80], udp: [], otherProtocols: false)))
    if options.leasesMax > 0 { firewall.limits.leasesMax = options.leasesMax }
    var spool = SpoolLimits()
    spool.bytesMax = options.spoolBytesMax
    var forwarder = ForwarderSettings(
      sink: .eventHubs(host: Universe.hubName, hub: "audit"), usesToken: options.usesToken || options.usesAuthority)
    forwarder.bodyMax = 32_000
    forwarder.eventMax = 30_000
    let owner: OwnerState
    if options.owner == .bound, let id = try? OwnerID.parse("\(Self.ownerTenant)/\(Self.ownerObject)") {
      owner = .bound(OwnerBinding(owner: id, bindingID: "static", source: .static, boundAt: Self.epoch))
    } else {
      owner = .unbound
    }
    let host: HubLocation.Host =
      options.hubIsNamed
      ? DomainName(Universe.hubName).map { .name($0) } ?? .address(Universe.hubAddresses[0])
      : .address(Universe.hubAddresses[0])
    var settings = SidecarSettings(
      identity: SandboxIdentity(sandboxID: "sandbox", podName: "pod", productVersion: "0"),
      boot: SpoolBoot(high: lifeGenerator.next(), low: lifeGenerator.next()), policy: document,
      policySource: "simulation", always: .none, firstRevision: 1, owner: owner,
      ownerIsRequired: options.owner == .unboundAndRequired, firewall: firewall,
      lease: LeaseTimes(min: model.leaseMin, grace: model.grace, max: model.leaseMax),
      dns: DNSProxySettings(
        upstreams: Universe.upstreams.map { Upstream($0) }, cacheIsEnabled: options.cacheIsEnabled, upstreamSockets: 4),
      api: PolicyAPISettings(token: Array(Self.apiToken.utf8)), spool: spool, forwarder: forwarder,
      hub: HubLocation(host: host, port: Universe.hubPort),
      audit: AuditSettings(
        failsClosed: options.failsClosed, lease: options.auditLease, isStrict: options.isStrict,
        hasSecondSink: options.hasSecondSink), notices: [])
    if options.usesAuthority {
      settings.authority = DomainName(Universe.authorityName).map { HubLocation(host: .name($0), port: 443) }
    }
    return settings
  }

  /// The process is gone; its clients' connections with it. The rules stay.
  func daemonEnds(_ why: String, isCrash: Bool) {
    note("END \(why)")
    machine = nil
    generation += 1
    isReady = false
    tokenEnds = nil
    asked = [:]
    readings = []
    overtakenWrites = []
    // Any of the changes under way may be what the next start finds.
    model.policies += changes.map(\.policy)
    changes = []
    isMergeUnderWay = false
    changesAsked += 1
    if !isCrash {
      finishDisk()
    } else if let torn = disk.daemonDies(using: &diskGenerator) {
      let records = recordsWritten(torn.bytes, isNewFile: torn.offset == 0)
      fail(book.wrote(records, in: torn.name, isWhole: false, at: now))
    }
    _ = kernel.conntrack.takeUnread()
    after(.milliseconds(Int64(lifeGenerator.number(5...2_000))), .start)
  }

  /// A stop waits for the worker.
  private func finishDisk() {
    while !disk.tasks.isEmpty { finishTask(failure: nil) }
  }

  func machineDies() {
    note("MACHINE DIES")
    counts.machineCrashes += 1
    machine = nil
    daemonEnds("with the machine", isCrash: true)
    disk.machineDies(using: &diskGenerator)
    book.machineDied()
    let sabotage = kernel.sabotage
    kernel = SimulatedKernel()
    kernel.sabotage = sabotage
    model.forgetGrants()
    told = []
    firstGeneration = generation
  }

  /// The kernel holds the rules: what was loaded is in force and nothing else.
  func becameReady() {
    isReady = true
    note("READY")
    model.settle(policyLoaded, at: wall)
    checkEverything(.changeIsInForce)
  }

  func endFaults() {
    note("FAULTS END")
    let poison = plan.hubPoison
    plan = FaultPlan()
    plan.hubPoison = poison
    isResting = true
  }

  /// After the faults have ended and some time has passed.
  package func checkRest() {
    guard let machine, isReady else { return fail(Violation(.comesToRest, "the daemon does not run")) }
    for client in asked.keys.sorted() {
      return fail(Violation(.comesToRest, "query \(client) for \(asked[client]?.name ?? "") never ended"))
    }
    if let change = changes.first {
      return fail(Violation(.comesToRest, "change \(change.connection) was never answered"))
    }
    fail(book.problem(before: now - .seconds(20)))
    guard let expected = machine.expectedElements(at: now) else {
      return fail(Violation(.comesToRest, "a commit is still under way"))
    }
    // What was cut is not wanted, only remembered for a while.
    for name in kernel.sets.keys.sorted(by: { $0.rawValue < $1.rawValue }) where !name.rawValue.hasPrefix("cut") {
      compare(kernel.sets[name]?.live(at: now) ?? [], with: expected[name] ?? [], name)
    }
    checkEverything(.changeIsInForce)
  }

  private func compare(_ held: [SimulatedKernel.Element], with expected: [SetElement], _ name: SetName) {
    for element in expected
    where !held.contains(where: { $0.key == element.key && $0.last == element.last && $0.mark == element.mark }) {
      return fail(Violation(.comesToRest, "the kernel's \(name.rawValue) lacks \(element.key)"))
    }
    for element in held
    where element.ends.map({ now + slack < $0 }) ?? true
      && !expected.contains(where: { $0.key == element.key && $0.last == element.last && $0.mark == element.mark })
    {
      return fail(Violation(.comesToRest, "the kernel's \(name.rawValue) has \(element.key) which nobody wants"))
    }
  }
}

extension ReferenceModel {
  /// A new network namespace knows nothing.
  mutating func forgetGrants() { grants = [] }

  /// An element says which name leased last and until when any name does: a new process takes the one for the other.
  mutating func forgetWhoseLeases() {
    for index in grants.indices {
      let address = grants[index].address
      grants[index].ends = grants.filter { $0.address == address }.map(\.ends).max() ?? grants[index].ends
    }
  }
}
