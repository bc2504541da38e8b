/// A wrong option or argument.
struct UsageError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// What stands behind a command's name: options that are known, each at most once, and operands in order. `--` ends the
/// options; a value stands behind its option or, after `=`, in it.
struct Arguments {
  private(set) var flags: Set<String> = []
  private(set) var values: [String: String] = [:]
  private(set) var operands: [String] = []

  init(_ words: some Sequence<String>, flags known: Set<String> = [], values valued: Set<String> = [])
    throws(UsageError)
  {
    var rest = Array(words)[...]
    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        return
      }
      guard word.hasPrefix("-"), word != "-" else {
        operands.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = parts[0]
      if known.contains(name) {
        guard parts.count == 1 else { throw UsageError("option \(name) takes no value") }
        guard flags.insert(name).inserted else { throw UsageError("option \(name) is given twice") }
      } else if valued.contains(name) {
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty else {
          throw UsageError("option \(name) needs a value")
        }
        guard values.updateValue(value, forKey: name) == nil else {
          throw UsageError("option \(name) is given twice")
        }
      } else {
        throw UsageError("unknown option '\(name)'")
      }
    }
  }

  /// Refuses whatever a command takes no operands for.
  func refuseOperands() throws(UsageError) {
    if let operand = operands.first { throw UsageError("unexpected argument '\(operand)'") }
  }
}
