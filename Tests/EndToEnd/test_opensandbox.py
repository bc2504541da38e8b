"""A drop-in for OpenSandbox's egress sidecar: its API row by row, its own SDK, its environment."""
import json, sys, textwrap, unittest

import packages
from stage import API_TOKEN, LabCase, allow, deny_all_but, wait_for, whole_lines
from lab import HUB_NAME

TEXT = "text/plain; charset=utf-8"
OK = {"status": "ok", "mode": "enforcing", "enforcementMode": "dns+nft"}


class Rows(LabCase):
    """What clients of OpenSandbox may rely on: status, body, type, one row each. Where this differs, it differs on purpose, and says so."""
    policy = deny_all_but()
    has_hub = False
    settings = {"SALLYPORT_EVENTHUB_URL": None, "SALLYPORT_EVENTHUB_AUTH": None, "SALLYPORT_EVENTHUB_TOKEN_FILE": None,
                "SALLYPORT_CA_FILE": None, "SALLYPORT_AUDIT_FILE": "/dev/null"}

    def setUp(self):
        self.assertEqual(self.lab.api("PUT", "/policy", "")[0], 200)

    def rows(self, *rows):
        for method, path, body, status, expected in rows:
            with self.subTest(method=method, path=path, body=str(body)[:60]):
                got, answer, headers = self.lab.api(method, path, body)
                self.assertEqual(got, status, answer)
                if isinstance(expected, dict):
                    self.assertEqual(answer, expected)
                    self.assertEqual(headers["Content-Type"], "application/json")
                else:
                    self.assertEqual(answer, expected + "\n")
                    self.assertEqual((headers["Content-Type"], headers["X-Content-Type-Options"]), (TEXT, "nosniff"))

    def test_G25_the_mode_is_what_the_document_says(self):
        for body, mode in (("", "deny_all"), ('{"defaultAction":"allow"}', "allow_all"), ('{"egress":[{"target":"a.test"}]}', "enforcing"),
                           ('{"defaultAction":"allow","egress":[{"target":"a.test"}]}', "enforcing"), ('{"egress":[]}', "deny_all")):
            self.lab.api("POST", "/policy", body)
            status, answer, _ = self.lab.api("GET", "/policy")
            self.assertEqual((status, answer["status"], answer["mode"], answer["enforcementMode"]), (200, "ok", mode, "dns+nft"), body)
            self.assertEqual(set(answer), {"status", "mode", "enforcementMode", "policy"})

    def test_G19_C9_egress_is_always_an_array(self):
        for method, body in (("POST", ""), ("POST", "{}"), ("POST", "null"), ("POST", '{"defaultAction":"allow"}'), ("POST", '{"egress":null}')):
            self.assertEqual(self.lab.api(method, "/policy", body)[0], 200)
            self.assertEqual(self.lab.api("GET", "/policy")[1]["policy"]["egress"], [], body)

    def test_replacing(self):
        reset = {"status": "ok", "mode": "deny_all", "reason": "policy reset to default deny-all"}
        empty = {"status": "ok", "mode": "deny_all", "enforcementMode": "dns+nft"}
        self.rows(
            ("POST", "/policy", "", 200, reset), ("PUT", "/policy", " \n\t ", 200, reset),
            ("POST", "/policy", "{}", 200, empty), ("POST", "/policy", "{ }", 200, empty), ("PUT", "/policy", "null", 200, empty),
            ("POST", "/policy", '{"egress":[{"action":"allow","target":"a.test"}]}', 200, OK),
            ("POST", "/policy?x=1", '{"egress":[{"action":" ALLOW ","target":"A.test"}]}', 200, OK),
            ("POST", "/policy", '{"egress":[{"target":"a.test"}]}', 200, OK),
            ("POST", "/policy", "[]", 400, "invalid policy: json: cannot unmarshal array into Go value of type policy.NetworkPolicy"),
            ("POST", "/policy", '{"egress":[{"action":"drop","target":"a.test"}]}', 400, 'invalid policy: unsupported action "drop" at $.egress[0].action'),
            ("POST", "/policy", '{"egress":[{"action":"allow","target":""}]}', 400, "invalid policy: egress target cannot be empty at $.egress[0].target"),
            ("POST", "/policy", '{"egress":[{"action":"allow"}]}', 400, "invalid policy: egress target cannot be empty at $.egress[0].target"),
        )
        for body in ("{nope", '{"egress":[]}{}', '{"egress":[', '{"egress":[]} x'):
            status, answer, _ = self.lab.api("POST", "/policy", body)
            self.assertEqual(status, 400, body)
            self.assertTrue(answer.startswith("invalid policy: "), answer)

    def test_a_missing_action_denies_and_names_keep_their_case(self):
        self.lab.api("POST", "/policy", '{"egress":[{"target":"A.test"},{"action":" Allow ","target":"B.Test"}]}')
        self.assertEqual(self.lab.api("GET", "/policy")[1]["policy"]["egress"],
                         [{"action": "deny", "target": "A.test"}, {"action": "allow", "target": "B.Test"}])

    def test_merging(self):
        self.rows(
            ("PATCH", "/policy", "", 400, "empty body"), ("PATCH", "/policy", "[]", 400, "invalid patch rules: empty array"),
            ("PATCH", "/policy", "null", 400, "invalid patch rules: empty array"),
            ("PATCH", "/policy", "{}", 400, "invalid patch rules: json: cannot unmarshal object into Go value of type []policy.EgressRule"),
            ("PATCH", "/policy", '[{"action":"drop","target":"a.test"}]', 400, 'invalid merged policy: unsupported action "drop" at $[0].action'),
            ("PATCH", "/policy", '[{"action":"allow","target":""}]', 400, "invalid merged policy: egress target cannot be empty at $[0].target"),
            ("PATCH", "/policy", '[{"action":"allow","target":"b.test"},{"action":"deny","target":"B.test"}]', 200, OK),
            ("PATCH", "/policy", '[{"action":"allow","target":"a.test"}]', 200, OK),
            ("PATCH", "/policy", '[{"action":"deny","target":"B.TEST."}]', 200, OK),
        )
        self.assertEqual(self.lab.api("GET", "/policy")[1]["policy"]["egress"],
                         [{"action": "deny", "target": "B.TEST."}, {"action": "allow", "target": "a.test"}])

    def test_removing(self):
        self.lab.api("POST", "/policy", '{"egress":[{"action":"allow","target":"a.test"},{"action":"deny","target":"b.test"}]}')
        none = {**OK, "reason": "no matching targets found"}
        self.rows(
            ("DELETE", "/policy", "", 400, "empty body"), ("DELETE", "/policy", "[]", 400, "invalid delete targets: empty array"),
            ("DELETE", "/policy", "null", 400, "invalid delete targets: empty array"),
            ("DELETE", "/policy", "{}", 400, "invalid delete targets: json: cannot unmarshal object into Go value of type []string"),
            ("DELETE", "/policy", '["c.test"]', 200, none), ("DELETE", "/policy", '[""," "]', 200, none),
            ("DELETE", "/policy", '[" A.TEST "]', 200, OK),
            ("DELETE", "/policy", '["b.test","c.test"]', 200, {"status": "ok", "mode": "deny_all", "enforcementMode": "dns+nft"}),
        )
        self.assertEqual(self.lab.api("GET", "/policy")[1]["policy"]["egress"], [])

    def test_the_limit_of_rules_counts_duplicates_and_the_merged_whole(self):
        def rules(count, name="n{}.test"):
            return [allow(name.format(i)) for i in range(count)]
        many = "egress rule total count 4097 exceeds limit 4096"
        self.rows(("POST", "/policy", {"egress": rules(4097)}, 413, many), ("POST", "/policy", {"egress": rules(4097, "same.test")}, 413, many),
                  ("POST", "/policy", {"egress": rules(4096)}, 200, OK), ("PATCH", "/policy", [allow("one-more.test")], 413, many),
                  ("PATCH", "/policy", [{"action": "deny", "target": "n7.test"}], 200, OK))

    def test_paths_and_methods(self):
        missing = "404 page not found"
        self.rows(("GET", "/policy/", None, 404, missing), ("GET", "/", None, 404, missing), ("POST", "/nothing", "{}", 404, missing),
                  ("GET", "/credential-vault", None, 404, "credential vault not found"), ("GET", "/credential-vault/_active", None, 403, "forbidden"))
        for method in ("OPTIONS", "TRACE", "CONNECT-ME"):
            status, answer, headers = self.lab.api(method, "/policy")
            self.assertEqual((status, answer, headers["Allow"]), (405, "method not allowed\n", "GET, POST, PUT, PATCH, DELETE"))
        self.assertEqual(self.lab.api("HEAD", "/policy")[0], 405)
        for method in ("GET", "POST", "DELETE"):
            status, answer, headers = self.lab.api(method, "/healthz", token=None)
            self.assertEqual((status, answer), (200, "ok"))

    def test_the_credential_comes_before_the_method_and_its_name_has_no_case(self):
        for method in ("GET", "POST", "PATCH", "DELETE", "TRACE"):
            for token in (None, "short", API_TOKEN + "x", API_TOKEN[:-1] + "X"):
                status, answer, headers = self.lab.api(method, "/policy", token=token)
                self.assertEqual((status, answer, headers["Content-Type"]), (401, "unauthorized\n", TEXT))
        self.assertEqual(self.lab.api("GET", "/policy", token=None, headers={"opensandbox-Egress-AUTH": API_TOKEN})[0], 200)

    def test_G1_a_default_action_that_nobody_knows_is_refused(self):
        for word in ("block", "drop", "Deny-all", "allow all", "none"):
            status, answer, _ = self.lab.api("POST", "/policy", {"defaultAction": word})
            self.assertEqual(status, 400, word)
            self.assertIn("$.defaultAction", answer)
        self.assertEqual(self.lab.api("GET", "/policy")[1]["mode"], "deny_all")

    def test_G18_a_target_that_never_matches_is_refused_and_a_trailing_dot_matches(self):
        for target in ("*", "n*.x.test", "http://x.test/", "10.0.0.0/33", "a..b", "ex\u00e4mple.test", " c.test", "x.test:443", "0x7f.1"):
            status, answer, _ = self.lab.api("PATCH", "/policy", [allow(target)])
            self.assertEqual(status, 400, target)
            self.assertIn("$[0].target", answer)
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("registry.example.test.")])[0], 200)
        self.assertIn("198.51.100.10", self.lab.lookup("registry.example.test", "+short"))


