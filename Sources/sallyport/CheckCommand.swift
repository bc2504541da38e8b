import EgressPolicy
import LinuxIO

/// `sallyport check`.
enum CheckCommand {
  static let help = """
    sallyport check FILE…

    Validates policy documents. Every problem of every file is a line of its own: FILE: JSON path: reason. The path of a
    file that cannot be read is $. Shows nothing when all is well.

    Exit code: 0 no problem, 1 problems, 2 wrong usage.

    """

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let files = try Arguments(words).operands
    guard !files.isEmpty else { throw UsageError("no FILE is given") }
    var isGood = true
    for file in files {
      guard case .failure(let found) = PolicyFile.read(file) else { continue }
      isGood = false
      show(found.problems.map { "\(file): \($0)\n" }.joined())
    }
    return isGood ? .success : .negative
  }
}

/// A policy document in a file.
enum PolicyFile {
  /// The document, or everything that is wrong with it.
  static func read(_ path: String) -> Result<PolicyDocument, PolicyProblems> {
    let limits = PolicyLimits.files
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try File.readWhole(path, limit: limits.bodyMax)
    } catch {
      return .failure(PolicyProblems(path: "$", reason: error.description))
    }
    do throws(PolicyProblems) {
      return .success(try PolicyDocument.parse(bytes, limits: limits))
    } catch {
      return .failure(error)
    }
  }
}
