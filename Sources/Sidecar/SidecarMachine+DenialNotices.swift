import Addressing
import DNSProxy
import DNSWire
import Firewall
import FlowAudit
import JSONText
import Timekeeping

/// The webhook that is told of denied names. Its address is one of the daemon's own destinations, as the hub's is: a sandbox that may reach nothing still tells.
extension SidecarMachine {
  /// One notice for each query that is denied and has a record of its own, in OpenSandbox's form. In observe mode nothing is denied.
  mutating func tell(of facts: DNSFacts, at now: Moment) {
    guard settings.webhook != nil, !isObserving else { return }
    var name: [UInt8] = []
    facts.name.appendText(to: &name)
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("hostname")
    writer.string(name.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 })
    writer.key("timestamp")
    // To the second: RFC 3339 without a fraction.
    writer.string(String(decoding: now.wall.utf8.prefix(19) + [0x5a], as: UTF8.self))
    writer.key("source")
    writer.string("opensandbox-egress")
    writer.key("sandboxId")
    writer.string(settings.identity.sandboxID)
    writer.endObject()
    if notices.add(writer.bytes) {
      emit(.log(LogEntry(.warning, "the webhook is too slow: denied names are not told it, the records have them")))
    }
  }

  /// - Returns: whether a look-up was begun.
  mutating func beginNotice(at now: Moment, using generator: inout some RandomNumberGenerator) -> Bool {
    guard phase == .enforcing, let webhook = settings.webhook, notices.isDue(at: now.instant) else { return false }
    if let endpoint = notices.endpoint {
      permitWebhook(endpoint, at: now)
      return false
    }
    switch webhook.host {
    case .address(let address): permitWebhook(Endpoint(address, webhook.port), at: now)
    case .name(let name):
      let token = delivery.nextLookup
      delivery.nextLookup += 1
      notices.step = .lookUp(token)
      proxy.resolveForDaemon(name, token: token, at: now, using: &generator)
      return true
    }
    return false
  }

  mutating func webhookResolved(
    _ addresses: [IPAddress], at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    // As for the hub: a pod without IPv6 is common.
    let candidates = addresses.filter(\.isIPv4).isEmpty ? addresses : addresses.filter(\.isIPv4)
    guard let webhook = settings.webhook, let address = candidates.randomElement(using: &generator) else {
      return noticeFailed("the webhook's name has no address", at: now)
    }
    permitWebhook(Endpoint(address, webhook.port), at: now)
  }

  private mutating func permitWebhook(_ endpoint: Endpoint, at now: Moment) {
    // Anew for each try, and no longer than one may take; what the hub needs stays.
    let isHub = endpoint == delivery.endpoint || endpoint == delivery.former
    guard firewall.permitOwn(endpoint, [.tcp], for: isHub ? nil : DeliveryState.formerSpan, at: now) else {
      return noticeFailed("the daemon may not reach one more address", at: now)
    }
    notices.endpoint = endpoint
    notices.step = .permit
  }

  /// After a commit, or when none was needed.
  mutating func releaseNotice() {
    guard !resolution.isCommitting, case .permit = notices.step, let endpoint = notices.endpoint,
      let body = notices.first
    else { return }
    emit(.notify(notices.send(), body, to: endpoint))
  }

  /// The kernel refused a transaction: the webhook's address, if it waited for this one, is not permitted.
  mutating func failWaitingNotice(_ reason: String, at now: Moment) {
    if case .permit = notices.step { noticeFailed(reason, at: now) }
  }

  mutating func noticeSent(_ id: UInt64, _ outcome: NoticeOutcome, at now: Moment) {
    guard case .underWay(id) = notices.step else { return }
    switch outcome {
    case .answered(200..<300): notices.succeeded()
    case .answered(let status) where status >= 500: noticeFailed("answered \(status)", at: now)
    case .answered(let status):
      notices.gaveUp()
      emit(.log(LogEntry(.warning, "the webhook refuses a denied name", [("status", String(status))])))
    case .failed(let reason): noticeFailed(reason, at: now)
    }
  }

  mutating func noticeFailed(_ reason: String, at now: Moment) {
    let isTriedAgain = notices.failed(at: now.instant)
    let message =
      isTriedAgain ? "the webhook cannot be told; it is tried again" : "the webhook was not told a denied name"
    emit(.log(LogEntry(.warning, message, [("reason", reason)])))
  }
}
