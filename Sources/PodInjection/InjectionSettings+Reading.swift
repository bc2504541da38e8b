import JSONText

extension InjectionSettings {
  /// Reads the settings document; `deploy/inject/settings.schema.json` describes it.
  ///
  /// Throws: `InjectionRefusal` with everything that is wrong.
  package static func read(_ document: JSONValue) throws(InjectionRefusal) -> InjectionSettings {
    var reader = SettingsReader()
    let settings = reader.settings(document)
    guard reader.problems.isEmpty else { throw InjectionRefusal(problems: reader.problems) }
    return settings
  }

  /// Set by the injector itself, from the pod and from the other members.
  static let reserved: Set<String> = [
    "SALLYPORT_RUN_AS", "SALLYPORT_STATE_DIR", "SALLYPORT_API_TOKEN", "SALLYPORT_API_TOKEN_FILE",
    "SALLYPORT_POLICY_FILE",
    "SALLYPORT_ALWAYS_DIR", "SALLYPORT_OWNER_JWKS_FILE", "SALLYPORT_OWNER_TOKEN_FILE", "SALLYPORT_CA_FILE",
  ]
}

/// Collects every problem of a settings document.
private struct SettingsReader {
  var problems: [InjectionProblem] = []

  private static let members: Set<String> = [
    "image", "imagePullPolicy", "sidecarUser", "workloadUser", "resources", "stateSize", "settings", "policyConfigMap",
    "alwaysConfigMap", "ownerKeysConfigMap", "apiTokenSecret", "caConfigMap", "workloadIdentity", "runtimeClasses",
  ]

  mutating func settings(_ document: JSONValue) -> InjectionSettings {
    var settings = InjectionSettings(image: "")
    guard checkMembers(document, at: "$", Self.members) else { return settings }
    settings.image = text(document, "image", at: "$") ?? ""
    if settings.image.isEmpty { fault("$.image", "is missing: the sidecar's image, best with its digest") }
    settings.imagePullPolicy = text(document, "imagePullPolicy", at: "$")
    if let policy = settings.imagePullPolicy, !["Always", "IfNotPresent", "Never"].contains(policy) {
      fault("$.imagePullPolicy", "must be Always, IfNotPresent or Never")
    }
    settings.sidecarUser = user(document, "sidecarUser") ?? settings.sidecarUser
    settings.workloadUser = user(document, "workloadUser") ?? settings.workloadUser
    if settings.sidecarUser == settings.workloadUser {
      fault("$.workloadUser", "must not be the sidecar's user, \(settings.sidecarUser)")
    }
    if let resources = document["resources"] {
      if resources.object == nil { fault("$.resources", "must be an object") } else { settings.resources = resources }
    }
    settings.stateSize = text(document, "stateSize", at: "$") ?? settings.stateSize
    settings.settings = environment(document["settings"])
    settings.policy = reference(document, "policyConfigMap", key: "policy.json")
    settings.alwaysRules = text(document, "alwaysConfigMap", at: "$")
    settings.ownerKeys = reference(document, "ownerKeysConfigMap", key: "jwks.json")
    settings.apiToken = reference(document, "apiTokenSecret", key: "token")
    settings.certificateAuthorities = reference(document, "caConfigMap", key: "ca.pem")
    settings.workloadIdentity = identity(document["workloadIdentity"])
    settings.runtimeClasses = texts(document, "runtimeClasses")
    return settings
  }

  private mutating func environment(_ value: JSONValue?) -> [InjectionSettings.Setting] {
    guard let value, value != .null else { return [] }
    guard let members = value.object else {
      fault("$.settings", "must be an object of names and texts")
      return []
    }
    var settings: [InjectionSettings.Setting] = []
    for member in members {
      let path = "$.settings.\(member.key)"
      guard member.key.hasPrefix("SALLYPORT_") else {
        fault(path, "is no setting of the sidecar")
        continue
      }
      guard !InjectionSettings.reserved.contains(member.key) else {
        fault(path, "is set by the injector")
        continue
      }
      switch member.value {
      case .string(let text): settings.append(.init(name: member.key, value: text))
      case .number(let text): settings.append(.init(name: member.key, value: text))
      case .bool(let value): settings.append(.init(name: member.key, value: value ? "true" : "false"))
      default: fault(path, "must be a text")
      }
    }
    return settings
  }

  private mutating func reference(_ document: JSONValue, _ name: String, key: String) -> InjectionSettings.KeyReference?
  {
    guard let value = document[name], value != .null else { return nil }
    let path = "$.\(name)"
    guard checkMembers(value, at: path, ["name", "key"]) else { return nil }
    guard let object = text(value, "name", at: path), !object.isEmpty else {
      fault("\(path).name", "is missing")
      return nil
    }
    return .init(name: object, key: text(value, "key", at: path) ?? key)
  }

  private mutating func identity(_ value: JSONValue?) -> InjectionSettings.WorkloadIdentity? {
    guard let value, value != .null else { return nil }
    let path = "$.workloadIdentity"
    guard checkMembers(value, at: path, ["clientId", "tenantId", "authorityHost"]) else { return nil }
    guard let client = text(value, "clientId", at: path), let tenant = text(value, "tenantId", at: path) else {
      fault(path, "needs clientId and tenantId")
      return nil
    }
    var identity = InjectionSettings.WorkloadIdentity(clientID: client, tenantID: tenant)
    identity.authorityHost = text(value, "authorityHost", at: path) ?? identity.authorityHost
    return identity
  }

  private mutating func user(_ document: JSONValue, _ name: String) -> Int64? {
    guard let value = document[name] else { return nil }
    // The kernel's uid_t without the two that mean "none".
    guard let user = value.integer, (1..<Int64(UInt32.max) - 1).contains(user) else {
      fault("$.\(name)", "must be a user's number above 0")
      return nil
    }
    return user
  }

  private mutating func text(_ object: JSONValue, _ name: String, at path: String) -> String? {
    guard let value = object[name], value != .null else { return nil }
    guard let text = value.string else {
      fault("\(path).\(name)", "must be a text, not \(value.kind)")
      return nil
    }
    return text
  }

  private mutating func texts(_ object: JSONValue, _ name: String) -> [String] {
    guard let value = object[name], value != .null else { return [] }
    guard let texts = value.array?.map(\.string), !texts.contains(nil) else {
      fault("$.\(name)", "must be an array of texts")
      return []
    }
    return texts.compactMap { $0 }
  }

  private mutating func checkMembers(_ value: JSONValue, at path: String, _ known: Set<String>) -> Bool {
    guard let members = value.object else {
      fault(path, "must be an object, not \(value.kind)")
      return false
    }
    for member in members where !known.contains(member.key) {
      fault("\(path).\(member.key)", "is not known; there are \(known.sorted().joined(separator: ", "))")
    }
    return true
  }

  private mutating func fault(_ path: String, _ reason: String) { problems.append(InjectionProblem(path, reason)) }
}
