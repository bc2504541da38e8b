"""The control API over TLS: its certificate, its clients' certificates, and new ones while it runs."""
import json, os, subprocess, sys, unittest

from stage import API_TOKEN, LabCase, Lab, allow, deny_all_but, run, wait_for

CALL = r"""
import http.client, json, ssl, sys
a = json.load(sys.stdin)
context = ssl.create_default_context(cafile=a["ca"])
if a["cert"]:
    context.load_cert_chain(*a["cert"])
c = http.client.HTTPSConnection("10.77.0.2", 18080, timeout=10, context=context)
try:
    c.connect()
    serial = c.sock.getpeercert()["serialNumber"]
    answers = []
    for method, path, body in a["calls"]:
        c.request(method, path, body, {"Authorization": "Bearer " + a["token"]})
        r = c.getresponse()
        answers.append([r.status, r.read().decode()])
    print(json.dumps([serial, answers]))
except (ssl.SSLError, OSError) as error:
    print(json.dumps([None, type(error).__name__ + str(error)]))
"""


class TLS(LabCase):
    policy = deny_all_but(allow("registry.example.test"))

    @classmethod
    def prepare(cls):
        cls.files = cls.lab.folder / "tls"
        cls.files.mkdir()
        cls.files.chmod(0o755)
        cls.issue("api", "api")
        cls.issue("client", "client")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Somebody else",
            "-keyout", cls.files / "stranger.key", "-out", cls.files / "stranger.pem")
        cls.settings = {"SALLYPORT_API_TLS_CERT_FILE": cls.files / "api.pem", "SALLYPORT_API_TLS_KEY_FILE": cls.files / "api.key"}

    @classmethod
    def issue(cls, name, subject):
        """A certificate of the lab's authority, put in place as a whole."""
        f, ca = cls.files, cls.lab.folder
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}", "-keyout", f / ".key", "-out", f / ".csr")
        (f / ".ext").write_text("subjectAltName=IP:10.77.0.2\n")
        run("openssl", "x509", "-req", "-in", f / ".csr", "-CA", ca / "ca.pem", "-CAkey", ca / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f / ".ext", "-out", f / ".pem")
        for part in ("key", "pem"):
            (f / f".{part}").chmod(0o644)
            os.replace(f / f".{part}", f / f"{name}.{part}")
        return run("openssl", "x509", "-in", f / f"{name}.pem", "-noout", "-serial").stdout.strip().removeprefix("serial=")

    @classmethod
    def start_sidecar(cls, **changes):
        cls.sidecar = cls.lab.start_sidecar(cls.policy, wait=False, **{**cls.settings, **changes})
        def ready():
            if cls.sidecar.poll() is not None:
                raise AssertionError(cls.lab.log())
            return cls.call(("GET", "/healthz", None))[1] == [[200, "ok"]]
        wait_for("sallyport enforces", ready)
        return cls.sidecar

    @classmethod
    def call(cls, *calls, certificate=None, token=API_TOKEN):
        """The certificate's serial number and the answers, over one connection."""
        pair = [str(cls.files / f"{certificate}.pem"), str(cls.files / f"{certificate}.key")] if certificate else None
        asked = json.dumps({"ca": str(cls.lab.folder / "ca.pem"), "cert": pair, "calls": calls, "token": token})
        return json.loads(cls.lab.inside(cls.lab.outside, sys.executable, "-c", CALL, input=asked).stdout)

    def restart(self, **changes):
        self.sidecar.terminate()
        self.sidecar.wait(10)
        self.start_sidecar(**changes)

    def test_requests_of_any_size_pass_over_one_connection(self):
        rules = json.dumps(deny_all_but(*(allow(f"{'x' * 60}.n{number}.test") for number in range(4096))))
        serial, answers = self.call(("PUT", "/policy", rules), ("GET", "/policy", None), ("PUT", "/policy", json.dumps(self.policy)))
        self.assertEqual([status for status, _ in answers], [200, 200, 200])
        self.assertEqual(len(json.loads(answers[1][1])["policy"]["egress"]), 4096)
        self.assertEqual(self.call(("GET", "/policy", None), token="wrong")[1][0][0], 401)

    def test_plain_http_is_not_answered(self):
        answer = self.lab.exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertNotIn(b"200", answer)
        self.assertEqual(self.call(("GET", "/healthz", None))[1], [[200, "ok"]])

    def test_a_client_that_never_finishes_its_handshake_delays_nobody(self):
        hello = self.lab.exchange(b"\x16\x03\x01\x00\xc8\x01", timeout=1)
        self.assertEqual(hello, b"")
        self.assertEqual(self.call(("GET", "/healthz", None))[1], [[200, "ok"]])

    def test_a_new_certificate_is_taken_while_it_runs_and_a_bad_one_is_not(self):
        before, _ = self.call(("GET", "/healthz", None))
        serial = self.issue("api", "api")
        self.assertNotEqual(before.lstrip("0"), serial.lstrip("0"))
        wait_for("the new certificate is shown", lambda: self.call(("GET", "/healthz", None))[0].lstrip("0") == serial.lstrip("0"))
        (self.files / ".bad").write_text("nothing")
        os.replace(self.files / ".bad", self.files / "api.pem")
        wait_for("the bad one is said", lambda: "certificate cannot be read again" in self.lab.log())
        self.assertEqual(self.call(("GET", "/healthz", None))[0].lstrip("0"), serial.lstrip("0"))
        self.issue("api", "api")

    def test_clients_must_present_a_certificate_where_a_ca_is_given_and_probes_need_none(self):
        self.restart(SALLYPORT_API_TLS_CLIENT_CA_FILE=self.lab.folder / "ca.pem")
        self.addCleanup(self.restart)
        self.assertEqual(self.call(("GET", "/policy", None), certificate="client")[1][0][0], 200)
        self.assertEqual(self.call(("GET", "/policy", None), certificate="client", token="wrong")[1][0][0], 401)
        status, text = self.call(("GET", "/policy", None))[1][0]
        self.assertEqual((status, text), (401, "a client certificate is needed\n"))
        for path in ("/healthz", "/readyz", "/metrics"):
            self.assertEqual(self.call(("GET", path, None))[1][0][0], 200, path)
        self.assertIsNone(self.call(("GET", "/healthz", None), certificate="stranger")[0])

    def test_a_certificate_that_is_no_use_ends_the_start_with_its_name(self):
        for changes in ({"SALLYPORT_API_TLS_KEY_FILE": self.files / "client.key"}, {"SALLYPORT_API_TLS_CERT_FILE": "/none"}, {"SALLYPORT_API_TLS_KEY_FILE": None}):
            settings = {**self.settings, **changes, "SALLYPORT_STATE_DIR": self.lab.folder / "other"}
            process = self.lab.start_sidecar(self.policy, wait=False, **settings)
            self.assertEqual(wait_for("it ends", process.poll), 2, changes)
            self.assertIn("SALLYPORT_API_TLS_CERT_FILE", self.lab.log().splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
