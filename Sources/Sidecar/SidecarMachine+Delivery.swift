import Addressing
import DNSProxy
import Firewall
import FlowAudit
import Forwarder
import Spool
import Timekeeping

/// What is under way between the spool and the hub.
struct DeliveryState: Sendable {
  /// A read of the spool is under way.
  var isReading = false
  /// The hub's address as last resolved; nil: resolve before the next delivery.
  var endpoint: Endpoint?
  /// It was resolved for the delivery that is about to leave: a connection may be made to it.
  var isFresh = false
  /// The address before it, which the daemon may still reach for a while.
  var former: Endpoint?
  /// A delivery that waits for the hub's address or for the kernel to permit it.
  var waiting: Delivery?
  /// The delivery that was handed out last.
  var underWay: Delivery?
  /// Since when the hub takes records of a backlog without a failure; nil when there is none.
  var catchingUpSince: Instant?

  /// A backlog that is older than this (half of what a record may take) …
  static let lateAge = TimeSpan.seconds(30)
  /// … and takes the hub longer than this no longer keeps fresh records waiting, …
  static let catchUpPatience = TimeSpan.seconds(10)
  /// … which are those of the last 20 s: they reach the hub within their minute.
  static let freshAge = TimeSpan.seconds(20)
  /// How long an address that is no longer the hub's may still be reached: 60 s, more than a delivery takes.
  static let formerSpan = TimeSpan.seconds(60)
  /// The look-up under way.
  var lookup: UInt64?
  var nextLookup: UInt64 = 1
}

/// From the spool to the hub (R4: only what the hub took whole is acknowledged).
extension SidecarMachine {
  /// Reads on while the forwarder can take more.
  mutating func pumpDelivery(at now: Moment) {
    guard !delivery.isReading else { return }
    separateFresh(at: now)
    for lane in [SpoolLane.fresh, .oldest] {
      let wanted = forwarder.wants(lane)
      guard wanted > 0, let read = spool.nextRead(bytesMax: wanted, lane: lane) else { continue }
      delivery.isReading = true
      return emit(.readSpool(read))
    }
  }

  /// A backlog leaves oldest first; one that takes long takes turns with what is recorded meanwhile.
  private mutating func separateFresh(at now: Moment) {
    guard let since = delivery.catchingUpSince, now.instant - since > DeliveryState.catchUpPatience, !spool.isSeparated,
      spool.separateFresh(after: now.instant + .zero - DeliveryState.freshAge)
    else { return }
    emit(.log(LogEntry(.info, "a backlog takes long: fresh records are delivered beside it")))
  }

  /// Notes whether the hub is working off a backlog.
  private mutating func noteProgress(at now: Moment) {
    let age = spool.oldestUnacknowledged.map { now.instant - $0.appendedAt.instant } ?? .zero
    delivery.catchingUpSince = age > DeliveryState.lateAge ? delivery.catchingUpSince ?? now.instant : nil
  }

  mutating func spoolRead(
    _ read: SpoolRead, _ bytes: [UInt8]?, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    delivery.isReading = false
    let result = spool.delivered(read, bytes, at: now)
    perform(result.effects, at: now, using: &generator)
    guard !result.records.isEmpty else { return }
    perform(
      forwarder.offer(result.records, lane: read.lane, at: now, using: &generator), at: now, using: &generator)
  }

  mutating func delivered(
    _ id: UInt64, _ outcome: DeliveryOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    switch outcome {
    case .notConnected, .tlsRefused, .ambiguous: delivery.endpoint = nil
    case .response, .written: delivery.isFresh = false
    }
    if delivery.underWay?.id == id { delivery.underWay = nil }
    let before = forwarder.status
    perform(forwarder.delivered(id, outcome, at: now, using: &generator), at: now, using: &generator)
    sayHowDeliveryFares(since: before)
  }

  /// A failure and its end are told; the forwarder's own time limit too, which no outcome announces.
  mutating func sayHowDeliveryFares(since before: ForwarderStatus) {
    let after = forwarder.status
    if after.consecutiveFailures > before.consecutiveFailures, let error = after.lastError {
      delivery.catchingUpSince = nil
      emit(.log(LogEntry(.warning, "a delivery failed; it is tried again", [("reason", error)])))
    } else if before.consecutiveFailures > 0, after.consecutiveFailures == 0 {
      emit(.log(LogEntry(.info, "the hub takes records again")))
    }
  }

  /// Performs the forwarder's wishes.
  mutating func perform(
    _ wishes: [ForwarderAction], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    for wish in wishes {
      switch wish {
      case .deliver(let batch): deliver(batch, at: now, using: &generator)
      case .abandon(let id): abandon(id)
      case .needToken: tokenNeeded(at: now, using: &generator)
      case .invalidateToken: tokenInvalid(at: now)
      case .acknowledge(let position, _, let lane): acknowledge(position, lane, at: now, using: &generator)
      case .quarantine(let record, let reason): quarantine(record, reason, at: now, using: &generator)
      }
    }
  }

  private mutating func deliver(
    _ batch: Delivery, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let hub = settings.hub else { return emit(.deliver(batch, to: nil, connects: false)) }
    if let endpoint = delivery.endpoint {
      delivery.underWay = batch
      return emit(.deliver(batch, to: endpoint, connects: delivery.isFresh))
    }
    delivery.waiting = batch
    switch hub.host {
    case .address(let address): permitHub(Endpoint(address, hub.port), at: now)
    case .name(let name):
      guard delivery.lookup == nil else { return }
      let token = delivery.nextLookup
      delivery.nextLookup += 1
      delivery.lookup = token
      proxy.resolveForDaemon(name, token: token, at: now, using: &generator)
    }
  }

