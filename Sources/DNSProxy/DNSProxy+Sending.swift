import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

// Sending and sending again. A query goes to the upstream that is well and stands first. When no reply has come after a
// short patience the next one is asked beside it, and both may still answer; an upstream that says no, or that the
// network says is not there, is followed by the next at once. An upstream that stays silent loses its place until it
// shows a sign of life, for which one query a second goes to it as well.
extension DNSProxy {
  /// The first try of a query.
  mutating func start(_ asking: Asking, at now: Moment, using generator: inout some RandomNumberGenerator) {
    // The daemon's own look-ups are few, and a busy workload must not keep records from their hub.
    guard transactions.count < DNSProxySettings.pendingQueriesMax || !asking.isClient else {
      counters.overload += 1
      counters.limits[DNSReason.pendingQueries, default: 0] += 1
      fail(asking, DNSReason.overload, .notReady, "too many queries under way", at: now)
      return
    }
    guard !upstreams.isEmpty else {
      fail(asking, DNSReason.upstreamFailed, .networkError, "no upstream resolver is configured", at: now)
      return
    }
    var header = Header(id: 0, flags: asking.header.flags & 0x0030)
    header.isRecursionDesired = true
    var composer = MessageComposer(header, name: asking.name, type: asking.type)
    let questionEnd = composer.bytes.count
    composer.append(
      EDNS(payloadSize: DNSProxySettings.payloadSizeOffered, isDNSSECWanted: asking.isDNSSECWanted))
    var transaction = Transaction(asking: asking, questionEnd: questionEnd, sentAt: now.instant)
    let index = preferredUpstream(for: transaction)
    guard
      attempt(&transaction, composer.bytes, upstreams[index], isTCP: upstreams[index].isSecure, at: now, &generator)
    else { return }
    transaction.tries = 1
    transaction.countAsked(index)
    if upstreams.count > 1 { probe(&transaction, except: index, at: now, &generator) }
    hold(transaction, at: now)
  }

  /// Asks upstreams that seem to be down as well, now and then.
  private mutating func probe(
    _ transaction: inout Transaction, except index: Int, at now: Moment,
    _ generator: inout some RandomNumberGenerator
  ) {
    for other in upstreams.indices where other != index && health[other].wantsProbe(at: now.instant) {
      guard let query = transaction.last?.query else { return }
      transaction.countAsked(other)
      _ = attempt(&transaction, query, upstreams[other], isTCP: upstreams[other].isSecure, at: now, &generator)
    }
  }

  /// Of the upstreams that this query was sent to least, the first that is well; the first when none is.
  private func preferredUpstream(for transaction: Transaction) -> Int {
    var best = 0
    for index in upstreams.indices.dropFirst() {
      let (asked, least) = (transaction.timesAsked(index), transaction.timesAsked(best))
      if asked < least || asked == least && health[best].isDown && !health[index].isDown { best = index }
    }
    return best
  }

  /// One more try at the preferred upstream, beside those that may still be answered.
  mutating func sendAgain(
    _ transaction: Transaction, _ query: [UInt8], at now: Moment, _ generator: inout some RandomNumberGenerator
  ) {
    var transaction = transaction
    let index = preferredUpstream(for: transaction)
    transaction.tries += 1
    transaction.countAsked(index)
    if attempt(&transaction, query, upstreams[index], isTCP: upstreams[index].isSecure, at: now, &generator) {
      hold(transaction, at: now)
    }
  }

  /// Asks the same upstream by TCP, beside what is outstanding.
  mutating func sendByTCP(
    _ transaction: Transaction, after attempt: Attempt, at now: Moment, _ generator: inout some RandomNumberGenerator
  ) {
    var transaction = transaction
    if self.attempt(&transaction, attempt.query, attempt.upstream, isTCP: true, at: now, &generator) {
      hold(transaction, at: now)
    }
  }

