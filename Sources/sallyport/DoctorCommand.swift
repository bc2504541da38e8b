import Configuration
import Daemon

/// `sallyport doctor`.
enum DoctorCommand {
  static let help = """
    sallyport doctor [--json] [--config FILE]

    Looks at what enforcement needs, without starting it: privileges, every feature of the kernel, whether a redirect
    redirects and conntrack tells of it, rules of others, nameservers, hub, files. One line a check: ok, degraded
    (enforcement holds, something beside it does not) or missing, with what to do about it. Nothing it does stays.

      --json          the same as one JSON object
      --config FILE   settings as NAME=value lines; the environment wins over them

    Exit code: 0 unless something that enforcement needs is missing, then 1; 2 wrong usage.

    """

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(words, flags: ["--json"], values: ["--config"])
    try arguments.refuseOperands()
    let report: PreflightReport
    switch Settings(configFile: arguments.values["--config"]).load() {
    case .failure(let found): report = Preflight.run(nil, problems: found.problems.map { "\($0)" })
    case .success(let loaded): report = Preflight.run(loaded.configuration, problems: [])
    }
    show(arguments.flags.contains("--json") ? String(decoding: report.json, as: UTF8.self) + "\n" : report.text)
    return report.status == .missing ? .negative : .success
  }
}
