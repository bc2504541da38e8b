import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

extension DNSProxy {
  /// Passes a validated answer on: at once when it holds no address, else when its addresses are held. An address the
  /// policy withholds spoils it (T13).
  mutating func give(
    _ answer: Answer, age: UInt32, to asking: Asking, _ decision: Decision, isCached: Bool, isStale: Bool = false,
    _ policy: RuleSet, at now: Moment
  ) {
    var ready = WaitingAnswer(
      asking: asking, answer: answer, age: age, decision: decision, isCached: isCached, isStale: isStale)
    guard !answer.addresses.isEmpty else {
      send(ready, ttlMax: .max, at: now)
      return
    }
    if age > 0 {
      ready.answer.addresses = answer.addresses.map { AnsweredAddress($0.address, ttl: $0.ttl - min($0.ttl, age)) }
    }
    if let withheld = firstWithheld(answer.addresses, asking.name, policy, at: now) {
      counters.withheld += 1
      // A name that was denied already, and only observed, keeps its own reason.
      if decision.isAllowed {
        ready.decision = Decision(isAllowed: false, rule: withheld.rule, reason: withheld.reason)
      }
      guard settings.isObserving else {
        withhold(ready, withheld, at: now)
        return
      }
    }
    // A client that gets no address because the reply does not fit needs no lease.
    guard answer.reply.bytes.count + (asking.hasEDNS ? ResourceRecord.lengthMin : 0) <= asking.replySizeMax else {
      sendTruncated(ready, at: now)
      return
    }
    guard waiting.count < DNSProxySettings.pendingQueriesMax else {
      counters.overload += 1
      counters.limits[DNSReason.pendingAnswers, default: 0] += 1
      fail(asking, DNSReason.overload, .notReady, "too many answers wait for their lease", at: now)
      return
    }
    counters.leasesAsked += 1
    let handle = waiting.insert(ready, deadline: now.instant + DNSProxySettings.leaseTimeout)
    emit(
      .lease(
        LeaseRequest(
          answer: handle, name: asking.name, addresses: ready.answer.addresses, sessionID: asking.sessionID)))
  }

  /// What became of the addresses of an answer. An answer that is not waiting any more is ignored.
  package mutating func leaseSettled(_ answer: UInt64, _ outcome: LeaseOutcome, at now: Moment) {
    guard let ready = waiting.remove(answer) else { return }
    switch outcome {
    case .held(let shortest):
      send(ready, ttlMax: UInt32(clamping: max(shortest.seconds, 0)), at: now)
    case .failed(let reason, let text):
      counters.leasesFailed += 1
      if reason.hasSuffix("_MAX") { counters.limits[reason, default: 0] += 1 }
      let decision = Decision(isAllowed: ready.decision.isAllowed, rule: ready.decision.rule, reason: reason)
      reply(
        ready.asking, .serverFailure, decision, error: ExtendedError(.other, Array(text.utf8)),
        resolver: ready.answer.resolver, at: now)
    }
  }

  mutating func leaseTimedOut(_ ready: WaitingAnswer, at now: Moment) {
    counters.leasesFailed += 1
    let decision = Decision(
      isAllowed: ready.decision.isAllowed, rule: ready.decision.rule, reason: DNSReason.leaseTimeout)
    let text = "the address could not be leased in time"
    reply(
      ready.asking, .serverFailure, decision, error: ExtendedError(.other, Array(text.utf8)),
      resolver: ready.answer.resolver, at: now)
  }

  /// SERVFAIL for a query that nobody denied.
  mutating func fail(_ asking: Asking, _ reason: String, _ code: ExtendedErrorCode, _ text: String, at now: Moment) {
    if case .daemon(let token) = asking.origin {
      daemonFailed(token, text)
      return
    }
    guard asking.isClient else { return }
    reply(
      asking, .serverFailure, Decision(isAllowed: true, rule: nil, reason: reason),
      error: ExtendedError(code, Array(text.utf8)), at: now)
  }

  /// A reply without records. `error` goes in when the client sent EDNS.
  mutating func reply(
    _ asking: Asking, _ code: ResponseCode, _ decision: Decision, error: ExtendedError?,
    addresses: [AnsweredAddress] = [], resolver: Endpoint? = nil, at now: Moment
  ) {
    var flags = replyFlags(asking)
    flags.responseCode = code
    var reply = Reply(to: asking.bytes, questionEnd: asking.questionEnd, flags: flags.flags)
    reply.id = asking.header.id
    let facts = facts(asking, code, decision, addresses: addresses, resolver: resolver, at: now)
    emit(reply, asking, error, facts)
  }

