import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

extension DNSProxy {
  /// A message from a client: answered at once, from the cache, or after the upstream was asked.
  package mutating func receive(
    _ query: ClientQuery, policy: RuleSet, gate: DNSGate, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    guard let admitted = admit(query, policy: policy, gate: gate, at: now) else { return }
    start(admitted, at: now, using: &generator)
  }

  /// Everything that needs no upstream. What is to be asked for: the client's own query, or a cached answer that was just given and should be fetched anew. Nil: nothing.
  private mutating func admit(_ query: ClientQuery, policy: RuleSet, gate: DNSGate, at now: Moment) -> Asking? {
    counters.received += 1
    guard let header = try? Header.parse(query.bytes), !header.isResponse else {
      counters.dropped += 1
      return nil
    }
    guard header.opcode == .query else {
      refuseUnread(query, header, .notImplemented)
      return nil
    }
    let parsed: Query
    do {
      parsed = try Query.parse(query.bytes)
    } catch {
      refuseUnread(query, header, .formatError)
      return nil
    }
    guard parsed.edns?.version ?? 0 == 0 else {
      refuseUnread(query, header, .badVersion)
      return nil
    }
    lastSessionID += 1
    let asking = Asking(
      origin: .client(query.client, query.source, isTCP: query.isTCP), bytes: query.bytes,
      questionEnd: parsed.question.end, header: header, name: parsed.name, type: parsed.type,
      recordClass: parsed.recordClass, hasEDNS: parsed.edns != nil, payloadSize: parsed.edns?.payloadSize ?? 0,
      isDNSSECWanted: parsed.edns?.isDNSSECWanted ?? false, startedAt: now.instant, sessionID: lastSessionID)
    if let limit = rates.refusal(query.source.address, at: now.instant) {
      turnAway(asking, limit, at: now)
      return nil
    }
    guard parsed.recordClass == .in, !parsed.type.isMeta, parsed.type != .null else {
      counters.refused += 1
      let text = "\(parsed.recordClass) \(parsed.type) is not served"
      reply(
        asking, .refused, Decision(isAllowed: false, rule: nil, reason: DNSReason.protocol),
        error: ExtendedError(.notSupported, Array(text.utf8)), at: now)
      return nil
    }
    let decision = decide(asking, policy, gate, at: now)
    guard isPassed(decision) else {
      deny(asking, decision, gate, at: now)
      return nil
    }
    if settings.refusesServiceBindings, parsed.type.isServiceBinding {
      let why = ExtendedError(.filtered, Array("HTTPS and SVCB records are not served".utf8))
      reply(asking, .noError, decision, error: why, at: now)
      return nil
    }
    if let hit = cache.answer(asking.name, asking.type, asking.cacheVariant, at: now.instant) {
      counters.cacheHits += 1
      give(hit.answer, age: hit.age, to: asking, decision, isCached: true, policy, at: now)
      return hit.wantsRefresh ? refresh(asking, at: now) : nil
    }
    let stale = cache.staleAnswer(asking.name, asking.type, asking.cacheVariant, isKnownToFail: true, at: now.instant)
    if let stale {
      giveStale(stale, to: asking, decision, policy, at: now)
      return nil
    }
    if !settings.isObserving, let rule = decision.rule,
      let (limit, spent) = budgets.refusal(asking.name, rule, at: now.instant)
    {
      refuseNewName(asking, rule, limit, spent, at: now)
      return nil
    }
    return asking
  }

  /// The same question with nobody to answer; nil when there is too much to do already.
  private mutating func refresh(_ asking: Asking, at now: Moment) -> Asking? {
    guard transactions.count < DNSProxySettings.prefetchPendingMax else { return nil }
    counters.prefetches += 1
    var refresh = asking
    refresh.origin = .refresh
    return refresh
  }

  /// A rate is exceeded.
  private mutating func turnAway(_ asking: Asking, _ limit: String, at now: Moment) {
    counters.limits[limit, default: 0] += 1
    let whose = limit == DNSReason.clientRate ? "one client" : "all clients together"
    reply(
      asking, .refused, Decision(isAllowed: false, rule: nil, reason: limit),
      error: ExtendedError(.prohibited, Array("more queries a second than \(whose) may send".utf8)), at: now)
  }

  /// A wildcard rule has let through as many new names as it may.
  private mutating func refuseNewName(
    _ asking: Asking, _ rule: RuleReference, _ limit: String, _ spent: NameBudgets.Spent, at now: Moment
  ) {
    counters.limits[limit, default: 0] += 1
    let text =
      "blocked by policy: \(rule.text) has used up its budget of new names (\(spent.names) names, some \(spent.bits / 8) octets in them)"
    reply(
      asking, .refused, Decision(isAllowed: false, rule: rule, reason: limit, spent: spent),
      error: ExtendedError(.blocked, Array(text.utf8)), at: now)
  }

  /// What gate and policy say of the name now.
  func decide(_ asking: Asking, _ policy: RuleSet, _ gate: DNSGate, at now: Moment) -> Decision {
    if case .closed(let reason, _) = gate { return Decision(isAllowed: false, rule: nil, reason: reason) }
    let decision = policy.decide(asking.name, at: now.wall)
    let reason: String? =
      decision.isAllowed ? nil : decision.rule.place == .defaultAction ? DNSReason.defaultDeny : DNSReason.ruleDeny
    return Decision(isAllowed: decision.isAllowed, rule: decision.rule, reason: reason)
  }

  /// Whether the query goes on: allowed, or only observed.
  func isPassed(_ decision: Decision) -> Bool { decision.isAllowed || settings.isObserving }

  /// NXDOMAIN (or what was configured) without authority, and why.
  mutating func deny(_ asking: Asking, _ decision: Decision, _ gate: DNSGate, at now: Moment) {
    guard asking.isClient else { return }
    counters.denied += 1
    var error: ExtendedError?
    if asking.hasEDNS {
      var text: [UInt8] = []
      text.reserveCapacity(64 + asking.name.wire.count)
      if case .closed(_, let why) = gate {
        text += why.utf8
      } else {
        text += "blocked by policy: ".utf8
        if let rule = decision.rule, rule.place != .defaultAction {
          text += rule.text.utf8
          text += " covers ".utf8
        } else {
          text += "no rule allows ".utf8
        }
        asking.name.appendText(to: &text)
      }
      error = ExtendedError(.blocked, text)
    }
    reply(asking, settings.denialCode, decision, error: error, at: now)
  }

  /// An answer to what could not be read as a question; there is nothing to put on record but the count.
  private mutating func refuseUnread(_ query: ClientQuery, _ header: Header, _ code: ResponseCode) {
    counters.malformed += 1
    var flags = Header(id: 0, flags: header.flags & 0x7900)
    flags.isResponse = true
    flags.isRecursionAvailable = true
    flags.responseCode = code
    var reply = Reply(to: query.bytes, questionEnd: Header.length, flags: flags.flags)
    reply.id = header.id
    if code.rawValue > 15 {
      var edns = EDNS(payloadSize: DNSProxySettings.payloadSizeOffered)
      edns.extendedResponseCode = UInt8(truncatingIfNeeded: code.rawValue >> 4)
      reply.append(edns)
    }
    counters.replies += 1
    emit(
      .reply(
        DNSReply(client: query.client, source: query.source, isTCP: query.isTCP, bytes: reply.bytes, facts: nil)))
  }
}
