import HTTPWire
import JSONText
import Timekeeping

/// An operator sets the gate's conditions about evidence aside for a time, or takes that back (`PUT` and `DELETE /audit/override`).
package struct OverrideRequest: Hashable, Sendable {
  /// How long; nil: it ends now.
  package var span: TimeSpan?
  /// For the record; never empty for an override.
  package var reason: String
  package var form: ErrorForm

  package init(span: TimeSpan?, reason: String, form: ErrorForm = .text) {
    self.span = span
    self.reason = reason
    self.form = form
  }

  /// The longest override, in seconds: a day. Who needs more changes SALLYPORT_AUDIT_FAIL.
  static let secondsMax = 86_400
  /// Octets of `reason`: a ticket number and a sentence.
  static let reasonMax = 256

  /// Reads `{"seconds": 600, "reason": "ticket 42"}`; a DELETE has no body.
  init(_ request: HTTPRequest) throws(Refusal) {
    form = ErrorForm(of: request)
    guard request.method == "PUT" else {
      span = nil
      reason = "TAKEN_BACK"
      return
    }
    guard request.body.count <= 4 * Self.reasonMax + 256 else { throw Refusal(413, "body over 1280 bytes") }
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue.parse(request.body)
    } catch {
      throw Refusal(400, "invalid override: \(error)")
    }
    guard let members = value.object, members.allSatisfy({ ["seconds", "reason"].contains($0.key) }),
      let seconds = value["seconds"]?.integer, (1...Int64(Self.secondsMax)).contains(seconds)
    else {
      throw Refusal(400, "invalid override: expected {\"seconds\": 1 to \(Self.secondsMax), \"reason\": TEXT}")
    }
    guard let reason = value["reason"]?.string, !reason.isEmpty, reason.utf8.count <= Self.reasonMax else {
      throw Refusal(400, "invalid override: reason must say why, in 1 to \(Self.reasonMax) octets, for the record")
    }
    span = .seconds(seconds)
    self.reason = reason
  }
}

extension HTTPResponse {
  /// The answer to an override that holds, or that was taken back.
  package static func override(until end: WallTime?) -> HTTPResponse {
    .json { writer in
      writer.key("status")
      writer.string("ok")
      writer.key("overriddenUntil")
      if let end { writer.string(end.description) } else { writer.null() }
    }
  }
}
