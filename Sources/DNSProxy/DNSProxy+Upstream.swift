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
    guard let transaction = takeMatch(bytes, from: upstream, socket: socket, isTCP: isTCP) else {
      counters.unmatched += 1
      return
    }
    var decision = Decision(isAllowed: true)
    if transaction.asking.isClient {
      decision = decide(transaction.asking, policy, gate, at: now)
      guard isPassed(decision, gate) else {
        deny(transaction.asking, decision, gate, at: now)
        return
      }
    }
    let flags = word(bytes, 2)
    if flags & 0x0200 != 0, !isTCP {
      counters.truncatedUpstream += 1
      var again = transaction
      again.isTCP = true
      send(again, at: now, using: &generator)
      return
    }
    guard let message = try? Message.parse(bytes) else {
      retry(transaction, after: .malformed, at: now, using: &generator)
      return
    }
    guard message.responseCode == .noError || message.responseCode == .nameError else {
      retry(transaction, after: .answered(message.responseCode), at: now, using: &generator)
      return
    }
    accept(message, of: transaction, decision, policy, at: now)
  }

  /// The network refused: an ICMP error on a UDP socket, a TCP connection that could not be made or broke. Over UDP it
  /// concerns every query that went to `upstream` by that socket.
  package mutating func upstreamFailed(
    _ upstream: Endpoint, socket: UInt32, isTCP: Bool, policy: RuleSet, gate: DNSGate, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    let handles = transactions.handles {
      $0.socket == socket && $0.isTCP == isTCP && settings.upstreams[$0.upstream] == upstream
    }
    for handle in handles {
      guard let transaction = transactions.remove(handle) else { continue }
      inFlight[transaction.key] = nil
      tryAgain(transaction, after: .network, policy, gate, at: now, using: &generator)
    }
  }

  /// Time passed: call when `nextDeadline` is reached; earlier calls do nothing.
  package mutating func deadlineReached(
    policy: RuleSet, gate: DNSGate, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    while let transaction = transactions.popExpired(at: now.instant) {
      inFlight[transaction.key] = nil
      counters.timeouts += 1
      tryAgain(transaction, after: .timeout, policy, gate, at: now, using: &generator)
    }
    while let answer = waiting.popExpired(at: now.instant) { leaseTimedOut(answer, at: now) }
  }

  /// The first try of a query.
  mutating func start(_ asking: Asking, at now: Moment, using generator: inout some RandomNumberGenerator) {
    // The daemon's own look-ups are few, and a busy workload must not keep records from their hub.
    guard transactions.count < DNSProxySettings.pendingQueriesMax || !asking.isClient else {
      counters.overload += 1
      fail(asking, DNSReason.overload, .notReady, "too many queries under way", at: now)
      return
    }
    guard !settings.upstreams.isEmpty else {
      fail(asking, DNSReason.upstreamFailed, .networkError, "no upstream resolver is configured", at: now)
      return
    }
    var header = Header(id: 0, flags: asking.header.flags & 0x0030)
    header.isRecursionDesired = true
    var composer = MessageComposer(header, name: asking.name, type: asking.type)
    let questionEnd = composer.bytes.count
    composer.append(
      EDNS(payloadSize: DNSProxySettings.payloadSizeOffered, isDNSSECWanted: asking.isDNSSECWanted))
    send(
      Transaction(asking: asking, query: composer.bytes, questionEnd: questionEnd), at: now, using: &generator)
  }

  /// Sends with a fresh identifier, socket and spelling (RFC 5452 §9.2, draft-vixie-dnsext-dns0x20).
  private mutating func send(
    _ transaction: Transaction, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    var transaction = transaction
    var draws = 0
    repeat {
      guard draws < DNSProxySettings.drawsMax else {
        counters.overload += 1
        fail(transaction.asking, DNSReason.overload, .notReady, "no identifier is free", at: now)
        return
      }
      draws += 1
      let random = generator.next()
      transaction.id = UInt16(truncatingIfNeeded: random)
      let high = UInt32(truncatingIfNeeded: random >> 32)
      transaction.socket =
        transaction.isTCP
        ? high : UInt32(truncatingIfNeeded: (UInt64(high) * UInt64(settings.upstreamSockets)) >> 32)
    } while inFlight[transaction.key] != nil
    transaction.query[0] = UInt8(truncatingIfNeeded: transaction.id >> 8)
    transaction.query[1] = UInt8(truncatingIfNeeded: transaction.id)
    var random = generator.next()
    var bitsLeft = 64
    // A length octet is at most 63 and so never looks like a letter.
    for index in Header.length..<transaction.questionEnd - 4 {
      let folded = lowercased(transaction.query[index])
      guard folded &- 0x61 < 26 else { continue }
      if bitsLeft == 0 {
        random = generator.next()
        bitsLeft = 64
      }
      transaction.query[index] = random & 1 == 1 ? folded & ~0x20 : folded
      random >>= 1
      bitsLeft -= 1
    }
    transaction.tries += transaction.isTCP ? 0 : 1
    counters.forwarded += 1
    emit(
      .sendUpstream(
        UpstreamQuery(
          upstream: settings.upstreams[transaction.upstream], isTCP: transaction.isTCP, socket: transaction.socket,
          bytes: transaction.query)))
    let key = transaction.key
    inFlight[key] = transactions.insert(transaction, deadline: now.instant + settings.upstreamTimeout)
  }

  /// Takes the query that these octets answer; nil, and nothing changed, when there is none.
  private mutating func takeMatch(
    _ bytes: [UInt8], from upstream: Endpoint, socket: UInt32, isTCP: Bool
  ) -> Transaction? {
    guard bytes.count >= Header.length else { return nil }
    // QR set, opcode 0, one question.
    guard word(bytes, 2) & 0xf800 == 0x8000, word(bytes, 4) == 1 else { return nil }
    let key = Transaction.key(socket: socket, isTCP: isTCP, id: word(bytes, 0))
    guard let handle = inFlight[key] else { return nil }
    let isAnswered = transactions.holds(handle) { transaction in
      guard settings.upstreams[transaction.upstream] == upstream, bytes.count >= transaction.questionEnd else {
        return false
      }
      for index in Header.length..<transaction.questionEnd where bytes[index] != transaction.query[index] {
        return false
      }
      return true
    }
    guard isAnswered else { return nil }
    inFlight[key] = nil
    return transactions.remove(handle)
  }

  /// As `retry`, for events that come without a decision: a name denied meanwhile is not sent again.
  private mutating func tryAgain(
    _ transaction: Transaction, after failure: UpstreamFailure, _ policy: RuleSet, _ gate: DNSGate, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    if transaction.asking.isClient {
      let decision = decide(transaction.asking, policy, gate, at: now)
      guard isPassed(decision, gate) else {
        deny(transaction.asking, decision, gate, at: now)
        return
      }
    }
    retry(transaction, after: failure, at: now, using: &generator)
  }

  /// The next upstream in order, until the tries are used up or every upstream has answered with a failure.
  private mutating func retry(
    _ transaction: Transaction, after failure: UpstreamFailure, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    var next = transaction
    next.lastFailure = failure
    if failure != .timeout {
      counters.upstreamFailures += 1
      next.failures += 1
    }
    guard next.tries < settings.triesMax, next.failures < settings.upstreams.count else {
      giveUp(next, at: now)
      return
    }
    next.isTCP = false
    next.upstream = (next.upstream + 1) % settings.upstreams.count
    send(next, at: now, using: &generator)
  }

  private mutating func giveUp(_ transaction: Transaction, at now: Moment) {
    let asking = transaction.asking
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

  private mutating func accept(
    _ message: Message, of transaction: Transaction, _ decision: Decision, _ policy: RuleSet, at now: Moment
  ) {
    let asking = transaction.asking
    let answer: Answer
    do {
      answer = try Answer.validate(
        message, type: asking.type, isDNSSECWanted: asking.isDNSSECWanted,
        resolver: settings.upstreams[transaction.upstream])
    } catch {
      counters.invalidAnswers += 1
      fail(asking, DNSReason.invalidAnswer, .invalidData, error.text, at: now)
      return
    }
    guard asking.isClient else {
      daemonAnswered(asking, answer)
      return
    }
    cache.store(answer, asking.name, asking.type, asking.cacheVariant, at: now.instant)
    give(answer, age: 0, to: asking, decision, isCached: false, policy, at: now)
  }
}
