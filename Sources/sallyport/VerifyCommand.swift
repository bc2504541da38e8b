import LinuxIO
import RecordProof

/// `sallyport verify`.
enum VerifyCommand {
  static let help = """
    sallyport verify FILE… [--json]

    Reads audit records, one JSON object a line, in any order, with duplicates, of any number of starts and sandboxes,
    and proves that they are complete or shows exactly what is missing, altered or contradictory, by sequence numbers.
    FILE - is standard input. Numbers that a RecordsDropped answers for are no gaps. A line that is no record is shown
    as FILE:LINE: reason.

      --json   one JSON object instead of text

    Exit code: 0 complete, 1 not, 2 wrong usage.

    """

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(words, flags: ["--json"])
    guard !arguments.operands.isEmpty else { throw UsageError("no FILE is given") }
    guard arguments.operands.count(where: { $0 == "-" }) <= 1 else {
      throw UsageError("standard input is given twice")
    }
    let isJSON = arguments.flags.contains("--json")
    var reading = Verification(showsBroken: !isJSON)
    for path in arguments.operands { reading.read(path) }
    let report = reading.close()
    if isJSON {
      let json = report.json(broken: reading.broken, brokenLines: reading.brokenLines)
      try? StandardStreams.output.write(json + [0x0a])
    } else {
      show(report.text(brokenLines: reading.brokenLines))
    }
    return report.isComplete && reading.brokenLines == 0 ? .success : .negative
  }
}
