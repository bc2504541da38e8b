import Configuration
import LinuxIO
import OwnerIdentity
import Sidecar
import Timekeeping
import Transport

/// What the proof of an owner needs of the world: the token's file, the file of keys, and OpenSSL's word on a signature.
final class OwnerFiles {
  private enum Kind: Sendable { case token, keys }

  private let kinds: [Kind]
  private let files: WatchedFiles
  /// Made once for each key: most of a check's time is making it.
  private var verifiers: [KeyNumbers: SignatureVerifier] = [:]

  /// Both files are optional.
  init(_ configuration: Configuration, _ log: Log, at now: Instant) throws(Errno) {
    var kinds: [Kind] = []
    var watched: [WatchedFiles.Watched] = []
    if let path = configuration.ownerTokenFile {
      kinds.append(.token)
      watched.append(WatchedFiles.Watched(path: path, octetsMax: TokenFile.octetsMax))
    }
    if let path = configuration.ownerKeysFile {
      kinds.append(.keys)
      watched.append(WatchedFiles.Watched(path: path, octetsMax: KeySet.octetsMax))
    }
    self.kinds = kinds
    files = try WatchedFiles(watched, log, at: now)
  }

  /// For `EventPoll.register`.
  var number: Int32 { files.number }

  func read(_ body: (SidecarEvent) -> Void) { files.read { body(event($0, $1)) } }

  /// Each second.
  func sweep(at now: Instant, _ body: (SidecarEvent) -> Void) { files.sweep(at: now) { body(event($0, $1)) } }

  private func event(_ index: Int, _ contents: [UInt8]?) -> SidecarEvent {
    switch kinds[index] {
    case .token: .ownerTokenRead(contents)
    case .keys: .ownerKeysRead(contents)
    }
  }

  /// At once and not by a worker: it is asked for by one client at a time with the API's token, and takes 30 to 100 µs with the usual keys and 0.6 ms with the
  /// longest that is accepted, less than a turn of the loop under load.
  func judge(_ check: SignatureCheck) -> SignatureCheck.Outcome {
    guard let verifier = verifier(check.key) else { return .unusableKey }
    return verifier.isValid(check.signature, over: check.message, check.key.algorithm == .rs256 ? .rs256 : .es256)
      ? .valid : .invalid
  }

  private func verifier(_ key: KeyNumbers) -> SignatureVerifier? {
    if let made = verifiers[key] { return made }
    let made =
      switch key {
      case .rsa(let modulus, let exponent): SignatureVerifier(.rsa(modulus: modulus, exponent: exponent))
      case .p256(let x, let y): SignatureVerifier(.p256(x: x, y: y))
      }
    // Keys that were rotated out are not kept for ever.
    if verifiers.count >= KeySet.keysMax { verifiers.removeAll() }
    verifiers[key] = made
    return made
  }
}
