import Addressing
import EgressPolicy
import OwnerIdentity
import Timekeeping

/// Why a file could not be read, for people.
package struct FileProblem: Error, Hashable, Sendable, CustomStringConvertible {
  package var reason: String
  package init(_ reason: String) { self.reason = reason }
  package var description: String { reason }
}

extension Configuration {
  /// Reads one file: its octets, or why not.
  package typealias ReadFile = (_ path: String) -> Result<[UInt8], FileProblem>

  /// Everything at once. `hostName` stands in for the sandbox's and the pod's name, `file` is what `--config` named. Either a configuration without any
  /// problem, or every problem there is.
  package static func parse(
    environment: [String: String], file: SettingsFile? = nil, hostName: String, readFile: @escaping ReadFile
  ) -> Result<Configuration, SettingProblems> {
    var reader = SettingReader(environment: environment, file: file, readFile: readFile)
    var configuration = Configuration()
    configuration.openSandbox.isPresent = SettingNames.known.contains {
      $0.hasPrefix(SettingNames.openSandboxPrefix) && reader.raw($0) != nil
    }
    configuration.readPolicy(from: &reader)
    configuration.readDNS(from: &reader)
    configuration.readControl(from: &reader)
    configuration.readOwner(from: &reader)
    configuration.readAudit(from: &reader)
    configuration.readDelivery(from: &reader)
    configuration.readIdentity(from: &reader, hostName: hostName)
    configuration.readEnforcement(from: &reader)
    configuration.readOpenSandbox(from: &reader)
    refuseUnknown(environment: environment, file: file, into: &reader)
    guard reader.problems.isEmpty else { return .failure(SettingProblems(reader.problems)) }
    configuration.notices = reader.notices
    configuration.entries = reader.entries
    return .success(configuration)
  }

  /// `--print-configuration`: `NAME=value  # source`, one line a setting, secrets as `<set>`.
  package func printed() -> String {
    entries.map { "\($0.name)=\($0.value)  # \($0.source)\n" }.joined()
  }

  private static func refuseUnknown(
    environment: [String: String], file: SettingsFile?, into reader: inout SettingReader
  ) {
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) where !SettingNames.known.contains(name) {
      if name.hasPrefix(SettingNames.openSandboxPrefix) {
        refuseForeign(name, value: value, into: &reader)
      } else if name.hasPrefix(SettingNames.prefix), !SettingNames.isServiceLink(name, value: value) {
        reader.refuse(
          SettingProblem(
            variable: name, value: nil, reason: "unknown setting\(SettingNames.hint(for: name))", source: "environment")
        )
      }
    }
    for line in file?.lines ?? [] where !SettingNames.known.contains(line.name) {
      reader.refuse(
        SettingProblem(
          variable: line.name, value: nil, reason: "unknown setting\(SettingNames.hint(for: line.name))",
          source: "\(file?.path ?? ""):\(line.number)"))
    }
  }

  /// OpenSandbox has more variables than the contract names: what intercepts or injects would be missed by whoever set it, the rest (metrics, probes) would not.
  private static func refuseForeign(_ name: String, value: String, into reader: inout SettingReader) {
    guard !value.isEmpty, !["false", "0", "off"].contains(value.lowercased()) else { return }
    if name.contains("MITM") || name.contains("CREDENTIAL") {
      reader.refuse(
        SettingProblem(
          variable: name, value: nil, reason: "refused: connections are not intercepted here", source: "environment"))
    } else {
      reader.notice("\(name) is OpenSandbox's and has no effect")
    }
  }
}

extension Configuration {
  private mutating func readPolicy(from reader: inout SettingReader) {
    let inline = reader.raw("SALLYPORT_POLICY")
    let path = reader.raw("SALLYPORT_POLICY_FILE")
    if inline != nil, let path {
      reader.refuse(path, "SALLYPORT_POLICY is given too; give one of the two")
    }
    let rules = reader.raw("OPENSANDBOX_EGRESS_RULES")
    let rulesPath = reader.raw("OPENSANDBOX_EGRESS_POLICY_FILE")
    var text: SettingReader.Given?
    var source: SettingReader.Given?
    if let path {
      source = path
      policy = policyFile(path, reader: &reader, isOptional: false)
    } else if let inline {
      text = inline
    } else if let rulesPath, let found = policyFile(rulesPath, reader: &reader, isOptional: true) {
      source = rulesPath
      policy = found
    } else {
      text = rules
    }
    if let text { policy = PolicyInput(bytes: Array(text.value.utf8), variable: text.variable, path: nil) }
    reader.enter("SALLYPORT_POLICY", text?.value ?? "", from: text)
    reader.enter("SALLYPORT_POLICY_FILE", source?.value ?? "", from: source)
    alwaysDirectory = reader.readPath("SALLYPORT_ALWAYS_DIR", default: alwaysDirectory)
    mode = reader.readChoice("SALLYPORT_MODE", default: mode)
    if mode == .observe {
      reader.notice("SALLYPORT_MODE=observe: nothing is blocked; records say what would have been")
    }
    rulesMax = reader.read("SALLYPORT_MAX_RULES", default: rulesMax, show: { String($0 ?? 0) }) {
      given throws(Refusal) in
      let count = try SettingParsing.count(given.value, in: 0...1_000_000)
      return count == 0 ? nil : count
    }
  }

