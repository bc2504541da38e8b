import LinuxIO

/// How the process ends (contract §1).
struct ExitCode: RawRepresentable, Hashable, Sendable {
  let rawValue: Int32

  /// Done; for `explain`: allowed.
  static let success = Self(rawValue: 0)
  /// `check`: a document has problems; `explain`: denied; `verify`: not complete.
  static let negative = Self(rawValue: 1)
  /// A wrong option or argument, or a bad configuration.
  static let misuse = Self(rawValue: 2)
}

/// What was asked for. A reader that went away cannot be told so.
func show(_ text: String) { try? StandardStreams.output.write(text) }

/// One line for people about what is wrong.
func complain(_ text: String) { try? StandardStreams.error.write("sallyport: \(text)\n") }