  /// No connection is kept: the next one goes where the name leads now.
  mutating func deliveryUnconnected(
    _ id: UInt64, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let batch = delivery.underWay, batch.id == id else { return }
    delivery.underWay = nil
    delivery.endpoint = nil
    deliver(batch, at: now, using: &generator)
  }

  mutating func hubResolved(
    _ token: UInt64, _ addresses: [IPAddress], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard token == delivery.lookup, let hub = settings.hub else { return }
    delivery.lookup = nil
    // IPv4 first: a pod without IPv6 is common, and the next attempt after a failure draws again.
    let candidates = addresses.filter(\.isIPv4).isEmpty ? addresses : addresses.filter(\.isIPv4)
    guard let address = candidates.randomElement(using: &generator) else {
      return hubLookupFailed(token, "the hub's name has no address", at: now, using: &generator)
    }
    permitHub(Endpoint(address, hub.port), at: now)
  }

  mutating func hubLookupFailed(
    _ token: UInt64, _ reason: String, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    delivery.lookup = nil
    guard let batch = delivery.waiting else { return }
    delivery.waiting = nil
    emit(.log(LogEntry(.warning, "the hub's address cannot be had; it is tried again", [("reason", reason)])))
    perform(
      forwarder.delivered(batch.id, .notConnected(reason: reason), at: now, using: &generator), at: now,
      using: &generator)
  }

  /// The hub's address goes into the daemon's own destinations; the delivery leaves once that is committed.
  private mutating func permitHub(_ endpoint: Endpoint, at now: Moment) {
    guard firewall.permitOwn(endpoint, [.tcp], for: nil, at: now) else {
      emit(.log(LogEntry(.error, "too many addresses of the hub; the daemon may not reach one more")))
      return
    }
    if let former = delivery.former, former != endpoint, former != notices.endpoint {
      _ = firewall.permitOwn(former, [.tcp], for: DeliveryState.formerSpan, at: now)
    }
    delivery.former = endpoint
    delivery.endpoint = endpoint
    delivery.isFresh = true
  }

  /// After a commit, or when none was needed: what waited for the hub's address leaves.
  mutating func releaseDelivery() {
    guard !resolution.isCommitting, let batch = delivery.waiting, let endpoint = delivery.endpoint else { return }
    delivery.waiting = nil
    delivery.underWay = batch
    emit(.deliver(batch, to: endpoint, connects: true))
  }

  /// The kernel refused a transaction: the hub's address, if it waited for this one, is not permitted.
  mutating func failWaitingDelivery(
    _ reason: String, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let batch = delivery.waiting, delivery.endpoint != nil else { return }
    delivery.endpoint = nil
    delivery.waiting = nil
    perform(
      forwarder.delivered(batch.id, .notConnected(reason: reason), at: now, using: &generator), at: now,
      using: &generator)
  }

  private mutating func abandon(_ id: UInt64) {
    if delivery.waiting?.id == id {
      delivery.waiting = nil
    } else {
      delivery.underWay = nil
      emit(.abandonDelivery(id))
    }
  }

  private mutating func acknowledge(
    _ position: SpoolPosition, _ lane: SpoolLane, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    perform(spool.acknowledge(through: position, lane: lane), at: now, using: &generator)
    if let oldest = spool.oldestUnacknowledged {
      // Of an earlier boot: none of this one is.
      evidence.lastAcknowledged = oldest.boot == settings.boot && oldest.sequence > 1 ? oldest.sequence - 1 : nil
    } else {
      evidence.lastAcknowledged = audit.lastSequence
    }
    if let last = evidence.lastAcknowledged { evidence.reports.removeAll { $0.sequence <= last } }
    noteProgress(at: now)
    guard gate.lease != nil else { return }
    let wasClosed = gate.closedBy != nil
    gate.renewLease(at: now.instant)
    if gate.closedBy == nil { moveGate(at: now) }
    if wasClosed, gate.closedBy == nil { emit(.log(LogEntry(.info, "the audit lease is held: new flows pass"))) }
  }

  private mutating func quarantine(
    _ record: StoredRecord, _ reason: QuarantineReason, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    emit(
      .spool(
        .quarantine(
          name: "refused-\(record.boot.map(bootText) ?? "unknown")-\(record.sequence).json", bytes: record.bytes)))
    evidence.quarantinedTotal += 1
    evidence.droppedTotal += 1
    let text =
      switch reason {
      case .refused(let status): "REJECTED_\(status)"
      case .tooLarge: "TOO_LARGE"
      }
    recordDropped(
      RecordsDroppedDraft(
        count: 1, sequences: record.sequence...record.sequence, bootID: record.boot.map(bootText), reason: text),
      at: now, using: &generator)
    // Written before the acknowledgement that passes the record: a crash between the two must not lose the report.
    flushEvidence(at: now, using: &generator)
  }

  mutating func tokenUnavailable(_ reason: String) {
    forwarder.tokenUnavailable(reason: reason)
    emit(.log(LogEntry(.warning, "no token for the hub", [("reason", reason)])))
  }
}
