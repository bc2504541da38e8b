"""The built image beside a workload, as containers of one pod."""
import pathlib, sys, time, unittest

from stage import LabCase, allow, deny_all_but, run, wait_for
from pod import IMAGE, PodLab, build_image

# Debian's, since the workload has this machine's /usr and nothing else.
PYTHON = "/usr/bin/python3"


contents = ""


def setUpModule():
    global contents
    contents = build_image()
    unittest.addModuleCleanup(run, "podman", "rmi", "--force", IMAGE, check=False)


class PodCase(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = PodLab(zone=cls.zone)
        cls.addClassCleanup(cls.lab.close)
        cls.prepare()
        cls.hub = cls.lab.start_hub(authorization=cls.hub_authorization)
        cls.start_sidecar()
        cls.lab.start_workload()

    def connect(self, address, port):
        """What a TCP connect of the workload's container ends with."""
        source = f"import socket; s = socket.socket(); s.settimeout(3); print(s.connect_ex(({address!r}, {port})))"
        return int(self.lab.workload(PYTHON, "-c", source, check=True).stdout)


class Pod(PodCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp"), allow("slow.example.test", "443/tcp"))

    def test_the_main_job_is_done(self):
        self.assertFetches("https://registry.example.test/")
        self.assertUnresolved("https://files.example.test/")
        self.assertEqual(self.connect("198.51.100.20", 443), 111)                        # ECONNREFUSED
        self.arrived("FlowClose", DstFQDN="registry.example.test")
        self.arrived("FlowDenied", DstIpAddr="198.51.100.20")
        self.assertComplete()

    def test_the_image_has_no_shell_and_no_program_but_the_daemon(self):
        lines = contents.partition("contents\n")[2].splitlines()
        programs = [line.split()[-1] for line in lines if "/lib" not in f"/{line.split()[-1]}"]
        self.assertEqual(programs, ["etc/group", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "sallyport", "usr/share/sallyport/packages"])
        self.assertNotEqual(self.lab.podman("exec", self.lab.sidecar, "sh", "-c", "true", check=False).returncode, 0)

    def test_two_builds_have_one_digest(self):
        digest = [line for line in contents.splitlines() if line.startswith("digest")]
        self.assertEqual([line for line in build_image().splitlines() if line.startswith("digest")], digest)

    def test_the_daemon_is_its_own_user_with_net_admin_alone(self):
        status = pathlib.Path(f"/proc/{self.lab.process(self.lab.sidecar)}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        self.assertEqual(fields["Uid"].split(), ["65532"] * 4)
        self.assertEqual(int(fields["CapEff"], 16), 1 << 12)
        self.assertEqual(int(fields["CapPrm"], 16), 1 << 12)
        self.assertEqual(fields["NoNewPrivs"].strip(), "1")

    def test_the_workload_reaches_neither_the_control_api_nor_the_daemon_by_signal(self):
        self.assertEqual(self.connect("127.0.0.1", 18080), 111)
        self.assertEqual(self.connect("10.77.0.2", 18080), 111)
        self.assertEqual(self.lab.api("GET", "/healthz")[0], 200)
        own = self.lab.workload(PYTHON, "-c", "import os; print(sorted(p for p in os.listdir('/proc') if p.isdigit())[0:3])", check=True).stdout
        self.assertNotIn(str(self.lab.process(self.lab.sidecar)), own)

    def test_killed_and_started_again_it_leaves_no_gap(self):
        source = ("import socket, sys, time\nend = time.time() + float(sys.argv[1])\nopened = tried = 0\n"
                  "while time.time() < end:\n s = socket.socket(); s.settimeout(1); opened += s.connect_ex(('198.51.100.60', 443)) == 0; s.close(); tried += 1; time.sleep(0.001)\n"
                  "print(opened, tried)")
        self.lab.podman("kill", "--signal", "KILL", self.lab.sidecar)
        wait_for("the sidecar is dead", lambda: not self.lab.runs(self.lab.sidecar))
        opened, tried = map(int, self.lab.workload(PYTHON, "-c", source, "1", check=True).stdout.split())
        self.assertEqual(opened, 0)
        self.assertGreater(tried, 10)
        self.lab.podman("start", self.lab.sidecar)
        opened, _ = map(int, self.lab.workload(PYTHON, "-c", source, "1", check=True).stdout.split())
        self.assertEqual(opened, 0)
        wait_for("it enforces again", lambda: self.lab.api("GET", "/healthz", timeout=1)[0] == 200)
        self.assertFetches("https://registry.example.test/")

    def test_stopped_before_the_workload_the_rules_stay(self):
        """The kubelet stops a native sidecar last; if it did not, nothing would open."""
        self.lab.podman("stop", "--time", "15", self.lab.sidecar)
        self.assertEqual(self.lab.podman("inspect", "--format", "{{.State.ExitCode}}", self.lab.sidecar).stdout.strip(), "0")
        self.assertEqual(self.connect("198.51.100.60", 443), 111)
        self.arrived("SidecarStop")
        self.lab.podman("start", self.lab.sidecar)
        wait_for("it enforces again", lambda: self.lab.api("GET", "/healthz", timeout=1)[0] == 200)


class Life(PodCase):
    """From the first moment to the last, in the order in which the kubelet starts and stops a native sidecar and its pod."""
    policy = deny_all_but(allow("slow.example.test", "443/tcp"))

    @classmethod
    def start_sidecar(cls):
        cls.lab.start_sidecar(cls.policy, wait=False)
        cls.before, cls.table = [], None

        def enforces():
            try:
                status = cls.lab.api("GET", "/healthz", timeout=1)[0]
            except OSError as error:
                status = type(error).__name__
            if status != 200:
                cls.before.append(status)
            return status == 200

        wait_for("the first 200 of /healthz", lambda: enforces() or not cls.lab.runs(cls.lab.sidecar), 20)
        cls.table = cls.lab.inside(cls.lab.pod, "nft", "list", "table", "inet", "sallyport", check=False).stdout

    def test_the_first_good_answer_of_healthz_comes_after_the_rules(self):
        """What the start-up probe waits for, and the workload behind it."""
        self.assertNotIn(200, self.before)
        self.assertIn("hook output", self.table)
        self.assertEqual(self.connect("198.51.100.60", 443), 111)
        wait_for("it is ready", lambda: self.lab.api("GET", "/readyz")[0] == 200)

    def test_z_the_workload_ends_first_and_the_sidecar_has_the_last_word(self):
        download = "import ssl, urllib.request as u; u.urlopen('https://slow.example.test/slow', context=ssl.create_default_context(cafile='%s')).read()" % (self.lab.folder / "ca.pem")
        self.lab.podman("exec", "--detach", self.lab.agent, PYTHON, "-c", download)
        self.arrived("FlowOpen", DstFQDN="slow.example.test")
        self.lab.podman("stop", "--time", "1", self.lab.agent)
        self.lab.podman("stop", "--time", "15", self.lab.sidecar)
        self.assertEqual(self.lab.podman("inspect", "--format", "{{.State.ExitCode}}", self.lab.sidecar).stdout.strip(), "0")
        stop, = self.arrived("SidecarStop")
        self.assertEqual(stop["SbxSeq"], max(record["SbxSeq"] for record in self.lab.records() if record["SbxBootId"] == stop["SbxBootId"]))
        self.assertLess(self.arrived("FlowClose", DstFQDN="slow.example.test")[0]["SbxSeq"], stop["SbxSeq"])
        self.assertEqual(stop["SbxUnackedCount"], 0)
        self.assertComplete()


if __name__ == "__main__":
    unittest.main()
