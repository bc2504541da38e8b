import Addressing
import Configuration
import EgressPolicy
import LinuxIO
import Transport

/// The policy that the settings ask for: the document and the platform's lists, read and validated before anything starts.
package struct InitialPolicy: Sendable {
  package var document: PolicyDocument
  /// The variable or file it came from; `default` when none did.
  package var source: String
  package var always: AlwaysRules
  /// SHA-256 of the file that the document came from, in hexadecimal; nil when it came from elsewhere.
  package var fileDigest: String?

  /// The longest list that is read: 8 MiB, as the API's body.
  private static let listBytesMax = 8 << 20

  /// Every problem of every document, or the policy.
  package static func load(_ configuration: Configuration) -> Result<InitialPolicy, SettingProblems> {
    var problems: [SettingProblem] = []
    var policy = InitialPolicy(document: .denyAll, source: "default", always: .none)
    if let input = configuration.policy {
      policy.source = input.path ?? input.variable
      if input.path != nil { policy.fileDigest = digest(input.bytes) }
      do throws(PolicyProblems) {
        policy.document = try document(input.bytes, configuration)
      } catch {
        problems += error.problems.map { problem(input.variable, $0, input.path ?? "environment") }
      }
    }
    switch lists(configuration) {
    case .success(let lists): policy.always = lists
    case .failure(let found): problems += found.problems
    }
    if let identity = configuration.apiIdentity {
      do throws(CryptographyFault) {
        _ = try identity.load()
      } catch {
        problems.append(
          SettingProblem(
            variable: "SALLYPORT_API_TLS_CERT_FILE", value: identity.certificateFile, reason: error.reason,
            source: "file"))
      }
    }
    return problems.isEmpty ? .success(policy) : .failure(SettingProblems(problems))
  }

  /// A policy file's octets as a document.
  static func document(_ bytes: [UInt8], _ configuration: Configuration) throws(PolicyProblems) -> PolicyDocument {
    try PolicyDocument.parse(bytes, limits: fileLimits(configuration))
  }

  /// The files of `SALLYPORT_ALWAYS_DIR` as they are now, and what settings put before them.
  static func lists(_ configuration: Configuration) -> Result<AlwaysRules, SettingProblems> {
    var list = Lists(directory: configuration.alwaysDirectory)
    var deny = list.rules("deny.always", .deny)
    let doh = dnsOverHTTPS(configuration.openSandbox)
    if !doh.isEmpty { deny = RuleList(doh + Array(deny)) }
    let always = AlwaysRules(
      deny: deny, allow: list.rules("allow.always", .allow), skipLog: list.targets("log_skip.always"))
    return list.problems.isEmpty ? .success(always) : .failure(SettingProblems(list.problems))
  }

  /// `OPENSANDBOX_EGRESS_BLOCK_DOH_443`: port 443 of the listed addresses, or of every address without a list. UDP too, since DNS over HTTPS also goes over HTTP/3.
  private static func dnsOverHTTPS(_ settings: OpenSandboxSettings) -> [PolicyRule] {
    guard settings.blocksDNSOverHTTPS else { return [] }
    let targets: [PolicyTarget] =
      settings.dnsOverHTTPSBlocks.isEmpty ? [.everything] : settings.dnsOverHTTPSBlocks.map { .block($0) }
    let ports = PortSet(tcp: [443...443], udp: [443...443], otherProtocols: false)
    return targets.map {
      PolicyRule(
        action: .deny, target: $0, targetText: $0.description, portTexts: ["443"], ports: ports,
        reason: "OPENSANDBOX_EGRESS_BLOCK_DOH_443")
    }
  }

  /// SHA-256 in hexadecimal.
  static func digest(_ bytes: [UInt8]) -> String { hexadecimal(SHA256.digest(of: bytes)) }

  /// The same of a policy file, which is not held whole for it.
  static func digest(ofFile path: String) throws(Errno) -> String {
    let state = SHA256State()
    try File.forEachPiece(of: path, limit: PolicyLimits.files.bodyMax) { state.update(Array($0)) }
    return hexadecimal(state.finish())
  }

  private static func hexadecimal(_ octets: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  package static func limits(_ configuration: Configuration) -> PolicyLimits {
    PolicyLimits(rulesMax: configuration.rulesMax ?? 0)
  }

  /// What the operator gives at the start may be as long as the lists; the number of rules is his own limit.
  private static func fileLimits(_ configuration: Configuration) -> PolicyLimits {
    var limits = PolicyLimits.files
    limits.rulesMax = configuration.rulesMax ?? 0
    return limits
  }

  private static func problem(_ variable: String, _ problem: PolicyProblem, _ source: String) -> SettingProblem {
    SettingProblem(variable: variable, value: nil, reason: "\(problem.path): \(problem.reason)", source: source)
  }

  /// The files of `SALLYPORT_ALWAYS_DIR`; one that is not there is empty.
  private struct Lists {
    let directory: String
    var problems: [SettingProblem] = []

    mutating func rules(_ name: String, _ action: PolicyAction) -> RuleList {
      guard let bytes = contents(name) else { return [] }
      do throws(PolicyProblems) {
        return try AlwaysRules.parse(bytes, file: name, action: action)
      } catch {
        note(error, name)
        return []
      }
    }

    mutating func targets(_ name: String) -> [PolicyTarget] {
      guard let bytes = contents(name) else { return [] }
      do throws(PolicyProblems) {
        return try AlwaysRules.parseTargets(bytes, file: name)
      } catch {
        note(error, name)
        return []
      }
    }

    private mutating func contents(_ name: String) -> [UInt8]? {
      do throws(Errno) {
        return try File.readWhole("\(directory)/\(name)", limit: InitialPolicy.listBytesMax)
      } catch {
        guard error != .noEntry else { return nil }
        problems.append(
          SettingProblem(variable: "SALLYPORT_ALWAYS_DIR", value: directory, reason: error.description, source: name))
        return nil
      }
    }

    private mutating func note(_ found: PolicyProblems, _ name: String) {
      problems += found.problems.map { InitialPolicy.problem("SALLYPORT_ALWAYS_DIR", $0, "\(directory)/\(name)") }
    }
  }
}