  /// OpenSandbox's file is also where it stores the policy, so that one which is missing or empty is no error there.
  private func policyFile(_ given: SettingReader.Given, reader: inout SettingReader, isOptional: Bool) -> PolicyInput? {
    switch reader.readFile(given.value) {
    case .success(let bytes):
      if isOptional, bytes.isEmpty { return nil }
      return PolicyInput(bytes: bytes, variable: given.variable, path: given.value)
    case .failure(let problem):
      if isOptional {
        reader.notice("\(given.variable): \(given.value) cannot be read (\(problem.reason)) and is left out")
      } else {
        reader.refuse(given, "cannot be read: \(problem.reason)")
      }
      return nil
    }
  }

  private mutating func readDNS(from reader: inout SettingReader) {
    dnsListen = reader.readEndpoints(
      "SALLYPORT_DNS_LISTEN",
      default: [
        Endpoint(.v4(IPv4Address(127, 0, 0, 1)), 15_353), Endpoint(.v6(IPv6Address(high: 0, low: 1)), 15_353),
      ])
    let isGiven = SettingTable.byName["SALLYPORT_DNS_UPSTREAM"].flatMap { reader.find($0) } != nil
    var system: [Endpoint] = []
    usesResolverFile = !isGiven
    if !isGiven {
      switch reader.readFile(ResolverFile.path) {
      case .success(let bytes): system = ResolverFile.parse(bytes).nameservers.map { Endpoint($0, 53) }
      case .failure: break
      }
      if system.isEmpty {
        reader.refuse(
          SettingProblem(
            variable: "SALLYPORT_DNS_UPSTREAM", value: nil,
            reason: "not given, and \(ResolverFile.path) has no nameserver", source: "default"))
      }
    }
    dnsUpstreams = reader.read(
      "SALLYPORT_DNS_UPSTREAM", default: system.map { UpstreamResolver($0) },
      show: { $0.map(\.description).joined(separator: ",") }, detail: " (\(ResolverFile.path))"
    ) { given throws(Refusal) in try SettingParsing.upstreams(given.value) }
    dnsUpstreamTimeout = reader.read(
      "SALLYPORT_DNS_UPSTREAM_TIMEOUT", default: dnsUpstreamTimeout, show: \.description
    ) { given throws(Refusal) in
      // OpenSandbox's is a number of seconds.
      let isBare = given.variable.hasPrefix(SettingNames.openSandboxPrefix) && given.value.utf8.allSatisfy(isDigit)
      return try SettingParsing.duration(
        isBare ? "\(given.value)s" : given.value, in: .milliseconds(10)...(.seconds(120)))
    }
    isDNSCacheOn = reader.readFlag("SALLYPORT_DNS_CACHE", default: isDNSCacheOn, words: ("on", "off"))
    let range = TimeSpan.zero...TimeSpan.seconds(7 * 86_400)
    dnsStale = reader.readDuration("SALLYPORT_DNS_STALE", default: dnsStale, in: range)
    dnsDenialCode = reader.readChoice("SALLYPORT_DNS_DENY_CODE", default: dnsDenialCode)
    dnsServiceBindings = reader.readChoice("SALLYPORT_DNS_SVCB", default: dnsServiceBindings)
    dnsNameBudget = reader.readCount("SALLYPORT_DNS_NAME_BUDGET", default: dnsNameBudget, in: 0...262_144)
    dnsChannelBudget = reader.readSize(
      "SALLYPORT_DNS_CHANNEL_BUDGET", default: dnsChannelBudget, in: ByteCount(0)...ByteCount(1 << 40))
    dnsClientRate = reader.readCount("SALLYPORT_DNS_CLIENT_RATE", default: dnsClientRate, in: 0...1_000_000)
    dnsRate = reader.readCount("SALLYPORT_DNS_RATE", default: dnsRate, in: 0...1_000_000)
    leaseMin = reader.readDuration("SALLYPORT_LEASE_MIN", default: leaseMin, in: .seconds(1)...range.upperBound)
    leaseGrace = reader.readDuration("SALLYPORT_LEASE_GRACE", default: leaseGrace, in: range)
    leaseMax = reader.readDuration("SALLYPORT_LEASE_MAX", default: leaseMax, in: .seconds(1)...range.upperBound)
    if leaseMin > leaseMax {
      let given = reader.raw("SALLYPORT_LEASE_MIN") ?? reader.raw("SALLYPORT_LEASE_MAX")
      if let given {
        reader.refuse(given, "SALLYPORT_LEASE_MIN (\(leaseMin)) exceeds SALLYPORT_LEASE_MAX (\(leaseMax))")
      }
    }
  }

