import Addressing
import DNSProxy
import Timekeeping

/// Resolvers that answer, lie, lose and repeat.
struct SimulatedUpstream {
  struct Answer {
    var delay: TimeSpan
    var bytes: [UInt8]
    var from: Endpoint
    var isTCP: Bool
  }

  var generator: SeededGenerator

  /// What comes back for a query, and what of it is true: pairs of the asked name and an address, with the TTL.
  mutating func answer(
    _ query: UpstreamQuery, _ plan: FaultPlan
  ) -> (answers: [Answer], truths: [(address: IPAddress, ttl: UInt32)]) {
    guard let question = NaiveDNS.question(query.bytes) else { return ([], []) }
    let delay = TimeSpan.microseconds(Int64(generator.number(200...60_000)))
    if generator.chance(plan.answerLost) { return ([], []) }
    func reply(_ bytes: [UInt8], after delay: TimeSpan) -> Answer {
      Answer(delay: delay, bytes: bytes, from: query.upstream, isTCP: query.isTCP)
    }
    if !query.isTCP, generator.chance(plan.answerTruncated) {
      return ([reply(NaiveDNS.response(to: question, isTruncated: true), after: delay)], [])
    }
    if generator.chance(plan.answerFails) {
      return ([reply(NaiveDNS.response(to: question, code: generator.pick([2, 5])), after: delay)], [])
    }
    var answers: [Answer] = []
    if generator.chance(plan.answerLies) {
      let lie = lie(about: question, query)
      answers.append(Answer(delay: delay / 2, bytes: lie.bytes, from: lie.from, isTCP: query.isTCP))
      if lie.spoils { return (answers, []) }
    }
    let (records, code) = records(for: question)
    let bytes = NaiveDNS.response(to: question, code: code, answers: records)
    answers.append(reply(bytes, after: delay))
    if generator.chance(plan.answerDuplicated) { answers.append(reply(bytes, after: delay * 2)) }
    let truths = records.compactMap { record in
      record.type == NaiveDNS.typeCNAME ? nil : IPAddress(bytes: record.data).map { ($0, record.ttl) }
    }
    return (answers, truths)
  }

  private mutating func records(for question: NaiveDNS.Question) -> ([NaiveDNS.Record], UInt8) {
    let ttl = generator.pick([0, 1, 3, 10, 60] as [UInt32])
    var addresses: [IPAddress]
    var owner = question.name
    var records: [NaiveDNS.Record] = []
    if question.name == Universe.hubName {
      addresses = Universe.hubAddresses
    } else if question.name == Universe.authorityName {
      addresses = Universe.authorityAddresses
    } else if let zone = Universe.zones.first(where: { $0.name == question.name }), !zone.addresses.isEmpty {
      addresses = zone.addresses.compactMap { IPAddress($0) }
      if let alias = zone.alias {
        records.append(
          NaiveDNS.Record(owner: owner, type: NaiveDNS.typeCNAME, ttl: ttl, data: NaiveDNS.encode(alias)))
        owner = alias
      }
    } else {
      return ([], 3)
    }
    guard question.type == NaiveDNS.typeA || question.type == NaiveDNS.typeAAAA else { return ([], 0) }
    addresses.removeAll { $0.isIPv4 != (question.type == NaiveDNS.typeA) }
    // Some of them each time, so that names rotate.
    while addresses.count > 1, generator.chance(400) { addresses.remove(at: generator.number(0...addresses.count - 1)) }
    records += addresses.map { NaiveDNS.Record(owner: owner, type: question.type, ttl: ttl, data: $0.bytes) }
    return (records, 0)
  }

  private mutating func lie(
    about question: NaiveDNS.Question, _ query: UpstreamQuery
  ) -> (bytes: [UInt8], from: Endpoint, spoils: Bool) {
    let address = generator.pick(["192.0.2.200", "169.254.169.254"].compactMap { IPAddress($0) })
    let stray = NaiveDNS.Record(owner: question.name, type: NaiveDNS.typeA, ttl: 60, data: address.bytes)
    var bytes = NaiveDNS.response(to: question, answers: [stray])
    // Spelling is a secret over UDP only: nobody else writes into a stream.
    let kind = generator.number(0...4)
    switch kind == 1 && query.isTCP ? 0 : kind {
    case 0:
      bytes[1] ^= 0x55
      return (bytes, query.upstream, false)
    case 1:
      // Another spelling of the question.
      if let index = (13..<question.bytes.count).first(where: { (0x41...0x5a).contains(bytes[$0] & ~0x20) }) {
        bytes[index] ^= 0x20
      }
      return (bytes, query.upstream, false)
    case 2: return (bytes, Endpoint(.v4(IPv4Address(192, 0, 2, 250)), 53), false)
    case 3:
      // An address of somebody else, beside a true one.
      let other = NaiveDNS.Record(owner: "bank.test", type: NaiveDNS.typeA, ttl: 60, data: address.bytes)
      return (NaiveDNS.response(to: question, answers: [other]), query.upstream, true)
    default: return (Array(bytes.prefix(generator.number(0...bytes.count - 1))), query.upstream, true)
    }
  }
}
