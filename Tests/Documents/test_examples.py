"""The README's curl examples and its proof of completeness, done against a running sidecar."""
import re, subprocess, sys, unittest

import daemon, sources

EXAMPLE = re.compile(r"^(curl .*?)\s+# (\d{3})\b")
# curl as the README writes it, but the status is what is printed.
SHIM = 'curl() { command curl -sS -o /dev/null -w "%{http_code}" "$@"; }\n'


def examples():
    return [(line + at, *EXAMPLE.match(text).groups()) for line, block in sources.blocks("sh")
            for at, text in enumerate(block.splitlines()) if EXAMPLE.match(text)]


class Written(unittest.TestCase):
    def test_every_curl_line_says_its_status(self):
        lines = [text for _, block in sources.blocks("sh") for text in block.splitlines() if text.startswith("curl")]
        self.assertTrue(lines)
        self.assertEqual(len(lines), len(examples()), "a curl example without `# STATUS` at its end")


class Running(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := daemon.missing():
            raise unittest.SkipTest(reason)
        cls.lab = daemon.lab.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.lab.start_hub()
        cls.sidecar = cls.lab.start_sidecar({"egress": [{"action": "allow", "target": "registry.example.test"}]})

    def test_each_example_gives_its_status(self):
        for line, command, status in examples():
            with self.subTest(line=f"README.md:{line}", command=command):
                result = self.lab.inside(self.lab.outside, "env", "POD=10.77.0.2", f"TOKEN={daemon.lab.API_TOKEN}", "sh", "-c", SHIM + command)
                self.assertEqual(result.stdout, status, result.stderr)

    def test_the_workload_cannot_reach_the_api(self):
        for address in ("10.77.0.2", "127.0.0.1"):
            self.assertEqual(self.lab.connect(address, 18080)["result"], "refused")

    def test_the_proof_holds_and_finds_what_is_missing_or_changed(self):
        self.lab.lookup("registry.example.test")
        self.lab.lookup("denied.example.test")
        daemon.lab.wait_for("the denial is at the hub", lambda: self.lab.records("DnsDenied", DnsQuery="denied.example.test"), 20)
        lines = self.lab.record_bytes()
        (_, program), = [block for block in sources.blocks("python") if "SbxChain" in block[1]]

        def prove(records):
            return subprocess.run([sys.executable, "-c", program], input=b"\n".join(records), capture_output=True, check=True).stdout.decode()

        self.assertRegex(prove(lines + lines[:2]), r"^\w{32}: ends at \d+\n$")
        self.assertIn(f"{2} to {2} are missing", prove(lines[:1] + lines[2:]))
        changed = lines[2].replace(b'"EventCount":1', b'"EventCount":9')
        self.assertNotEqual(changed, lines[2])
        self.assertIn("the chain is broken at 3", prove(lines[:2] + [changed] + lines[3:]))


if __name__ == "__main__":
    unittest.main()
