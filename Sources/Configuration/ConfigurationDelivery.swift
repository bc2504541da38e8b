import Addressing

extension Configuration {
  /// How the hub is to be told who we are.
  private enum HubAuthentication: String, CaseIterable {
    case workloadIdentity = "workload-identity"
    case sas
    case tokenFile = "token-file"
    case none
  }

  mutating func readDelivery(from reader: inout SettingReader) {
    hub = reader.read("SALLYPORT_EVENTHUB_URL", default: nil, show: { $0?.description ?? "" }) {
      given throws(Refusal) in
      try SettingParsing.hub(given.value)
    }
    // A hub that is given and refused is a problem already; standard output must not take its place.
    let hasHub = reader.raw("SALLYPORT_EVENTHUB_URL") != nil
    auditFile = reader.read("SALLYPORT_AUDIT_FILE", default: hasHub ? nil : "-", show: { $0 ?? "" }) {
      given throws(Refusal) in
      try SettingParsing.text(given.value)
    }
    let way = readCredential(from: &reader)
    hubScope = reader.readPath("SALLYPORT_EVENTHUB_SCOPE", default: hubScope)
    // The longest record when every octet of it needs an escape, with its envelope; a hub of the premium tier takes 1 MiB.
    hubBodyMax = reader.readSize(
      "SALLYPORT_EVENTHUB_MAX_BODY", default: hubBodyMax, in: ByteCount(66_560)...ByteCount(1_048_576))
    hubRateMax = reader.read("SALLYPORT_EVENTHUB_MAX_RATE", default: nil, show: { String($0 ?? 0) }) {
      given throws(Refusal) in
      let rate = try SettingParsing.count(given.value, in: 0...1_000_000)
      return rate == 0 ? nil : rate
    }
    readProxy(from: &reader)
    authorityFile = reader.readOptionalText("SALLYPORT_CA_FILE")
    readWorkloadIdentity(from: &reader)
    if hasHub, way == .workloadIdentity { checkWorkloadIdentity(with: &reader) }
  }

  private mutating func readCredential(from reader: inout SettingReader) -> HubAuthentication {
    let way = reader.readChoice("SALLYPORT_EVENTHUB_AUTH", default: HubAuthentication.workloadIdentity)
    let name = reader.readOptionalText("SALLYPORT_EVENTHUB_SAS_NAME")
    let key = reader.readSecret("SALLYPORT_EVENTHUB_SAS_KEY")
    let tokenFile = reader.readOptionalText("SALLYPORT_EVENTHUB_TOKEN_FILE")
    switch way {
    case .workloadIdentity: hubCredential = .workloadIdentity
    case .sas:
      if name == nil { reader.refuse(missing("SALLYPORT_EVENTHUB_SAS_NAME", for: way)) }
      if key == nil, reader.raw("SALLYPORT_EVENTHUB_SAS_KEY") == nil,
        reader.raw("SALLYPORT_EVENTHUB_SAS_KEY_FILE") == nil
      {
        reader.refuse(missing("SALLYPORT_EVENTHUB_SAS_KEY", for: way))
      }
      if let name, let key { hubCredential = .sharedAccessKey(name: name, key: key) }
    case .tokenFile:
      if let tokenFile {
        hubCredential = .tokenFile(tokenFile)
      } else {
        reader.refuse(missing("SALLYPORT_EVENTHUB_TOKEN_FILE", for: way))
      }
    case .none: hubCredential = .none
    }
    return way
  }

  private func missing(_ variable: String, for way: HubAuthentication) -> SettingProblem {
    SettingProblem(
      variable: variable, value: nil, reason: "needed by SALLYPORT_EVENTHUB_AUTH=\(way.rawValue)", source: "default")
  }

  private mutating func readWorkloadIdentity(from reader: inout SettingReader) {
    workloadIdentity.clientID = reader.readOptionalText("AZURE_CLIENT_ID")
    workloadIdentity.tenantID = reader.readOptionalText("AZURE_TENANT_ID")
    workloadIdentity.federatedTokenFile = reader.readOptionalText("AZURE_FEDERATED_TOKEN_FILE")
    workloadIdentity.authorityHost = reader.read(
      "AZURE_AUTHORITY_HOST", default: "https://login.microsoftonline.com/", show: { $0 ?? "" }
    ) { given throws(Refusal) in
      _ = try SettingParsing.authority(given.value)
      return given.value
    }
  }

