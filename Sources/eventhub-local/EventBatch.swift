import HTTPWire
import JSONText

/// Why a request was not accepted: the status, and a sentence that says what to change.
struct Refusal: Error, Hashable {
  var status: Int
  var detail: String

  init(_ status: Int, _ detail: String) {
    self.status = status
    self.detail = detail
  }

  /// The shape of the service's error body.
  var response: HTTPResponse {
    let escaped = detail.map { character -> String in
      switch character {
      case "<": "&lt;"
      case ">": "&gt;"
      case "&": "&amp;"
      default: String(character)
      }
    }.joined()
    return HTTPResponse(
      status: status, headers: ["Content-Type": "application/xml; charset=utf-8"],
      body: Array("<Error><Code>\(status)</Code><Detail>\(escaped)</Detail></Error>".utf8))
  }
}

/// A batch in the form that the service takes with `application/vnd.microsoft.servicebus.json`, read more strictly than
/// the service does:
///
///     [{"Body":"TEXT","UserProperties":{…},"BrokerProperties":{…}}, …]
enum EventBatch {
  static let contentType = "application/vnd.microsoft.servicebus.json"
  private static let members: Set<String> = ["Body", "UserProperties", "BrokerProperties"]

  /// The bodies' exact texts, in order. Each must be one JSON object on one line, since that is what our records are.
  static func parse(_ body: [UInt8], limit: Int) throws(Refusal) -> [[UInt8]] {
    guard body.count <= limit else { throw Refusal(413, "the batch has \(body.count) bytes, the limit is \(limit)") }
    let limits = JSONLimits(depthMax: 32, sizeMax: limit)
    let value = try json(body, limits, "the batch")
    guard let elements = value.array else { throw Refusal(400, "the batch is \(value.kind) and not an array") }
    guard !elements.isEmpty else { throw Refusal(400, "the batch is empty") }
    var texts: [[UInt8]] = []
    for (index, element) in elements.enumerated() { texts.append(try text(of: element, index, limits)) }
    return texts
  }

  private static func text(of element: JSONValue, _ index: Int, _ limits: JSONLimits) throws(Refusal) -> [UInt8] {
    guard let object = element.object else { throw Refusal(400, "element \(index) is \(element.kind)") }
    for member in object {
      guard members.contains(member.key) else { throw Refusal(400, "element \(index) has the member \(member.key)") }
      guard member.key == "Body" || member.value.object != nil else {
        throw Refusal(400, "element \(index): \(member.key) is \(member.value.kind) and not an object")
      }
    }
    guard let body = element["Body"]?.string else {
      throw Refusal(400, "element \(index) has no Body that is a string")
    }
    let text = Array(body.utf8)
    guard !text.contains(where: { $0 == 0x0a || $0 == 0x0d }) else {
      throw Refusal(400, "element \(index): Body has more than one line")
    }
    let record = try json(text, limits, "element \(index): Body")
    guard record.object != nil else { throw Refusal(400, "element \(index): Body is \(record.kind) and not an object") }
    return text
  }

  private static func json(_ bytes: [UInt8], _ limits: JSONLimits, _ what: String) throws(Refusal) -> JSONValue {
    do throws(JSONError) {
      return try JSONValue.parse(bytes, limits: limits)
    } catch {
      throw Refusal(400, "\(what): \(error)")
    }
  }
}
