import JSONText

/// What the platform decided for every pod that is injected.
package struct InjectionSettings: Hashable, Sendable {
  /// A key of a ConfigMap or Secret.
  package struct KeyReference: Hashable, Sendable {
    package var name: String
    package var key: String
  }

  /// One `SALLYPORT_…` and its value.
  package struct Setting: Hashable, Sendable {
    package var name: String
    package var value: String
  }

  /// How the sidecar proves itself to the hub: a projected service account token, exchanged for one of Entra's.
  package struct WorkloadIdentity: Hashable, Sendable {
    package var clientID: String
    package var tenantID: String
    package var authorityHost = "https://login.microsoftonline.com/"
  }

  /// The image, best by digest.
  package var image: String
  package var imagePullPolicy: String?
  /// `SALLYPORT_RUN_AS`. No workload may be this user.
  package var sidecarUser: Int64 = 65_532
  /// The user of containers that name none.
  package var workloadUser: Int64 = 1_000
  /// A ResourceRequirements object.
  package var resources: JSONValue = .object(
    ("requests", .object(("cpu", .string("20m")), ("memory", .string("32Mi")))),
    ("limits", .object(("memory", .string("192Mi")))))
  /// `sizeLimit` of the volume with the spool.
  package var stateSize = "256Mi"
  /// `SALLYPORT_…` of the sidecar, in the order given.
  package var settings: [Setting] = []
  package var policy: KeyReference?
  /// A ConfigMap with `allow.always`, `deny.always`, `log_skip.always`.
  package var alwaysRules: String?
  package var ownerKeys: KeyReference?
  package var apiToken: KeyReference?
  package var workloadIdentity: WorkloadIdentity?
  /// A ConfigMap with a PEM bundle, for `SALLYPORT_CA_FILE`.
  package var certificateAuthorities: KeyReference?
  /// When not empty, a pod of another runtime class is refused: it would share the node's kernel.
  package var runtimeClasses: [String] = []

  package init(image: String) { self.image = image }
}