  private mutating func readControl(from reader: inout SettingReader) {
    apiListen = reader.read(
      "SALLYPORT_API_LISTEN", default: [Endpoint(.v4(IPv4Address(0, 0, 0, 0)), 18_080)], show: list
    ) { given throws(Refusal) in
      // OpenSandbox writes `:18080` for every address.
      let isBare = given.variable.hasPrefix(SettingNames.openSandboxPrefix) && given.value.hasPrefix(":")
      return try SettingParsing.endpoints(isBare ? "0.0.0.0\(given.value)" : given.value)
    }
    apiToken = reader.readSecret("SALLYPORT_API_TOKEN")
    let certificate = reader.readOptionalText("SALLYPORT_API_TLS_CERT_FILE")
    let key = reader.readOptionalText("SALLYPORT_API_TLS_KEY_FILE")
    let clients = reader.readOptionalText("SALLYPORT_API_TLS_CLIENT_CA_FILE")
    if let certificate, let key {
      apiIdentity = ServerIdentity(certificateFile: certificate, keyFile: key, clientCAFile: clients)
    } else {
      for name in ["SALLYPORT_API_TLS_CERT_FILE", "SALLYPORT_API_TLS_KEY_FILE", "SALLYPORT_API_TLS_CLIENT_CA_FILE"] {
        guard let given = reader.raw(name) else { continue }
        reader.refuse(given, "SALLYPORT_API_TLS_CERT_FILE and SALLYPORT_API_TLS_KEY_FILE are given together")
      }
    }
    if apiToken == nil { reader.notice("SALLYPORT_API_TOKEN is not given: the control API refuses every change") }
  }

  private mutating func readOwner(from reader: inout SettingReader) {
    owner = reader.read("SALLYPORT_OWNER", default: nil, show: { $0?.description ?? "" }) { given throws(Refusal) in
      do throws(OwnerID.ParseError) {
        return try OwnerID.parse(given.value)
      } catch {
        throw Refusal(error.description)
      }
    }
    ownerTokenFile = reader.readOptionalText("SALLYPORT_OWNER_TOKEN_FILE")
    ownerKeysFile = reader.readOptionalText("SALLYPORT_OWNER_JWKS_FILE")
    ownerKeys = keySet(from: &reader)
    let issuer = reader.readOptionalText("SALLYPORT_OWNER_ISSUER")
    ownerIssuer = issuer.flatMap(OwnerIssuer.init)
    if issuer != nil, ownerIssuer == nil, let given = reader.raw("SALLYPORT_OWNER_ISSUER") {
      reader.refuse(
        given, "an issuer of Microsoft Entra names one tenant: https://login.microsoftonline.com/TENANT/v2.0")
    }
    ownerAudience = reader.readPath("SALLYPORT_OWNER_AUDIENCE", default: ownerAudience)
    checkProof(in: &reader)
    let names = SettingTable.settings.map(\.name).filter { $0.hasPrefix("SALLYPORT_OWNER") }
    let isDropIn = openSandbox.isPresent && names.allSatisfy { reader.raw($0) == nil }
    if isDropIn {
      reader.notice("only OpenSandbox's variables are set: no owner is required, and every record says unbound")
    }
    isOwnerRequired = reader.readFlag("SALLYPORT_OWNER_REQUIRED", default: !isDropIn, words: ("true", "false"))
  }

