import Configuration
import Daemon
import LinuxIO

/// What the daemon is told: environment, settings file, policy and the platform's lists.
struct Settings {
  struct Loaded {
    let configuration: Configuration
    let policy: InitialPolicy
  }

  /// The longest file that a setting names: 256 MiB, a policy of some million names.
  private static let fileOctetsMax = 256 << 20

  private let environment = ProcessEnvironment.all()
  private let hostName = ProcessIdentity.hostName()
  let configFile: String?

  /// Everything at once: all of it, or every problem that there is.
  func load() -> Result<Loaded, SettingProblems> {
    switch settingsFile() {
    case .failure(let found):
      // What the file would have said is not known, so only what the environment itself says can be judged.
      guard case .failure(let more) = configuration(environment, nil) else { return .failure(found) }
      return .failure(SettingProblems(found.problems + more.problems.filter { $0.source == "environment" }))
    case .success(let file):
      switch configuration(environment, file) {
      case .failure(let found): return .failure(SettingProblems(found.problems + policyProblems(beside: found, file)))
      case .success(let configuration):
        return InitialPolicy.load(configuration).map { policy in
          var configuration = configuration
          // Read now: a million names are not held twice.
          configuration.policy?.bytes = []
          return Loaded(configuration: configuration, policy: policy)
        }
      }
    }
  }

  /// The policy's problems when other settings have some too: found with those settings left out.
  private func policyProblems(beside found: SettingProblems, _ file: SettingsFile?) -> [SettingProblem] {
    let bad = Set(found.problems.flatMap { [$0.variable, "\($0.variable)_FILE"] })
    var file = file
    file?.lines.removeAll { bad.contains($0.name) }
    guard case .success(let rest) = configuration(environment.filter { !bad.contains($0.key) }, file),
      case .failure(let more) = InitialPolicy.load(rest)
    else { return [] }
    return more.problems.filter { problem in !bad.contains(problem.variable) }
  }

  private func configuration(
    _ environment: [String: String], _ file: SettingsFile?
  ) -> Result<Configuration, SettingProblems> {
    Configuration.parse(environment: environment, file: file, hostName: hostName) { path in
      do throws(Errno) {
        return .success(try File.readWhole(path, limit: Self.fileOctetsMax))
      } catch {
        return .failure(FileProblem(error.description))
      }
    }
  }

  /// Nil when there is none.
  private func settingsFile() -> Result<SettingsFile?, SettingProblems> {
    guard let configFile else { return .success(nil) }
    do throws(Errno) {
      return SettingsFile.parse(try File.readWhole(configFile, limit: SettingsFile.octetsMax), path: configFile).map {
        $0
      }
    } catch {
      return .failure(
        SettingProblems([
          SettingProblem(variable: "--config", value: configFile, reason: error.description, source: "argument")
        ]))
    }
  }
}
