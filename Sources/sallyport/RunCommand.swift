import Configuration
import Daemon
import LinuxIO

/// `sallyport run`.
enum RunCommand {
  static let help = """
    sallyport run [--config FILE] [--print-configuration]

    The daemon. Its settings are environment variables (SALLYPORT_…); records go to the hub or to SALLYPORT_AUDIT_FILE,
    logs to standard error, one JSON object a line. SIGTERM stops it; the rules in the kernel stay and keep enforcing.

      --config FILE           settings as NAME=value lines; the environment wins over them
      --print-configuration   shows what would be in force and where each value came from, and does not start

    Exit code: 0 after a clean stop, 2 bad configuration or wrong usage, 3 when enforcement cannot be had.

    """

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(words, flags: ["--print-configuration"], values: ["--config"])
    try arguments.refuseOperands()
    let settings = Settings(configFile: arguments.values["--config"])
    if arguments.flags.contains("--print-configuration") {
      switch settings.load() {
      case .failure(let found):
        for problem in found.problems { complain("\(problem)") }
        return .misuse
      case .success(let loaded):
        show(loaded.configuration.printed())
        return .success
      }
    }
    switch settings.load() {
    case .failure(let found):
      let log = Log(.error)
      for problem in found.problems {
        log.error(
          "bad configuration",
          [
            ("variable", problem.variable), ("value", problem.value ?? ""), ("source", problem.source),
            ("reason", problem.reason),
          ])
      }
      return .misuse
    case .success(let loaded):
      let log = Log(loaded.configuration.logLevel)
      return ExitCode(rawValue: Daemon.run(loaded.configuration, loaded.policy, log: log))
    }
  }
}
