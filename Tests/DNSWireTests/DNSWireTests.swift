import Addressing
import DNSWire
import Testing

@Suite struct MessageTests {
  @Test func richAnswerParses() throws {
    let message = try Message.parse(richAnswer)
    #expect(message.header.id == 0x1234)
    #expect(message.header.isResponse && message.header.isRecursionDesired && message.header.isRecursionAvailable)
    #expect(message.responseCode == .noError)
    #expect(message.question?.type == .a && message.question?.recordClass == .in)
    #expect(message.records.map(\.type.description) == ["CNAME", "A", "MX", "HTTPS", "NAPTR", "SOA", "AAAA"])
    #expect(message.edns?.payloadSize == 1232 && message.edns?.isDNSSECWanted == true)
    #expect(message.name(at: message.records[1].ownerOffset).description == "edge.example.com")
    #expect(message.address(of: message.records[1]) == IPAddress("198.51.100.7"))
    #expect(message.negativeTTL(of: message.records[5]) == 0x0101_0101)
    let target = try #require(message.targetOffset(of: message.records[0]))
    #expect(message.namesAreEqual(target, message.records[1].ownerOffset))
    #expect(message.name(at: target, isWithin: 16))
    #expect(!message.name(at: 16, isWithin: target))
  }

  @Test func everyCutIsRefused() throws {
    for length in 0..<richAnswer.count {
      #expect(throws: WireError.self, "cut to \(length)") { try Message.parse(Array(richAnswer[..<length])) }
    }
  }