  /// Sends with a fresh identifier and spelling (RFC 5452 §9.2, draft-vixie-dnsext-dns0x20), over UDP by a socket that is
  /// drawn for the queries of one moment: whoever guesses has as many to guess from, and one call sends them. False: no
  /// identifier is free, and the query has failed.
  private mutating func attempt(
    _ transaction: inout Transaction, _ query: [UInt8], _ upstream: Upstream, isTCP: Bool, at now: Moment,
    _ generator: inout some RandomNumberGenerator
  ) -> Bool {
    var attempt = Attempt(upstream: upstream, isTCP: isTCP, query: query, sentAt: now.instant)
    var draws = 0
    repeat {
      guard draws < DNSProxySettings.drawsMax else {
        counters.overload += 1
        counters.limits[DNSReason.identifiers, default: 0] += 1
        release(transaction)
        fail(transaction.asking, DNSReason.overload, .notReady, "no identifier is free", at: now)
        return false
      }
      draws += 1
      let random = generator.next()
      attempt.id = UInt16(truncatingIfNeeded: random)
      attempt.socket = isTCP ? 0 : socket(drawnFrom: random >> 32, at: now.instant)
    } while inFlight[attempt.key] != nil
    attempt.query[0] = UInt8(truncatingIfNeeded: attempt.id >> 8)
    attempt.query[1] = UInt8(truncatingIfNeeded: attempt.id)
    spell(&attempt.query, transaction.questionEnd, &generator)
    counters.forwarded += 1
    emit(
      .sendUpstream(
        UpstreamQuery(
          upstream: upstream.endpoint, serverName: upstream.serverName, isTCP: isTCP, socket: attempt.socket,
          bytes: attempt.query)))
    // Until the transaction is held the key only keeps another draw from it.
    inFlight[attempt.key] = .max
    if let last = transaction.last { transaction.earlier.append(last) }
    transaction.last = attempt
    transaction.sentAt = now.instant
    return true
  }

  private mutating func socket(drawnFrom random: UInt64, at now: Instant) -> UInt32 {
    if let socket, socket.drawnAt == now { return socket.number }
    let number = UInt32(truncatingIfNeeded: (random * UInt64(settings.upstreamSockets)) >> 32)
    socket = (number, now)
    return number
  }

  /// Upper and lower case by chance.
  private func spell(_ query: inout [UInt8], _ questionEnd: Int, _ generator: inout some RandomNumberGenerator) {
    var random = generator.next()
    var bitsLeft = 64
    // A length octet is at most 63 and so never looks like a letter.
    for index in Header.length..<questionEnd - 4 {
      let folded = lowercased(query[index])
      guard folded &- 0x61 < 26 else { continue }
      if bitsLeft == 0 {
        random = generator.next()
        bitsLeft = 64
      }
      query[index] = random & 1 == 1 ? folded & ~0x20 : folded
      random >>= 1
      bitsLeft -= 1
    }
  }

  /// Puts a transaction where its replies and its time find it.
  mutating func hold(_ transaction: consuming Transaction, at now: Moment) {
    if transaction.earlier.isEmpty, let key = transaction.last?.key {
      inFlight[key] = transactions.insert(transaction, deadline: now.instant + settings.patience)
      return
    }
    var keys: [UInt64] = []
    transaction.forEachAttempt { keys.append($0.key) }
    let handle = transactions.insert(transaction, deadline: now.instant + settings.patience)
    for key in keys { inFlight[key] = handle }
  }

  /// Forgets the identifiers of a transaction that was taken out.
  mutating func release(_ transaction: borrowing Transaction) {
    if let key = transaction.last?.key { inFlight[key] = nil }
    for attempt in transaction.earlier { inFlight[attempt.key] = nil }
  }

  /// It is answered: what the silence of the others means.
  mutating func settleHealth(_ transaction: borrowing Transaction, at now: Moment) {
    for attempt in transaction.earlier { noteIgnored(attempt, at: now) }
    if let last = transaction.last { noteIgnored(last, at: now) }
  }

  private mutating func noteIgnored(_ attempt: Attempt, at now: Moment) {
    // One that was asked a moment ago had no time to answer.
    guard now.instant - attempt.sentAt >= settings.patience else { return }
    if let index = upstreams.firstIndex(of: attempt.upstream) { health[index].ignored(since: attempt.sentAt) }
  }

