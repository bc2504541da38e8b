import Configuration
import EgressPolicy
import LinuxIO

/// The policy that the settings ask for: the document and the platform's lists, read and validated before anything starts.
package struct InitialPolicy: Sendable {
  package var document: PolicyDocument
  /// The variable or file it came from; `default` when none did.
  package var source: String
  package var always: AlwaysRules

  /// The longest list that is read: 8 MiB, as the API's body.
  private static let listBytesMax = 8 << 20

  /// Every problem of every document, or the policy.
  package static func load(_ configuration: Configuration) -> Result<InitialPolicy, SettingProblems> {
    var problems: [SettingProblem] = []
    var policy = InitialPolicy(document: .denyAll, source: "default", always: .none)
    if let input = configuration.policy {
      policy.source = input.path ?? input.variable
      do throws(PolicyProblems) {
        policy.document = try PolicyDocument.parse(input.bytes, limits: fileLimits(configuration))
      } catch {
        problems += error.problems.map { problem(input.variable, $0, input.path ?? "environment") }
      }
    }
    var list = Lists(directory: configuration.alwaysDirectory)
    policy.always = AlwaysRules(
      deny: list.rules("deny.always", .deny), allow: list.rules("allow.always", .allow),
      skipLog: list.targets("log_skip.always"))
    problems += list.problems
    return problems.isEmpty ? .success(policy) : .failure(SettingProblems(problems))
  }

  package static func limits(_ configuration: Configuration) -> PolicyLimits {
    PolicyLimits(rulesMax: configuration.rulesMax ?? 0)
  }

  /// What the operator gives at the start may be as long as the lists; the number of rules is his own limit.
  private static func fileLimits(_ configuration: Configuration) -> PolicyLimits {
    var limits = PolicyLimits.files
    limits.rulesMax = configuration.rulesMax ?? 0
    return limits
  }

  private static func problem(_ variable: String, _ problem: PolicyProblem, _ source: String) -> SettingProblem {
    SettingProblem(variable: variable, value: nil, reason: "\(problem.path): \(problem.reason)", source: source)
  }

  /// The files of `SALLYPORT_ALWAYS_DIR`; one that is not there is empty.
  private struct Lists {
    let directory: String
    var problems: [SettingProblem] = []

    mutating func rules(_ name: String, _ action: PolicyAction) -> RuleList {
      guard let bytes = contents(name) else { return [] }
      do throws(PolicyProblems) {
        return try AlwaysRules.parse(bytes, file: name, action: action)
      } catch {
        note(error, name)
        return []
      }
    }

    mutating func targets(_ name: String) -> [PolicyTarget] {
      guard let bytes = contents(name) else { return [] }
      do throws(PolicyProblems) {
        return try AlwaysRules.parseTargets(bytes, file: name)
      } catch {
        note(error, name)
        return []
      }
    }

    private mutating func contents(_ name: String) -> [UInt8]? {
      do throws(Errno) {
        return try File.readWhole("\(directory)/\(name)", limit: InitialPolicy.listBytesMax)
      } catch {
        guard error != .noEntry else { return nil }
        problems.append(
          SettingProblem(variable: "SALLYPORT_ALWAYS_DIR", value: directory, reason: error.description, source: name))
        return nil
      }
    }

    private mutating func note(_ found: PolicyProblems, _ name: String) {
      problems += found.problems.map { InitialPolicy.problem("SALLYPORT_ALWAYS_DIR", $0, "\(directory)/\(name)") }
    }
  }
}