  private func keySet(from reader: inout SettingReader) -> KeySet? {
    guard let path = ownerKeysFile, let given = reader.raw("SALLYPORT_OWNER_JWKS_FILE") else { return nil }
    switch reader.readFile(path) {
    case .failure(let problem): reader.refuse(given, "cannot be read: \(problem.reason)")
    case .success(let bytes):
      do throws(KeySet.Problem) {
        let keys = try KeySet.parse(bytes)
        for key in keys.keys {
          guard let weakness = key.weakness else { continue }
          reader.notice("\(given.variable): the key \(key.keyID ?? "without kid") signs nobody: \(weakness)")
        }
        if keys.keys.isEmpty { reader.notice("\(given.variable): no key in it is RSA or P-256 and for signatures") }
        return keys
      } catch {
        reader.refuse(given, error.description)
      }
    }
    return nil
  }

  /// What a token needs so that it can be judged at all.
  private func checkProof(in reader: inout SettingReader) {
    let tokenFile = reader.raw("SALLYPORT_OWNER_TOKEN_FILE")
    if let tokenFile, ownerKeysFile == nil {
      reader.refuse(tokenFile, "needs SALLYPORT_OWNER_JWKS_FILE: without keys no token proves anything")
    }
    if let tokenFile, ownerIssuer?.isEntra ?? false {
      reader.refuse(
        tokenFile, "a user's own token must not lie in a file: with an issuer of Microsoft Entra use PUT /owner")
    }
    if let keysFile = reader.raw("SALLYPORT_OWNER_JWKS_FILE"), reader.raw("POD_UID") == nil {
      reader.refuse(keysFile, "needs POD_UID: an owner is bound to one pod")
    }
    if ownerKeysFile != nil, ownerIssuer == nil {
      reader.notice(
        "SALLYPORT_OWNER_ISSUER is not given: iss is not compared, whoever has one of the keys may sign an owner")
    }
  }

  private mutating func readAudit(from reader: inout SettingReader) {
    stateDirectory = reader.readPath("SALLYPORT_STATE_DIR", default: stateDirectory)
    // Two segments of the spool at least; more than a tebibyte is a slip of the pen.
    spoolMax = reader.readSize(
      "SALLYPORT_SPOOL_MAX", default: spoolMax, in: ByteCount(1 << 20)...ByteCount(1 << 40))
    auditFail = reader.readChoice("SALLYPORT_AUDIT_FAIL", default: auditFail)
    // A lease shorter than a second would end between two deliveries.
    auditLease = reader.read("SALLYPORT_AUDIT_LEASE", default: nil, show: { $0?.description ?? "0" }) {
      given throws(Refusal) in
      let span = try SettingParsing.duration(given.value, in: .zero...(.seconds(86_400)))
      guard span == .zero || span >= .seconds(1) else { throw Refusal("neither 0 nor at least 1s") }
      return span == .zero ? nil : span
    }
    auditSync = reader.readChoice("SALLYPORT_AUDIT_SYNC", default: auditSync)
    // Half of the 60 s within which a record must be delivered.
    flushInterval = reader.readDuration(
      "SALLYPORT_FLUSH_INTERVAL", default: flushInterval, in: .milliseconds(1)...(.seconds(30)))
  }

  private mutating func readEnforcement(from reader: inout SettingReader) {
    ingress = reader.read("SALLYPORT_INGRESS", default: ingress, show: \.description) { given throws(Refusal) in
      try SettingParsing.ingress(given.value)
    }
    // Not 0: the daemon's traffic is exempt by this uid, and the workload may run as 0.
    runAs = reader.read("SALLYPORT_RUN_AS", default: runAs, show: { String($0) }) { given throws(Refusal) in
      UInt32(try SettingParsing.count(given.value, in: 1...4_294_967_294))
    }
    kernelProfile = reader.readChoice("SALLYPORT_KERNEL_PROFILE", default: kernelProfile)
    logLevel = reader.read("SALLYPORT_LOG_LEVEL", default: logLevel, show: \.rawValue) { given throws(Refusal) in
      guard given.variable.hasPrefix(SettingNames.openSandboxPrefix) else {
        return try SettingParsing.choice(given.value)
      }
      switch given.value.lowercased() {
      case "warn": return .warning
      case "dpanic", "panic", "fatal": return .error
      case let level: return try SettingParsing.choice(level)
      }
    }
  }
}

private func isDigit(_ octet: UInt8) -> Bool { (0x30...0x39).contains(octet) }

/// Endpoints by commas.
func list(_ endpoints: [Endpoint]) -> String { endpoints.map(\.description).joined(separator: ",") }