  private mutating func send(_ ready: WaitingAnswer, ttlMax: UInt32, at now: Moment) {
    let asking = ready.asking
    guard ready.answer.reply.bytes.count + (asking.hasEDNS ? ResourceRecord.lengthMin : 0) <= asking.replySizeMax else {
      sendTruncated(ready, at: now)
      return
    }
    var reply = personal(ready)
    reply.lowerTTLs(age: ready.age, limit: ready.isStale ? min(ttlMax, DNSProxySettings.staleTTL) : ttlMax)
    let facts = facts(
      asking, ready.answer.responseCode, ready.decision, addresses: ready.answer.addresses,
      canonicalName: ready.answer.canonicalName, resolver: ready.answer.resolver, isCached: ready.isCached, at: now)
    emit(reply, asking, ready.isStale ? ExtendedError(.staleAnswer, []) : nil, facts)
  }

  /// An answer that is past its time, when no upstream answers and the operator wants that (RFC 8767). It is leased as any other, for the least there is.
  mutating func giveStale(_ answer: Answer, to asking: Asking, _ decision: Decision, _ policy: RuleSet, at now: Moment)
  {
    counters.stale += 1
    var stale = answer
    for index in stale.addresses.indices {
      stale.addresses[index].ttl = min(stale.addresses[index].ttl, DNSProxySettings.staleTTL)
    }
    var decision = decision
    decision.reason = DNSReason.staleAnswer
    give(stale, age: 0, to: asking, decision, isCached: true, isStale: true, policy, at: now)
  }

  private mutating func sendTruncated(_ ready: WaitingAnswer, at now: Moment) {
    counters.truncatedReplies += 1
    var reply = personal(ready)
    reply.truncate()
    var decision = ready.decision
    decision.reason = decision.reason ?? DNSReason.truncated
    let facts = facts(
      ready.asking, ready.answer.responseCode, decision, resolver: ready.answer.resolver, isCached: ready.isCached,
      at: now)
    emit(reply, ready.asking, nil, facts)
  }

  private mutating func withhold(_ ready: WaitingAnswer, _ withheld: Withheld, at now: Moment) {
    var text = Array("answer withheld: \(withheld.address.address) ".utf8)
    if let range = SpecialPurpose.range(of: withheld.address.address), withheld.reason == DNSReason.privateAnswer {
      text += "is in a special-purpose range (\(range)) and no address rule allows it".utf8
    } else {
      text += "is denied by policy (\(withheld.rule?.text ?? ""))".utf8
    }
    reply(
      ready.asking, .serverFailure, ready.decision, error: ExtendedError(.filtered, text),
      addresses: [withheld.address], resolver: ready.answer.resolver, at: now)
  }

  /// The answer with this client's identifier, flags and spelling.
  private func personal(_ ready: WaitingAnswer) -> Reply {
    var reply = ready.answer.reply
    let isAuthentic = reply.flags & 0x0020 != 0
    var flags = replyFlags(ready.asking)
    flags.responseCode = ready.answer.responseCode
    // AD means something to a client only when it asked for it (RFC 6840 §5.8).
    flags.isAuthenticData = isAuthentic && (ready.asking.isDNSSECWanted || ready.asking.header.isAuthenticData)
    reply.flags = flags.flags
    reply.id = ready.asking.header.id
    reply.echoQuestion(of: ready.asking.bytes)
    return reply
  }

  /// QR and RA set, opcode 0, RD and CD as they came.
  private func replyFlags(_ asking: Asking) -> Header {
    var header = Header(id: 0, flags: asking.header.flags & 0x0110)
    header.isResponse = true
    header.isRecursionAvailable = true
    return header
  }

  private mutating func emit(_ reply: Reply, _ asking: Asking, _ error: ExtendedError?, _ facts: DNSFacts?) {
    guard case .client(let client, let source, let isTCP) = asking.origin else { return }
    var reply = reply
    if asking.hasEDNS {
      var edns = EDNS(
        payloadSize: DNSProxySettings.payloadSizeOffered, isDNSSECWanted: asking.isDNSSECWanted, extendedError: error)
      // OPT without text, the option's and the error's head: what is left is for the text.
      let room = asking.replySizeMax - reply.bytes.count - ResourceRecord.lengthMin - 6
      if let text = edns.extendedError?.text, text.count > room {
        edns.extendedError?.text = Array(text.prefix(max(room, 0)))
      }
      reply.append(edns)
    }
    counters.replies += 1
    emit(.reply(DNSReply(client: client, source: source, isTCP: isTCP, bytes: reply.bytes, facts: facts)))
  }

  private func facts(
    _ asking: Asking, _ code: ResponseCode, _ decision: Decision, addresses: [AnsweredAddress] = [],
    canonicalName: DomainName? = nil, resolver: Endpoint? = nil, isCached: Bool = false, at now: Moment
  ) -> DNSFacts? {
    guard case .client(_, let source, _) = asking.origin else { return nil }
    return DNSFacts(
      source: source, name: asking.name, type: asking.type, recordClass: asking.recordClass, responseCode: code,
      isAllowed: decision.isAllowed, rule: decision.rule, reason: decision.reason, addresses: addresses,
      canonicalName: canonicalName, duration: now.instant - asking.startedAt, sessionID: asking.sessionID,
      resolver: resolver, isCached: isCached, spent: decision.spent.map { ($0.names, $0.bits) })
  }
}
