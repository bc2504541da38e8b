import JSONText

/// What is put into a pod: one container and the volumes it mounts. Everything of ours has a name that begins with `sallyport`.
struct SidecarParts {
  /// The container's name.
  static let name = "sallyport"
  /// Names of volumes that are ours.
  static let volumePrefix = "sallyport-"
  /// The control API and the DNS proxy (contract §2): no container of the workload may ask for them.
  static let ports: Set<Int64> = [18_080, 15_353]
  /// Holds the signed binding token (contract §2). A claim until its signature is checked, so anyone may write it.
  static let ownerAnnotation = "sallyport.dev/owner-token"
  /// Whom a service account token must be for to be exchanged at Entra's.
  static let exchangeAudience = "api://AzureADTokenExchange"

  /// Seconds a projected token lives; the kubelet renews it at four fifths. An hour is what AKS's own webhook asks for.
  private static let tokenSeconds = 3_600
  /// Tries of the start-up probe, one a second: the rules stand within some 30 ms, so a minute is for a slow image.
  private static let startupTries = 60

  let settings: InjectionSettings

  /// The container. A native sidecar: `restartPolicy` Always among the init containers (KEP-753).
  var container: JSONValue {
    var container = JSONValue.object(
      ("name", .string(Self.name)), ("image", .string(settings.image)), ("args", .strings(["run"])),
      ("restartPolicy", .string("Always")), ("env", .array(environment)),
      (
        "ports",
        .array([
          .object(("name", .string("sallyport-api")), ("containerPort", .number(18_080)), ("protocol", .string("TCP")))
        ])
      ),
      ("startupProbe", probe("/healthz", period: 1, tries: Self.startupTries)),
      ("readinessProbe", probe("/readyz", period: 5, tries: 3)),
      ("resources", settings.resources), ("securityContext", Self.securityContext), ("volumeMounts", .array(mounts)))
    if let policy = settings.imagePullPolicy { container[member: "imagePullPolicy"] = .string(policy) }
    return container
  }

  /// The volumes.
  var volumes: [JSONValue] {
    var volumes = [
      volume("state", "emptyDir", .object(("sizeLimit", .string(settings.stateSize)))),
      volume(
        "owner", "downwardAPI",
        .object(
          (
            "items",
            .array([
              .object(
                ("path", .string("token")),
                ("fieldRef", .object(("fieldPath", .string("metadata.annotations['\(Self.ownerAnnotation)']")))))
            ])
          ))),
    ]
    for (name, reference) in [
      ("policy", settings.policy), ("keys", settings.ownerKeys), ("ca", settings.certificateAuthorities),
    ] {
      if let reference { volumes.append(volume(name, "configMap", .object(("name", .string(reference.name))))) }
    }
    if let name = settings.alwaysRules {
      volumes.append(volume("always", "configMap", .object(("name", .string(name)))))
    }
    if let token = settings.apiToken {
      volumes.append(
        volume("api", "secret", .object(("secretName", .string(token.name)), ("defaultMode", .number(0o444)))))
    }
    if settings.workloadIdentity != nil {
      volumes.append(
        volume(
          "identity", "projected",
          .object(
            (
              "sources",
              .array([
                .object(
                  (
                    "serviceAccountToken",
                    .object(
                      ("audience", .string(Self.exchangeAudience)), ("expirationSeconds", .number(Self.tokenSeconds)),
                      ("path", .string("token")))
                  ))
              ])
            ))))
    }
    return volumes
  }

  private var environment: [JSONValue] {
    var environment = [
      field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace"),
      field("POD_UID", "metadata.uid"),
      field("POD_IP", "status.podIP"), field("NODE_NAME", "spec.nodeName"),
      variable("SALLYPORT_RUN_AS", String(settings.sidecarUser)),
      // A folder of the volume and not the volume itself: the daemon makes it as the user that it becomes.
      variable("SALLYPORT_STATE_DIR", "/var/lib/sallyport/state"),
    ]
    if settings.ownerKeys != nil {
      environment.append(variable("SALLYPORT_OWNER_TOKEN_FILE", "/var/run/sallyport/owner/token"))
    }
    for (name, folder, reference) in [
      ("SALLYPORT_POLICY_FILE", "policy", settings.policy), ("SALLYPORT_OWNER_JWKS_FILE", "keys", settings.ownerKeys),
      ("SALLYPORT_CA_FILE", "ca", settings.certificateAuthorities),
      ("SALLYPORT_API_TOKEN_FILE", "api", settings.apiToken),
    ] {
      if let reference { environment.append(variable(name, "/var/run/sallyport/\(folder)/\(reference.key)")) }
    }
    if settings.alwaysRules != nil { environment.append(variable("SALLYPORT_ALWAYS_DIR", "/var/run/sallyport/always")) }
    if let identity = settings.workloadIdentity {
      environment += [
        variable("AZURE_CLIENT_ID", identity.clientID), variable("AZURE_TENANT_ID", identity.tenantID),
        variable("AZURE_AUTHORITY_HOST", identity.authorityHost),
        variable("AZURE_FEDERATED_TOKEN_FILE", "/var/run/sallyport/identity/token"),
      ]
    }
    return environment + settings.settings.map { variable($0.name, $0.value) }
  }

  private var mounts: [JSONValue] {
    volumes.compactMap { volume in
      guard let name = volume["name"]?.string else { return nil }
      let folder = String(name.dropFirst(Self.volumePrefix.count))
      let isState = folder == "state"
      var mount = JSONValue.object(
        ("name", .string(name)), ("mountPath", .string(isState ? "/var/lib/sallyport" : "/var/run/sallyport/\(folder)"))
      )
      if !isState { mount[member: "readOnly"] = .bool(true) }
      return mount
    }
  }

  private static let securityContext = JSONValue.object(
    ("runAsUser", .number(0)), ("runAsGroup", .number(0)), ("runAsNonRoot", .bool(false)), ("privileged", .bool(false)),
    ("allowPrivilegeEscalation", .bool(false)), ("readOnlyRootFilesystem", .bool(true)),
    (
      "capabilities",
      .object(("drop", .strings(["ALL"])), ("add", .strings(["NET_ADMIN", "SETUID", "SETGID"])))
    ),
    ("seccompProfile", .object(("type", .string("RuntimeDefault")))))

  private func probe(_ path: String, period: Int, tries: Int) -> JSONValue {
    .object(
      ("httpGet", .object(("path", .string(path)), ("port", .number(18_080)))), ("periodSeconds", .number(period)),
      ("failureThreshold", .number(tries)))
  }

  private func volume(_ name: String, _ kind: String, _ source: JSONValue) -> JSONValue {
    .object(("name", .string(Self.volumePrefix + name)), (kind, source))
  }

  private func variable(_ name: String, _ value: String) -> JSONValue {
    .object(("name", .string(name)), ("value", .string(value)))
  }

  private func field(_ name: String, _ path: String) -> JSONValue {
    .object(
      ("name", .string(name)),
      ("valueFrom", .object(("fieldRef", .object(("apiVersion", .string("v1")), ("fieldPath", .string(path)))))))
  }
}
