"""`sallyport doctor`: every check with its finding, what to do, and an exit code that means enforcement."""
import json, re, unittest

from stage import Lab, allow, binary, deny_all_but, run

LINE = re.compile(r"^(ok|degraded|missing) +(.+?): (.*)$")


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)

    def tearDown(self):
        self.lab.inside(self.lab.pod, "nft", "flush", "ruleset")

    def doctor(self, *options, prefix=(), **settings):
        """The exit code and {name: [(status, finding), …]}."""
        env = self.lab.settings(deny_all_but(), **settings)
        result = run("ip", "netns", "exec", self.lab.pod, *prefix, binary("sallyport"), "doctor", *options, env=env, check=False, timeout=60)
        self.assertEqual(result.stderr, "")
        if "--json" in options:
            report = json.loads(result.stdout)
            found = [(c["name"], c["status"], c["detail"] + ("; to do: " + c["remedy"] if "remedy" in c else "")) for c in report["checks"]]
            self.assertEqual(report["status"], max((status for _, status, _ in found), key=("ok", "degraded", "missing").index))
        else:
            found = []
            for line in result.stdout.splitlines():
                self.assertRegex(line, LINE)
                status, name, rest = LINE.match(line).groups()
                found.append((name, status, rest))
        checks = {}
        for name, status, rest in found:
            checks.setdefault(name, []).append((status, rest))
            if status != "ok":
                self.assertIn("to do: ", rest, name)
        self.assertEqual(result.returncode, 1 if any(status == "missing" for _, status, _ in found) else 0, result.stdout)
        return result.returncode, checks

    def test_a_pod_that_has_everything(self):
        code, checks = self.doctor(SALLYPORT_EVENTHUB_URL=None)
        self.assertEqual(code, 0, checks)
        for name in ("configuration", "NET_ADMIN", "uid", "nf_tables", "redirect", "conntrack events", "conntrack accounting", "nat OUTPUT",
                     "IPv6", "nameserver 10.53.0.53:53", "state directory", *(f"kernel feature {f}" for f in ("ct", "redir", "lookup", "map with timeouts"))):
            self.assertEqual(checks[name][0][0], "ok", (name, checks[name]))
        self.assertIn("kernel", checks)
        self.assertEqual(self.lab.inside(self.lab.pod, "nft", "list", "ruleset").stdout, "", "nothing it does stays")

    def test_both_forms_say_the_same(self):
        settings = {"SALLYPORT_DNS_UPSTREAM": "10.53.0.53,198.51.100.9", "SALLYPORT_DNS_UPSTREAM_TIMEOUT": "300ms"}
        steady = lambda checks: {name: [(status, re.sub(r"\d+ (ms|MiB)", "", rest)) for status, rest in found] for name, found in checks.items()}
        self.assertEqual(steady(self.doctor(**settings)[1]), steady(self.doctor("--json", **settings)[1]))

    def test_what_enforcement_does_not_need_degrades(self):
        code, checks = self.doctor(SALLYPORT_DNS_UPSTREAM="198.51.100.9", SALLYPORT_DNS_UPSTREAM_TIMEOUT="300ms")
        self.assertEqual(code, 0)
        self.assertEqual(checks["nameserver 198.51.100.9:53"][0][0], "degraded")
        self.assertEqual(checks["hub"][0][0], "degraded")

    def test_without_net_admin(self):
        code, checks = self.doctor(prefix=("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"))
        self.assertEqual((code, checks["NET_ADMIN"][0][0]), (1, "missing"))

    def test_without_the_right_to_leave_root(self):
        code, checks = self.doctor(prefix=("setpriv", "--inh-caps=-setuid", "--bounding-set=-setuid"))
        self.assertEqual((code, checks["uid"][0][0]), (1, "missing"))

    def test_another_interception_layer(self):
        for command in ("add table ip nat", "add chain ip nat ISTIO_OUTPUT", "add rule ip nat ISTIO_OUTPUT counter", "add chain ip nat OUTPUT { type nat hook output priority -100; }",
                        "add rule ip nat OUTPUT meta l4proto tcp jump ISTIO_OUTPUT"):
            self.lab.inside(self.lab.pod, "nft", *command.split(" "))
        code, checks = self.doctor()
        self.assertEqual((code, checks["nat OUTPUT"][0][0]), (1, "missing"))
        self.assertIn("Istio", checks["nat OUTPUT"][0][1])

    def test_bad_settings_are_all_named_and_the_rest_is_looked_at(self):
        code, checks = self.doctor(SALLYPORT_MODE="off", SALLYPORT_LEASE_MIN="soon")
        self.assertEqual(code, 1)
        text = " ".join(rest for _, rest in checks["configuration"])
        self.assertIn("SALLYPORT_MODE", text)
        self.assertIn("SALLYPORT_LEASE_MIN", text)
        self.assertEqual(checks["redirect"][0][0], "ok")

    def test_secrets_that_everybody_can_read_and_neighbours_that_could_pass_the_rules(self):
        (self.lab.folder / "hub.token").write_text("x")
        other = self.lab.start("sleep", "60", namespace=self.lab.pod, log="sleep.log")
        try:
            code, checks = self.doctor()
        finally:
            other.kill()
        self.assertEqual(code, 0)
        self.assertEqual(checks["hub token"][0][0], "degraded")
        self.assertIn("everybody", checks["hub token"][0][1])
        self.assertIn("sleep", " ".join(rest for _, rest in checks["neighbours"]))

    def test_beside_the_daemon_it_disturbs_nothing(self):
        process = self.lab.start_sidecar(deny_all_but(allow("registry.example.test")), SALLYPORT_EVENTHUB_URL=None, SALLYPORT_AUDIT_FILE=self.lab.folder / "audit")
        try:
            code, checks = self.doctor(SALLYPORT_EVENTHUB_URL=None)
            self.assertEqual(code, 0, checks)
            self.assertEqual(checks["redirect"][0][0], "ok")
            self.assertIn("stand", checks["redirect"][0][1])
            self.assertEqual(self.lab.api("GET", "/readyz")[0], 200)
            self.assertNotIn('"Tamper"', (self.lab.folder / "audit").read_text())
        finally:
            process.terminate()
            process.wait()

    def test_wrong_usage_is_refused(self):
        for arguments in (("--fix",), ("now",), ("--json", "--json")):
            result = run(binary("sallyport"), "doctor", *arguments, check=False)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)


if __name__ == "__main__":
    unittest.main()
