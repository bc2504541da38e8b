// differential dns|json|addresses|decisions FILE: what this project's parsers and deciders make of the lines of a file, one line of JSON each, for the tests beside
// this that compare it with independent implementations.
//
//   dns         a message in hexadecimal: {"error": why} or what was read, and the message composed anew
//   json        a text in hexadecimal: {"error": why} or {"text": the value written back, in hexadecimal}
//   addresses   an address or block: null or {"text": its canonical form}
//   decisions   first a policy, then addresses: the rule that decides port 443/tcp of each
import Addressing
import DNSWire
import EgressPolicy
import JSONText
import LinuxIO
import Timekeeping

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

func octets(_ text: some StringProtocol) -> [UInt8] {
  let digits = text.utf8.map { $0 >= 0x61 ? $0 - 0x57 : $0 - 0x30 }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func number(_ value: some BinaryInteger) -> JSONValue { .number("\(value)") }

func object(_ members: (String, JSONValue)...) -> JSONValue { .object(members.map { JSONMember($0.0, $0.1) }) }

/// Names in hexadecimal wire form and lower case: no spelling of text is compared.
func name(_ name: DomainName) -> JSONValue { .string(hexadecimal(name.lowercase.wire)) }

func read(_ bytes: [UInt8]) -> JSONValue {
  let message: Message
  do throws(WireError) {
    message = try Message.parse(bytes)
  } catch {
    return object(("error", .string("\(error.reason)")), ("offset", number(error.offset)))
  }
  var records: [JSONValue] = []
  for record in message.records {
    var members: [(String, JSONValue)] = [
      ("section", number(record.section.rawValue)), ("owner", name(message.name(at: record.ownerOffset))),
      ("type", number(record.type.rawValue)), ("class", number(record.recordClass.rawValue)),
      ("ttl", number(record.ttl)),
    ]
    if let address = message.address(of: record) { members.append(("address", .string(address.description))) }
    if record.type == .cname, let target = message.targetOffset(of: record) {
      members.append(("target", name(message.name(at: target))))
    }
    if record.type == .soa, let ttl = message.negativeTTL(of: record) { members.append(("minimum", number(ttl))) }
    records.append(.object(members.map { JSONMember($0.0, $0.1) }))
  }
  var members: [(String, JSONValue)] = [
    ("id", number(message.header.id)), ("flags", number(message.header.flags)),
    ("code", number(message.responseCode.rawValue)), ("records", .array(records)),
  ]
  if let question = message.question {
    members.append(
      (
        "question",
        .array([
          name(message.name(at: Header.length)), number(question.type.rawValue), number(question.recordClass.rawValue),
        ])
      ))
    if let composed = composed(message, question) { members.append(("composed", .string(hexadecimal(composed)))) }
  }
  if let edns = message.edns {
    members.append(("payload", number(edns.payloadSize)))
    members.append(("wantsDNSSEC", .bool(edns.isDNSSECWanted)))
    if let error = edns.extendedError {
      members.append(("extendedError", .array([number(error.code.rawValue), .string(hexadecimal(error.text))])))
    }
  }
  return .object(members.map { JSONMember($0.0, $0.1) })
}

/// Nil: the question is compressed, or a record's data cannot be taken over.
func composed(_ message: Message, _ question: Question) -> [UInt8]? {
  let bytes = message.bytes
  guard bytes[Header.length..<question.end - 4].allSatisfy({ $0 < 0xc0 }) else { return nil }
  var header = message.header
  header.answerCount = 0
  header.authorityCount = 0
  header.additionalCount = 0
  var composer = MessageComposer(header, questionIn: Header.length..<question.end, of: bytes)
  for record in message.records {
    guard (try? composer.append(record, of: message, ttl: record.ttl)) != nil else { return nil }
  }
  return composer.bytes
}

func value(_ bytes: [UInt8]) -> JSONValue {
  do throws(JSONError) {
    return object(("text", .string(hexadecimal(try JSONValue.parse(bytes).json()))))
  } catch {
    return object(("error", .string(error.reason)))
  }
}

func address(_ text: String) -> JSONValue {
  if let address = IPAddress(text) { return object(("text", .string(address.description))) }
  return CIDRBlock(text).map { object(("text", .string($0.description))) } ?? .null
}

func decisions(_ lines: [String]) throws -> [JSONValue] {
  guard let first = lines.first else { return [] }
  let rules = RuleSet(try PolicyDocument.parse(Array(first.utf8)), revision: 1)
  return lines.dropFirst().map { text in
    guard let address = IPAddress(text) else { return .null }
    let rule = rules.decide(nil, address, port: 443, transport: .tcp, at: SystemTime.wall())
    return object(("isAllowed", .bool(rule.action == .allow)), ("rule", .string(rule.text)))
  }
}

let words = ProcessEnvironment.arguments()
guard words.count == 2, ["dns", "json", "addresses", "decisions"].contains(words[0]) else {
  try? StandardStreams.error.write("differential: dns, json, addresses or decisions, and a FILE are needed\n")
  ProcessIdentity.exit(2)
}
let text = String(decoding: try File.readWhole(words[1], limit: 1 << 28), as: UTF8.self)
let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
let found: [JSONValue] =
  switch words[0] {
  case "dns": lines.map { read(octets($0)) }
  case "json": lines.map { value(octets($0)) }
  case "addresses": lines.map { address($0) }
  default: try decisions(lines)
  }
for line in found { try StandardStreams.output.write(String(decoding: line.json(), as: UTF8.self) + "\n") }
