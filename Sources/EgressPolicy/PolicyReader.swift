import Addressing
import JSONText
import Timekeeping

extension PolicyDocument {
  /// Reads a document. `{}` and `null` deny everything; a missing `defaultAction` or `action` is `deny`, as OpenSandbox has it. Actions are taken without case and
  /// white space around them, targets are not. Of rules that can never match because an earlier one has the same target, equal or all ports, and
  /// lasts as long, only the earlier is kept.
  package static func parse(
    _ bytes: [UInt8], limits: PolicyLimits = .standard
  ) throws(PolicyProblems) -> PolicyDocument {
    var reader = PolicyReader(bytes, limits)
    return try reader.read { reader throws(JSONError) in try reader.document() }
  }

  /// Reads the body of PATCH: an array of rules, not empty.
  package static func parseRules(
    _ bytes: [UInt8], limits: PolicyLimits = .standard
  ) throws(PolicyProblems) -> RuleList {
    var reader = PolicyReader(bytes, limits)
    return try reader.read { reader throws(JSONError) in
      let token = try reader.json.next()
      guard token == .beginArray else {
        reader.report(token == .null ? "empty array" : "expected an array of rules")
        return []
      }
      try reader.rules("$")
      if reader.count == 0 { reader.report("empty array", "$") }
      return reader.list.rules
    }
  }

  /// Reads the body of DELETE: an array of targets, not empty, as they were written. What is no target is passed on: it removes nothing.
  package static func parseTargets(
    _ bytes: [UInt8], limits: PolicyLimits = .standard
  ) throws(PolicyProblems) -> [String] {
    var reader = PolicyReader(bytes, limits)
    return try reader.read { reader throws(JSONError) in
      var targets: [String] = []
      var token = try reader.json.next()
      guard token == .beginArray else {
        reader.report(token == .null ? "empty array" : "expected an array of targets")
        return []
      }
      token = try reader.json.next()
      while token != .endArray {
        if token == .string {
          targets.append(reader.json.string)
        } else {
          reader.report("expected a string\(reader.found(token))")
          try reader.json.skip(token)
        }
        token = try reader.json.next()
      }
      if targets.isEmpty { reader.report("empty array", "$") }
      return targets
    }
  }
}

/// Reads policies token by token, collecting problems with their paths.
struct PolicyReader {
  var json: JSONReader
  /// The rules so far.
  var list: DistinctRules
  /// Rules that came, duplicates and refused ones too.
  private(set) var count = 0
  /// The port read last.
  var lastPorts: (text: String, ports: PortSet)?
  private var problems: [PolicyProblem] = []
  private let limits: PolicyLimits
  private let size: Int

  init(_ bytes: [UInt8], _ limits: PolicyLimits) {
    json = JSONReader(bytes, limits: JSONLimits(depthMax: limits.depthMax, sizeMax: limits.bodyMax))
    self.limits = limits
    size = bytes.count
    list = DistinctRules(ofOctets: min(size, limits.bodyMax))
  }

  /// Runs `body` and what must follow it: the end of the text, and no problems.
  mutating func read<Result>(_ body: (inout Self) throws(JSONError) -> Result) throws(PolicyProblems) -> Result {
    if size > limits.bodyMax {
      let reason = "policy of \(size) octets exceeds limit \(limits.bodyMax)"
      throw PolicyProblems([PolicyProblem(path: "$", reason: reason, isLimit: true)])
    }
    do {
      let result = try body(&self)
      while problems.isEmpty, try json.next() != .end {}
      if let problem = tooManyRules(count, limits) { throw PolicyProblems([problem]) }
      guard problems.isEmpty else { throw PolicyProblems(problems) }
      return result
    } catch let error as JSONError {
      problems.append(
        PolicyProblem(path: error.path, reason: "\(error.reason) (line \(error.line), column \(error.column))"))
      throw PolicyProblems(problems)
    } catch let error as PolicyProblems {
      throw error
    } catch {
      throw PolicyProblems(problems)
    }
  }

  mutating func document() throws(JSONError) -> PolicyDocument {
    var document = PolicyDocument.denyAll
    var token = try json.next()
    if token == .null { return document }
    guard token == .beginObject else {
      report("expected an object\(found(token))")
      return document
    }
    token = try json.next()
    while token == .key {
      let key = json.string
      token = try json.next()
      switch key {
      case "defaultAction":
        if let action = try action(token, "unsupported defaultAction") { document.defaultAction = action }
      case "egress":
        if token == .beginArray {
          try rules("$.egress")
        } else if token != .null {
          report("expected an array of rules\(found(token))")
          try json.skip(token)
        }
      default: try unknown(key, token, ["defaultAction", "egress"])
      }
      token = try json.next()
    }
    document.egress = list.rules
    return document
  }

  /// An array of rules, from behind its bracket.
  mutating func rules(_ path: String) throws(JSONError) {
    var token = try json.next()
    while token != .endArray {
      if token == .beginObject {
        try rule(path)
      } else {
        report("expected a rule: an object\(found(token))")
        try json.skip(token)
      }
      count += 1
      token = try json.next()
    }
  }

  /// `action`, `defaultAction`: `null` is as good as nothing. Nil when it was refused.
  mutating func action(_ token: JSONToken, _ complaint: String) throws(JSONError) -> PolicyAction? {
    switch token {
    case .null: return .deny
    case .string:
      switch trimmed(json.text).map(lowercaseASCII) {
      case [], Array("deny".utf8): return .deny
      case Array("allow".utf8): return .allow
      case let other: report("\(complaint) \(quoted(other))")
      }
    default:
      report("expected a string\(found(token))")
      try json.skip(token)
    }
    return nil
  }

  /// Adds a problem at `path`, by default the place of the last token.
  mutating func report(_ reason: String, _ path: String? = nil) {
    guard problems.count < PolicyProblems.countMax else { return }
    problems.append(PolicyProblem(path: path ?? json.path, reason: reason))
  }

  mutating func unknown(_ key: String, _ token: JSONToken, _ known: [String]) throws(JSONError) {
    let near = known.first { name in
      let (name, key) = (name.lowercased(), key.lowercased())
      return name == key || name == key + "s" || name + "s" == key
    }
    report("unknown member" + (near.map { ": is \"\($0)\" meant?" } ?? ", known are \(known.joined(separator: ", "))"))
    try json.skip(token)
  }

  func found(_ token: JSONToken) -> String {
    switch token {
    case .beginObject: ", not an object"
    case .beginArray: ", not an array"
    case .string: ", not a string"
    case .number: ", not a number"
    case .bool: ", not a boolean"
    case .null: ", not null"
    case .key, .endObject, .endArray, .end: ""
    }
  }
}

private func lowercaseASCII(_ octet: UInt8) -> UInt8 { octet &- 0x41 < 26 ? octet | 0x20 : octet }

/// Foreign text inside an error: in quotes, escaped, cut after 64 octets.
func quoted(_ text: [UInt8]) -> String {
  var writer = JSONWriter()
  writer.string(text.prefix(64))
  return String(decoding: writer.bytes, as: UTF8.self)
}
