/// Every variable, in the order of the contract (§2).
package enum SettingTable {
  /// Ours, and those that Kubernetes' downward API and AKS give.
  package static let settings: [Setting] = policy + dns + control + owner + audit + delivery + identity + enforcement

  private static let policy = [
    Setting(
      "SALLYPORT_POLICY", .text, "", "the first policy as JSON; none denies everything",
      openSandbox: "OPENSANDBOX_EGRESS_RULES"),
    Setting(
      "SALLYPORT_POLICY_FILE", .path, "", "the policy as a file, read again when it changes",
      openSandbox: "OPENSANDBOX_EGRESS_POLICY_FILE"),
    Setting(
      "SALLYPORT_ALWAYS_DIR", .path, "/var/egress/rules",
      "directory of allow.always, deny.always and log_skip.always, read again when they change"),
    Setting(
      "SALLYPORT_MODE", .choice, "enforce", "enforce, or observe: nothing is blocked, records say what would have been"),
    Setting(
      "SALLYPORT_MAX_RULES", .count, "4096", "most rules of a policy; 0 is no limit",
      openSandbox: "OPENSANDBOX_EGRESS_MAX_RULES"),
  ]

  private static let dns = [
    Setting("SALLYPORT_DNS_LISTEN", .list, "127.0.0.1:15353,[::1]:15353", "where redirected DNS lands, UDP and TCP"),
    Setting(
      "SALLYPORT_DNS_UPSTREAM", .list, "nameservers of /etc/resolv.conf",
      "IP or IP:PORT by commas, in order; tls://IP[:PORT]#NAME for DNS over TLS, NAME as the certificate has it; /etc/resolv.conf is followed when it changes",
      openSandbox: "OPENSANDBOX_EGRESS_DNS_UPSTREAM"),
    Setting(
      "SALLYPORT_DNS_UPSTREAM_TIMEOUT", .duration, "2s", "for each try",
      openSandbox: "OPENSANDBOX_EGRESS_DNS_UPSTREAM_TIMEOUT"),
    Setting("SALLYPORT_DNS_CACHE", .choice, "on", "on or off: whether answers are used again within their TTL"),
    Setting(
      "SALLYPORT_DNS_STALE", .duration, "0",
      "how long past its TTL a cached answer may serve when no resolver answers; 0 is off"),
    Setting("SALLYPORT_DNS_DENY_CODE", .choice, "nxdomain", "what a denied name is answered: nxdomain or refused"),
    Setting(
      "SALLYPORT_DNS_SVCB", .choice, "strip",
      "HTTPS and SVCB records: strip (without ech and address hints), or refuse: as if there were none"),
    Setting(
      "SALLYPORT_DNS_NAME_BUDGET", .count, "98304", "different names a day under one wildcard rule; 0 is no limit"),
    Setting(
      "SALLYPORT_DNS_CHANNEL_BUDGET", .size, "128KiB",
      "what these names may carry out in a day, estimated from their spelling, 32 bits of each name free; 0 is no limit"
    ),
    Setting("SALLYPORT_DNS_CLIENT_RATE", .count, "0", "queries a second of one address; 0 is no limit"),
    Setting("SALLYPORT_DNS_RATE", .count, "0", "queries a second of all together; 0 is no limit"),
    Setting("SALLYPORT_LEASE_MIN", .duration, "60s", "a shorter TTL counts as this"),
    Setting("SALLYPORT_LEASE_GRACE", .duration, "60s", "added to every lease"),
    Setting("SALLYPORT_LEASE_MAX", .duration, "1h", "a longer TTL counts as this"),
  ]

  private static let control = [
    Setting(
      "SALLYPORT_API_LISTEN", .list, "0.0.0.0:18080", "control API", openSandbox: "OPENSANDBOX_EGRESS_HTTP_ADDR"),
    Setting(
      "SALLYPORT_API_TOKEN", .secret, "", "without it the API refuses every change",
      openSandbox: "OPENSANDBOX_EGRESS_TOKEN"),
    Setting("SALLYPORT_API_TLS_CERT_FILE", .path, "", "certificate chain of the control API, PEM; none: plain HTTP"),
    Setting("SALLYPORT_API_TLS_KEY_FILE", .path, "", "its key, PEM; read again with it when either changes"),
    Setting(
      "SALLYPORT_API_TLS_CLIENT_CA_FILE", .path, "",
      "clients must present a certificate of these roots too; probes and scrapers need none"),
  ]

  private static let owner = [
    Setting("SALLYPORT_OWNER", .text, "", "static owner: TENANT/OID, both GUIDs"),
    Setting(
      "SALLYPORT_OWNER_TOKEN_FILE", .path, "",
      "file of the signed token that binds the owner, alone or as annotation sallyport.dev/owner-token; watched"),
    Setting(
      "SALLYPORT_OWNER_JWKS_FILE", .path, "", "JWK Set of the keys that may sign an owner; watched; needs POD_UID"),
    Setting(
      "SALLYPORT_OWNER_ISSUER", .text, "",
      "iss of an owner token; one of Microsoft Entra takes users' access tokens; none compares nothing"),
    Setting("SALLYPORT_OWNER_AUDIENCE", .text, "egress-sidecar", "aud of an owner token"),
    Setting("SALLYPORT_OWNER_REQUIRED", .choice, "true", "until an owner is bound all egress is denied"),
  ]

  private static let audit = [
    Setting("SALLYPORT_STATE_DIR", .path, "/var/lib/sallyport", "spool, policy and owner across restarts"),
    Setting("SALLYPORT_SPOOL_MAX", .size, "64MiB", "when full, see SALLYPORT_AUDIT_FAIL"),
    Setting(
      "SALLYPORT_AUDIT_FAIL", .choice, "closed", "closed: new flows are denied; open: oldest records are dropped"),
    Setting("SALLYPORT_AUDIT_LEASE", .duration, "0", "new flows pass only this long after a delivery; 0 is off"),
    Setting("SALLYPORT_AUDIT_SYNC", .choice, "group", "group: synced within 20 ms; strict: synced before the act"),
  ]

  private static let delivery = [
    Setting("SALLYPORT_FLUSH_INTERVAL", .duration, "1s", "longest a record waits for company"),
    Setting("SALLYPORT_EVENTHUB_URL", .text, "", "https://NAMESPACE/HUB"),
    Setting(
      "SALLYPORT_AUDIT_FILE", .path, "- when there is no hub",
      "NDJSON file, - is standard output; with a hub a second copy beside it"),
    Setting("SALLYPORT_EVENTHUB_AUTH", .choice, "workload-identity", "workload-identity, sas, token-file or none"),
    Setting("SALLYPORT_EVENTHUB_SAS_NAME", .text, "", "name of the shared access key"),
    Setting("SALLYPORT_EVENTHUB_SAS_KEY", .secret, "", "the shared access key"),
    Setting("SALLYPORT_EVENTHUB_TOKEN_FILE", .path, "", "file of a bearer token, read for each use"),
    Setting("SALLYPORT_EVENTHUB_SCOPE", .text, "https://eventhubs.azure.net/.default", "scope of the token asked for"),
    Setting("SALLYPORT_EVENTHUB_MAX_BODY", .size, "240000", "largest HTTP body, in octets"),
    Setting(
      "SALLYPORT_EVENTHUB_MAX_RATE", .count, "0",
      "events a second at most, and as many KB: 1000 is one throughput unit; 0 is no limit"),
    Setting(
      "HTTPS_PROXY", .secret, "",
      "HTTP proxy to the hub and the token endpoint, http://[USER:PASSWORD@]HOST:PORT, asked by CONNECT"),
    Setting("NO_PROXY", .list, "", "names, addresses and blocks reached without it"),
    Setting("SALLYPORT_CA_FILE", .path, "", "PEM bundle instead of the system's roots"),
    Setting("AZURE_CLIENT_ID", .text, "", "workload identity: the managed identity or application"),
    Setting("AZURE_TENANT_ID", .text, "", "workload identity: its tenant"),
    Setting("AZURE_FEDERATED_TOKEN_FILE", .path, "", "workload identity: the pod's own token, read for each exchange"),
    Setting(
      "AZURE_AUTHORITY_HOST", .text, "https://login.microsoftonline.com/",
      "workload identity: where tokens are exchanged; https://HOST[:PORT]/"),
  ]

  private static let identity = [
    Setting(
      "SALLYPORT_SANDBOX_ID", .text, "host name", "who we are in every record",
      openSandbox: "OPENSANDBOX_EGRESS_SANDBOX_ID"),
    Setting("POD_NAME", .text, "host name", "in every record"),
    Setting("POD_NAMESPACE", .text, "", "in every record"),
    Setting("POD_UID", .text, "", "in every record"),
    Setting("POD_IP", .text, "", "in every record"),
    Setting("NODE_NAME", .text, "", "in the first record"),
  ]

  private static let enforcement = [
    Setting("SALLYPORT_INGRESS", .list, "tcp", "connections into the pod: tcp, none, or ports such as 8080,44772/tcp"),
    Setting("SALLYPORT_RUN_AS", .count, "65532", "uid taken after the start, keeping only CAP_NET_ADMIN"),
    Setting(
      "SALLYPORT_KERNEL_PROFILE", .choice, "auto",
      "auto, or aks-kata-6.6: a ruleset that needs more than AKS's Kata guest has is not even tried; today's needs no more under either"
    ),
    Setting(
      "SALLYPORT_LOG_LEVEL", .choice, "info", "debug, info, warning or error",
      openSandbox: "OPENSANDBOX_EGRESS_LOG_LEVEL"),
  ]

  /// OpenSandbox's variables that have no setting of ours: what they mean, and whether they can be honoured.
  package static let openSandboxOnly: [Setting] = [
    Setting("OPENSANDBOX_EGRESS_MODE", .choice, "", "dns, nft or both; every one of them enforces addresses here"),
    Setting(
      "OPENSANDBOX_EGRESS_NAMESERVER_EXEMPT", .list, "",
      "resolvers the workload would ask unfiltered: refused"),
    Setting(
      "OPENSANDBOX_EGRESS_DENY_WEBHOOK", .secret, "",
      "URL that is told of each denied name by POST; http or https, the latter proved by SALLYPORT_CA_FILE or the system's roots"
    ),
    Setting(
      "OPENSANDBOX_EGRESS_BLOCK_DOH_443", .choice, "false",
      "denies port 443, TCP and UDP, of the addresses below, or of every address without them"),
    Setting("OPENSANDBOX_EGRESS_DOH_BLOCKLIST", .list, "", "addresses and blocks of DNS over HTTPS"),
  ]

  /// By name.
  static let byName = Dictionary(uniqueKeysWithValues: (settings + openSandboxOnly).map { ($0.name, $0) })
}
