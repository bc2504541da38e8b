import Addressing
import DNSProxy
import DNSWire
import EgressPolicy
import Firewall
import FlowAudit
import Timekeeping

/// What waits between an answer and its lease.
struct Resolution: Sendable {
  /// The shortest lease of each answer that waits for a commit.
  var shortestLease: [UInt64: TimeSpan] = [:]
  /// A transaction is at the kernel.
  var isCommitting = false
}

/// Names: from the query to the reply (R2: commit, then record, then reply).
extension SidecarMachine {
  /// Takes the proxy's actions until there are none.
  mutating func drainProxy(at now: Moment, using generator: inout some RandomNumberGenerator) {
    while let action = proxy.nextAction() {
      switch action {
      case .sendUpstream(let query): emit(.sendUpstream(query))
      case .lease(let request): lease(request, at: now, using: &generator)
      case .reply(let reply):
        if let facts = reply.facts { record(facts, reply.isTCP ? .tcp : .udp, at: now, using: &generator) }
        evidence.replies.append(.reply(reply))
      case .resolvedForDaemon(let token, let addresses, _):
        if token == notices.lookup {
          webhookResolved(addresses, at: now, using: &generator)
        } else if !authorityResolved(token, addresses, at: now, using: &generator) {
          hubResolved(token, addresses, at: now, using: &generator)
        }
      case .daemonLookupFailed(let token, let reason):
        if token == notices.lookup {
          noticeFailed(reason, at: now)
        } else if !authorityLookupFailed(token, reason, at: now, using: &generator) {
          hubLookupFailed(token, reason, at: now, using: &generator)
        }
      }
    }
  }

  private mutating func lease(
    _ request: LeaseRequest, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    let staging = firewall.lease(
      request.name, request.addresses.map { ($0.address, $0.ttl) }, session: request.sessionID,
      answer: request.answer, policy: policy, at: now)
    switch staging {
    case .staged(let shortest): resolution.shortestLease[request.answer] = shortest
    case .alreadyHeld(let shortest):
      settle(request.answer, .held(shortest: shortest), at: now, using: &generator)
    case .withheld where isObserving:
      // Nothing needs the lease: the rules let everything pass.
      settle(request.answer, .held(shortest: settings.lease.max), at: now, using: &generator)
    case .withheld(let refusal):
      settle(request.answer, .failed(reason: refusal.reason, text: refusal.text), at: now, using: &generator)
    }
  }

  /// The answers that waited for a transaction may leave, or must fail.
  mutating func settle(
    _ settlement: Settlement, _ outcome: CommitOutcome, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    for answer in settlement.granted {
      let shortest = resolution.shortestLease.removeValue(forKey: answer) ?? .zero
      settle(answer, .held(shortest: shortest), at: now, using: &generator)
    }
    guard !settlement.failed.isEmpty else { return }
    var failure: LeaseOutcome
    switch outcome {
    case .committed:
      failure = .failed(reason: DenialReason.ruleDeny.rawValue, text: "blocked by policy: it changed meanwhile")
    case .refused(let refusal):
      failure = .failed(reason: "KERNEL_REFUSED", text: "the kernel refused the lease: \(refusal.reason)")
    }
    if isObserving { failure = .held(shortest: settings.lease.max) }
    for answer in settlement.failed {
      resolution.shortestLease[answer] = nil
      settle(answer, failure, at: now, using: &generator)
    }
  }

  private mutating func settle(
    _ answer: UInt64, _ outcome: LeaseOutcome, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    proxy.leaseSettled(answer, outcome, at: now)
  }

  private mutating func record(
    _ facts: DNSFacts, _ transport: TransportProtocol, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    if let rule = facts.rule { use.count(rule.text, at: now.wall) }
    if isObserving { for answered in facts.addresses { seen.lead(facts.name, to: answered.address) } }
    if facts.isAllowed, facts.reason == nil, policy.skipsLog(facts.name, nil) {
      evidence.skippedQueries += 1
      seen.see(facts.name, exists: facts.responseCode != .nameError)
      return
    }
    // Neither grows: dots stand where length octets stood, and an address has at most 45 octets.
    var name: [UInt8] = []
    name.reserveCapacity(facts.name.wire.count)
    facts.name.appendText(to: &name)
    var answer: [UInt8] = []
    answer.reserveCapacity(facts.addresses.count * 46)
    facts.appendResponseName(to: &answer)
    var draft = QueryDraft(
      isAllowed: facts.isAllowed, name: name, type: facts.type.rawValue, typeName: facts.type.description,
      className: facts.recordClass.description, responseCode: facts.responseCode.rawValue,
      responseCodeName: facts.responseCode.description, answer: answer, duration: facts.duration,
      session: facts.sessionID, rule: facts.rule?.text, reason: facts.reason, client: facts.source,
      transport: transport, startedAt: now.wall + TimeSpan(nanoseconds: -facts.duration.nanoseconds), endedAt: now.wall)
    draft.budget = facts.spent.map { NameBudgetDraft(names: $0.names, bits: $0.bits) }
    var ended: [QueryDraft] = []
    let isNew = queries.count(
      draft, at: now.instant,
      domain: {
        var domain: [UInt8] = []
        facts.name.registrableDomain.appendText(to: &domain)
        return domain
      }, into: &ended)
    for index in ended.indices {
      recentDenials.observe(ended[index], at: now)
      stage(audit.seal(ended[index], at: now.wall, using: &generator))
    }
    guard isNew else { return }
    recentDenials.observe(draft, at: now)
    if !facts.isAllowed { tell(of: facts, at: now) }
    seen.see(facts.name, exists: facts.resolver == nil || facts.responseCode != .nameError)
    stage(audit.seal(draft, at: now.wall, using: &generator))
  }
}

extension LeaseRefusal {
  /// For the record.
  var reason: String {
    switch self {
    case .denied: DenialReason.ruleDeny.rawValue
    case .tooManyAddressesOfName: "ADDRESSES_PER_NAME_MAX"
    case .tooManyLeasesUnderRule: "LEASES_PER_RULE_MAX"
    case .tooManyLeases: "LEASES_MAX"
    case .tooManyGrants: "GRANTS_MAX"
    }
  }

  /// For people.
  var text: String {
    switch self {
    case .denied(let rule): "blocked by policy: \(rule.text)"
    case .tooManyAddressesOfName: "withheld: this name has as many leased addresses as one name may have"
    case .tooManyLeasesUnderRule: "withheld: this rule has as many leased addresses as one rule may have"
    case .tooManyLeases: "withheld: this sandbox has as many leased addresses as it may have"
    case .tooManyGrants: "withheld: this sandbox has reached as many names as it may at a time"
    }
  }
}
