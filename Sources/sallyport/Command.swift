/// The commands by name.
enum Command: String, CaseIterable {
  case run, check, explain, doctor, inject, owner, verify, top, version

  private static let help = """
    sallyport: lets a sandbox out only where its policy says, and keeps the record of it.

      sallyport run [--config FILE] [--print-configuration]
                                 the daemon
      sallyport check FILE…      validates policy documents
      sallyport explain --policy FILE TARGET[:PORT[/tcp|udp]]
                                 what a policy says about a target, and why
      sallyport doctor [--json]  looks at what enforcement needs, and says what to do
      sallyport inject --settings FILE --file FILE | --listen ADDRESS:PORT --cert FILE --key FILE
                                 puts the sidecar into pods: a file's, or an admission webhook's
      sallyport verify FILE… [--json]
                                 proves that audit records are complete, or shows what is missing
      sallyport owner keys|sign|verify
                                 tokens that bind a sandbox's owner
      sallyport top [--api ADDRESS:PORT] [--interval SECONDS] [--count N] [--json]
                                 live flows, and what was denied
      sallyport version          version, build, kernel features wanted

    Each of them explains itself with --help.

    """

  /// Does what the command line asks for.
  static func run(_ words: [String]) -> ExitCode {
    guard let name = words.first else {
      complain("no command is given; see sallyport --help")
      return .misuse
    }
    if isHelp(name), words.count == 1 {
      show(help)
      return .success
    }
    guard let command = Command(rawValue: name) else {
      complain("unknown \(name.hasPrefix("-") ? "option" : "command") '\(name)'; see sallyport --help")
      return .misuse
    }
    let rest = words.dropFirst()
    if rest.prefix(while: { $0 != "--" }).contains(where: isHelp) {
      show(command.help)
      return .success
    }
    do throws(UsageError) {
      return try command.perform(rest)
    } catch {
      complain("\(name): \(error); see sallyport \(name) --help")
      return .misuse
    }
  }

  private func perform(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    switch self {
    case .run: try RunCommand.run(words)
    case .check: try CheckCommand.run(words)
    case .explain: try ExplainCommand.run(words)
    case .doctor: try DoctorCommand.run(words)
    case .inject: try InjectCommand.run(words)
    case .verify: try VerifyCommand.run(words)
    case .owner: try OwnerCommand.run(words)
    case .top: try TopCommand.run(words)
    case .version: try VersionCommand.run(words)
    }
  }

  private var help: String {
    switch self {
    case .run: RunCommand.help
    case .check: CheckCommand.help
    case .explain: ExplainCommand.help
    case .doctor: DoctorCommand.help
    case .inject: InjectCommand.help
    case .verify: VerifyCommand.help
    case .owner: OwnerCommand.help
    case .top: TopCommand.help
    case .version: VersionCommand.help
    }
  }

  private static func isHelp(_ word: String) -> Bool { word == "--help" || word == "-h" }
}
