"""In the guest: the kernel is what it claims to be, what is missing is named, and then the main job and the hostile workload of Tests/EndToEnd under the AKS profile.

The last line of the console says how many tests passed.
"""
import json, pathlib, subprocess, sys, time, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "Tests" / "EndToEnd"), str(ROOT / "deploy" / "lab")]
import lab
import stage

# Everything under the profile, whoever starts a sidecar here.
settings = lab.Lab.settings
lab.Lab.settings = lambda self, policy=None, **changes: settings(self, policy, **{"SALLYPORT_KERNEL_PROFILE": "aks-kata-6.6", **changes})

# Floods, and what a clock decides, are left to the machine that runs this: the emulated one is some twenty times slower.
SUITES = sys.argv[1:] or [
    "test_readiness",
    "test_tamper.Tamper.test_whatever_someone_changes_is_put_back_at_once_and_on_the_record",
    *(f"test_bypass.Bypass.{name}" for name in (
        "test_who_may_not_change_the_rules", "test_denied_addresses", "test_disguised_addresses", "test_ports_outside_the_rule", "test_protocols_other_than_tcp_and_udp",
        "test_socket_options", "test_dns_goes_to_the_proxy_whichever_way", "test_an_alias_target_is_not_allowed_itself", "test_the_control_api_is_closed",
        "test_the_true_mark_alone_opens_nothing", "test_raw_packets", "test_the_order_of_rules", "test_killed_the_daemon_leaves_everything_denied")),
]


class Result(unittest.TextTestResult):
    """Says at once what is wrong: the machine may be cut off before the end."""

    def say(self, test, error):
        self.stream.writeln(f"\n{self.getDescription(test)}\n{self._exc_info_to_string(error, test)}"[-4000:])

    def addError(self, test, error):
        super().addError(test, error)
        self.say(test, error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.say(subtest, error)


class Kernel(unittest.TestCase):
    """Before nft_redir is loaded."""

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)

    def nft(self, *words):
        return self.lab.inside(self.lab.pod, "nft", *words, check=False)

    def tearDown(self):
        self.nft("flush", "ruleset")

    def test_a_it_lacks_what_AKSs_guest_lacks(self):
        self.nft("add", "table", "inet", "t")
        self.nft("add", "chain", "inet", "t", "c", "{ type filter hook output priority 0; }")
        self.assertEqual(self.nft("add", "rule", "inet", "t", "c", "ct", "mark", "1", "counter").returncode, 0)
        for words in ("log group 1", "reject", "fib saddr type local", "socket mark 1", "ct count over 1", "meta mark set numgen inc mod 2", "redirect to :9"):
            result = self.nft("add", "rule", "inet", "t", "c", *words.split())
            self.assertNotEqual(result.returncode, 0, words)

    def test_b_doctor_and_daemon_name_the_feature_that_is_missing(self):
        env = self.lab.settings({}, SALLYPORT_EVENTHUB_URL=None, SALLYPORT_AUDIT_FILE=self.lab.folder / "audit")
        report = self.lab.inside(self.lab.pod, lab.binary("sallyport"), "doctor", "--json", env=env, check=False, timeout=60)
        self.assertEqual(report.returncode, 1, report.stderr)
        missing = {check["name"] for check in json.loads(report.stdout)["checks"] if check["status"] == "missing"}
        self.assertIn("kernel feature redir", missing)
        self.assertNotIn("kernel feature lookup", missing)
        end = self.lab.inside(self.lab.pod, lab.binary("sallyport"), "run", env=env, check=False, timeout=60)
        self.assertEqual(end.returncode, 3, end.stderr)
        self.assertIn("the kernel lacks redir", end.stderr)
        self.assertNotIn("sallyport", self.nft("list", "tables").stdout, "nothing weaker is loaded instead")

    def test_c_with_it_the_same_daemon_enforces(self):
        subprocess.run(["insmod", "/mods/nft_redir.ko"], check=True)
        process = self.lab.start_sidecar({})
        process.terminate()
        self.assertEqual(process.wait(30), 0)


class MainJob(unittest.TestCase):
    def test_the_story_that_deploy_try_shows(self):
        result = subprocess.run([sys.executable, ROOT / "deploy" / "lab" / "story.py"], capture_output=True, text=True, timeout=120)
        print(result.stdout, flush=True)
        # The emulated machine is slow, and the story's own limits on time are another machine's.
        failures = [line for line in result.stdout.splitlines() if line.strip().startswith("FAIL") and " ms" not in line]
        self.assertEqual(failures, [], result.stderr)


def main():
    begun = time.monotonic()
    loader = unittest.TestLoader()
    suite = unittest.TestSuite([loader.loadTestsFromTestCase(Kernel), loader.loadTestsFromTestCase(MainJob), loader.loadTestsFromNames(SUITES)])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    print(f"{result.testsRun - len(result.failures) - len(result.errors)} of {result.testsRun} passed in the guest in {time.monotonic() - begun:.0f} s", flush=True)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
