"""Workload identity (audit.md, "Spool and delivery"): the exchange of the pod's own token for one that the hub takes."""
import json, os, subprocess, unittest

import packages
from authority import Authority
from identity import ASSERTION, CLIENT, TENANT, IdentityCase
from stage import binary, wait_for


class IdentityRequest(IdentityCase):
    @classmethod
    def prepare(cls):
        super().prepare()
        cls.interpreter = packages.python(packages.FOLDER.with_name("python-identity"), packages.IDENTITY)

    def reference(self):
        """azure-identity in our place: its outcome, and what it asked."""
        before = len(self.authority.requests)
        result = self.lab.inside(self.lab.outside, self.interpreter, "-c", REFERENCE, self.lab.folder / "ca.pem", Authority.NAME, Authority.ADDRESS, timeout=60, env={
            "PATH": os.environ["PATH"], "AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT, "AZURE_FEDERATED_TOKEN_FILE": str(self.file),
            "AZURE_AUTHORITY_HOST": Authority.URL})
        return json.loads(result.stdout), self.authority.requests[before:]

    def ours(self):
        """A new start of the sidecar: whether the hub takes its records, and what it asked."""
        before, issued = len(self.authority.requests), len(self.lab.records("SidecarStart"))
        failures = len(self.said("no token for the hub"))
        self.restart()
        wait_for("an outcome", lambda: len(self.lab.records("SidecarStart")) > issued or len(self.said("no token for the hub")) > failures, 20)
        return "token" if len(self.lab.records("SidecarStart")) > issued else "error", self.authority.requests[before:]

    def test_the_request_is_byte_for_byte_that_of_azure_identity(self):
        self.authority.answer()
        outcome, (theirs,) = self.reference()
        self.assertEqual(outcome["outcome"], "token")
        ours_outcome, (ours,) = self.ours()
        self.assertEqual(ours_outcome, "token")
        self.assertEqual(ours["line"], theirs["line"])
        self.assertEqual(ours["body"], theirs["body"])
        named = lambda request, name: [value for key, value in request["headers"] if key.lower() == name]
        for name in ("content-type", "content-length", "host"):
            self.assertEqual(named(ours, name), named(theirs, name), name)
        self.assertEqual(named(ours, "authorization"), [])

    def test_the_same_answers_have_the_same_outcomes(self):
        for plan, expected in (({"text": True}, "token"), ({"lifetime": 600}, "token"), ({"body": {}}, "error"), ({"body": "<html>"}, "error"),
                               ({"status": 401, "body": {"error": "invalid_client", "error_description": "AADSTS700024: expired"}}, "error"),
                               ({"status": 400, "body": {"error": "unauthorized_client"}}, "error")):
            with self.subTest(plan=plan):
                self.authority.answer(**plan)
                outcome, _ = self.reference()
                self.assertEqual(outcome["outcome"], expected, outcome)
                self.assertEqual(self.ours()[0], expected)
        self.assertTrue(self.said("invalid_client: AADSTS700024: expired"), "what the authority said is said")

    def test_a_throttled_exchange_is_tried_again_when_the_authority_said(self):
        self.authority.answer(status=429, headers={"Retry-After": "1"}, body={"error": "temporarily_unavailable"})
        before = len(self.authority.requests)
        self.restart()
        wait_for("three tries", lambda: len(self.authority.requests) >= before + 3, 20)
        tries = self.authority.requests[before:]
        for earlier, later in zip(tries, tries[1:]):
            self.assertGreaterEqual(later["at"] - earlier["at"], 0.95)
        self.authority.answer()
        self.ask("after-throttling.elsewhere.test", 60)

    def test_the_assertion_is_trimmed_which_the_reference_does_not_do(self):
        self.authority.answer()
        self.file.write_text(ASSERTION + "\n")
        self.addCleanup(self.file.write_text, ASSERTION)
        _, theirs = self.reference()
        outcome, ours = self.ours()
        self.assertEqual(outcome, "token")
        self.assertTrue(ours[0]["body"].startswith(f"client_assertion={ASSERTION}&".encode()))
        self.assertTrue(theirs[0]["body"].startswith(f"client_assertion={ASSERTION}%0A&".encode()), "the difference is gone: so may be our reason")

    def test_the_endpoint_is_the_daemons_alone(self):
        self.authority.answer()
        self.ask("mine.elsewhere.test")
        self.assertRefused(Authority.ADDRESS, Authority.PORT)
        self.assertNotIn("NOERROR", self.lab.lookup(Authority.NAME))
        own = self.lab.inside(self.lab.pod, "nft", "list", "set", "inet", "sallyport", "own4").stdout
        self.assertRegex(own, rf"{Authority.ADDRESS} \. tcp \. {Authority.PORT} timeout")
        # What an exchange costs in destinations is this one, and its flow is on the record as every other.
        self.assertEqual({line for line in own.replace(",", "\n").split("\n") if Authority.ADDRESS in line and f". {Authority.PORT}" not in line}, set())

    def test_tokens_reach_no_log_and_no_record(self):
        self.authority.answer(lifetime=8)
        self.restart(SALLYPORT_LOG_LEVEL="debug")
        before = len(self.authority.requests)
        self.ask("first.elsewhere.test")
        wait_for("a renewal", lambda: len(self.authority.requests) > before + 1, 20)
        self.authority.answer(status=401, body={"error": "invalid_client"})
        wait_for("a refusal", lambda: self.said("the hub's token is not renewed", "invalid_client"), 20)
        self.authority.answer()
        self.ask("second.elsewhere.test", 60)
        secrets = [ASSERTION.split(".")[2], *(r["issued"] for r in self.authority.requests)]
        printed = subprocess.run([binary("sallyport"), "run", "--print-configuration"], env=self.lab.settings(self.policy, **self.settings), capture_output=True)
        self.assertEqual(printed.returncode, 0, printed.stderr)
        places = {"log": self.lab.log().encode(), "audit": json.dumps(self.audit()).encode(), "metrics": self.lab.api("GET", "/metrics")[1].encode(),
                  "records": b"\n".join(self.lab.record_bytes()), "configuration": printed.stdout + printed.stderr,
                  **{str(path): path.read_bytes() for path in (self.lab.folder / "state").rglob("*") if path.is_file()}}
        for place, octets in places.items():
            for secret in secrets:
                self.assertNotIn(secret.encode(), octets, place)

    def test_what_is_missing_is_named_all_at_once(self):
        settings = {name: value for name, value in self.settings.items() if not name.startswith("AZURE_")}
        result = subprocess.run([binary("sallyport"), "run", "--print-configuration"], env=self.lab.settings(self.policy, **settings, AZURE_AUTHORITY_HOST="http://login.example.test"),
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)
        for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"):
            self.assertIn(name, result.stderr)


REFERENCE = r"""
import json, socket, sys
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve(sys.argv[3] if host == sys.argv[2] else host, *rest, **more)
from azure.identity import WorkloadIdentityCredential
try:
    token = WorkloadIdentityCredential(connection_verify=sys.argv[1], retry_total=0).get_token("https://eventhubs.azure.net/.default")
    print(json.dumps({"outcome": "token", "expires": token.expires_on}))
except Exception as error:
    print(json.dumps({"outcome": "error", "error": f"{type(error).__name__}: {error}"[:300]}))
"""

if __name__ == "__main__":
    unittest.main()