class SDK(LabCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp", reason="ticket 42"))

    def setUp(self):
        self.assertEqual(self.lab.api("PUT", "/policy", self.policy)[0], 200)

    def sdk(self, source):
        source = SDK_HEAD + textwrap.dedent(source)
        result = self.lab.inside(self.lab.outside, packages.python(), "-c", source, timeout=60, check=False)
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        return json.loads(result.stdout.splitlines()[-1])

    def test_C9_the_python_sdk_reads_patches_and_deletes_rules(self):
        shown = self.sdk("""
            first = sync.get_policy()
            sync.patch_rules([NetworkRule(action="allow", target="files.example.test"), NetworkRule(action="deny", target="*.artifacts.example.test")])
            second = sync.get_policy()
            sync.delete_rules(["registry.example.test", "not.there.test"])
            third = sync.get_policy()
            print(json.dumps([policy(first), policy(second), policy(third)]))
            """)
        registry = ["allow", "registry.example.test"]
        added = [["allow", "files.example.test"], ["deny", "*.artifacts.example.test"]]
        self.assertEqual(shown, [["deny", [registry]], ["deny", [*added, registry]], ["deny", added]])
        self.assertFetches("https://files.example.test/", "-k")
        self.assertUnresolved("https://registry.example.test/")

    def test_C9_G19_the_sdk_reads_a_policy_after_a_reset(self):
        for body in ("", "{}", '{"defaultAction":"allow"}'):
            self.lab.api("POST", "/policy", body)
            self.assertEqual(self.sdk("print(json.dumps(policy(sync.get_policy())))"), ["allow" if "allow" in body else "deny", []])

    def test_the_asynchronous_sdk_and_its_errors(self):
        shown = self.sdk("""
            async def main():
                service = AdapterFactory(ConnectionConfig(protocol="http")).create_egress_service(endpoint)
                await service.patch_rules([NetworkRule(action="allow", target="many.example.test")])
                try:
                    await service.patch_rules([NetworkRule(action="allow", target="*.com")])
                except SandboxApiException as error:
                    return [policy(await service.get_policy()), error.status_code]
            print(json.dumps(asyncio.run(main())))
            """)
        self.assertEqual(shown[1], 400)
        self.assertEqual(shown[0][1][0], ["allow", "many.example.test"])


SDK_HEAD = f"""
import asyncio, json
from opensandbox.adapters.factory import AdapterFactory
from opensandbox.config import ConnectionConfig
from opensandbox.config.connection_sync import ConnectionConfigSync
from opensandbox.exceptions import SandboxApiException
from opensandbox.models.sandboxes import NetworkRule, SandboxEndpoint
from opensandbox.sync.adapters.factory import AdapterFactorySync
endpoint = SandboxEndpoint(endpoint="10.77.0.2:18080", headers={{"OPENSANDBOX-EGRESS-AUTH": "{API_TOKEN}"}})
sync = AdapterFactorySync(ConnectionConfigSync(protocol="http")).create_egress_service(endpoint)
def policy(p):
    return [p.default_action, [[rule.action, rule.target] for rule in p.egress]]
"""


class Environment(LabCase):
    """The environment that OpenSandbox's server gives its sidecar, and nothing of ours but where records go."""
    settings = {
        "SALLYPORT_POLICY": None, "SALLYPORT_API_TOKEN": None, "SALLYPORT_OWNER": None, "SALLYPORT_DNS_UPSTREAM": None, "SALLYPORT_SANDBOX_ID": None,
        "OPENSANDBOX_EGRESS_RULES": json.dumps({"defaultAction": "deny", "egress": [allow("*.example.test"), allow("198.51.100.50"), allow("198.51.100.60")]}),
        "OPENSANDBOX_EGRESS_MODE": "dns", "OPENSANDBOX_EGRESS_TOKEN": API_TOKEN, "OPENSANDBOX_EGRESS_HTTP_ADDR": ":18080",
        "OPENSANDBOX_EGRESS_MAX_RULES": "10", "OPENSANDBOX_EGRESS_SANDBOX_ID": "sandbox-7", "OPENSANDBOX_EGRESS_LOG_LEVEL": "info",
        "OPENSANDBOX_EGRESS_DNS_UPSTREAM": "10.53.0.53", "OPENSANDBOX_EGRESS_DNS_UPSTREAM_TIMEOUT": "2",
        "OPENSANDBOX_EGRESS_BLOCK_DOH_443": "true", "OPENSANDBOX_EGRESS_DOH_BLOCKLIST": "198.51.100.60, 203.0.113.128/25",
    }

    def test_it_starts_in_full_enforcement_and_says_so(self):
        self.assertEqual(self.lab.api("GET", "/policy")[1]["enforcementMode"], "dns+nft")
        self.assertIn("OPENSANDBOX_EGRESS_MODE=dns starts in full enforcement", self.lab.log())
        self.assertRefused("198.51.100.51", 443)

    def test_rules_token_limit_and_identity_are_taken(self):
        self.assertFetches("https://registry.example.test/")
        self.assertEqual(self.lab.api("GET", "/policy", token="wrong")[0], 401)
        status, answer, _ = self.lab.api("PUT", "/policy?dryRun=true", {"egress": [allow(f"n{i}.test") for i in range(11)]})
        self.assertEqual((status, answer), (413, "egress rule total count 11 exceeds limit 10\n"))
        record = self.arrived("DnsAllowed", DnsQuery="registry.example.test")[0]
        self.assertEqual((record["SbxSandboxId"], record["SbxOwnerState"]), ("sandbox-7", "unbound"))
        self.assertNotIn("SrcUserAadId", record)

    def test_listed_addresses_of_dns_over_https_are_denied_on_443_alone(self):
        self.assertEqual(self.lab.connect("198.51.100.50", 443, payload="")["result"], "connected")
        self.assertRefused("198.51.100.60", 443)
        self.assertRefused("198.51.100.60", 443, "udp")
        self.assertEqual(self.lab.connect("198.51.100.60", 7000)["result"], "connected")
        self.arrived("FlowDenied", DstIpAddr="198.51.100.60", EventOriginalResultDetails="RULE_DENY", NetworkRuleName="deny.always 198.51.100.60 443")

    def test_without_a_list_every_address_is_denied_on_443(self):
        self.sidecar.terminate()
        self.sidecar.wait(10)
        self.start_sidecar(OPENSANDBOX_EGRESS_DOH_BLOCKLIST=None)
        self.addCleanup(self.restart)
        self.assertRefused("198.51.100.50", 443)
        self.assertEqual(self.lab.connect("198.51.100.50", 80, payload="")["result"], "connected")

    def restart(self):
        self.sidecar.terminate()
        self.sidecar.wait(10)
        self.start_sidecar()

    def test_what_cannot_be_had_safely_is_refused_by_name(self):
        for name, value in (("OPENSANDBOX_EGRESS_NAMESERVER_EXEMPT", "10.53.0.53"), ("OPENSANDBOX_EGRESS_MITMPROXY_TRANSPARENT", "true"),
                            ("OPENSANDBOX_EGRESS_MODE", "off"), ("OPENSANDBOX_EGRESS_RULES", '{"defaultAction":"block"}')):
            process = self.lab.start_sidecar(wait=False, **{**self.settings, name: value, "SALLYPORT_STATE_DIR": str(self.lab.folder / "other")})
            self.assertEqual(wait_for("it ends", lambda: process.poll(), 10), 2, name)
            self.assertIn(name, self.lab.log().splitlines()[-1])


class Webhook(LabCase):
    """G14: OpenSandbox's own notices cannot leave a sandbox that may reach nothing."""
    settings = {"OPENSANDBOX_EGRESS_SANDBOX_ID": "sandbox-7", "SALLYPORT_SANDBOX_ID": None}
    policy = deny_all_but(allow("registry.example.test"))

    @classmethod
    def prepare(cls):
        for scheme, address, port in (("http", "203.0.113.20", 8080), ("https", "203.0.113.10", 8443)):
            cls.lab.start(sys.executable, "-c", RECEIVER, cls.lab.folder, scheme, address, port, namespace=cls.lab.outside, log="webhook.log")
            wait_for("the webhook listens", lambda: f":{port}" in cls.lab.inside(cls.lab.outside, "ss", "-Hltn").stdout)

    def begin(self, address, **changes):
        if self.sidecar.poll() is None:
            self.sidecar.terminate()
            self.sidecar.wait(15)
        (self.lab.folder / "told.ndjson").unlink(missing_ok=True)
        self.start_sidecar(OPENSANDBOX_EGRESS_DENY_WEBHOOK=address, **changes)

    def told(self):
        file = self.lab.folder / "told.ndjson"
        return [json.loads(line) for line in whole_lines(file)] if file.exists() else []

    def deny(self, *names):
        for name in names:
            self.assertIn("NXDOMAIN", self.lab.lookup(name))

    def test_G14_denied_names_are_told_out_of_a_sandbox_that_may_reach_nothing(self):
        for address in ("http://me:secret@203.0.113.20:8080/hook?key=k", f"https://{HUB_NAME}:8443/hook?key=k"):
            with self.subTest(address):
                self.begin(address)
                self.assertRefused("203.0.113.20", 8080)
                self.deny("Evil.Example.test", "evil.example.test")
                first = wait_for("the webhook is told", self.told)[0]
                self.assertEqual((first["method"], first["path"], first["type"]), ("POST", "/hook?key=k", "application/json"))
                self.assertEqual(first["authorization"], "Basic bWU6c2VjcmV0" if "me:" in address else None)
                self.assertEqual(first["host"], address.split("/")[2].split("@")[-1])
                body = first["body"]
                self.assertEqual(set(body), {"hostname", "timestamp", "source", "sandboxId"})
                self.assertEqual((body["hostname"], body["source"], body["sandboxId"]), ("evil.example.test", "opensandbox-egress", "sandbox-7"))
                self.assertRegex(body["timestamp"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.lab.lookup("registry.example.test")
                self.deny("other.example.test")
                wait_for("the webhook is told of the next", lambda: len(self.told()) > 1)
                self.assertEqual([t["body"]["hostname"] for t in self.told()], ["evil.example.test", "other.example.test"])
                self.assertEqual(self.metric("deny_webhook_sent_total"), 2)
                self.assertRefused("203.0.113.20", 8080)
                self.assertNotIn("key=k", self.lab.log())

    def test_a_failure_is_tried_again_and_a_refusal_is_not(self):
        self.begin("http://203.0.113.20:8080/fail-once")
        self.deny("first.example.test", "refuse.example.test", "last.example.test")
        wait_for("the last is told", lambda: self.told() and self.told()[-1]["body"]["hostname"] == "last.example.test", 15)
        self.assertEqual([(t["body"]["hostname"], t["status"]) for t in self.told()],
                         [("first.example.test", 500), ("first.example.test", 204), ("refuse.example.test", 400), ("last.example.test", 204)])
        wait_for("both are counted", lambda: (self.metric("deny_webhook_sent_total"), self.metric("deny_webhook_dropped_total")) == (2, 1))

    def test_a_webhook_that_is_not_there_holds_up_nothing(self):
        self.begin("http://203.0.113.21:8080/")
        self.deny(*(f"n{index}.example.test" for index in range(20)))
        self.assertFetches("https://registry.example.test/")
        wait_for("it is said", lambda: "the webhook cannot be told" in self.lab.log())
        self.arrived("DnsDenied", DnsQuery="n19.example.test")

    def test_nothing_is_told_while_only_observing(self):
        self.begin("http://203.0.113.20:8080/hook", SALLYPORT_MODE="observe")
        self.lab.lookup("denied.example.test")
        self.arrived("DnsDenied", DnsQuery="denied.example.test")
        self.assertEqual((self.told(), self.metric("deny_webhook_sent_total")), ([], 0))


RECEIVER = r"""
import http.server, json, pathlib, ssl, sys
folder, scheme, address, port = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    failed = False
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 204
        if self.path == "/fail-once":
            if not Hook.failed:
                status, Hook.failed = 500, True
            elif body["hostname"].startswith("refuse"):
                status = 400
        with open(folder / "told.ndjson", "a") as file:
            file.write(json.dumps({"method": self.command, "path": self.path, "type": self.headers["Content-Type"], "status": status, "body": body,
                                   "host": self.headers["Host"], "authorization": self.headers["Authorization"]}) + "\n")
        self.send_response(status)
        if status != 204: self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer((address, port), Hook)
if scheme == "https":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


if __name__ == "__main__":
    unittest.main()
