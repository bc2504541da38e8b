import Addressing
import Timekeeping

/// A policy, as a list that is walked from the front for each port.
package struct NaivePolicy: Hashable, Sendable {
  package struct Rule: Hashable, Sendable {
    package enum Target: Hashable, Sendable {
      case name(String)
      /// Every name that ends in this, a dot first.
      case below(String)
      /// The addresses that begin with these octets.
      case block(text: String, prefix: [UInt8], isIPv4: Bool)
      case everything
    }

    package var allows: Bool
    package var target: Target
    /// TCP ports; nil: everything.
    package var ports: [UInt16]?
    package var expires: WallTime?

    package init(_ allows: Bool, _ target: Target, ports: [UInt16]? = nil, expires: WallTime? = nil) {
      (self.allows, self.target, self.ports, self.expires) = (allows, target, ports, expires)
    }

    package var targetText: String {
      switch target {
      case .name(let name): name
      case .below(let suffix): "*" + suffix
      case .block(let text, _, _): text
      case .everything: "*"
      }
    }

    var isByName: Bool {
      switch target {
      case .name, .below: true
      case .block, .everything: false
      }
    }

    func matches(_ name: String?, _ address: IPAddress?) -> Bool {
      switch target {
      case .name(let own): name == own
      case .below(let suffix): name.map { $0.hasSuffix(suffix) } ?? false
      case .block(_, let prefix, let isIPv4):
        address.map { $0.isIPv4 == isIPv4 && $0.bytes.starts(with: prefix) } ?? false
      case .everything: true
      }
    }

    /// TCP is 6.
    func covers(port: UInt16, transport: UInt8) -> Bool { ports.map { transport == 6 && $0.contains(port) } ?? true }
  }

  package var allowsByDefault = false
  package var rules: [Rule] = []

  package init(allowsByDefault: Bool = false, _ rules: [Rule] = []) {
    self.allowsByDefault = allowsByDefault
    self.rules = rules
  }

  /// The first rule that matches decides. `latest`: rules count as expired only when they were so before it.
  func allows(
    _ name: String?, _ address: IPAddress, port: UInt16, transport: UInt8, at now: WallTime
  ) -> Bool {
    for rule in rules {
      if let expires = rule.expires, expires <= now { continue }
      guard rule.matches(name, address), rule.covers(port: port, transport: transport) else { continue }
      if rule.allows, rule.isByName, Universe.isSpecial(address) { continue }
      return rule.allows
    }
    return allowsByDefault
  }

  /// At any time from `earlier` to `later`.
  func allows(
    _ name: String?, _ address: IPAddress, port: UInt16, transport: UInt8, from earlier: WallTime, to later: WallTime
  ) -> Bool {
    let times = [earlier, later] + rules.compactMap(\.expires).filter { earlier <= $0 && $0 <= later }
    return times.contains { allows(name, address, port: port, transport: transport, at: $0) }
  }

  package var json: String {
    let rules = rules.map(\.json)
    return #"{"defaultAction":"\#(allowsByDefault ? "allow" : "deny")","egress":[\#(rules.joined(separator: ","))]}"#
  }
}

extension NaivePolicy.Rule {
  package var json: String {
    var members = [#""action":"\#(allows ? "allow" : "deny")""#, #""target":"\#(targetText)""#]
    if let ports { members.append(#""ports":[\#(ports.map { #""\#($0)/tcp""# }.joined(separator: ","))]"#) }
    if let expires { members.append(#""expiresAt":"\#(expires.description)""#) }
    return "{\(members.joined(separator: ","))}"
  }
}

extension NaivePolicy {
  /// Reads what the state directory keeps, by looking for words.
  init(kept bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    allowsByDefault = text.hasMatch(#""defaultAction":"allow""#)
    rules = text.pieces(after: #"{"action":""#).map { piece in
      let target = piece.value(of: "target")
      let ports = piece.pieces(after: #""ports":["#).first.map { list in
        list.prefix { $0 != "]" }.split(separator: ",").compactMap { UInt16($0.filter(\.isNumber)) }
      }
      return Rule(
        piece.hasPrefix("allow"), Rule.Target(target), ports: ports,
        expires: piece.hasMatch(#""expiresAt":"#) ? WallTime(piece.value(of: "expiresAt")) : nil)
    }
  }
}

extension NaivePolicy.Rule.Target {
  /// The blocks of the universe end at a whole octet.
  fileprivate init(_ text: String) {
    if text == "*" {
      self = .everything
    } else if text.hasPrefix("*") {
      self = .below(String(text.dropFirst()))
    } else if let block = CIDRBlock(text) {
      self = .block(
        text: text, prefix: Array(block.first.bytes.prefix(block.prefixLength / 8)), isIPv4: block.first.isIPv4)
    } else {
      self = .name(text)
    }
  }
}

extension String {
  fileprivate func hasMatch(_ word: String) -> Bool { find(Array(word.utf8), in: Array(utf8)) != nil }

  /// What follows each occurrence of a word, up to the next one.
  fileprivate func pieces(after word: String) -> [String] {
    let octets = Array(utf8)
    var starts: [Int] = []
    var at = 0
    while let start = find(Array(word.utf8), in: octets, from: at) {
      starts.append(start + word.utf8.count)
      at = start + 1
    }
    return starts.enumerated().map { index, start in
      let end = index + 1 < starts.count ? starts[index + 1] - word.utf8.count : octets.count
      return String(decoding: octets[start..<end], as: UTF8.self)
    }
  }

  fileprivate func value(of member: String) -> String {
    String(pieces(after: "\"\(member)\":\"").first?.prefix { $0 != "\"" } ?? "")
  }
}
