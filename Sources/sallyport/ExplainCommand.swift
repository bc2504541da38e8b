import Addressing
import EgressPolicy
import LinuxIO

/// `sallyport explain`.
enum ExplainCommand {
  static let help = """
    sallyport explain --policy FILE TARGET[:PORT[/tcp|udp]]

    Shows what a policy decides about a name or an address, the rule that made the decision, and the rules it beat. An
    IPv6 address in front of a port stands in brackets: [2001:db8::1]:443. A port alone is TCP's; without one the
    answer tells whether any port is allowed.

      --policy FILE   the policy document

    Exit code: 0 allowed, 1 denied, 2 wrong usage or a policy that has problems.

    """

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(words, values: ["--policy"])
    guard let file = arguments.values["--policy"] else { throw UsageError("--policy FILE is missing") }
    guard let text = arguments.operands.first else { throw UsageError("no TARGET is given") }
    guard arguments.operands.count == 1 else { throw UsageError("unexpected argument '\(arguments.operands[1])'") }
    let question = try Question(text)
    switch PolicyFile.read(file) {
    case .failure(let found):
      for problem in found.problems { complain("\(file): \(problem)") }
      return .misuse
    case .success(let document):
      let explanation = RuleSet(document, revision: 1)
        .explain(question.target, port: question.port, transport: question.transport, at: SystemTime.wall())
      show(explanation.text + "\n")
      return explanation.isAllowed ? .success : .negative
    }
  }
}

/// `TARGET[:PORT[/tcp|udp]]`.
struct Question {
  let target: ExplainedTarget
  private(set) var port: UInt16?
  private(set) var transport: TransportProtocol?

  init(_ text: String) throws(UsageError) {
    var host = Substring(text)
    if text.hasPrefix("[") {
      guard let close = text.firstIndex(of: "]"), text[..<close].contains(":") else {
        throw UsageError("'\(text)': an IPv6 address stands in the brackets")
      }
      host = text[text.index(after: text.startIndex)..<close]
      let rest = text[text.index(after: close)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw UsageError("'\(text)': ':PORT' stands behind ']'") }
      if !rest.isEmpty { (port, transport) = try Self.service(rest.dropFirst(), text) }
    } else if IPAddress(text) == nil, let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      (port, transport) = try Self.service(text[text.index(after: colon)...], text)
    }
    guard let target = ExplainedTarget(host) else {
      throw UsageError("'\(host)': \(PolicyTarget.fault(in: Array(host.utf8)) ?? "neither a name nor one address")")
    }
    self.target = target
  }

  private static func service(
    _ service: Substring, _ text: String
  ) throws(UsageError) -> (UInt16, TransportProtocol) {
    let parts = service.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let port = portNumber(parts[0]), port > 0 else {
      throw UsageError("'\(text)': PORT is 1 to 65535, with /tcp or /udp behind it")
    }
    guard parts.count == 2 else { return (port, .tcp) }
    switch parts[1] {
    case "tcp": return (port, .tcp)
    case "udp": return (port, .udp)
    default: throw UsageError("'\(text)': the protocol is tcp or udp")
    }
  }
}
