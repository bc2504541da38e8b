import Addressing
import DNSWire

/// An answer of an upstream that was understood, composed anew: only the question's chain of aliases and the records at
/// its end are left of it.
struct Answer: Sendable {
  /// Without OPT; header flags hold RCODE and AD alone.
  var reply: Reply
  var responseCode: ResponseCode
  /// In the order of the message.
  var addresses: [AnsweredAddress]
  /// The end of the chain; nil without aliases.
  var canonicalName: DomainName?
  /// Seconds it may be reused; 0: not at all.
  var lifetime: UInt32
  var resolver: Endpoint
}

/// Why an answer is not passed on (T8).
enum AnswerFault: Error, Hashable, Sendable {
  case aliasLoop
  case aliasChainTooLong
  /// Two aliases of one name, or one that the chain does not reach.
  case aliasOutsideChain
  /// An address whose name the question does not lead to.
  case addressOutsideChain
  case tooManyAddresses
  /// Records where the response code says there are none.
  case contradiction
  case malformed(WireError)

  var text: String {
    switch self {
    case .aliasLoop: "the answer's aliases form a loop"
    case .aliasChainTooLong: "the answer has too many aliases"
    case .aliasOutsideChain: "the answer has an alias outside the question's chain"
    case .addressOutsideChain: "the answer has an address of another name"
    case .tooManyAddresses: "the answer has too many addresses"
    case .contradiction: "the answer has records for a name it says does not exist"
    case .malformed: "the answer is malformed"
    }
  }
}

extension Answer {
  /// Makes an answer of a response whose question was already found to be ours.
  static func validate(
    _ message: Message, type: RecordType, isDNSSECWanted: Bool, resolver: Endpoint
  ) throws(AnswerFault) -> Answer {
    guard let question = message.question else { throw .contradiction }
    let chain = try AliasChain.follow(message)
    try refuseStrayAddresses(message, chain)

    var header = Header(id: 0)
    header.responseCode = message.header.responseCode
    header.isAuthenticData = message.header.isAuthenticData
    var composer = MessageComposer(
      header, questionIn: Header.length..<question.end, of: message.bytes,
      reserving: min(message.bytes.count + 64, Int(UInt16.max)))
    var lifetime = DNSProxySettings.ttlMax
    var addresses: [AnsweredAddress] = []
    var found = type == .cname && !chain.records.isEmpty
    do throws(WireError) {
      for index in chain.records {
        let record = message.records[index]
        lifetime = min(lifetime, record.ttl)
        try composer.append(record, of: message, ttl: min(record.ttl, DNSProxySettings.ttlMax))
      }
      for record in message.records where record.section == .answer && record.recordClass == .in {
        let isSignature = isDNSSECWanted && record.type == .rrsig && type != .rrsig
        if isSignature {
          // What was rewritten is no longer what was signed.
          guard !composer.didRewrite, chain.contains(record.ownerOffset, in: message) else { continue }
        } else {
          guard record.type == type, type != .cname, message.namesAreEqual(record.ownerOffset, chain.end) else {
            continue
          }
        }
        let ttl = min(record.ttl, DNSProxySettings.ttlMax)
        lifetime = min(lifetime, ttl)
        try composer.append(record, of: message, ttl: ttl)
        if isSignature { continue }
        found = true
        if let address = message.address(of: record) { addresses.append(AnsweredAddress(address, ttl: ttl)) }
      }
      if !found {
        // Reused only by the word of a SOA (RFC 2308 §5).
        let soa = message.records.first {
          $0.section == .authority && $0.type == .soa && $0.recordClass == .in
            && message.name(at: chain.end, isWithin: $0.ownerOffset)
        }
        if let soa, let minimum = message.negativeTTL(of: soa) {
          let ttl = min(soa.ttl, minimum, DNSProxySettings.ttlMax)
          lifetime = min(lifetime, ttl, DNSProxySettings.negativeTTLMax)
          try composer.append(soa, of: message, ttl: ttl)
        } else {
          lifetime = 0
        }
      }
    } catch {
      throw .malformed(error)
    }
    guard !(found && message.responseCode == .nameError) else { throw .contradiction }
    guard addresses.count <= DNSProxySettings.answerAddressesMax else { throw .tooManyAddresses }
    var reply = Reply(composed: composer.bytes, questionEnd: question.end)
    if composer.didRewrite { reply.flags &= ~0x0020 }
    return Answer(
      reply: reply, responseCode: message.responseCode, addresses: addresses,
      canonicalName: chain.records.isEmpty ? nil : message.name(at: chain.end), lifetime: lifetime,
      resolver: resolver)
  }

  /// An address at another name than the end of the chain spoils the message, in whatever section it stands. Only the
  /// additional section may hold addresses of names that records of the message point at (a name server, the exchange
  /// of an MX, the target of an SRV); they are dropped with the section.
  private static func refuseStrayAddresses(_ message: Message, _ chain: AliasChain) throws(AnswerFault) {
    for record in message.records where record.type.isAddress {
      if message.namesAreEqual(record.ownerOffset, chain.end) { continue }
      guard record.section == .additional else { throw .addressOutsideChain }
      let isReferred = message.records.contains { other in
        guard other.type != .cname, let target = message.referenceOffset(of: other) else { return false }
        return message.namesAreEqual(target, record.ownerOffset)
      }
      guard isReferred else { throw .addressOutsideChain }
    }
  }
}
