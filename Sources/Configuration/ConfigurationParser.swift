extension Configuration {
  /// Reads one file: its octets, or why not.
  package typealias ReadFile = (_ path: String) -> Result<[UInt8], FileProblem>

  /// Everything at once: `hostName` stands in for the sandbox and pod names, `file` is what `--config` named.
  package static func parse(
    environment: [String: String], file: SettingsFile? = nil, hostName: String, readFile: ReadFile
  ) -> Result<Configuration, SettingProblems> { .success(Configuration()) }

  /// `--print-configuration`: `NAME=value  # source`, one line a setting, secrets as `<set>`.
  package func printed() -> String { "" }
}

/// Why a file could not be read, for people.
package struct FileProblem: Error, Hashable, Sendable, CustomStringConvertible {
  package var reason: String
  package init(_ reason: String) { self.reason = reason }
  package var description: String { reason }
}

/// The lines of `--config FILE`.
package struct SettingsFile: Hashable, Sendable {
  package struct Line: Hashable, Sendable {
    package var name: String
    package var value: String
    /// From 1.
    package var number: Int
  }

  package var path: String
  package var lines: [Line]

  /// `NAME=value` lines; blank ones and those that begin with `#` are skipped.
  package static func parse(_ bytes: [UInt8], path: String) -> Result<SettingsFile, SettingProblems> {
    .success(SettingsFile(path: path, lines: []))
  }
}
