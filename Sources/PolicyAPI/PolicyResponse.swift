import EgressPolicy
import HTTPWire
import JSONText

/// What stopped a change that was in order.
package enum ChangeFailure: Hashable, Sendable {
  /// The kernel refused; its reason.
  case kernel(String)
  /// The state directory did not take it; the reason.
  case store(String)
}

extension HTTPResponse {
  /// One JSON object; `members` writes what is in it. Ends in a line feed, as OpenSandbox's answers do.
  static func json(
    _ status: Int = 200, headers: HeaderFields = [:], _ members: (inout JSONWriter) -> Void
  ) -> HTTPResponse {
    var writer = JSONWriter()
    writer.beginObject()
    members(&writer)
    writer.endObject()
    var response = HTTPResponse(
      status: status, headers: ["Content-Type": "application/json"], body: writer.bytes + [0x0a])
    for field in headers.fields { response.headers.append(field.name, field.value) }
    return response
  }

  /// The answer to `GET /policy`. `egress` is always an array: OpenSandbox's own SDK cannot read its `null`.
  /// `statistics`: what `?stats=true` adds.
  package static func policy(_ view: PolicyView, statistics: PolicyStatistics? = nil) -> HTTPResponse {
    .json(headers: ["ETag": view.entityTag]) { writer in
      writer.status(view)
      writer.key("policy")
      view.document.write(into: &writer)
      statistics?.write(into: &writer)
    }
  }

  /// The answer to `GET /policy/suggested`: a document, ready to be sent back. `isPartial`: something that was seen could not be remembered.
  package static func suggestion(_ document: PolicyDocument, isPartial: Bool) -> HTTPResponse {
    var response = HTTPResponse(
      status: 200, headers: ["Content-Type": "application/json"], body: document.json() + [0x0a])
    // A document has no place for it.
    if isPartial { response.headers.append("Sallyport-Partial", "more was seen than could be remembered") }
    return response
  }

  /// The answer to a change that is in force; `view` is the policy after it.
  package static func changeAccepted(_ view: PolicyView) -> HTTPResponse {
    .json(headers: ["ETag": view.entityTag]) { $0.status(view) }
  }

  /// The answer to a change with an empty body: in OpenSandbox the one answer without `enforcementMode`.
  package static func policyReset(_ view: PolicyView) -> HTTPResponse {
    .json(headers: ["ETag": view.entityTag]) { writer in
      writer.key("status")
      writer.string("ok")
      writer.key("mode")
      writer.string(PolicyMode(of: view.document).rawValue)
      writer.key("reason")
      writer.string("policy reset to default deny-all")
    }
  }

  /// The answer to a DELETE of targets that no rule has.
  package static func noMatchingTargets(_ view: PolicyView) -> HTTPResponse {
    .json(headers: ["ETag": view.entityTag]) { writer in
      writer.status(view)
      writer.key("reason")
      writer.string("no matching targets found")
    }
  }

  /// What a change would do. `proposed` has the document as it would be.
  package static func dryRun(from current: PolicyView, to proposed: PolicyView, _ impact: ChangeImpact) -> HTTPResponse
  {
    let difference = RuleDifference(from: current.document, to: proposed.document)
    return .json(headers: ["ETag": current.entityTag]) { writer in
      writer.status(proposed)
      writer.key("dryRun")
      writer.bool(true)
      writer.key("defaultAction")
      writer.string(proposed.document.defaultAction.rawValue)
      for (name, rules) in [("rulesAdded", difference.added), ("rulesRemoved", difference.removed)] {
        writer.key(name)
        writer.beginArray()
        for rule in rules { rule.write(into: &writer) }
        writer.endArray()
      }
      writer.key("reordered")
      writer.bool(difference.isReordered)
      for (key, names) in [("namesAllowed", impact.namesAllowed), ("namesDenied", impact.namesDenied)] {
        writer.key(key)
        writer.beginArray()
        for name in names { writer.string(name) }
        writer.endArray()
      }
      writer.key("flowsCut")
      writer.beginArray()
      for flow in impact.flowsCut { writer.flow(flow) }
      writer.endArray()
    }
  }

  /// The answer to a change that could not be put in force: nothing has changed.
  package static func changeRefused(_ failure: ChangeFailure, form: ErrorForm) -> HTTPResponse {
    let reason =
      switch failure {
      case .kernel(let reason): "failed to apply nftables policy: \(reason)"
      case .store(let reason): "failed to persist policy: \(reason)"
      }
    return Refusal(500, reason).response(form)
  }

  /// The answer to a change made for another revision.
  package static func preconditionFailed(_ current: PolicyView, form: ErrorForm) -> HTTPResponse {
    Refusal(412, "the policy is at revision \(current.revision)", headers: ["ETag": current.entityTag]).response(form)
  }

  /// Any other refusal.
  package static func refusal(_ status: Int, _ reason: String, form: ErrorForm) -> HTTPResponse {
    Refusal(status, reason).response(form)
  }
}

extension JSONWriter {
  /// The members with which OpenSandbox's answers begin.
  fileprivate mutating func status(_ view: PolicyView) {
    key("status")
    string("ok")
    key("mode")
    string(PolicyMode(of: view.document).rawValue)
    key("enforcementMode")
    string(view.enforcementMode)
  }
}
