import JSONText
import Timekeeping

/// Rules as a document has them: `{"action":…,"target":…,"ports":[…],"expiresAt":…,"reason":…}`, by commas.
extension RuleList {
  /// About how many octets `appendJSON` adds: more costs nothing, less costs copies.
  var jsonCount: Int { isEmpty ? 0 : textCount + count * 48 }

  /// How much is gathered before it is handed on: 64 KiB.
  private static let pieceOctets = 64 << 10

  /// `flush` is given what has gathered now and then, and may take it away.
  func appendJSON(to json: inout [UInt8], flush: (inout [UInt8]) -> Void = { _ in }) {
    let heads = [PolicyAction.allow, .deny].map { Array("{\"action\":\"\($0.rawValue)\",\"target\":\"".utf8) }
    // What follows the target, by the condition's number: few rules have one of their own.
    var tails: [Int: [UInt8]] = [:]
    let plainTail = Array("\"}".utf8)
    for index in indices {
      if json.count >= Self.pieceOctets { flush(&json) }
      if index > 0 { json.append(0x2c) }
      json.append(contentsOf: action(index) == .allow ? heads[0] : heads[1])
      // A target that was checked has neither quotes nor anything else to escape.
      json.append(contentsOf: text(index))
      guard let number = conditionNumber(index), let condition = condition(index) else {
        json.append(contentsOf: plainTail)
        continue
      }
      let tail = tails[number] ?? tail(condition)
      tails[number] = tail
      json.append(contentsOf: tail)
    }
  }

  private func tail(_ condition: RuleCondition) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    if let portTexts = condition.portTexts {
      writer.key("ports")
      writer.beginArray()
      for text in portTexts { writer.string(text) }
      writer.endArray()
    }
    if let expiresAt = condition.expiresAt {
      writer.key("expiresAt")
      writer.string(expiresAt.description)
    }
    if let reason = condition.reason {
      writer.key("reason")
      writer.string(reason)
    }
    writer.endObject()
    // Instead of the brace: the end of the target, and a comma.
    return [0x22, 0x2c] + writer.bytes.dropFirst()
  }
}
