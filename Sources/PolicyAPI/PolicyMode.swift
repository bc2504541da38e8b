import EgressPolicy

/// OpenSandbox's one word for a policy.
package enum PolicyMode: String, Hashable, Sendable {
  /// No rules, and the default denies.
  case denyAll = "deny_all"
  /// No rules, and the default allows. The platform's lists may still deny.
  case allowAll = "allow_all"
  case enforcing

  package init(of document: PolicyDocument) {
    self = !document.egress.isEmpty ? .enforcing : document.defaultAction == .allow ? .allowAll : .denyAll
  }
}
