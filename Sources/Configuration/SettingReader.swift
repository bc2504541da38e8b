/// Takes settings out of what was given, one by one, and keeps what is wrong with them.
struct SettingReader {
  /// A value and where it is from.
  struct Given: Hashable, Sendable {
    /// The variable that gave it: the setting's own, its `_FILE`, or OpenSandbox's.
    var variable: String
    var value: String
    /// `environment` or `FILE:LINE`.
    var source: String
  }

  /// A secret's file is at most as long as a setting, in octets.
  static let secretOctetsMax = 16_384

  private(set) var problems: [SettingProblem] = []
  private(set) var notices: [String] = []
  private(set) var entries: [SettingEntry] = []
  private let given: [String: Given]
  let readFile: Configuration.ReadFile

  /// The environment wins over the file. An empty value is the same as none.
  init(environment: [String: String], file: SettingsFile?, readFile: @escaping Configuration.ReadFile) {
    var given: [String: Given] = [:]
    for line in file?.lines ?? [] {
      given[line.name] = Given(variable: line.name, value: line.value, source: "\(file?.path ?? ""):\(line.number)")
    }
    for (name, value) in environment where SettingNames.known.contains(name) {
      given[name] = Given(variable: name, value: value, source: "environment")
    }
    self.given = given.filter { !$0.value.value.isEmpty }
    self.readFile = readFile
  }

  /// The value of one variable as it was given.
  func raw(_ name: String) -> Given? { given[name] }

  /// The value of a setting: its own variable, else OpenSandbox's.
  func find(_ setting: Setting) -> Given? { given[setting.name] ?? setting.openSandboxName.flatMap { given[$0] } }

  mutating func refuse(_ given: Given, _ reason: String, isSecret: Bool = false) {
    problems.append(
      SettingProblem(
        variable: given.variable, value: isSecret ? nil : shown(given.value), reason: reason, source: given.source))
  }

  mutating func refuse(_ problem: SettingProblem) { problems.append(problem) }

  mutating func notice(_ text: String) { notices.append(text) }

  /// A line of the print. `given` is nil for a default.
  mutating func enter(_ name: String, _ value: String, from given: Given?, default detail: String = "") {
    let isForeign = given.map { $0.variable != name && $0.variable != "\(name)_FILE" } ?? false
    let source = given.map { isForeign ? $0.variable : $0.source } ?? "default\(detail)"
    entries.append(SettingEntry(name: name, value: shown(value), source: source))
  }

  /// One setting that is not secret: its value, else the default; a bad value is a problem and counts as the default.
  mutating func read<Value>(
    _ name: String, default fallback: Value, show: (Value) -> String, detail: String = "",
    parse: (Given) throws(Refusal) -> Value
  ) -> Value {
    guard let setting = SettingTable.byName[name] else { return fallback }
    guard let given = find(setting) else {
      enter(name, show(fallback), from: nil, default: detail)
      return fallback
    }
    do {
      let value = try parse(given)
      enter(name, show(value), from: given)
      return value
    } catch {
      refuse(given, error.reason)
      return fallback
    }
  }

  /// One secret: from its variable or the file that `NAME_FILE` names, never both.
  mutating func readSecret(_ name: String) -> Secret? {
    guard let setting = SettingTable.byName[name] else { return nil }
    for candidate in [name, setting.openSandboxName].compactMap(\.self) {
      let direct = given[candidate]
      let file = given["\(candidate)_FILE"]
      guard let given = direct ?? file else { continue }
      if direct != nil, let file {
        refuse(file, "\(candidate) is given too; give one of the two")
        return nil
      }
      guard let text = direct?.value ?? fileText(given) else { return nil }
      guard !text.isEmpty, text.utf8.count <= Self.secretOctetsMax,
        text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
      else {
        refuse(
          given, "not 1 to \(Self.secretOctetsMax) printable ASCII characters without spaces", isSecret: direct != nil)
        return nil
      }
      enter(name, "<set>", from: given)
      return Secret(text)
    }
    enter(name, "", from: nil)
    return nil
  }

  /// The text of a file that a setting names, without white space around it.
  private mutating func fileText(_ given: Given) -> String? {
    switch readFile(given.value) {
    case .success(let octets):
      guard octets.count <= Self.secretOctetsMax, let text = String(validating: octets, as: UTF8.self) else {
        refuse(given, "the file is longer than \(Self.secretOctetsMax) octets or not UTF-8")
        return nil
      }
      return trimmed(text)
    case .failure(let problem):
      refuse(given, "cannot be read: \(problem.reason)")
      return nil
    }
  }
}

/// A value as it may be printed on one line, with a limit so that a policy does not drown its problem.
func shown(_ value: String) -> String {
  /// Longer than any value but an inline policy, in characters.
  let charactersMax = 512
  let line = String(
    value.prefix(charactersMax).map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 })
  return value.count > charactersMax ? "\(line)…" : line
}
