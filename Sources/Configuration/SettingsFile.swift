/// The lines of `--config FILE`: the same names as in the environment.
package struct SettingsFile: Hashable, Sendable {
  /// The longest file, in octets: every setting with an inline policy of the API's 8 MiB would not be written by hand.
  package static let octetsMax = 1_048_576

  package struct Line: Hashable, Sendable {
    package var name: String
    package var value: String
    /// From 1.
    package var number: Int
  }

  package var path: String
  package var lines: [Line]

  /// `NAME=value` lines, spaces around either part left out; blank ones and those that begin with `#` are skipped. A name twice, a line without `=` and octets
  /// that are not UTF-8 are problems.
  package static func parse(_ bytes: [UInt8], path: String) -> Result<SettingsFile, SettingProblems> {
    guard bytes.count <= octetsMax else {
      return .failure(
        SettingProblems([
          SettingProblem(
            variable: "--config", value: path, reason: "longer than \(octetsMax) octets", source: "argument")
        ]))
    }
    var file = SettingsFile(path: path, lines: [])
    var problems: [SettingProblem] = []
    var firstLine: [String: Int] = [:]
    for (index, octets) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      let number = index + 1
      func refuse(_ name: String, _ reason: String) {
        problems.append(SettingProblem(variable: name, value: nil, reason: reason, source: "\(path):\(number)"))
      }
      guard let line = String(validating: octets, as: UTF8.self) else {
        refuse("line", "not UTF-8")
        continue
      }
      let text = trimmed(line)
      guard !text.isEmpty, !text.hasPrefix("#") else { continue }
      guard let equals = text.firstIndex(of: "=") else {
        refuse("line", "no '=': NAME=value is expected")
        continue
      }
      let name = trimmed(text[..<equals])
      if let first = firstLine[name] {
        refuse(name, "given twice, first in line \(first)")
        continue
      }
      firstLine[name] = number
      file.lines.append(Line(name: name, value: trimmed(text[text.index(after: equals)...]), number: number))
    }
    return problems.isEmpty ? .success(file) : .failure(SettingProblems(problems))
  }
}

/// Without the white space around it.
func trimmed(_ text: some StringProtocol) -> String {
  var text = Substring(text)
  while let first = text.first, first.isWhitespace { text.removeFirst() }
  while let last = text.last, last.isWhitespace { text.removeLast() }
  return String(text)
}
