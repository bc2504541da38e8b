import EgressPolicy
import HTTPWire

/// The policy in force, as answers show it.
package struct PolicyView: Hashable, Sendable {
  package var document: PolicyDocument
  package var revision: PolicyRevision
  /// What is really installed, in the words of the shell: `dns+nft`.
  package var enforcementMode: String

  package init(_ document: PolicyDocument, revision: PolicyRevision, enforcementMode: String) {
    self.document = document
    self.revision = revision
    self.enforcementMode = enforcementMode
  }

  /// RFC 9110 §8.8.3: strong, since equal revisions are equal documents.
  package var entityTag: String { "\"\(revision.number)\"" }
}

/// What becomes of a change.
package enum ChangeDecision: Hashable, Sendable {
  /// Install this; answer with `changeAccepted` or `changeRefused`.
  case commit(PolicyDocument)
  /// Answer with `HTTPResponse.dryRun`: nothing changes.
  case rehearse(PolicyDocument)
  /// Nothing changes: a failed precondition, too many rules, or nothing to remove.
  case respond(HTTPResponse)
}

/// A change that a client with the right to it has asked for.
package struct PolicyChangeRequest: Hashable, Sendable {
  package var change: PolicyChange
  /// The field's value as it was sent; nil without it.
  package var ifMatch: String?
  package var dryRun: Bool
  package var limits: PolicyLimits
  package var form: ErrorForm

  package init(
    _ change: PolicyChange, ifMatch: String? = nil, dryRun: Bool = false, limits: PolicyLimits = .standard,
    form: ErrorForm = .text
  ) {
    self.change = change
    self.ifMatch = ifMatch
    self.dryRun = dryRun
    self.limits = limits
    self.form = form
  }

  /// What the change means for the policy in force. Ask at the moment of the commit, not before other changes still under way have ended.
  package func decide(_ current: PolicyView) -> ChangeDecision {
    if let ifMatch, !entityTags(ifMatch, match: current.entityTag) {
      return .respond(.preconditionFailed(current, form: form))
    }
    let document: PolicyDocument
    do throws(Refusal) {
      document = try changed(current.document)
    } catch {
      return .respond(error.response(form))
    }
    if dryRun { return .rehearse(document) }
    if case .remove = change, document.egress.count == current.document.egress.count {
      return .respond(.noMatchingTargets(current))
    }
    return .commit(document)
  }

  /// The answer after the commit: the policy now in force.
  package func accepted(_ view: PolicyView) -> HTTPResponse {
    if case .replace(_, isReset: true) = change { return .policyReset(view) }
    return .changeAccepted(view)
  }

  private func changed(_ document: PolicyDocument) throws(Refusal) -> PolicyDocument {
    switch change {
    case .replace(let document, _): return document
    case .merge(let rules):
      let merged = document.merging(rules)
      if let problem = merged.problem(exceeding: limits) { throw Refusal(413, problem.reason) }
      return merged
    case .remove(let targets): return document.removing(targets: targets).0
    }
  }
}

/// RFC 9110 §13.1.1: `*`, or a list of tags of which one is equal by strong comparison. A weak tag, or text that is no tag, never matches.
func entityTags(_ field: String, match current: String) -> Bool {
  let tags = field.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
  return tags == ["*"] || tags.contains(current)
}
