import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

extension DNSProxy {
  /// A message from an upstream, without the length that TCP puts before it.
  package mutating func receiveUpstream(
    _ bytes: [UInt8], from upstream: Endpoint, socket: UInt32, isTCP: Bool, policy: RuleSet, gate: DNSGate,
    at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard let match = match(bytes, from: upstream, socket: socket, isTCP: isTCP) else {
      counters.unmatched += 1
      return
    }
    guard let transaction = transactions.remove(match.handle) else { return }
    if let index = upstreams.firstIndex(of: match.attempt.upstream) { health[index].answered(at: now.instant) }
    var decision = Decision(isAllowed: true)
    if !transaction.asking.isDaemon {
      decision = decide(transaction.asking, policy, gate, at: now)
      guard isPassed(decision) else {
        release(transaction)
        deny(transaction.asking, decision, gate, at: now)
        return
      }
    }
    guard match.isSpelledAlike else {
      fallBack(transaction, match.attempt, at: now, &generator)
      return
    }
    if !isTCP, word(bytes, 2) & 0x0200 != 0 || bytes.count >= DNSProxySettings.datagramMax {
      counters.truncatedUpstream += 1
      var again = transaction
      inFlight[match.attempt.key] = nil
      again.removeAttempts { $0.key == match.attempt.key }
      sendByTCP(again, after: match.attempt, at: now, &generator)
      return
    }
    guard let message = try? Message.parse(bytes) else {
      retry(transaction, match.attempt, after: .malformed, policy, gate, at: now, &generator)
      return
    }
    guard message.responseCode == .noError || message.responseCode == .nameError else {
      retry(transaction, match.attempt, after: .answered(message.responseCode), policy, gate, at: now, &generator)
      return
    }
    release(transaction)
    if !transaction.earlier.isEmpty { noteFailover(transaction, match.attempt, at: now) }
    accept(message, of: transaction.asking, from: match.attempt.upstream.endpoint, decision, policy, at: now)
  }

  /// The network refused: an ICMP error on a UDP socket, a stream that could not be made or broke. It concerns every
  /// query that went to `upstream` by that socket.
  package mutating func upstreamFailed(
    _ upstream: Endpoint, socket: UInt32, isTCP: Bool, policy: RuleSet, gate: DNSGate, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    func isConcerned(_ attempt: Attempt) -> Bool {
      attempt.socket == socket && attempt.isTCP == isTCP && attempt.upstream.endpoint == upstream
    }
    let handles = transactions.handles { transaction in
      var isFound = false
      transaction.forEachAttempt { if isConcerned($0) { isFound = true } }
      return isFound
    }
    for handle in handles {
      guard let transaction = transactions.remove(handle) else { continue }
      guard isStillAllowed(transaction, policy, gate, at: now) else { continue }
      var failed: Attempt?
      transaction.forEachAttempt { if isConcerned($0) { failed = $0 } }
      guard let failed else { continue }
      // A kept connection may end at any time, and says nothing of the upstream (RFC 7766 §6.2.4).
      if isTCP, !transaction.hasReconnected {
        var again = transaction
        again.hasReconnected = true
        inFlight[failed.key] = nil
        again.removeAttempts { $0.key == failed.key }
        sendByTCP(again, after: failed, at: now, &generator)
        continue
      }
      if let index = upstreams.firstIndex(of: failed.upstream) { health[index].refused() }
      retry(transaction, failed, after: .network, policy, gate, at: now, &generator)
    }
  }

  /// Time passed: call when `nextDeadline` is reached; earlier calls do nothing.
  package mutating func deadlineReached(
    policy: RuleSet, gate: DNSGate, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    while let transaction = transactions.popExpired(at: now.instant) {
      goOn(transaction, policy, gate, at: now, &generator)
    }
    while let answer = waiting.popExpired(at: now.instant) { leaseTimedOut(answer, at: now) }
  }

  /// A reply that belongs to a query under way.
  private struct Match {
    var handle: UInt64
    var attempt: Attempt
    /// Its question is spelled as ours was. Over a stream nobody else could have written it, and spelling does not matter.
    var isSpelledAlike: Bool
  }

  /// The query that these octets answer; nothing changes.
  private func match(_ bytes: [UInt8], from upstream: Endpoint, socket: UInt32, isTCP: Bool) -> Match? {
    guard bytes.count >= Header.length else { return nil }
    // QR set, opcode 0, one question.
    guard word(bytes, 2) & 0xf800 == 0x8000, word(bytes, 4) == 1 else { return nil }
    let key = Attempt.key(socket: socket, isTCP: isTCP, id: word(bytes, 0))
    guard let handle = inFlight[key] else { return nil }
    var match: Match?
    _ = transactions.holds(handle) { transaction in
      let attempt =
        transaction.last?.key == key ? transaction.last : transaction.earlier.first { $0.key == key }
      guard let attempt, attempt.upstream.endpoint == upstream else { return false }
      guard let isAlike = compareQuestion(bytes, attempt.query, end: transaction.questionEnd) else { return false }
      match = Match(handle: handle, attempt: attempt, isSpelledAlike: isAlike || isTCP)
      return true
    }
    return match
  }

  /// Nil: another question. Else whether it is the same octet for octet.
  private func compareQuestion(_ bytes: [UInt8], _ query: [UInt8], end: Int) -> Bool? {
    guard bytes.count >= end else { return nil }
    var isAlike = true
    for index in Header.length..<end where bytes[index] != query[index] {
      // Type and class, the last four octets, are numbers and no letters.
      guard index < end - 4, lowercased(bytes[index]) == lowercased(query[index]) else { return nil }
      isAlike = false
    }
    return isAlike
  }

  /// A reply in another spelling: someone guesses, or a resolver that does not keep case. It is not believed, and the same upstream is asked once by TCP,
  /// where nobody can guess.
  private mutating func fallBack(
    _ transaction: Transaction, _ attempt: Attempt, at now: Moment, _ generator: inout some RandomNumberGenerator
  ) {
    counters.unmatched += 1
    guard !transaction.hasFallenBack else { return hold(transaction, at: now) }
    var again = transaction
    again.hasFallenBack = true
    sendByTCP(again, after: attempt, at: now, &generator)
  }

  private mutating func noteFailover(_ transaction: Transaction, _ answered: Attempt, at now: Moment) {
    var others = transaction
    others.removeAttempts { $0.upstream == answered.upstream }
    settleHealth(others, at: now)
    others.removeAttempts { $0.sentAt >= answered.sentAt }
    if others.isOutstanding { counters.failovers += 1 }
  }

  private mutating func accept(
    _ message: Message, of asking: Asking, from resolver: Endpoint, _ decision: Decision, _ policy: RuleSet,
    at now: Moment
  ) {
    let answer: Answer
    do {
      answer = try Answer.validate(
        message, type: asking.type, isDNSSECWanted: asking.isDNSSECWanted, resolver: resolver)
    } catch {
      counters.invalidAnswers += 1
      if !asking.isDaemon { cache.noteFailure(asking.name, asking.type, asking.cacheVariant, at: now.instant) }
      fail(asking, DNSReason.invalidAnswer, .invalidData, error.text, at: now)
      return
    }
    guard !asking.isDaemon else {
      daemonAnswered(asking, answer)
      return
    }
    cache.store(answer, asking.name, asking.type, asking.cacheVariant, at: now.instant)
    guard asking.isClient else { return }
    give(answer, age: 0, to: asking, decision, isCached: false, policy, at: now)
  }
}
