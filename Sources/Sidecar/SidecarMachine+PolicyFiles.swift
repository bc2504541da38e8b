import EgressPolicy
import FlowAudit
import Timekeeping

/// What a watched file says now, read and validated.
package enum PolicyReading: Sendable {
  /// `SALLYPORT_POLICY_FILE`; `digest` is the SHA-256 of its octets.
  case document(Result<PolicyDocument, PolicyProblems>, file: String, digest: String)
  /// The lists of `SALLYPORT_ALWAYS_DIR`.
  case lists(Result<AlwaysRules, PolicyProblems>, directory: String)
}

/// What became of the watched files.
struct PolicyFileState: Sendable {
  /// What is wrong with them now; nil when they are in force.
  var documentProblem: String?
  var listsProblem: String?
  /// Readings that were refused.
  var refused: UInt64 = 0
}

/// Changes by file: a good one is put in force like a change by the API, a bad one leaves the last good policy where it is, and is said.
extension SidecarMachine {
  mutating func policyRead(
    _ reading: PolicyReading, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard phase == .enforcing else { return }
    switch reading {
    case .document(.success(let document), let file, let digest):
      files.documentProblem = nil
      receive(.document(document, source: file, digest: digest), at: now, using: &generator)
    case .lists(.success(let always), let directory):
      files.listsProblem = nil
      guard always != policy.always || change.underWay != nil else { return }
      receive(.lists(always, source: directory), at: now, using: &generator)
    case .document(.failure(let problems), let file, _):
      files.documentProblem = problems.summary
      refuse("PolicyReload", file, problems, at: now, using: &generator)
    case .lists(.failure(let problems), let directory):
      files.listsProblem = problems.summary
      refuse("AlwaysReload", directory, problems, at: now, using: &generator)
    }
  }

  private mutating func refuse(
    _ operation: String, _ source: String, _ problems: PolicyProblems, at now: Moment,
    using generator: inout some RandomNumberGenerator
  ) {
    files.refused += 1
    emit(
      .log(
        LogEntry(
          .error, "a watched file is bad; the last good policy holds", [("file", source), ("reason", problems.summary)])
      ))
    record(
      .policyChange(
        PolicyChangeDraft(
          change: .set, operation: operation, source: source,
          old: change.version ?? version(of: policy), new: nil, refusal: problems.summary)),
      at: now, using: &generator)
  }
}

extension PolicyProblems {
  /// The first problem, and how many more there are.
  fileprivate var summary: String {
    guard let first = problems.first else { return "unreadable" }
    return problems.count == 1 ? first.description : "\(first) (and \(problems.count - 1) more)"
  }
}
