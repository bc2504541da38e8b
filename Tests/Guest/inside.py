"""In the guest: the kernel is what it claims to be, what is missing is named, and then the main job and the hostile workload of Tests/EndToEnd.

With AKS's modules alone under the profile `aks-kata-6.6`, with all modules under `auto`. The last line says how many tests passed.
"""
import json, os, pathlib, re, subprocess, sys, time, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HAS_ALL_MODULES = os.environ.get("GUEST_MODULES") == "all"
TESTS = ROOT / "bin" / "SallyportPackageTests.xctest"
sys.path[:0] = [str(ROOT / "Tests" / "EndToEnd"), str(ROOT / "deploy" / "lab")]
import lab
import bypass, test_bypass_changes, test_bypass_names, test_bypass_packets, test_bypass_pod

PROFILE = "auto" if HAS_ALL_MODULES else "aks-kata-6.6"


def tearDownModule():
    bypass.report()


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


@unittest.skipIf(HAS_ALL_MODULES, "this kernel lacks nothing")
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


@unittest.skipUnless(TESTS.exists(), "not asked for")
class KernelTests(unittest.TestCase):
    def test_kernel_tests(self):
        process = subprocess.Popen([TESTS, "--testing-library", "swift-testing", "--filter", "KernelTests"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        ran = None
        for line in process.stdout:
            if " started." not in line:
                print(line, end="", flush=True)
            ran = re.search(r"Test run with (\d+) tests?.* passed", line) or ran
        self.assertEqual(process.wait(), 0)
        self.assertTrue(ran and int(ran[1]) > 0)


class FullTable(bypass.BypassCase):
    """Here the size of conntrack's table is ours to set: on another machine it is everybody's."""
    profile = PROFILE
    LIMIT = pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max")

    def test_with_no_room_for_another_flow_nothing_leaves(self):
        before = self.LIMIT.read_text()
        self.addCleanup(self.LIMIT.write_text, before)
        self.LIMIT.write_text("300")
        self.is_recorded = False                          # what conntrack drops for want of room makes no entry, and meets no rule
        self.assertBlocked({"2,000 UDP sockets to denied ports": ["many_sockets", 2000]}, bypass.PLAIN)
        self.assertGreaterEqual(int(self.lab.inside(self.lab.pod, "conntrack", "-C").stdout), 290, "the table is full")
        self.assertBlocked({f"with conntrack full: {label}": one for label, one in {
            "tcp": ["tcp", bypass.DENIED, 7000], "udp": ["udp", bypass.DENIED, 7000], "tcp, IPv6": ["tcp", bypass.DENIED6, 7000], "udp, IPv6": ["udp", bypass.DENIED6, 7000],
            "DNS elsewhere": ["look_up", "escape-full.denied.test", "8.8.8.8"], "ping": ["ping", bypass.DENIED], "the hub": ["tcp", bypass.HUB, 443],
            "the API": ["tcp", "127.0.0.1", bypass.API], "8 KiB in fragments": ["udp", bypass.DENIED, 7000, (), None, 0, 8192]}.items()})
        self.assertBlocked({f"with conntrack full: raw {label}": one for label, one in {
            "SYN": ["raw_tcp", bypass.DENIED, 7000, 2], "ACK": ["raw_tcp", bypass.DENIED, 7000, 16], "UDP": ["raw_udp", bypass.DENIED, 7000],
            "DNS": ["raw_udp", bypass.workload.RESOLVER, 53]}.items()}, bypass.RAW, bypass.ROOT)


def main():
    begun = time.monotonic()
    loader = unittest.TestLoader()
    suite = unittest.TestSuite([loader.loadTestsFromTestCase(Kernel), loader.loadTestsFromTestCase(MainJob), loader.loadTestsFromTestCase(KernelTests)])
    for module in (test_bypass_packets, test_bypass_names, test_bypass_changes, test_bypass_pod):
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, bypass.BypassCase) and one.__module__ == module.__name__ and one.profile == PROFILE and "Floods" not in one.__name__:
                suite.addTests(loader.loadTestsFromTestCase(one))
    suite.addTests(loader.loadTestsFromTestCase(FullTable))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    print(f"{result.testsRun - len(result.failures) - len(result.errors) - len(result.skipped)} of {result.testsRun - len(result.skipped)} passed in the guest in {time.monotonic() - begun:.0f} s", flush=True)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