  /// What AKS injects is all needed.
  private mutating func checkWorkloadIdentity(with reader: inout SettingReader) {
    let identity = workloadIdentity
    let given = [
      ("AZURE_CLIENT_ID", identity.clientID), ("AZURE_TENANT_ID", identity.tenantID),
      ("AZURE_FEDERATED_TOKEN_FILE", identity.federatedTokenFile),
    ]
    for (name, value) in given where value == nil && reader.raw(name) == nil {
      reader.refuse(missing(name, for: .workloadIdentity))
    }
    if let client = identity.clientID, let tenant = identity.tenantID, let file = identity.federatedTokenFile,
      let authority = identity.authorityHost.flatMap({ try? SettingParsing.authority($0) })
    {
      federatedIdentity = FederatedIdentity(clientID: client, tenantID: tenant, tokenFile: file, authority: authority)
    }
  }

  mutating func readIdentity(from reader: inout SettingReader, hostName: String) {
    let detail = " (host name)"
    sandboxID = reader.readPath("SALLYPORT_SANDBOX_ID", default: hostName, detail: detail)
    podName = reader.readPath("POD_NAME", default: hostName, detail: detail)
    podNamespace = reader.readOptionalText("POD_NAMESPACE")
    podUID = reader.readOptionalText("POD_UID")
    podAddress = reader.read("POD_IP", default: nil, show: { $0?.description ?? "" }) { given throws(Refusal) in
      guard let address = IPAddress(given.value) else { throw Refusal("not an IP address") }
      return address
    }
    nodeName = reader.readOptionalText("NODE_NAME")
  }

  mutating func readOpenSandbox(from reader: inout SettingReader) {
    openSandbox.mode = reader.read("OPENSANDBOX_EGRESS_MODE", default: nil, show: { $0 ?? "" }) {
      given throws(Refusal) in
      let words = given.value.lowercased().split(separator: "+", omittingEmptySubsequences: false).map { trimmed($0) }
      guard words.allSatisfy({ $0 == "dns" || $0 == "nft" }) else { throw Refusal("not dns, nft or dns+nft") }
      return words.contains("nft") && words.contains("dns") ? "dns+nft" : words.first
    }
    if let mode = openSandbox.mode, mode != "dns+nft" {
      reader.notice("OPENSANDBOX_EGRESS_MODE=\(mode) starts in full enforcement: addresses are enforced too")
    }
    if let exempt = reader.raw("OPENSANDBOX_EGRESS_NAMESERVER_EXEMPT") {
      reader.refuse(exempt, "refused: the workload would ask these resolvers unfiltered and unrecorded")
    }
    if let text = reader.readSecret("OPENSANDBOX_EGRESS_DENY_WEBHOOK") {
      do throws(Refusal) {
        openSandbox.denyWebhook = try SettingParsing.webhook(text.text)
      } catch {
        reader.refuse(
          SettingProblem(
            variable: "OPENSANDBOX_EGRESS_DENY_WEBHOOK", value: nil, reason: error.reason, source: "environment"))
      }
    }
    openSandbox.blocksDNSOverHTTPS = reader.read(
      "OPENSANDBOX_EGRESS_BLOCK_DOH_443", default: false, show: { String($0) }
    ) { given throws(Refusal) in
      switch given.value.lowercased() {
      case "1", "yes": true
      case "0", "no": false
      case let word: try SettingParsing.flag(word)
      }
    }
    openSandbox.dnsOverHTTPSBlocks = reader.read(
      "OPENSANDBOX_EGRESS_DOH_BLOCKLIST", default: [], show: { $0.map(\.description).joined(separator: ",") }
    ) { given throws(Refusal) in
      var blocks: [CIDRBlock] = []
      for item in given.value.split(separator: ",") {
        guard let block = CIDRBlock(trimmed(item)) else { throw Refusal("'\(item)' is not an address or block") }
        blocks.append(block)
      }
      return blocks
    }
  }
}
