/// One variable: what it is called, what it is without being set, and what it means. `SettingTable` lists all of them, and the documentation is made from it.
package struct Setting: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    case text, path, list, size, duration, count, choice, secret
  }

  package var name: String
  package var kind: Kind
  /// As the print shows it; empty when there is none.
  package var defaultText: String
  package var meaning: String
  /// The variable of OpenSandbox that gives it when it is not set itself.
  package var openSandboxName: String?

  init(
    _ name: String, _ kind: Kind, _ defaultText: String, _ meaning: String, openSandbox: String? = nil
  ) {
    self.name = name
    self.kind = kind
    self.defaultText = defaultText
    self.meaning = meaning
    openSandboxName = openSandbox
  }

  /// Never printed, and also read from the file that `NAME_FILE` names.
  package var isSecret: Bool { kind == .secret }
}
