"""In the guest: the kernel is what it claims to be, what is missing is named, and then the main job and the hostile workload of Tests/EndToEnd.

All of it under the profile `aks-kata-6.6`. The last line says how many tests passed.
"""
import json, os, pathlib, subprocess, sys, time, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "Tests" / "EndToEnd"), str(ROOT / "deploy" / "lab")]
import lab
import bypass, test_bypass_changes, test_bypass_names, test_bypass_packets

PROFILE = "aks-kata-6.6"


class Result(unittest.TextTestResult):
    """Says at once how long each test took and what is wrong: the machine may be cut off before the end."""

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.stream.writeln(f"    {time.monotonic() - self.begun:.1f} s")

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
        # Whatever becomes of these tests, the others need it.
        cls.addClassCleanup(subprocess.run, ["insmod", "/mods/nft_redir.ko"], capture_output=True)
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
        env = self.lab.settings({}, SALLYPORT_EVENTHUB_URL=None, SALLYPORT_AUDIT_FILE=self.lab.folder / "audit", SALLYPORT_KERNEL_PROFILE=PROFILE)
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
        process = self.lab.start_sidecar({}, SALLYPORT_KERNEL_PROFILE=PROFILE)
        process.terminate()
        self.assertEqual(process.wait(30), 0)


class MainJob(unittest.TestCase):
    def test_the_story_that_deploy_try_shows(self):
        result = subprocess.run([sys.executable, ROOT / "deploy" / "lab" / "story.py"], capture_output=True, text=True, timeout=300,
                                env={**os.environ, "SALLYPORT_KERNEL_PROFILE": PROFILE})
        print(result.stdout, flush=True)
        self.assertEqual(result.returncode, 0, result.stderr)


def main():
    begun = time.monotonic()
    loader = unittest.TestLoader()
    suite = unittest.TestSuite([loader.loadTestsFromTestCase(Kernel), loader.loadTestsFromTestCase(MainJob)])
    for module in (test_bypass_packets, test_bypass_names, test_bypass_changes):
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, bypass.BypassCase) and one.__module__ == module.__name__ and one.profile == PROFILE:
                suite.addTests(loader.loadTestsFromTestCase(one))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    print(f"{result.testsRun - len(result.failures) - len(result.errors)} of {result.testsRun} passed in the guest in {time.monotonic() - begun:.0f} s", flush=True)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
