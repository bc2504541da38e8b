"""The API's own description against the API: every operation with generated requests, and what the description says of policies."""
import json, pathlib, re, unittest

import packages
from stage import API_TOKEN, ROOT, LabCase, allow, deny_all_but

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,ignored_auth"
ROUTES = {
    "/policy": {"get", "post", "put", "patch", "delete"}, "/policy/explain": {"get"}, "/policy/suggested": {"get"}, "/owner": {"get", "put"},
    "/flows": {"get"}, "/audit": {"get"}, "/audit/override": {"put", "delete"}, "/healthz": {"get"}, "/readyz": {"get"}, "/metrics": {"get"}, "/openapi.json": {"get"},
}


class Description(LabCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp", reason="ticket 42"), allow("198.51.100.50", expiresAt="2031-01-01T00:00:00Z"))

    @classmethod
    def prepare(cls):
        # A file beside the hub and an audit lease, so that their metrics are there.
        cls.settings = {"SALLYPORT_AUDIT_FILE": str(cls.lab.folder / "copy.ndjson"), "SALLYPORT_AUDIT_LEASE": "60s"}

    def document(self):
        status, document, headers = self.lab.api("GET", "/openapi.json", token=None)
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        return document

    def test_it_is_openapi_3_1_and_has_every_route(self):
        document = self.document()
        self.assertRegex(document["openapi"], r"^3\.1\.")
        self.assertEqual({path: set(item) for path, item in document["paths"].items()}, ROUTES)

    def test_its_policy_is_that_of_the_published_schema(self):
        schemas = self.document()["components"]["schemas"]
        published = json.loads((ROOT / "policies" / "policy.schema.json").read_text().replace("#/$defs/", "#/components/schemas/"))
        for name, schema in published["$defs"].items():
            self.assertEqual(schemas[name], schema, name)
        self.assertEqual(schemas["policy"], {key: value for key, value in published.items() if key not in ("$schema", "$id", "$defs", "title")})

    def test_generated_requests_get_what_it_promises(self):
        """schemathesis drives the operations of the running daemon, but for the binding of an owner, which can be done once only."""
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("files.example.test")])[0], 200)
        self.assertFetches("https://registry.example.test/")
        folder = self.lab.folder / "schemathesis"
        folder.mkdir()
        command = [packages.python(), "-m", "schemathesis.cli", "run", "http://10.77.0.2:18080/openapi.json", "-H", f"OPENSANDBOX-EGRESS-AUTH: {API_TOKEN}",
                   "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "12", "--seed", "1", "--generation-database", "none", "--no-color", "--exclude-operation-id", "bindOwner"]
        result = self.lab.inside(self.lab.outside, "env", f"HOME={folder}", *command, cwd=folder, timeout=150, check=False)
        self.assertEqual(result.returncode, 0, re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)[-6000:] + result.stderr[-2000:])
        self.assertIsNone(self.sidecar.poll())
        self.assertEqual(self.lab.api("GET", "/policy")[0], 200)

    def test_documents_that_the_daemon_takes_and_refuses_are_those_that_the_schema_does(self):
        """jsonschema beside the daemon, except for what the schema says it cannot say."""
        texts = []
        for target in ("a.test", "*.a.test", "A.TEST.", "10.0.0.0/8", "2001:db8::/32", "::1", "*", "xn--bcher-kva.example", "_dmarc.x.test", "a" * 63 + ".test",
                       "a" * 64 + ".test", "*.com", "a*b.test", "foo.*", "", " a.test", "a.test ", "a..b", "-a.test", "a-.test", "http://a.test/", "a.test:443",
                       "0x7f.1", "127.1", "2130706433", "10.0.0.0/33", "::1/129", "b\u00fccher.example", "a\u0000.test", "a\r\n.test", "*-aiplatform.googleapis.com", "**.a.test", "*.", "."):
            texts.append({"egress": [{"action": "deny", "target": target}]})
        for ports in (["443"], ["443/tcp"], ["1-65535/udp"], [], ["0"], ["x"], [443], ["443/sctp"], ["/tcp"], "443", None):
            texts.append({"egress": [{"target": "a.test", "ports": ports}]})
        for document in ({}, None, {"egress": None}, {"defaultAction": "ALLOW "}, {"defaultAction": "block"}, {"defaultAction": 1}, {"egres": []}, {"egress": {}},
                         {"egress": [{"action": "allow"}]}, {"egress": [{"target": "a.test", "port": "1"}]}, {"egress": [{"action": "allow", "target": "*"}]}, [], "x", 1,
                         {"egress": [{"target": "a.test", "reason": 1}]}, {"egress": [{"target": "a.test", "expiresAt": 7}]}):
            texts.append(document)
        asked = json.dumps({"schema": str(ROOT / "policies" / "policy.schema.json"), "documents": texts})
        checked = self.lab.inside(self.lab.outside, packages.python(), "-c", JUDGE, input=asked)
        for document, valid in zip(texts, json.loads(checked.stdout)):
            status = self.lab.api("PUT", "/policy?dryRun=true", json.dumps(document))[0]
            self.assertEqual(status, 200 if valid else 400, document)

    def test_metrics_are_those_that_the_documents_list(self):
        listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", (ROOT / "deploy" / "metrics.md").read_text(), re.M)
        text = self.lab.api("GET", "/metrics", token=None)[1]
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        shown = [(name, kinds[name], meaning) for name, meaning in re.findall(r"^# HELP (\S+) (.+)$", text, re.M)]
        self.assertEqual(sorted(shown), sorted(listed))
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) .+|sallyport_\w+(\{\w+="[^"]*"\})? \d+)$')


JUDGE = """
import json, jsonschema, sys
asked = json.load(sys.stdin)
validator = jsonschema.Draft202012Validator(json.load(open(asked["schema"])), format_checker=jsonschema.FormatChecker())
print(json.dumps([validator.is_valid(document) for document in asked["documents"]]))
"""

if __name__ == "__main__":
    unittest.main()
