import LinuxIO
import Transport

/// Promise T3. What the rules were when this daemon loaded them, for the next start: they stand until someone deletes them, and are to be what they were. In the page cache
/// that is enough: with the machine the rules go too.
struct RulesetMemory: Equatable, Sendable {
  /// In the state directory.
  private static let file = "ruleset"
  /// Octets of the file: a boot, a namespace and a digest take some 130.
  private static let octetsMax = 1_024
  private static let loading = "loading"

  /// Boot and network namespace: in another one there are none of our rules, and nobody took them away.
  private let place: String
  private let digest: String

  /// Of rules as `NftablesSocket.structure` reads them; nil for none.
  init(_ structure: [UInt8]?) {
    place = ProcessIdentity.networkPlace()
    digest = structure.map { hexadecimal(SHA256.digest($0)) } ?? "none"
  }

  private init(place: String, digest: String) {
    self.place = place
    self.digest = digest
  }

  /// From here until `keep`, what the rules are is not known: a start that is cut short must not look like someone else's change.
  static func beginLoading(in state: Directory) throws(Errno) {
    try RulesetMemory(place: ProcessIdentity.networkPlace(), digest: loading).keep(in: state)
  }

  func keep(in state: Directory) throws(Errno) {
    let bytes = Array("\(place) \(digest)\n".utf8)
    let file = try state.open(Self.file, .update)
    try file.write(bytes, at: 0)
    try file.truncate(to: Int64(bytes.count))
  }

  /// Whether rules that were kept here are others now; false when nothing is known of them.
  func differs(fromKeptIn state: Directory) throws(Errno) -> Bool {
    guard let bytes = try state.readWhole(Self.file, limit: Self.octetsMax) else { return false }
    let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard words.count == 2, words[0] == place, words[1] != Self.loading else { return false }
    return words[1] != digest
  }

  /// Whether there are no rules at all.
  var isOfNone: Bool { digest == "none" }
}

private func hexadecimal(_ octets: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
