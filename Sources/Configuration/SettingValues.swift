import Addressing
import EgressPolicy

/// A number of octets.
package struct ByteCount: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var octets: Int64
  package init(_ octets: Int64) { self.octets = octets }
  package static func < (left: Self, right: Self) -> Bool { left.octets < right.octets }

  /// The largest unit that states it exactly: `64MiB`, `240000`.
  package var description: String {
    let units: [(Int64, String)] = [(1_073_741_824, "GiB"), (1_048_576, "MiB"), (1_024, "KiB")]
    for (size, unit) in units where octets != 0 && octets % size == 0 { return "\(octets / size)\(unit)" }
    return String(octets)
  }
}

/// A text that never shows itself: printing it gives `<set>`.
package struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The text itself, for the one place that needs it.
  package let text: String
  package init(_ text: String) { self.text = text }
  package var description: String { "<set>" }
  package var debugDescription: String { "<set>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The first policy as it was given; `EgressPolicy` reads it.
package struct PolicyInput: Hashable, Sendable {
  package var bytes: [UInt8]
  /// The variable that gave it, for problems and records.
  package var variable: String
  /// The file it was read from; nil when the variable holds the document.
  package var path: String?
}

/// `SALLYPORT_MODE`.
package enum Mode: String, Hashable, Sendable, CaseIterable { case enforce, observe }

/// `SALLYPORT_DNS_DENY_CODE`: what a denied name is answered.
package enum DenialCode: String, Hashable, Sendable, CaseIterable { case nxdomain, refused }

/// `SALLYPORT_DNS_SVCB`: what becomes of HTTPS and SVCB records.
package enum ServiceBindings: String, Hashable, Sendable, CaseIterable { case strip, refuse }

/// One of `SALLYPORT_DNS_UPSTREAM`: `IP`, `IP:PORT`, or `tls://IP[:PORT]#NAME`.
package struct UpstreamResolver: Hashable, Sendable, CustomStringConvertible {
  package var endpoint: Endpoint
  /// Whom its certificate must name; nil: not over TLS.
  package var serverName: String?

  package init(_ endpoint: Endpoint, serverName: String? = nil) {
    self.endpoint = endpoint
    self.serverName = serverName
  }

  package var description: String { serverName.map { "tls://\(endpoint)#\($0)" } ?? endpoint.description }
}

/// The files by which the control API proves who it is.
package struct ServerIdentity: Hashable, Sendable {
  /// The chain, PEM.
  package var certificateFile: String
  /// PEM.
  package var keyFile: String
  /// Whose certificates clients must present, PEM; nil: they need none.
  package var clientCAFile: String?
}

/// `SALLYPORT_AUDIT_FAIL`: what happens when the spool is full.
package enum AuditFail: String, Hashable, Sendable, CaseIterable { case closed, open }

/// `SALLYPORT_AUDIT_SYNC`: when a record is on the disk.
package enum AuditSync: String, Hashable, Sendable, CaseIterable { case group, strict }

/// `SALLYPORT_KERNEL_PROFILE`.
package enum KernelProfile: String, Hashable, Sendable, CaseIterable {
  case auto
  case aksKata66 = "aks-kata-6.6"
}

/// `SALLYPORT_LOG_LEVEL`, the least severe that is written.
package enum LogLevel: String, Hashable, Comparable, Sendable, CaseIterable {
  case debug, info, warning, error

  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}

/// `SALLYPORT_INGRESS`: connections into the pod whose replies may leave.
package enum Ingress: Hashable, Sendable, CustomStringConvertible {
  /// Every TCP port.
  case tcp
  case none
  /// These ports.
  case ports(PortSet, text: String)

  package var description: String {
    switch self {
    case .tcp: "tcp"
    case .none: "none"
    case .ports(_, let text): text
    }
  }
}

/// `SALLYPORT_EVENTHUB_URL`: `https://HOST[:PORT]/HUB`.
package struct HubAddress: Hashable, Sendable, CustomStringConvertible {
  /// A host name, or an address without brackets; what the certificate must be for.
  package var host: String
  package var port: UInt16
  /// The hub's name, one path segment.
  package var hub: String

  package var description: String {
    let host = host.contains(":") ? "[\(host)]" : host
    return port == 443 ? "https://\(host)/\(hub)" : "https://\(host):\(port)/\(hub)"
  }
}

/// `SALLYPORT_EVENTHUB_AUTH` with what each way needs.
package enum HubCredential: Hashable, Sendable {
  case workloadIdentity
  /// `SALLYPORT_EVENTHUB_SAS_NAME` and `SALLYPORT_EVENTHUB_SAS_KEY`.
  case sharedAccessKey(name: String, key: Secret)
  /// `SALLYPORT_EVENTHUB_TOKEN_FILE`, read again for each use.
  case tokenFile(String)
  case none
}

/// What AKS injects for workload identity.
package struct WorkloadIdentity: Hashable, Sendable {
  package var clientID: String?
  package var tenantID: String?
  package var federatedTokenFile: String?
  package var authorityHost: String?
}

/// What the exchange of a federated token needs, checked.
package struct FederatedIdentity: Hashable, Sendable {
  package var clientID: String
  package var tenantID: String
  /// Read for each exchange.
  package var tokenFile: String
  package var authority: AuthorityAddress
}

/// `AZURE_AUTHORITY_HOST`: `https://HOST[:PORT]/`.
package struct AuthorityAddress: Hashable, Sendable {
  /// A host name, or an address without brackets; what the certificate must be for.
  package var host: String
  package var port: UInt16
}

/// What OpenSandbox's variables asked for that has no setting of ours.
package struct OpenSandboxSettings: Hashable, Sendable {
  /// Any of its variables is set: this is a drop-in.
  package var isPresent = false
  /// `OPENSANDBOX_EGRESS_MODE` as its API shows it: `dns` or `dns+nft`; nil when not given.
  package var mode: String?
  /// `OPENSANDBOX_EGRESS_DENY_WEBHOOK`.
  package var denyWebhook: WebhookAddress?
  /// `OPENSANDBOX_EGRESS_BLOCK_DOH_443`.
  package var blocksDNSOverHTTPS = false
  /// `OPENSANDBOX_EGRESS_DOH_BLOCKLIST`.
  package var dnsOverHTTPSBlocks: [CIDRBlock] = []
}