  struct Case: CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var reason: WireError.Reason
  }

  static let hostile: [Case] = [
    Case(testDescription: "no octets", bytes: [], reason: .endsEarly),
    Case(
      testDescription: "a pointer to itself", bytes: header(0, 1, 0, 0) + record([0xc0, 12], 1, [1, 2, 3, 4]),
      reason: .pointerForward),
    Case(
      testDescription: "two pointers that point at each other",
      bytes: header(0, 2, 0, 0) + record(wire("a"), 5, [0xc0, 27]) + record([0xc0, 25], 5, [0xc0, 12]),
      reason: .pointerForward),
    Case(
      testDescription: "a pointer forwards", bytes: header(0, 1, 0, 0) + record([0xc0, 20], 1, [1, 2, 3, 4]),
      reason: .pointerForward),
    Case(
      testDescription: "a pointer into the header", bytes: header(0, 1, 0, 0) + record([0xc0, 4], 1, [1, 2, 3, 4]),
      reason: .pointerForward),
    Case(
      testDescription: "labels that run back into themselves",
      bytes: header(1, 1, 0, 0) + question("a.b") + record([1, 0x61, 0xc0, 21], 1, [1, 2, 3, 4]),
      reason: .pointerForward),
    Case(
      testDescription: "a compressed question", bytes: header(1, 0, 0, 0) + [0xc0, 12] + word(1) + word(1),
      reason: .dataCompressed),
    Case(
      testDescription: "label type 01", bytes: header(1, 0, 0, 0) + [0x41] + question("a"), reason: .labelType),
    Case(
      testDescription: "a name of 256 octets",
      bytes: header(1, 0, 0, 0)
        + question(Array(repeating: String(repeating: "a", count: 50), count: 5).joined(separator: ".")),
      reason: .nameTooLong),
    Case(
      testDescription: "a name that grows past 255 by a pointer",
      bytes: header(1, 1, 0, 0)
        + question(Array(repeating: String(repeating: "a", count: 48), count: 5).joined(separator: "."))
        + record([9] + [UInt8](repeating: 0x62, count: 9) + [0xc0, 12], 1, [1, 2, 3, 4]), reason: .nameTooLong),
    Case(
      testDescription: "two questions", bytes: header(2, 0, 0, 0) + question("a") + question("b"),
      reason: .questionCount),
    Case(
      testDescription: "65535 records in no octets", bytes: header(1, 65535, 65535, 65535) + question("a"),
      reason: .recordCount),
    Case(testDescription: "a trailing octet", bytes: header(1, 0, 0, 0) + question("a") + [0], reason: .trailing),
    Case(
      testDescription: "an A record of five octets",
      bytes: header(1, 1, 0, 0) + question("a") + record(toQuestion, 1, [1, 2, 3, 4, 5]), reason: .dataLength),
    Case(
      testDescription: "an AAAA record of four octets",
      bytes: header(1, 1, 0, 0) + question("a") + record(toQuestion, 28, [1, 2, 3, 4]), reason: .dataLength),
    Case(
      testDescription: "octets after an alias",
      bytes: header(1, 1, 0, 0) + question("a") + record(toQuestion, 5, wire("b") + [0]), reason: .dataLength),
    Case(
      testDescription: "an alias that reads on into the next record",
      bytes: header(1, 2, 0, 0) + question("a") + record(toQuestion, 5, [1]) + record([0], 1, [1, 2, 3, 4]),
      reason: .dataLength),
    Case(
      testDescription: "two OPT records", bytes: header(1, 0, 0, 2) + question("a") + opt + opt, reason: .repeatedOPT),
    Case(
      testDescription: "OPT in the answer section", bytes: header(1, 1, 0, 0) + question("a") + opt,
      reason: .misplacedOPT),
    Case(
      testDescription: "OPT with an owner", bytes: header(1, 0, 0, 1) + question("a") + wire("a") + Array(opt[1...]),
      reason: .misplacedOPT),
    Case(
      testDescription: "an option longer than OPT",
      bytes: header(1, 0, 0, 1) + question("a") + Array(opt[..<9]) + word(4) + word(8) + word(1), reason: .dataLength),
    Case(
      testDescription: "an extended error without a code",
      bytes: header(1, 0, 0, 1) + question("a") + Array(opt[..<9]) + word(4) + word(15) + word(0), reason: .dataLength),
  ]

  @Test(arguments: hostile) func hostileMessageIsRefusedWithItsReason(_ hostile: Case) {
    #expect {
      try Message.parse(hostile.bytes)
    } throws: { error in
      (error as? WireError)?.reason == hostile.reason
    }
  }

  @Test func mutatedMessagesNeverCrash() throws {
    var generator = SeededGenerator(state: 20)
    var parsed = 0
    for _ in 0..<20_000 {
      var bytes = richAnswer
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      _ = try? Query.parse(bytes)
      guard let message = try? Message.parse(bytes), let question = message.question else { continue }
      parsed += 1
      var composer = MessageComposer(message.header, questionIn: 12..<question.end, of: message.bytes)
      do {
        for record in message.records { try composer.append(record, of: message, ttl: record.ttl) }
        // Whatever was composed is well formed.
        var reply = Reply(composed: composer.bytes, questionEnd: question.end)
        reply.lowerTTLs(age: 7, limit: 60)
        let again = try Message.parse(reply.bytes)
        #expect(again.records.allSatisfy { $0.ttl <= 60 })
        #expect(again.records.count == message.records.count)
      } catch {}
    }
    #expect(parsed > 1_000)
  }

  @Test func randomOctetsNeverCrash() {
    var generator = SeededGenerator(state: 4)
    for _ in 0..<20_000 {
      // Mostly small numbers, so that counts and lengths are often believable.
      let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { index in
        let ranges: [ClosedRange<UInt8>] = index < 12 ? [0...2] : [0...3, 0...255, 192...193]
        return UInt8.random(in: ranges[Int.random(in: 0..<ranges.count, using: &generator)], using: &generator)
      }
      _ = try? Message.parse(bytes)
      _ = try? Query.parse(bytes)
    }
  }
}

