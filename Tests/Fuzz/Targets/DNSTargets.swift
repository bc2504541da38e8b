import DNSWire

extension FuzzTarget {
  /// Parsing alone: what is read lies inside the octets, and the two parsers agree.
  static let dnsMessage = FuzzTarget(name: "dns-message", octetsMax: 1_024) { octets in
    let query = try? Query.parse(octets)
    guard let message = try? Message.parse(octets) else {
      require(query == nil, "what is no message was read as a query")
      return
    }
    if let question = message.question {
      require(question.end <= octets.count, "a question behind the end")
      checkName(message.name(at: Header.length))
    }
    for record in message.records {
      require(record.rdata.upperBound <= octets.count, "data behind the end")
      checkName(message.name(at: record.ownerOffset))
      if let target = message.targetOffset(of: record) { checkName(message.name(at: target)) }
      if let reference = message.referenceOffset(of: record) { checkName(message.name(at: reference)) }
      _ = message.negativeTTL(of: record)
      require((message.address(of: record) != nil) == record.type.isAddress, "an address without one")
    }
    if let query { require(query.edns == message.edns, "two readings of OPT") }
  }

  /// Composing what was parsed: it reads back as the same, shorter or longer, and never with an encrypted hello or hints.
  static let dnsComposer = FuzzTarget(name: "dns-composer", octetsMax: 1_024) { octets in
    guard let message = try? Message.parse(octets), let question = message.question else { return }
    var composer = MessageComposer(message.header, questionIn: Header.length..<question.end, of: octets)
    // A compressed question cannot be taken over as it stands.
    guard octets[Header.length..<question.end - 4].allSatisfy({ $0 < 0xc0 }) else { return }
    var taken: [ResourceRecord] = []
    for record in message.records {
      do {
        try composer.append(record, of: message, ttl: record.ttl)
        taken.append(record)
      } catch {
        return
      }
    }
    guard let again = try? Message.parse(composer.bytes) else { fatalError("our own message does not parse") }
    require(again.records.count == taken.count, "records were lost")
    for (old, new) in zip(taken, again.records) {
      require(old.type == new.type && old.ttl == new.ttl && old.section == new.section, "another record")
      require(message.name(at: old.ownerOffset) == again.name(at: new.ownerOffset), "another owner")
      require(message.address(of: old) == again.address(of: new), "another address")
      if let from = message.targetOffset(of: old), let to = again.targetOffset(of: new) {
        require(message.name(at: from) == again.name(at: to), "another target")
      }
      if new.type.isServiceBinding { require(!hasHints(again, new), "a hint or an encrypted hello was left") }
    }
    // Once more gives the same octets: nothing of a message can travel through us but what was understood.
    var second = MessageComposer(again.header, questionIn: Header.length..<question.end, of: again.bytes)
    for record in again.records { try? second.append(record, of: again, ttl: record.ttl) }
    require(Array(second.bytes[12...]) == Array(composer.bytes[12...]), "composing is not stable")
  }

  private static func checkName(_ name: DomainName) {
    require(name.wire.count <= DomainName.wireLengthMax && name.wire.last == 0, "an impossible name")
    require(DomainName(name.description) == name, "a name that does not read back: \(name)")
  }

  private static func hasHints(_ message: Message, _ record: ResourceRecord) -> Bool {
    var at = record.rdata.lowerBound + 2
    while message.bytes[at] != 0 { at += 1 + Int(message.bytes[at]) }
    at += 1
    while at < record.rdata.upperBound {
      if (4...6).contains(word(message.bytes, at)) { return true }
      at += 4 + Int(word(message.bytes, at + 2))
    }
    return false
  }
}
