import Addressing
import Foundation
import OwnerIdentity
import Testing
import Timekeeping

@testable import Configuration

private let resolver = "nameserver 10.0.0.10\nsearch team.svc.cluster.local\n"
private let ownerText = "11111111-2222-3333-4444-555555555555/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

private func parse(
  _ environment: [String: String], file: String? = nil, files: [String: String] = ["/etc/resolv.conf": resolver]
) -> Result<Configuration, SettingProblems> {
  var settings: SettingsFile?
  if let file {
    switch SettingsFile.parse(Array(file.utf8), path: "/etc/s.conf") {
    case .success(let parsed): settings = parsed
    case .failure(let problems): return .failure(problems)
    }
  }
  return Configuration.parse(environment: environment, file: settings, hostName: "host-1") { path in
    files[path].map { .success(Array($0.utf8)) } ?? .failure(FileProblem("no such file"))
  }
}

private func problems(_ environment: [String: String], file: String? = nil) -> [SettingProblem] {
  if case .failure(let failure) = parse(environment, file: file) { failure.problems } else { [] }
}

@Suite struct ConfigurationTests {
  @Test func nothingGivenIsTheContractsDefaults() throws {
    let configuration = try parse([:]).get()
    #expect(configuration.policy == nil && configuration.isOwnerRequired && configuration.auditFile == "-")
    #expect(configuration.dnsListen.map(\.description) == ["127.0.0.1:15353", "[::1]:15353"])
    #expect(configuration.dnsUpstreams.map(\.description) == ["10.0.0.10:53"])
    #expect(configuration.apiListen.map(\.description) == ["0.0.0.0:18080"] && configuration.apiToken == nil)
    #expect(configuration.sandboxID == "host-1" && configuration.podName == "host-1")
    for setting in SettingTable.settings {
      let entry = try #require(configuration.entries.first { $0.name == setting.name }, "\(setting.name)")
      #expect(entry.source.hasPrefix("default"))
      if !["host name", "nameservers of /etc/resolv.conf", "- when there is no hub"].contains(setting.defaultText) {
        #expect(normal(entry.value) == normal(setting.defaultText), "\(setting.name)")
      }
    }
    #expect(Set(configuration.entries.map(\.name)).count == configuration.entries.count)
  }

  /// `60s` and `1m` are one time.
  private func normal(_ text: String) -> String { ["60s": "1m", "0": "0s"][text] ?? text }

