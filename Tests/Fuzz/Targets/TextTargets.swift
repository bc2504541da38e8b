import Configuration
import EgressPolicy
import HTTPWire
import JSONText

extension FuzzTarget {
  /// JSON: what is accepted is written back and reads as the same.
  static let jsonText = FuzzTarget(name: "json-text", octetsMax: 4_096) { octets in
    guard let value = try? JSONValue.parse(octets) else { return }
    var writer = JSONWriter()
    writer.value(value)
    require((try? JSONValue.parse(writer.bytes)) == value, "JSON that does not read back")
  }

  static let policyDocument = FuzzTarget(name: "policy-document", octetsMax: 4_096) { octets in
    do throws(PolicyProblems) {
      let document = try PolicyDocument.parse(octets)
      let rules = RuleSet(document, revision: 1)
      require(rules.document.egress.count == document.egress.count, "rules were lost")
    } catch {
      require(!error.problems.isEmpty && error.problems.allSatisfy { !$0.reason.isEmpty }, "refused without a reason")
    }
  }

  /// `allow.always` and `deny.always`.
  static let policyList = FuzzTarget(name: "policy-list", octetsMax: 4_096) { octets in
    _ = try? AlwaysRules.parse(octets, file: "fuzz", action: .allow)
    _ = try? AlwaysRules.parseTargets(octets, file: "fuzz")
  }

  /// Requests: cut anywhere they read as when they come whole.
  static let httpRequest = FuzzTarget(name: "http-request", octetsMax: 4_096) { octets in
    let whole = requests(octets, pieces: octets.count)
    require(requests(octets, pieces: 1) == whole, "requests that depend on how they were cut")
  }

  private static func requests(_ octets: [UInt8], pieces: Int) -> [String] {
    var parser = RequestParser()
    var found: [String] = []
    var at = 0
    while at < octets.count {
      let next = min(octets.count, at + max(pieces, 1))
      parser.receive(Array(octets[at..<next]))
      at = next
      reading: while true {
        switch parser.next() {
        case .needMore: break reading
        case .continueExpected: continue
        case .request(let request): found.append("\(request.method) \(request.target) \(request.body.count)")
        case .fault(let fault):
          found.append("\(fault.response.status)")
          return found
        }
      }
    }
    return found
  }

  static let httpResponse = FuzzTarget(name: "http-response", octetsMax: 4_096) { octets in
    var parser = ResponseParser(to: "POST")
    parser.receive(octets)
    parser.connectionClosed()
    for _ in 0..<4 {
      if case .needMore = parser.next() { break }
    }
  }

  static let resolverFile = FuzzTarget(name: "resolver-file", octetsMax: 4_096) { octets in
    let file = ResolverFile.parse(octets)
    require(
      file.nameservers.count <= ResolverFile.nameserversMax && file.search.count <= ResolverFile.searchMax, "too many")
  }

  static let settingsFile = FuzzTarget(name: "settings-file", octetsMax: 4_096) { octets in
    _ = SettingsFile.parse(octets, path: "fuzz")
  }
}
