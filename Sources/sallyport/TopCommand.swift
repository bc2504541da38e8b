import Addressing
import JSONText
import LinuxIO
import Timekeeping

/// `sallyport top`.
enum TopCommand {
  static let help = """
    sallyport top [--api ADDRESS:PORT] [--interval SECONDS] [--count N] [--json]

    Shows the live flows of a sandbox and what was denied last: names, octets, rates, rules, owner. On a terminal the
    view is drawn anew until Ctrl-C; anywhere else it is shown once, as plain text. Reads the control API, with the token
    of SALLYPORT_API_TOKEN or SALLYPORT_API_TOKEN_FILE. Inside the pod only the sidecar's user may do that: root becomes
    SALLYPORT_RUN_AS first.

      --api ADDRESS:PORT   the control API: 127.0.0.1 and the port of SALLYPORT_API_LISTEN, or 18080, when not given
      --interval SECONDS   between two views: 2 when not given
      --count N            ends after N views
      --json               one JSON object a view: the answers of /flows, /owner, /audit and /readyz

    Exit code: 0, 1 when the API cannot be read, 2 wrong usage.

    """

  /// The daemon's user when `SALLYPORT_RUN_AS` is not set (contract §2).
  private static let defaultUser: UInt32 = 65_532

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(words, flags: ["--json"], values: ["--api", "--interval", "--count"])
    try arguments.refuseOperands()
    let environment = ProcessEnvironment.all()
    let endpoint = try endpoint(arguments.values["--api"], environment)
    let interval = try number(arguments.values["--interval"], "--interval", in: 1...3_600) ?? 2
    let isJSON = arguments.flags.contains("--json")
    let isTerminal = StandardStreams.output.isTerminal
    let count =
      try number(arguments.values["--count"], "--count", in: 1...1_000_000) ?? (isTerminal && !isJSON ? nil : 1)
    let reader = APIReader(endpoint: endpoint, token: token(environment))
    // The rules let nobody but the daemon's user to the API from inside the pod.
    if ProcessIdentity.effectiveUser == 0 {
      let user = environment["SALLYPORT_RUN_AS"].flatMap { UInt32($0) } ?? defaultUser
      try? ProcessIdentity.drop(to: user, keeping: [])
    }
    var view = TopView(isColoured: isTerminal && environment["NO_COLOR"] == nil)
    var shown = 0
    while true {
      do throws(APIFailure) {
        let frame = try TopFrame(reader, at: SystemTime.instant())
        if isJSON {
          try? StandardStreams.output.write(frame.json + [0x0a])
        } else {
          let size = isTerminal ? StandardStreams.output.terminalSize() : nil
          let text = view.draw(frame, columns: size?.columns ?? 160, rows: size?.rows)
          // Home, every line to its end, and what was below the last one.
          show(isTerminal ? "\u{1b}[H" + text.replacingLineEnds(with: "\u{1b}[K\n") + "\u{1b}[J" : text)
        }
      } catch {
        complain("top: \(error)")
        return .negative
      }
      shown += 1
      if let count, shown >= count { return .success }
      SystemTime.sleep(.seconds(Int64(interval)))
    }
  }

  private static func endpoint(_ text: String?, _ environment: [String: String]) throws(UsageError) -> Endpoint {
    if let text {
      guard let endpoint = Endpoint(text), endpoint.port > 0 else {
        throw UsageError("'\(text)': ADDRESS:PORT is wanted, for instance 10.0.0.7:18080")
      }
      return endpoint
    }
    let listen = environment["SALLYPORT_API_LISTEN"]?.split(separator: ",").first.flatMap { Endpoint(String($0)) }
    return Endpoint(.v4(IPv4Address(127, 0, 0, 1)), listen?.port ?? 18_080)
  }

  private static func number(_ text: String?, _ option: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw UsageError("\(option) '\(text)': a whole number from \(range.lowerBound) to \(range.upperBound) is wanted")
    }
    return number
  }

  private static func token(_ environment: [String: String]) -> String? {
    if let token = environment["SALLYPORT_API_TOKEN"] { return token }
    guard let path = environment["SALLYPORT_API_TOKEN_FILE"],
      let bytes = try? File.readWhole(path, limit: 16 << 10)
    else { return nil }
    return String(decoding: bytes.prefix { $0 != 0x0a && $0 != 0x0d }, as: UTF8.self)
  }
}

extension String {
  fileprivate func replacingLineEnds(with end: String) -> String {
    split(separator: "\n", omittingEmptySubsequences: false).joined(separator: end)
  }
}