  /// Time has passed for a transaction that was taken out; its identifiers are still known.
  mutating func goOn(
    _ transaction: Transaction, _ policy: RuleSet, _ gate: DNSGate, at now: Moment,
    _ generator: inout some RandomNumberGenerator
  ) {
    let count = upstreams.count
    let triesMax = max(DNSProxySettings.triesMin, count)
    if transaction.tries < triesMax, !upstreams.isEmpty {
      let wait =
        transaction.tries < count
        ? settings.patience * Int64(transaction.tries)
        : settings.upstreamTimeout / 2 * Int64(transaction.tries - count + 1)
      guard now.instant - transaction.asking.startedAt >= wait, let query = transaction.last?.query else {
        return hold(transaction, at: now)
      }
      guard isStillAllowed(transaction, policy, gate, at: now) else { return }
      sendAgain(transaction, query, at: now, &generator)
    } else if now.instant - transaction.sentAt >= settings.upstreamTimeout {
      release(transaction)
      settleHealth(transaction, at: now)
      counters.timeouts += UInt64(transaction.earlier.count + (transaction.last == nil ? 0 : 1))
      giveUp(transaction, policy, gate, at: now)
    } else {
      hold(transaction, at: now)
    }
  }

  /// An upstream has failed a transaction that was taken out: the next one, or the end when every one has.
  mutating func retry(
    _ transaction: Transaction, _ failed: Attempt, after failure: UpstreamFailure, _ policy: RuleSet, _ gate: DNSGate,
    at now: Moment, _ generator: inout some RandomNumberGenerator
  ) {
    var next = transaction
    next.lastFailure = failure
    next.failures += 1
    counters.upstreamFailures += 1
    // It would fail the same way once more.
    next.forEachAttempt { if $0.upstream == failed.upstream { inFlight[$0.key] = nil } }
    next.removeAttempts { $0.upstream == failed.upstream }
    let count = upstreams.count
    if next.failures < count, next.tries < count || !next.isOutstanding,
      next.tries < max(DNSProxySettings.triesMin, count)
    {
      sendAgain(next, failed.query, at: now, &generator)
    } else if next.isOutstanding {
      // `goOn` sends the query of `last`.
      if next.last == nil { next.last = next.earlier.removeLast() }
      hold(next, at: now)
    } else {
      giveUp(next, policy, gate, at: now)
    }
  }

  /// For events that come without a decision: a name denied meanwhile is not sent again. False: it was dealt with.
  mutating func isStillAllowed(
    _ transaction: Transaction, _ policy: RuleSet, _ gate: DNSGate, at now: Moment
  ) -> Bool {
    guard !transaction.asking.isDaemon else { return true }
    let decision = decide(transaction.asking, policy, gate, at: now)
    if isPassed(decision) { return true }
    release(transaction)
    deny(transaction.asking, decision, gate, at: now)
    return false
  }

  mutating func giveUp(_ transaction: Transaction, _ policy: RuleSet, _ gate: DNSGate, at now: Moment) {
    let asking = transaction.asking
    if !asking.isDaemon {
      cache.noteFailure(asking.name, asking.type, asking.cacheVariant, at: now.instant)
      let decision = decide(asking, policy, gate, at: now)
      let stale = cache.staleAnswer(
        asking.name, asking.type, asking.cacheVariant, isKnownToFail: false, at: now.instant)
      if asking.isClient, isPassed(decision), let stale {
        giveStale(stale, to: asking, decision, policy, at: now)
        return
      }
    }
    switch transaction.lastFailure {
    case .timeout:
      fail(asking, DNSReason.upstreamTimeout, .noReachableAuthority, "no upstream resolver answered in time", at: now)
    case .network:
      fail(asking, DNSReason.upstreamFailed, .networkError, "no upstream resolver could be reached", at: now)
    case .malformed:
      fail(asking, DNSReason.upstreamFailed, .invalidData, "the upstream resolver's reply is malformed", at: now)
    case .answered(let code):
      fail(asking, DNSReason.upstreamFailed, .other, "the upstream resolver answered \(code)", at: now)
    }
  }
}