@Suite struct ComposerTests {
  @Test func recomposedMessageSaysTheSameInNoMoreOctets() throws {
    let message = try Message.parse(richAnswer)
    let end = try #require(message.question?.end)
    var composer = MessageComposer(message.header, questionIn: 12..<end, of: message.bytes)
    for record in message.records { try composer.append(record, of: message, ttl: record.ttl) }
    #expect(composer.didRewrite)
    let again = try Message.parse(composer.bytes)
    #expect(composer.bytes.count <= richAnswer.count)
    for (before, after) in zip(message.records, again.records) {
      #expect(message.name(at: before.ownerOffset) == again.name(at: after.ownerOffset))
      #expect((before.type, before.ttl) == (after.type, after.ttl))
      #expect(message.address(of: before) == again.address(of: after))
      if let reference = message.referenceOffset(of: before) {
        let other = try #require(again.referenceOffset(of: after))
        #expect(message.name(at: reference) == again.name(at: other))
      }
    }
    #expect(again.negativeTTL(of: again.records[5]) == 0x0101_0101)
  }

  @Test func dataThatEndsInsideANameIsRefused() throws {
    let cases: [(String, Int, [UInt8])] = [
      ("MX without exchange", 15, word(10)), ("MX with octets left", 15, word(10) + wire("a") + [0]),
      ("SOA without numbers", 6, wire("a") + wire("b")), ("SRV cut", 33, [0, 1]), ("NAPTR cut", 35, [0, 1, 0]),
      ("NAPTR string past the end", 35, word(1) + word(1) + [200]), ("NS past the end", 2, [3, 0x61]),
    ]
    for (what, type, data) in cases {
      let message = try Message.parse(header(1, 1, 0, 0) + question("a.b") + record(toQuestion, type, data))
      var composer = MessageComposer(message.header, questionIn: 12..<21, of: message.bytes)
      #expect(throws: WireError.self, "\(what)") { try composer.append(message.records[0], of: message, ttl: 1) }
    }
  }

  @Test func queryOfOursIsAQuery() throws {
    var header = Header(id: 7)
    header.isRecursionDesired = true
    let name = try #require(DomainName("Www.Example.com"))
    var composer = MessageComposer(header, name: name, type: .aaaa)
    composer.append(EDNS(payloadSize: 1232, isDNSSECWanted: true))
    let query = try Query.parse(composer.bytes)
    #expect(query.name.wire == name.wire)
    #expect(query.type == .aaaa && query.recordClass == .in)
    #expect(query.edns == EDNS(payloadSize: 1232, isDNSSECWanted: true))
    #expect(query.header.flags == 0x0100)
  }

  @Test func extendedErrorReadsBack() throws {
    let query = header(flags: 0x0100, 1, 0, 0, 0) + question("x.test")
    var reply = Reply(to: query, questionEnd: query.count, flags: 0x8183)
    reply.id = 9
    var edns = EDNS(payloadSize: 1232)
    edns.extendedError = ExtendedError(.blocked, Array("no".utf8))
    reply.append(edns)
    let message = try Message.parse(reply.bytes)
    #expect(message.header.id == 9 && message.responseCode == .nameError)
    #expect(message.edns?.extendedError == ExtendedError(.blocked, Array("no".utf8)))
  }

  @Test func truncatedReplyKeepsOnlyTheQuestion() throws {
    let message = try Message.parse(richAnswer)
    let end = try #require(message.question?.end)
    var composer = MessageComposer(message.header, questionIn: 12..<end, of: message.bytes)
    for record in message.records { try composer.append(record, of: message, ttl: 5) }
    var reply = Reply(composed: composer.bytes, questionEnd: end)
    reply.truncate()
    let short = try Message.parse(reply.bytes)
    #expect(short.header.isTruncated && short.records.isEmpty && short.question != nil)
  }
}

@Suite struct ServiceBindingTests {
  static func parameter(_ key: Int, _ value: [UInt8]) -> [UInt8] { word(key) + word(value.count) + value }

