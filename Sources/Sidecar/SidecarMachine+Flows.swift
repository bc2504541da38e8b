import Addressing
import DNSWire
import EgressPolicy
import Firewall
import FlowAudit
import OwnerIdentity
import Timekeeping

/// Flows: from the kernel's events to records.
extension SidecarMachine {
  mutating func observe(
    _ event: ConntrackEvent, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    let attribution = FlowTracker.needsAttribution(event) ? attributor.attribute(event, at: now) : nil
    if event.kind == .new, FlowMark.isGrant(event.mark) { firewall.flowOpened(event.mark) }
    if let attribution { notice(event.original, attribution, at: now) }
    var actions: [FlowAction] = []
    tracker.observe(event, attribution: attribution, at: now, into: &actions)
    perform(actions, at: now, using: &generator)
  }

  mutating func perform(
    _ actions: [FlowAction], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    for action in actions {
      switch action {
      case .record(let draft):
        recentDenials.observe(draft, at: now)
        if draft.attribution.isSkipped, draft.attribution.verdict == .allow {
          if draft.stage == .open { evidence.skippedFlows += 1 }
          continue
        }
        record(draft, at: now, using: &generator)
      case .readCounters(let tuple, let identifier): emit(.readCounters(tuple, identifier: identifier))
      case .flowEnded(let mark): firewall.flowClosed(mark, at: now)
      }
    }
  }

  private mutating func record(
    _ draft: FlowDraft, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard case .denied(.ownerUnbound) = draft.stage, ownership.state != .unbound else {
      return stage(audit.seal(draft, at: now.wall, using: &generator))
    }
    // Told late: when it was denied nobody owned the sandbox, whoever does now.
    audit.context.owner = .unbound
    stage(audit.seal(draft, at: now.wall, using: &generator))
    audit.context.owner = ownership.state
  }

  mutating func beginReconciling(at now: Moment) -> SidecarEffect {
    tracker.dumpBegins(at: now)
    life.reconciliations += 1
    return .dumpFlows
  }

  mutating func reconcile(
    _ dump: [ConntrackEvent], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    var actions: [FlowAction] = []
    let isFirst = !life.hasAdoptedFlows
    let attributor = attributor
    if isFirst {
      // Only the records tell what of the table is new; a dump from before they are read is asked for again then.
      guard let previous = life.previousFlows else { return }
      life.previousFlows = nil
      life.hasAdoptedFlows = true
      tracker.adopt(dump, previous: previous, at: now, into: &actions) { attributor.attribute($0, at: now) }
    } else {
      tracker.resynchronise(dump, at: now, into: &actions) { attributor.attribute($0, at: now) }
    }
    var marks: [FlowTuple: UInt32] = [:]
    for event in dump where FlowMark.isGrant(event.mark) { marks[event.original] = event.mark }
    for case .record(let draft) in actions where draft.stage == .open {
      // A flow that we learn of late holds its grant from now on.
      if let mark = marks[draft.tuple] {
        firewall.flowAdopted(mark, to: draft.tuple.destination, draft.tuple.transport)
      }
    }
    perform(actions, at: now, using: &generator)
    if isFirst { proveNext(at: now, using: &generator) }
  }

  /// A new flow, for `GET /policy?stats=true`, rehearsals and suggestions.
  private mutating func notice(_ tuple: FlowTuple, _ attribution: FlowAttribution, at now: Moment) {
    switch attribution.verdict {
    case .own, .local, .inbound: return
    case .allow, .deny: break
    }
    guard !attribution.isTampering else { return }
    if let rule = attribution.rule { use.count(rule, at: now.wall) }
    seen.see(
      tuple.destination.address, port: tuple.destination.port, tuple.transport,
      name: attribution.name.flatMap { DomainName($0) })
  }

  var attributor: FlowAttributor {
    FlowAttributor(firewall: firewall, gate: gate, policy: policyInForce, seen: seen)
  }
}
