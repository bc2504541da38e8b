"""The command line (contract §1). Nothing here needs a sidecar."""
import json, os, pathlib, re, subprocess, tempfile, unittest

from stage import ROOT, WORKLOAD_UID, binary

GOOD = '{"defaultAction":"deny","egress":[{"action":"allow","target":"a.example.com","ports":["443/tcp"]},{"action":"deny","target":"b.example.com"}]}'
OWNER = "72f988bf-86f1-41af-91ab-2d7cd011db47/6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def sallyport(self, *arguments, **environment):
        return subprocess.run([str(binary("sallyport")), *map(str, arguments)], capture_output=True, text=True, timeout=20,
                              env={"PATH": os.environ["PATH"], **environment}, stdin=subprocess.DEVNULL)

    def assertRefused(self, result, *words):
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, "")
        for word in (*words, "--help"):
            self.assertIn(word, result.stderr)

    # The words.

    def test_version_tells_version_build_and_the_kernel_features_wanted(self):
        result = self.sallyport("version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"\Asallyport \d+\.\d+\.\d+\nbuild: (debug|release)\nkernel features wanted:\n")
        self.assertIn("map with timeouts", result.stdout)

    def test_every_command_explains_itself(self):
        for arguments in (["--help"], ["-h"], ["run", "--help"], ["check", "--help"], ["explain", "--help"], ["verify", "--help"], ["top", "--help"], ["version", "--help"], ["run", "--config", "x", "--help"]):
            result = self.sallyport(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
            self.assertIn("sallyport", result.stdout)

    def test_what_is_not_known_is_refused_and_points_to_help(self):
        policy = self.file("good.json", GOOD)
        for arguments, word in (
            ([], "command"), (["fly"], "fly"), (["--fly"], "--fly"), (["doctor", "x"], "x"), (["verify"], "FILE"),
            (["version", "x"], "x"), (["version", "--json"], "--json"), (["run", "now"], "now"), (["run", "--confg", "x"], "--confg"),
            (["run", "--config"], "--config"), (["run", "--config", "a", "--config", "b"], "twice"),
            (["run", "--print-configuration=yes"], "--print-configuration"), (["check"], "FILE"), (["check", "--all", policy], "--all"),
            (["explain", "a.example.com"], "--policy"), (["explain", "--policy", policy], "TARGET"), (["explain", "--policy", policy, "a.example.com", "b"], "'b'"),
        ):
            with self.subTest(arguments=arguments):
                self.assertRefused(self.sallyport(*arguments), word)

    # check

    def test_check_says_nothing_about_good_files(self):
        documents = sorted(p for p in (ROOT / "policies").glob("*.json") if not p.name.endswith(".schema.json"))
        self.assertTrue(documents)
        result = self.sallyport("check", self.file("good.json", GOOD), *documents)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_check_names_every_problem_of_every_file_with_its_path(self):
        first = self.file("first.json", '{"defaultAction":"block","egress":[{"action":"allow","target":"a*b.com"},{"action":"allow","target":"x.com","ports":[]}]}')
        second = self.file("second.json", '{"egress":[{"action":"allow","target":"*.com"},{"action":"allow","target":"0x7f.1"}],"egress":[]}')
        missing = self.folder / "missing.json"
        good = self.file("good.json", GOOD)
        result = self.sallyport("check", first, good, second, missing)
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        lines = result.stdout.splitlines()
        places = [re.match(r"(.+?): (\$\S*): (.+)", line) for line in lines]
        self.assertTrue(all(places), lines)
        found = {(pathlib.Path(m[1]).name, m[2]) for m in places}
        for expected in (("first.json", "$.defaultAction"), ("first.json", "$.egress[0].target"), ("first.json", "$.egress[1].ports"),
                         ("second.json", "$.egress[0].target"), ("second.json", "$.egress[1].target"), ("missing.json", "$")):
            self.assertIn(expected, found, result.stdout)
        self.assertNotIn("good.json", result.stdout)

    def test_check_survives_what_is_no_document(self):
        for text in ("", "[", "\0\0", '{"egress":' + "[" * 100_000, '"x"', '{"egress":[{"target":"' + "a" * 100_000 + '"}]}'):
            result = self.sallyport("check", self.file("odd.json", text))
            self.assertIn(result.returncode, (0, 1), text[:20])
            self.assertEqual(result.stderr, "")
        self.assertEqual(self.sallyport("check", self.folder).returncode, 1)

    # explain

    def test_explain_tells_decision_rule_and_what_it_beat(self):
        policy = self.file("policy.json", json.dumps({"defaultAction": "deny", "egress": [
            {"action": "deny", "target": "bad.example.com"}, {"action": "allow", "target": "*.example.com", "ports": ["443/tcp"]},
            {"action": "allow", "target": "10.0.0.0/8"}, {"action": "allow", "target": "2001:db8::/32", "ports": ["53/udp"]}]}))
        for target, code, words in (
            ("a.example.com:443", 0, ["allowed", "*.example.com", "egress[1]", "default deny"]),
            ("a.example.com:443/udp", 1, ["denied", "default deny"]),
            ("A.Example.COM.:443/tcp", 0, ["allowed"]),
            ("a.example.com", 0, ["allowed"]),
            ("bad.example.com:443", 1, ["denied", "egress[0]", "*.example.com"]),
            ("example.com:443", 1, ["denied", "no rule matches"]),
            ("10.1.2.3:1/udp", 0, ["allowed", "10.0.0.0/8"]),
            ("2001:db8::1", 0, ["allowed"]),
            ("[2001:db8::1]:53/udp", 0, ["allowed", "53/udp"]),
            ("[2001:db8::1]:53", 1, ["denied"]),
            ("[2001:db9::1]", 1, ["denied"]),
        ):
            with self.subTest(target=target):
                result = self.sallyport("explain", "--policy", policy, target)
                self.assertEqual((result.returncode, result.stderr), (code, ""), result.stdout)
                for word in words:
                    self.assertIn(word, result.stdout)

    def test_explain_refuses_what_is_no_target(self):
        policy = self.file("good.json", GOOD)
        for target in ("a.example.com:", "a.example.com:0", "a.example.com:65536", "a.example.com:443/sctp", "a.example.com:443/tcp/udp", "*.example.com",
                       "10.0.0.0/8", "[a.example.com]:1", "[2001:db8::1]443", "0x7f.1", "127.1:80", "", "http://a.example.com", "a.example.com:0443"):
            with self.subTest(target=target):
                self.assertRefused(self.sallyport("explain", "--policy", policy, target))

    def test_explain_of_a_bad_policy_is_neither_allowed_nor_denied(self):
        for policy in (self.file("bad.json", '{"defaultAction":"block"}'), self.folder / "missing.json"):
            result = self.sallyport("explain", "--policy", policy, "a.example.com")
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("$", result.stderr)

    # run

    def test_bad_settings_end_run_with_every_problem_named_at_once(self):
        config = self.file("settings", "SALLYPORT_LEASE_MIN=soon\nSALLYPORT_COLOUR=red\n")
        result = self.sallyport(
            "run", "--config", config, SALLYPORT_OWNER="me", SALLYPORT_SPOOL_MAX="many", SALLYPORT_MODE="maybe", SALLYPORT_DNS_UPSTREAM="nowhere",
            SALLYPORT_TYPO="1", SALLYPORT_POLICY='{"defaultAction":"block","egress":[{"action":"allow","target":"*.com"}]}', SALLYPORT_API_LISTEN="x")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        lines = [json.loads(line) for line in result.stderr.splitlines()]
        named = {line["variable"] for line in lines}
        self.assertLessEqual({"SALLYPORT_LEASE_MIN", "SALLYPORT_COLOUR", "SALLYPORT_OWNER", "SALLYPORT_SPOOL_MAX", "SALLYPORT_MODE", "SALLYPORT_DNS_UPSTREAM",
                              "SALLYPORT_TYPO", "SALLYPORT_POLICY", "SALLYPORT_API_LISTEN"}, named)
        reasons = " ".join(line["reason"] for line in lines if line["variable"] == "SALLYPORT_POLICY")
        self.assertIn("$.defaultAction", reasons)
        self.assertIn("$.egress[0].target", reasons)

    def test_a_bad_settings_file_hides_no_problem_of_the_environment(self):
        config = self.file("settings", "no equals sign\nSALLYPORT_MODE=enforce\nSALLYPORT_MODE=observe\n")
        result = self.sallyport("run", "--config", config, SALLYPORT_OWNER="me")
        self.assertEqual(result.returncode, 2)
        for word in (f"{config}:1", f"{config}:3", "SALLYPORT_OWNER"):
            self.assertIn(word, result.stderr)
        self.assertEqual(self.sallyport("run", "--config", self.folder / "missing").returncode, 2)

    def test_a_bad_always_list_ends_run(self):
        (self.folder / "always").mkdir()
        self.file("always/deny.always", "good.example.com\n*.com\n")
        result = self.sallyport("run", SALLYPORT_ALWAYS_DIR=str(self.folder / "always"), SALLYPORT_OWNER=OWNER, SALLYPORT_DNS_UPSTREAM="10.0.0.1",
                                SALLYPORT_AUDIT_FILE="-")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("deny.always", result.stderr)

    def test_print_configuration_shows_values_sources_and_no_secret(self):
        config = self.file("settings", "# a comment\nSALLYPORT_LEASE_MIN=30s\nSALLYPORT_LEASE_MAX=10m\nSALLYPORT_API_TOKEN=secret-from-file\n")
        result = self.sallyport("run", "--config", config, "--print-configuration", SALLYPORT_LEASE_MAX="20m", SALLYPORT_OWNER=OWNER,
                                SALLYPORT_DNS_UPSTREAM="10.0.0.1")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = dict(line.split("=", 1) for line in result.stdout.splitlines())
        self.assertIn("30s", lines["SALLYPORT_LEASE_MIN"])
        self.assertIn(f"{config}:2", lines["SALLYPORT_LEASE_MIN"])
        self.assertIn("20m", lines["SALLYPORT_LEASE_MAX"])
        self.assertIn("environment", lines["SALLYPORT_LEASE_MAX"])
        self.assertIn("default", lines["SALLYPORT_LEASE_GRACE"])
        self.assertIn("<set>", lines["SALLYPORT_API_TOKEN"])
        self.assertNotIn("secret-from-file", result.stdout)
        bad = self.sallyport("run", "--print-configuration", SALLYPORT_MODE="maybe", SALLYPORT_POLICY="{")
        self.assertEqual((bad.returncode, bad.stdout), (2, ""))
        self.assertIn("SALLYPORT_MODE", bad.stderr)
        self.assertIn("SALLYPORT_POLICY", bad.stderr)

    def test_service_links_of_kubernetes_are_no_settings(self):
        result = self.sallyport("run", "--print-configuration", SALLYPORT_SERVICE_HOST="10.0.0.1", SALLYPORT_PORT="tcp://10.0.0.1:18080",
                                SALLYPORT_PORT_18080_TCP="tcp://10.0.0.1:18080", SALLYPORT_OWNER=OWNER, SALLYPORT_DNS_UPSTREAM="10.0.0.1")
        self.assertEqual(result.returncode, 0, result.stderr)

    @unittest.skipUnless(os.getuid() == 0, "giving up root needs root")
    def test_without_the_capability_run_ends_with_3_and_names_it(self):
        executable = self.folder / "sallyport"
        executable.write_bytes(binary("sallyport").read_bytes())
        executable.chmod(0o755)
        self.folder.chmod(0o755)
        result = subprocess.run(
            ["setpriv", f"--reuid={WORKLOAD_UID}", f"--regid={WORKLOAD_UID}", "--clear-groups", "--bounding-set=-all", str(executable), "run"],
            capture_output=True, text=True, timeout=20,
            env={"PATH": os.environ["PATH"], "SALLYPORT_OWNER": OWNER, "SALLYPORT_DNS_UPSTREAM": "10.0.0.1", "SALLYPORT_STATE_DIR": str(self.folder / "state")})
        self.assertEqual((result.returncode, result.stdout), (3, ""), result.stderr)
        self.assertIn("CAP_NET_ADMIN", result.stderr)