  @Test func everyValueIsTyped() throws {
    let configuration = try parse(
      [
        "SALLYPORT_POLICY": "{}",
        "SALLYPORT_DNS_UPSTREAM":
          "9.9.9.9, [2620:fe::fe]:5353, tls://1.1.1.1#one.one, tls://[2620:fe::9]:8853#dns.quad9.net",
        "SALLYPORT_OWNER": ownerText,
        "SALLYPORT_LEASE_MIN": "1500ms", "SALLYPORT_SPOOL_MAX": "2GiB", "SALLYPORT_AUDIT_LEASE": "5m",
        "SALLYPORT_EVENTHUB_URL": "https://ns.servicebus.windows.net/hub-1", "SALLYPORT_EVENTHUB_AUTH": "sas",
        "SALLYPORT_EVENTHUB_SAS_NAME": "send", "SALLYPORT_EVENTHUB_SAS_KEY_FILE": "/run/key",
        "SALLYPORT_INGRESS": "8080,44772/tcp", "SALLYPORT_RUN_AS": "70000", "SALLYPORT_DNS_CACHE": "off",
        "POD_IP": "10.1.2.3", "SALLYPORT_AUDIT_FAIL": "open", "SALLYPORT_LOG_LEVEL": "debug",
      ], files: ["/run/key": "c2VjcmV0\n"]
    ).get()
    #expect(configuration.policy?.bytes == Array("{}".utf8) && configuration.policy?.variable == "SALLYPORT_POLICY")
    #expect(
      configuration.dnsUpstreams.map(\.description)
        == ["9.9.9.9:53", "[2620:fe::fe]:5353", "tls://1.1.1.1:853#one.one", "tls://[2620:fe::9]:8853#dns.quad9.net"])
    #expect(try configuration.owner == OwnerID.parse(ownerText))
    #expect(configuration.leaseMin == .milliseconds(1_500) && configuration.auditLease == .seconds(300))
    #expect(configuration.spoolMax == ByteCount(2 << 30))
    #expect(configuration.hub == HubAddress(host: "ns.servicebus.windows.net", port: 443, hub: "hub-1"))
    #expect(configuration.hubCredential == .sharedAccessKey(name: "send", key: Secret("c2VjcmV0")))
    #expect(configuration.auditFile == nil && configuration.runAs == 70_000 && !configuration.isDNSCacheOn)
    #expect(configuration.auditFail == .open && configuration.logLevel == .debug)
  }

  @Test(arguments: [
    ("8080,44772/tcp", "8080/tcp, 8080/udp,44772-44772/tcp"), ("1-3/udp", "1/udp,2/udp,3/udp"), ("80", "80/udp,80/tcp"),
  ])
  func aPortWithoutProtocolIsBoth(_ text: String, _ same: String) throws {
    func ports(_ text: String) throws -> AnyHashable? {
      guard case .ports(let ports, _) = try parse(["SALLYPORT_INGRESS": text]).get().ingress else { return nil }
      return AnyHashable(ports)
    }
    #expect(try ports(text) != nil && ports(text) == ports(same))
    #expect(try ports(text) != ports("1"))
  }

  @Test(arguments: [
    ("SALLYPORT_DNS_LISTEN", "127.0.0.1"), ("SALLYPORT_DNS_LISTEN", "127.0.0.1:53,"),
    ("SALLYPORT_DNS_LISTEN", "127.0.0.1:53,127.0.0.1:53"), ("SALLYPORT_DNS_UPSTREAM", "dns.example.com"),
    ("SALLYPORT_DNS_UPSTREAM", "tls://1.1.1.1"), ("SALLYPORT_DNS_UPSTREAM", "tls://one.one#one.one"),
    ("SALLYPORT_DNS_UPSTREAM", "tls://1.1.1.1#-"), ("SALLYPORT_DNS_UPSTREAM", "1.1.1.1,tls://1.1.1.1:53#one.one"),
    ("SALLYPORT_DNS_NAME_BUDGET", "-1"), ("SALLYPORT_DNS_CHANNEL_BUDGET", "lots"), ("SALLYPORT_DNS_RATE", "1/s"),
    ("SALLYPORT_DNS_DENY_CODE", "servfail"), ("SALLYPORT_DNS_SVCB", "keep"), ("SALLYPORT_DNS_STALE", "1"),
    ("SALLYPORT_DNS_UPSTREAM_TIMEOUT", "2"), ("SALLYPORT_DNS_UPSTREAM_TIMEOUT", "99999999999999999h"),
    ("SALLYPORT_LEASE_MIN", "2h"), ("SALLYPORT_LEASE_MAX", "-1s"), ("SALLYPORT_SPOOL_MAX", "1KiB"),
    ("SALLYPORT_SPOOL_MAX", "99999999999999999GiB"), ("SALLYPORT_SPOOL_MAX", "64MB"), ("SALLYPORT_MODE", "audit"),
    ("SALLYPORT_OWNER", "me"), ("SALLYPORT_OWNER_REQUIRED", "maybe"), ("SALLYPORT_RUN_AS", "0"),
    ("SALLYPORT_RUN_AS", "4294967295"), ("SALLYPORT_INGRESS", "tcp,udp"), ("SALLYPORT_INGRESS", "8080/sctp"),
    ("SALLYPORT_INGRESS", "9-8"), ("SALLYPORT_INGRESS", "0"), ("SALLYPORT_EVENTHUB_URL", "http://ns/hub"),
    ("SALLYPORT_EVENTHUB_URL", "https://ns"), ("SALLYPORT_EVENTHUB_URL", "https://ns/hub/messages"),
    ("SALLYPORT_EVENTHUB_URL", "https://user@ns/hub"), ("SALLYPORT_EVENTHUB_URL", "https://ns/hub?x"),
    ("SALLYPORT_EVENTHUB_AUTH", "sas"), ("SALLYPORT_EVENTHUB_AUTH", "token-file"), ("POD_IP", "pod"),
    ("SALLYPORT_AUDIT_LEASE", "10ms"), ("SALLYPORT_POLICY_FILE", "/none"), ("SALLYPORT_KERNEL_PROFILE", "best"),
    ("SALLYPORT_API_TOKEN", "two words"), ("SALLYPORT_API_TOKEN_FILE", "/none"), ("SALLYPORT_STATE_DIR", "a\u{1}"),
    ("OPENSANDBOX_EGRESS_NAMESERVER_EXEMPT", "8.8.8.8"), ("OPENSANDBOX_EGRESS_MODE", "off"),
    ("OPENSANDBOX_EGRESS_MITMPROXY_TRANSPARENT", "true"), ("SALLYPORT_DNS_LISTE", "x"), ("SALLYPORT_API_PORT", "80"),
  ])
  func whatCannotBeHonouredIsRefusedByName(_ name: String, _ value: String) throws {
    let problems = problems([name: value])
    let stem = String(name.prefix { $0 != "=" })
    #expect(!problems.isEmpty)
    #expect(problems.contains { $0.variable.hasPrefix(stem) || $0.reason.contains(stem) }, "\(problems)")
  }

  @Test func everyProblemIsNamedAtOnce() {
    let names = ["SALLYPORT_RUN_AS": "x", "SALLYPORT_MODE": "x", "POD_IP": "x", "SALLYPORT_NOPE": "x"]
    #expect(Set(problems(names).map(\.variable)) == Set(names.keys))
  }

  @Test func aSecretIsNeverShown() throws {
    let secret = "https://s3cr3t-value"
    let names = ["SALLYPORT_API_TOKEN", "SALLYPORT_EVENTHUB_SAS_KEY", "OPENSANDBOX_EGRESS_DENY_WEBHOOK"]
    let good = try parse(Dictionary(uniqueKeysWithValues: names.map { ($0, secret) })).get()
    #expect(!good.printed().contains(secret) && !"\(good)".contains(secret) && !good.notices.joined().contains(secret))
    #expect(good.printed().contains("SALLYPORT_API_TOKEN=<set>  # environment\n"))
    let bad = problems(Dictionary(uniqueKeysWithValues: names.map { ($0, "\(secret) \u{7f}") }))
    #expect(bad.count == 3 && !"\(bad)".contains(secret))
    #expect(problems(["SALLYPORT_API_TOKEN": secret, "SALLYPORT_API_TOKEN_FILE": "/run/t"]).count == 1)
  }

  @Test(arguments: [
    "SALLYPORT_SERVICE_HOST": "10.0.0.1", "SALLYPORT_SERVICE_PORT": "80", "SALLYPORT_SERVICE_PORT_API": "80",
    "SALLYPORT_PORT": "tcp://10.0.0.1:80", "SALLYPORT_PORT_18080_TCP": "tcp://10.0.0.1:18080",
    "SALLYPORT_PORT_18080_TCP_ADDR": "10.0.0.1", "SALLYPORT_HUB_SERVICE_HOST": "10.0.0.1",
    "SALLYPORT_HUB_PORT_53_UDP_PROTO": "udp", "SALLYPORT_HUB_PORT": "udp://10.0.0.1:53",
  ])
  func serviceLinksAreNotSettings(_ name: String, _ value: String) {
    #expect(problems([name: value]).isEmpty)
  }

  @Test func aMisspeltNameGetsAHint() throws {
    let problem = try #require(problems(["SALLYPORT_OWNRE": ownerText]).first)
    #expect(problem.reason.contains("did you mean SALLYPORT_OWNER?"))
    #expect(!problem.description.contains(ownerText))
    #expect(problems(["SALLYPORT_FOO": "1"]).first?.reason == "unknown setting")
  }

  @Test func theEnvironmentWinsOverTheFile() throws {
    let configuration = try parse(
      ["SALLYPORT_RUN_AS": "70001"], file: "# ours\n\nSALLYPORT_RUN_AS=70000\n SALLYPORT_MODE = enforce \n"
    ).get()
    #expect(configuration.runAs == 70_001)
    #expect(configuration.printed().contains("SALLYPORT_RUN_AS=70001  # environment\n"))
    #expect(configuration.printed().contains("SALLYPORT_MODE=enforce  # /etc/s.conf:4\n"))
  }

  @Test(arguments: [
    ("SALLYPORT_MODE", "line"), ("SALLYPORT_MODE=enforce\nSALLYPORT_MODE=enforce", "SALLYPORT_MODE"),
    ("PATH=/bin", "PATH"), ("SALLYPORT_MODE=x", "SALLYPORT_MODE"),
  ])
  func aBadLineIsNamedByItsPlace(_ file: String, _ variable: String) throws {
    let problem = try #require(problems([:], file: file).first)
    #expect(problem.variable == variable && problem.source.hasPrefix("/etc/s.conf:"))
  }

  @Test func openSandboxsVariablesAreADropIn() throws {
    let configuration = try parse([
      "OPENSANDBOX_EGRESS_RULES": "{\"egress\":[]}", "OPENSANDBOX_EGRESS_MODE": " DNS ",
      "OPENSANDBOX_EGRESS_TOKEN": "t",
      "OPENSANDBOX_EGRESS_HTTP_ADDR": ":18081", "OPENSANDBOX_EGRESS_DNS_UPSTREAM_TIMEOUT": "5",
      "OPENSANDBOX_EGRESS_LOG_LEVEL": "warn", "OPENSANDBOX_EGRESS_POLICY_FILE": "/none",
      "OPENSANDBOX_EGRESS_METRICS_EXTRA_ATTRS": "a=b", "OPENSANDBOX_EGRESS_MITMPROXY_TRANSPARENT": "false",
    ]).get()
    #expect(configuration.policy?.variable == "OPENSANDBOX_EGRESS_RULES" && !configuration.isOwnerRequired)
    #expect(configuration.openSandbox.mode == "dns" && configuration.mode == .enforce)
    #expect(configuration.apiListen.map(\.description) == ["0.0.0.0:18081"] && configuration.apiToken?.text == "t")
    #expect(configuration.dnsUpstreamTimeout == .seconds(5) && configuration.logLevel == .warning)
    #expect(configuration.printed().contains("SALLYPORT_API_TOKEN=<set>  # OPENSANDBOX_EGRESS_TOKEN\n"))
    for word in ["full enforcement", "unbound", "POLICY_FILE", "METRICS_EXTRA_ATTRS"] {
      #expect(configuration.notices.contains { $0.contains(word) }, "\(word)")
    }
    #expect(try parse(["OPENSANDBOX_EGRESS_RULES": "{}", "SALLYPORT_OWNER": ownerText]).get().isOwnerRequired)
  }

  @Test func workloadIdentityNeedsWhatAKSInjects() throws {
    let hub = ["SALLYPORT_EVENTHUB_URL": "https://ns/hub"]
    let given = ["AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "AZURE_FEDERATED_TOKEN_FILE": "/token"]
    #expect(Set(problems(hub).map(\.variable)) == Set(given.keys))
    let identity = try #require(try parse(hub.merging(given) { $1 }).get().federatedIdentity)
    #expect(identity.clientID == "client" && identity.tenantID == "tenant" && identity.tokenFile == "/token")
    #expect(identity.authority == AuthorityAddress(host: "login.microsoftonline.com", port: 443))
    for (value, expected) in [
      ("https://login.microsoftonline.us/", AuthorityAddress(host: "login.microsoftonline.us", port: 443)),
      ("https://login.chinacloudapi.cn", AuthorityAddress(host: "login.chinacloudapi.cn", port: 443)),
      ("https://[fd00::1]:8443/", AuthorityAddress(host: "fd00::1", port: 8_443)),
      ("https://127.0.0.1:8443", AuthorityAddress(host: "127.0.0.1", port: 8_443)),
    ] {
      let settings = hub.merging(given) { $1 }.merging(["AZURE_AUTHORITY_HOST": value]) { $1 }
      #expect(try parse(settings).get().federatedIdentity?.authority == expected, "\(value)")
    }
    for bad in ["http://login.example/", "login.example", "https://login.example/tenant", "https://a@b/", "https://"] {
      let settings = hub.merging(given) { $1 }.merging(["AZURE_AUTHORITY_HOST": bad]) { $1 }
      #expect(problems(settings).map(\.variable) == ["AZURE_AUTHORITY_HOST"], "\(bad)")
    }
    #expect(try parse(given).get().federatedIdentity == nil, "without a hub nobody needs a token")
  }

  @Test(
    arguments: [
      ("http://hook.example", false, "hook.example", 80, "/", nil),
      ("https://hook.example:8443/a/b?t=1&u", true, "hook.example", 8443, "/a/b?t=1&u", nil),
      ("HTTPS://10.0.0.1?t=1", true, "10.0.0.1", 443, "/?t=1", nil),
      ("https://me:p%40ss:word@[2001:db8::1]:8443/x@y", true, "2001:db8::1", 8443, "/x@y", "me:p@ss:word"),
    ] as [(String, Bool, String, UInt16, String, String?)])
  func aWebhooksAddressIsRead(
    _ text: String, _ isTLS: Bool, _ host: String, _ port: UInt16, _ target: String, _ credential: String?
  ) throws {
    let address = try #require(try parse(["OPENSANDBOX_EGRESS_DENY_WEBHOOK": text]).get().openSandbox.denyWebhook)
    #expect(address.isTLS == isTLS && address.host == host && address.port == port)
    #expect(address.target.text == target && address.credential?.text == credential)
  }

  @Test(arguments: [
    "hook.example", "ftp://hook.example", "https://", "https:///x", "https://a b/", "https://hook.example:0/",
    "https://hook.example:99999", "https://ho_ok.example/", "http://u:%zz@hook.example/", "https://hook.example/#x",
  ])
  func aWebhooksAddressThatLeadsNowhereIsRefused(_ text: String) throws {
    let problem = try #require(problems(["OPENSANDBOX_EGRESS_DENY_WEBHOOK": text]).first)
    #expect(problem.variable == "OPENSANDBOX_EGRESS_DENY_WEBHOOK" && !problem.description.contains("hook.example"))
  }

  @Test func theProofOfAnOwnerIsReadAtTheStart() throws {
    let keys = #"{"keys":[{"kty":"RSA","kid":"short","n":"AQAB","e":"AQAB"}]}"#
    let good = ["SALLYPORT_OWNER_JWKS_FILE": "/keys", "POD_UID": "uid", "SALLYPORT_OWNER_TOKEN_FILE": "/token"]
    let files = ["/keys": keys, "/etc/resolv.conf": "nameserver 10.0.0.10"]
    let configuration = try parse(good, files: files).get()
    #expect(configuration.ownerKeys?.keys.count == 1 && configuration.ownerTokenFile == "/token")
    for word in ["the key short signs nobody", "SALLYPORT_OWNER_ISSUER is not given"] {
      #expect(configuration.notices.contains { $0.contains(word) }, "\(word)")
    }
    let entra = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"
    let bad: [([String: String?], String, String)] = [
      (["SALLYPORT_OWNER_JWKS_FILE": nil], "SALLYPORT_OWNER_TOKEN_FILE", "needs SALLYPORT_OWNER_JWKS_FILE"),
      (["POD_UID": nil], "SALLYPORT_OWNER_JWKS_FILE", "needs POD_UID"),
      (["SALLYPORT_OWNER_JWKS_FILE": "/none"], "SALLYPORT_OWNER_JWKS_FILE", "cannot be read"),
      (["SALLYPORT_OWNER_JWKS_FILE": "/etc/resolv.conf"], "SALLYPORT_OWNER_JWKS_FILE", "$"),
      (["SALLYPORT_OWNER_ISSUER": entra], "SALLYPORT_OWNER_TOKEN_FILE", "must not lie in a file"),
      (["SALLYPORT_OWNER_ISSUER": "https://sts.windows.net/common/"], "SALLYPORT_OWNER_ISSUER", "one tenant"),
    ]
    for (changes, variable, words) in bad {
      var settings: [String: String?] = good
      settings.merge(changes) { _, new in new }
      guard case .failure(let found) = parse(settings.compactMapValues(\.self), files: files) else {
        Issue.record("\(changes) is taken")
        continue
      }
      #expect(found.problems.contains { $0.variable == variable && $0.reason.contains(words) }, "\(found)")
    }
  }

  @Test func withoutAnyResolverTheDaemonDoesNotStart() {
    guard case .failure(let failure) = parse([:], files: [:]) else {
      Issue.record("started")
      return
    }
    #expect(failure.problems.map(\.variable) == ["SALLYPORT_DNS_UPSTREAM"])
  }
}

@Suite struct ResolverFileTests {
  @Test(
    arguments: [
      ("", [], []), ("nameserver 10.0.0.10\nnameserver fd00::a\n", ["10.0.0.10", "fd00::a"], []),
      ("# nameserver 1.1.1.1\n;x\nnameserver\t9.9.9.9  \r\nnameserver bad\nnameserver 9.9.9.9", ["9.9.9.9"], []),
      ("nameserver fe80::1%eth0\nsearch a.test b.test\n", [], ["a.test", "b.test"]),
      ("search a.test\ndomain b.test\noptions ndots:5", [], ["b.test"]), ("\u{0}\u{fffd}\nnameserver", [], []),
    ] as [(String, [String], [String])])
  func nameserversAndSearchListAreReadInOrder(_ text: String, _ servers: [String], _ search: [String]) {
    let file = ResolverFile.parse(Array(text.utf8))
    #expect(file.nameservers.map(\.description) == servers)
    #expect(file.search.map { "\($0)" } == search)
  }

  @Test func countsAreLimited() {
    let lines = (0..<100).map { "nameserver 10.0.0.\($0)\n" }.joined()
    #expect(ResolverFile.parse(Array(lines.utf8)).nameservers.count == ResolverFile.nameserversMax)
  }
}