  /// The data of the only record after rewriting; nil when refused.
  func rewritten(_ data: [UInt8]) throws -> [UInt8]? {
    let message = try Message.parse(header(1, 1, 0, 0) + question("a.b", 65) + record(toQuestion, 65, data))
    var composer = MessageComposer(message.header, questionIn: 12..<21, of: message.bytes)
    guard (try? composer.append(message.records[0], of: message, ttl: 1)) != nil else { return nil }
    let again = try Message.parse(composer.bytes)
    return Array(again.bytes[again.records[0].rdata])
  }

  @Test func encryptedHelloAndHintsAreTakenOut() throws {
    let head = word(1) + wire("svc.example")
    let alpn = Self.parameter(1, [2] + Array("h2".utf8))
    let port = Self.parameter(3, word(8443))
    let dohpath = Self.parameter(7, Array("/q".utf8))
    let cases: [(String, [UInt8], [UInt8]?)] = [
      ("nothing to take out", head + alpn + port, head + alpn + port),
      ("ech", head + alpn + Self.parameter(5, [1, 2, 3]), head + alpn),
      (
        "both hints and ech between",
        head + alpn + port + Self.parameter(4, [198, 51, 100, 66]) + Self.parameter(5, [])
          + Self.parameter(6, [UInt8](repeating: 1, count: 16)) + dohpath, head + alpn + port + dohpath
      ),
      (
        "mandatory keeps the rest",
        head + Self.parameter(0, word(1) + word(4)) + alpn + Self.parameter(4, [1, 2, 3, 4]),
        head + Self.parameter(0, word(1)) + alpn
      ),
      ("mandatory goes when empty", head + Self.parameter(0, word(5)) + Self.parameter(5, [1]), head),
      ("alias mode", word(0) + wire("other.example"), word(0) + wire("other.example")),
      ("keys out of order", head + port + alpn, nil), ("a key twice", head + port + port, nil),
      ("a value past the end", head + word(1) + word(9) + [1], nil), ("half a key", head + [0], nil),
      ("odd mandatory", head + Self.parameter(0, [1]), nil), ("a compressed target", word(1) + [0xc0, 12], nil),
      ("no target", word(1), nil), ("a target past the end", word(1) + [9, 1], nil),
    ]
    for (what, data, expected) in cases {
      let found = try rewritten(data)
      #expect(found == expected, "\(what)")
    }
  }
}

@Suite struct DomainNameTests {
  @Test func caseIsIgnoredByEqualityAndHashAndKept() throws {
    let upper = try #require(DomainName("WWW.Example.COM"))
    let lower = try #require(DomainName("www.example.com."))
    #expect(upper == lower && upper.hashValue == lower.hashValue)
    #expect(upper.wire != lower.wire)
    #expect(upper.description == "www.example.com")
    #expect(DomainName("ww.wexample.com") != lower)
  }

  @Test func textOfAnyNameReadsBack() throws {
    var generator = SeededGenerator(state: 3)
    for _ in 0..<500 {
      var name: [UInt8] = []
      for _ in 0..<Int.random(in: 0...4, using: &generator) {
        let label = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        name += [UInt8(label.count)] + label
      }
      let before = DomainName(checkedWire: name + [0])
      #expect(DomainName(before.description) == before)
    }
  }
}

@Suite struct CodePointTests {
  @Test func namesAreThoseOfIANA() {
    #expect(RecordType.https.description == "HTTPS")
    #expect(RecordType(rawValue: 65280).description == "TYPE65280")
    #expect(RecordClass.chaos.description == "CH")
    #expect(ResponseCode.nameError.description == "NXDOMAIN")
    #expect(ExtendedErrorCode.blocked.description == "Blocked")
    for type in [RecordType.any, .axfr, .ixfr, .opt] { #expect(type.isMeta) }
    for type in [RecordType.a, .https, .txt, .null] { #expect(!type.isMeta) }
  }
}
