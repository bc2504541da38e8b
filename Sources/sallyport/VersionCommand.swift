import Daemon

/// `sallyport version`.
enum VersionCommand {
  static let help = """
    sallyport version

    Shows the version, how it was built, and which features of the kernel enforcement wants.

    """

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    try Arguments(words).refuseOperands()
    let features = Daemon.wantedKernelFeatures.map { "  \($0)\n" }.joined()
    show("sallyport \(Daemon.version)\nbuild: \(build)\nkernel features wanted:\n\(features)")
    return .success
  }

  private static var build: String {
    #if DEBUG
      "debug"
    #else
      "release"
    #endif
  }
}
