import Addressing
import OwnerIdentity

/// The members that do not change from record to record, as octets.
struct FixedMembers: Sendable {
  /// What a kind alone decides, by `RecordKind.index`.
  private let heads: [[UInt8]]
  /// What the boot, the pod and the product decide.
  private let constant: [UInt8]
  private let isConstantTruncated: Bool
  /// `constant` and what owner, policy and enforcement decide.
  private(set) var common: [UInt8] = []
  /// A text of `common` was cut.
  private(set) var isTruncated = false
  /// `"BOOT-q`: how `DnsSessionId` begins, its number and a quote follow.
  let querySession: [UInt8]
  /// `"BOOT-f`: how `NetworkSessionId` begins.
  let flowSession: [UInt8]

  init(bootID: String, identity: SandboxIdentity, context: RecordContext) {
    heads = RecordKind.allCases.map { Self.head(of: $0, versions: identity.schemaVersions) }
    var text = RecordText()
    func member(_ name: String, _ value: String?) {
      guard let value else { return }
      text.append(memberName(name))
      text.append(text: value, limit: RecordText.fixedTextOctetsMax)
    }
    member("EventVendor", "Sallyport")
    member("EventProduct", "Sallyport")
    member("EventProductVersion", identity.productVersion)
    member("Dvc", identity.podName)
    member("DvcHostname", identity.podName)
    member("DvcIpAddr", identity.podAddress?.description)
    member("DvcId", identity.podUID)
    member("DvcIdType", identity.podUID.map { _ in "Other" })
    member("DvcZone", identity.podNamespace)
    text.append(memberName("SbxFormat"))
    text.append(number: 1)
    member("SbxBootId", bootID)
    member("SbxSandboxId", identity.sandboxID)
    constant = text.octets
    isConstantTruncated = text.isTruncated
    querySession = Self.sessionOpening(bootID: bootID, letter: "q")
    flowSession = Self.sessionOpening(bootID: bootID, letter: "f")
    render(context)
  }

  func head(of kind: RecordKind) -> [UInt8] { heads[kind.index] }

  private static func sessionOpening(bootID: String, letter: String) -> [UInt8] {
    var text = RecordText()
    text.append(text: "\(bootID)-\(letter)", limit: RecordText.fixedTextOctetsMax)
    return text.octets.dropLast()
  }

  /// Renders `common` again.
  mutating func render(_ context: RecordContext) {
    var text = RecordText()
    func member(_ name: String, _ value: String) {
      text.append(memberName(name))
      text.append(text: value, limit: RecordText.fixedTextOctetsMax)
    }
    text.append(constant)
    member("SbxOwnerState", context.owner.text)
    if let binding = context.owner.binding {
      member("SrcUserId", binding.owner.object)
      member("SrcUserIdType", "AADID")
      member("SrcUserAadId", binding.owner.object)
      member("SrcUserScopeId", binding.owner.tenant)
      member("SrcUserType", "Regular")
      member("SbxOwnerBindingId", binding.bindingID)
      member("SbxOwnerSource", binding.source.rawValue)
      if let session = binding.sessionID { member("SbxSessionId", session) }
      if let claim = binding.claimUID { member("SbxClaimUid", claim) }
    }
    if let revision = context.policyRevision { member("SbxPolicyRevision", revision) }
    member("SbxEnforcement", context.enforcement.description)
    if context.isClockSkewed { text.append(Array(",\"SbxClockSkewed\":true".utf8)) }
    common = text.octets
    isTruncated = isConstantTruncated || text.isTruncated
  }

  private static func head(of kind: RecordKind, versions: SchemaVersions) -> [UInt8] {
    var text = RecordText()
    func member(_ name: String, _ value: String) {
      text.append(memberName(name))
      text.append(text: value, limit: RecordText.fixedTextOctetsMax)
    }
    member("SbxRecordKind", kind.rawValue)
    switch kind {
    case .flowOpen, .flowUpdate, .flowClose, .flowDenied:
      member("EventSchema", "NetworkSession")
      member("EventSchemaVersion", versions.networkSession)
      member("EventType", "NetworkSession")
      member("EventSubType", kind == .flowClose ? "End" : "Start")
      member("EventResult", kind == .flowDenied ? "Failure" : "Success")
      member("DvcAction", kind == .flowDenied ? "Deny" : "Allow")
    case .dnsAllowed, .dnsDenied:
      member("EventSchema", "Dns")
      member("EventSchemaVersion", versions.dns)
      member("EventType", "Query")
      member("EventSubType", "response")
      member("DvcAction", kind == .dnsAllowed ? "Allow" : "Deny")
    case .policyChange, .ownerChange, .sidecarStart, .sidecarStop, .heartbeat, .recordsDropped, .tamper:
      member("EventSchema", "AuditEvent")
      member("EventSchemaVersion", versions.auditEvent)
    }
    return text.octets
  }
}

extension RecordKind {
  /// Its place in `allCases`.
  var index: Int {
    switch self {
    case .flowOpen: 0
    case .flowUpdate: 1
    case .flowClose: 2
    case .flowDenied: 3
    case .dnsAllowed: 4
    case .dnsDenied: 5
    case .policyChange: 6
    case .ownerChange: 7
    case .sidecarStart: 8
    case .sidecarStop: 9
    case .heartbeat: 10
    case .recordsDropped: 11
    case .tamper: 12
    }
  }
}
