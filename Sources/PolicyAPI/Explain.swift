import Addressing
import DNSWire
import EgressPolicy
import HTTPWire
import JSONText
import Timekeeping

/// `GET /policy/explain?target=HOST&port=443&protocol=tcp`.
func explainCall(_ request: HTTPRequest) throws(Refusal) -> PolicyAPICall {
  guard let text = try single("target", request) else { throw Refusal(400, "target is missing") }
  guard let target = ExplainedTarget(text) else {
    throw Refusal(400, "target is neither a name nor an address; an international name is given as xn--")
  }
  var port: UInt16?
  if let text = try single("port", request) {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(text), number > 0 else {
      throw Refusal(400, "port is a number from 1 to 65535")
    }
    port = number
  }
  let transports: [String: TransportProtocol] = ["tcp": .tcp, "udp": .udp]
  var transport: TransportProtocol?
  if let text = try single("protocol", request) {
    guard let known = transports[text] else { throw Refusal(400, "protocol is tcp or udp") }
    transport = known
  }
  return .explain(target, port: port, transport: transport)
}

private func single(_ name: String, _ request: HTTPRequest) throws(Refusal) -> String? {
  let values = request.parameters(name)
  guard values.count <= 1 else { throw Refusal(400, "\(name) is given more than once") }
  return values.first
}

extension HTTPResponse {
  /// The answer to `GET /policy/explain`. `gate`: why nothing may leave now, whatever the policy says.
  package static func explanation(
    _ explanation: Explanation, of target: ExplainedTarget, port: UInt16?, transport: TransportProtocol?,
    gate: String? = nil
  ) -> HTTPResponse {
    .json { writer in
      writer.key("target")
      writer.string(target.description)
      if let port {
        writer.key("port")
        writer.integer(port)
        writer.key("protocol")
        writer.string((transport ?? .tcp).description)
      }
      writer.key("allowed")
      writer.bool(explanation.isAllowed)
      writer.key("reason")
      writer.string(explanation.reason)
      writer.key("rule")
      writer.reference(explanation.rule)
      writer.key("beaten")
      writer.beginArray()
      for rule in explanation.beaten { writer.reference(rule) }
      writer.endArray()
      if let gate {
        writer.key("gate")
        writer.string(gate)
      }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func reference(_ rule: RuleReference) {
    beginObject()
    members(of: rule)
    endObject()
  }

  /// Which rule, and where it stands.
  mutating func members(of rule: RuleReference) {
    key("action")
    string(rule.action.rawValue)
    key("text")
    string(rule.text)
    key("source")
    switch rule.place {
    case .denyAlways(let index): place("deny.always", index)
    case .allowAlways(let index): place("allow.always", index)
    case .rule(let index): place("egress", index)
    case .defaultAction: string("defaultAction")
    }
    if let expiresAt = rule.expiresAt {
      key("expiresAt")
      string(expiresAt.description)
    }
  }

  private mutating func place(_ source: String, _ index: Int) {
    string(source)
    key("index")
    integer(index)
  }
}
