import Addressing

/// Who writes the records: copied into each of them.
package struct SandboxIdentity: Hashable, Sendable {
  /// `SbxSandboxId`.
  package var sandboxID: String
  /// `Dvc` and `DvcHostname`: mandatory in ASIM, so the host name when nobody told the pod's.
  package var podName: String
  /// `DvcZone`.
  package var podNamespace: String?
  /// `DvcId`, with `DvcIdType` `Other`.
  package var podUID: String?
  /// `DvcIpAddr`.
  package var podAddress: IPAddress?
  /// In `SidecarStart` alone: the node is the pod's for life.
  package var nodeName: String?
  /// `EventProductVersion`.
  package var productVersion: String
  package var schemaVersions: SchemaVersions

  package init(
    sandboxID: String, podName: String, podNamespace: String? = nil, podUID: String? = nil,
    podAddress: IPAddress? = nil, nodeName: String? = nil, productVersion: String,
    schemaVersions: SchemaVersions = SchemaVersions()
  ) {
    self.sandboxID = sandboxID
    self.podName = podName
    self.podNamespace = podNamespace
    self.podUID = podUID
    self.podAddress = podAddress
    self.nodeName = nodeName
    self.productVersion = productVersion
    self.schemaVersions = schemaVersions
  }
}

/// `EventSchemaVersion` of each ASIM schema; copies of the published schemas disagree, so they can be set.
package struct SchemaVersions: Hashable, Sendable {
  package var networkSession: String
  package var dns: String
  package var auditEvent: String

  package init(networkSession: String = "0.2.7", dns: String = "1.0.0", auditEvent: String = "1.0.0") {
    self.networkSession = networkSession
    self.dns = dns
    self.auditEvent = auditEvent
  }
}
