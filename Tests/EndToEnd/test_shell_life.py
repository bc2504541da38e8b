"""The sidecar's start, its end, and what its surroundings do to it: privileges, state, hub, disk."""
import contextlib, json, os, signal, socket, subprocess, threading, time, unittest

from stage import HUB_BEARER, Flow, Lab, allow, binary, deny_all_but, prove, run, wait_for, whole_lines
from lab import HUB_ADDRESS
from shell import ShellCase, inside


class LifeCase(ShellCase):
    """A lab for all tests of a class, and a sidecar with a state directory of its own for each test."""
    policy = deny_all_but(allow("registry.example.test"), allow("*.artifacts.example.test"), allow("many.example.test"))

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)

    def setUp(self):
        self.sidecar, self.hub = None, None
        self.state = self.lab.folder / f"state-{self._testMethodName[:40]}"
        self.logged = len(self.lab.log())
        self.ledgered = len(self.lab.record_bytes())
        self.addCleanup(self.stop_all)

    def stop_all(self):
        for process in (self.sidecar, self.hub):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        self.lab.inside(self.lab.pod, "nft", "delete", "table", "inet", "sallyport", check=False)

    def begin(self, wait=True, **changes):
        changes.setdefault("SALLYPORT_STATE_DIR", str(self.state))
        self.sidecar = self.lab.start_sidecar(self.policy, wait=wait, **changes)
        return self.sidecar

    def begin_as(self, *prefix, **changes):
        """The sidecar behind a command that changes what it may."""
        env = self.lab.settings(self.policy, **{"SALLYPORT_STATE_DIR": str(self.state), **changes})
        self.sidecar = self.lab.start(*prefix, binary("sallyport"), "run", namespace=self.lab.pod, log="sallyport.log", env=env)
        return self.sidecar

    def log(self):
        return self.lab.log()[self.logged:]

    def lines(self, *words):
        return [line for line in self.log().splitlines() if all(word in line for word in words)]

    def says(self, *words, timeout=15):
        try:
            return wait_for(f"the log says {words}", lambda: self.lines(*words), timeout)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.log()[-2000:]}") from None

    def assertFails(self, process, *words):
        self.assertEqual(process.wait(10), 3)
        self.assertTrue(self.lines('"level":"error"', *words), self.log())

    def assertAnswers(self, seconds=1.0):
        begun = time.monotonic()
        self.assertIn("198.51.100.10", self.lab.lookup("registry.example.test", "+short"), self.log()[-2000:])
        self.assertLess(time.monotonic() - begun, seconds)

    def wait_healthy(self):
        wait_for("sallyport enforces", lambda: self.lab.api("GET", "/healthz", timeout=1)[0] == 200 or self.sidecar.poll() is not None)
        self.assertIsNone(self.sidecar.poll(), self.log())


class Start(LifeCase):
    def test_a_second_one_fails_and_does_not_harm_the_first(self):
        self.begin()
        flow = Flow(self.lab, "many.example.test", "echo")
        before = self.lab.inside(self.lab.pod, "nft", "list", "chains").stdout
        second = self.lab.start_sidecar(self.policy, wait=False, SALLYPORT_STATE_DIR=str(self.state))
        self.assertFails(second, "SALLYPORT_DNS_LISTEN", "EADDRINUSE")
        self.assertEqual(self.lab.inside(self.lab.pod, "nft", "list", "chains").stdout, before)
        self.assertAnswers()
        self.assertIn("198.51.100.40", self.lab.lookup("fresh.artifacts.example.test", "+short"))
        self.assertTrue(flow.lives)
        self.assertIsNone(flow.stop()["error"])

    def test_a_second_one_on_other_ports_does_not_take_the_first_ones_state(self):
        self.begin()
        second = self.lab.start_sidecar(self.policy, wait=False, SALLYPORT_STATE_DIR=str(self.state), SALLYPORT_DNS_LISTEN="127.0.0.1:15453",
                                        SALLYPORT_API_LISTEN="127.0.0.1:18081")
        self.assertFails(second, "SALLYPORT_STATE_DIR", "another process")
        self.assertAnswers()

    def test_without_the_capability_it_names_it(self):
        self.assertFails(self.begin_as("setpriv", "--bounding-set=-net_admin"), "CAP_NET_ADMIN")

    def test_as_its_own_uid_with_the_capability_it_works(self):
        self.state.mkdir()
        os.chown(self.state, 65532, 65532)
        self.begin_as("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=+net_admin", "--ambient-caps=+net_admin")
        self.wait_healthy()
        self.assertAnswers()

    def test_as_its_own_uid_without_a_directory_of_its_own_it_names_it(self):
        self.state.mkdir()
        self.assertFails(
            self.begin_as("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=+net_admin", "--ambient-caps=+net_admin"),
            "SALLYPORT_STATE_DIR", "EACCES")

    def test_with_the_three_capabilities_of_a_pod_it_makes_its_directory_in_a_volume_and_opens_it_again(self):
        """As user 0 that may neither give files away nor look into what is another's: what the kubelet starts."""
        pod = ("setpriv", "--inh-caps=-all", "--bounding-set=-all,+net_admin,+setuid,+setgid", "--no-new-privs")
        volume = self.lab.folder / "volume"
        volume.mkdir()
        volume.chmod(0o777)
        for start in (1, 2):
            with self.subTest(start=start):
                self.sidecar = self.begin_as(*pod, SALLYPORT_STATE_DIR=volume / "state")
                self.wait_healthy()
                self.assertAnswers()
                self.assertEqual(((volume / "state").stat().st_uid, (volume / "state").stat().st_mode & 0o777), (65532, 0o700))
                self.sidecar.terminate()
                self.sidecar.wait(10)

    def test_without_ipv6_it_works_and_says_so(self):
        self.lab.inside(self.lab.pod, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        try:
            self.begin()
            self.assertAnswers()
            self.assertTrue(self.lines("not listening on [::1]:15353"))
        finally:
            self.lab.inside(self.lab.pod, "sh", "-c", "sysctl -qw net.ipv6.conf.all.disable_ipv6=0; ip -6 addr add fd77::2/64 dev eth0 nodad; ip -6 route add default via fd77::1")

    def test_files_of_another_uid_are_taken_over(self):
        self.begin()
        self.assertAnswers()
        self.sidecar.terminate()
        self.sidecar.wait(10)
        run("chown", "-R", "1234:1234", self.state)
        run("chmod", "-R", "go-rwx", self.state)
        self.begin()
        self.assertAnswers()
        time.sleep(1.5)
        self.assertEqual(self.lines("spool", '"level":"error"'), [])
        self.assertEqual(self.lines("SALLYPORT_STATE_DIR"), [])

    def test_a_torn_kept_policy_is_left_alone_and_told(self):
        self.state.mkdir()
        for octets in (b'{"podUID":"0c4c', b"\0" * 4096, b"", b'{"x":1}'):
            with self.subTest(octets=octets[:10]):
                self.logged = len(self.lab.log())
                (self.state / "policy.json").write_bytes(octets)
                self.begin()
                self.assertEqual(len(self.lab.api("GET", "/policy")[1]["policy"]["egress"]), 3)
                self.assertTrue(self.lines("policy.json", "left alone"), self.log())
                self.assertEqual((self.state / "policy.json").read_bytes(), octets)
                self.sidecar.kill()
                self.sidecar.wait()

    def test_signals_that_mean_nothing_change_nothing(self):
        self.begin()
        self.sidecar.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.assertIsNone(self.sidecar.poll())
        self.assertAnswers()


class Hub(LifeCase):
    @contextlib.contextmanager
    def silent_hub(self):
        """Takes connections and never says a word."""
        with inside(self.lab.outside):
            listener = socket.create_server((HUB_ADDRESS, 443))
        held = []

        def take():
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        try:
            yield held
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(5)
            for connection in held:
                connection.close()

    def complete(self):
        return [r for r in self.lab.record_bytes()[self.ledgered:]]

    def test_a_silent_hub_delays_nothing_but_records(self):
        with self.silent_hub() as held:
            self.begin()
            wait_for("the sidecar connects", lambda: held)
            for number in range(10):
                begun = time.monotonic()
                self.assertIn("198.51.100.40", self.lab.lookup(f"s{number}.artifacts.example.test", "+short"))
                self.assertLess(time.monotonic() - begun, 1)
            self.assertRests()
            self.says("a delivery failed", timeout=20)
        self.hub = self.lab.start_hub()
        wait_for("records arrive", lambda: len(self.lab.record_bytes()) > self.ledgered + 10, 30)

    def test_a_stop_while_the_hub_is_down_ends_soon_and_loses_nothing(self):
        self.begin()
        self.assertAnswers()
        begun = time.monotonic()
        self.sidecar.terminate()
        time.sleep(1)
        self.sidecar.terminate()
        self.assertEqual(self.sidecar.wait(15), 0)
        self.assertLess(time.monotonic() - begun, 7)
        self.assertIn("sallyport", self.lab.inside(self.lab.pod, "nft", "list", "tables").stdout)
        self.assertEqual(self.lab.connect("198.51.100.60", 443)["result"], "refused")
        self.hub = self.lab.start_hub()
        self.begin()
        wait_for("both lives are on the record", lambda: [r for r in map(json.loads, self.complete()) if r["SbxRecordKind"] == "SidecarStart"][1:], 20)
        kinds = [json.loads(record)["SbxRecordKind"] for record in self.complete()]
        self.assertIn("SidecarStop", kinds)
        self.assertEqual(prove(self.complete()), [])

    def test_a_stop_remembers_what_the_hub_has_taken(self):
        self.hub = self.lab.start_hub()
        for _ in range(3):
            self.begin()
            self.assertAnswers()
            self.sidecar.terminate()
            self.assertEqual(self.sidecar.wait(15), 0)
        self.begin()
        wait_for("four starts are on the record", lambda: [r for r in map(json.loads, self.complete()) if r["SbxRecordKind"] == "SidecarStart"][3:], 20)
        seen = [json.loads(record)["EventOriginalUid"] for record in self.complete()]
        self.assertEqual(len(seen), len(set(seen)), "records came again after a clean stop")

    def refuses(self, subject, names, authority):
        f = self.lab.folder
        kept = {name: (f / name).read_bytes() for name in ("server.pem", "server.key")}
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}",
            "-keyout", f / "server.key", "-out", f / "other.csr")
        (f / "other.ext").write_text(f"subjectAltName={names}\n")
        sign = ("-CA", f / "ca.pem", "-CAkey", f / "ca.key", "-CAcreateserial") if authority else ("-signkey", f / "server.key")
        run("openssl", "x509", "-req", "-in", f / "other.csr", *sign, "-days", "30", "-extfile", f / "other.ext", "-out", f / "server.pem")
        try:
            self.hub = self.lab.start_hub()
            self.begin()
            self.assertAnswers()
            self.says("a delivery failed", "TLS", "certificate")
            time.sleep(6)
            self.assertLess(len(self.lines("a delivery failed")), 8)
            self.assertEqual(len(self.lab.record_bytes()), self.ledgered)
            self.hub.kill()
            self.hub.wait()
        finally:
            for name, octets in kept.items():
                (f / name).write_bytes(octets)
        self.hub = self.lab.start_hub()
        wait_for("the right hub takes what was kept", lambda: len(self.complete()) > 2, 30)
        self.assertEqual(prove(self.complete()), [])

    def test_a_hub_of_another_name_is_refused(self):
        self.refuses("other", "DNS:other.servicebus.test", True)

    def test_a_hub_of_an_unknown_authority_is_refused(self):
        self.refuses("hub", "DNS:hub.servicebus.test", False)

    def test_a_missing_authority_file_is_told_and_may_come_later(self):
        file = self.lab.folder / "late-ca.pem"
        self.hub = self.lab.start_hub()
        self.begin(SALLYPORT_CA_FILE=str(file))
        self.assertAnswers()
        self.says("a delivery failed", "late-ca.pem")
        file.write_bytes((self.lab.folder / "ca.pem").read_bytes())
        wait_for("records arrive", lambda: len(self.complete()) > 2, 30)

    def test_a_missing_token_is_told_and_may_come_later(self):
        file = self.lab.folder / "late.token"
        file.write_text("")
        self.hub = self.lab.start_hub()
        self.begin(SALLYPORT_EVENTHUB_TOKEN_FILE=str(file))
        self.assertAnswers()
        self.says("no token", "late.token")
        self.assertRests()
        file.write_text(HUB_BEARER + "\n")
        wait_for("records arrive", lambda: len(self.complete()) > 2, 45)
        self.assertNotIn(HUB_BEARER, self.log())


class Disk(LifeCase):
    def test_a_full_disk_denies_new_flows_keeps_live_ones_and_mends(self):
        self.hub = self.lab.start_hub()
        self.state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.state)
        try:
            self.begin()
            flow = Flow(self.lab, "many.example.test", "echo")
            wait_for("records arrive", lambda: len(self.lab.record_bytes()) > self.ledgered + 2, 30)
            with open(self.state / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)
            denied = [self.lab.lookup(f"f{number}.artifacts.example.test") for number in range(30)]
            self.says("no room for audit records")
            self.assertRegex(denied[-1], "SERVFAIL|no room for audit records")
            self.assertNotIn("198.51.100.40", denied[-1])
            self.assertEqual(self.lab.lookup("last.artifacts.example.test", "+short").strip(), "")
            self.assertNotEqual(self.lab.connect("198.51.100.10", 443)["result"], "connected")
            for number in range(60):
                self.lab.lookup(f"g{number}.artifacts.example.test")
            self.assertRests()
            self.assertTrue(flow.lives)
            self.assertLess(len(self.log().splitlines()), 60)
            (self.state / "filler").unlink()
            self.says("there is room for audit records again", timeout=20)
            wait_for("names are answered again", lambda: "198.51.100.40" in self.lab.lookup("again.artifacts.example.test", "+short"))
            self.assertIsNone(flow.stop()["error"])
            wait_for("the loss is on the record", lambda: self.lab.records("RecordsDropped"), 30)
            self.sidecar.terminate()
            self.assertEqual(self.sidecar.wait(15), 0)
        finally:
            self.stop_all()
            run("umount", "-l", self.state)


class AuditFile(LifeCase):
    NO_HUB = {name: None for name in ("SALLYPORT_EVENTHUB_URL", "SALLYPORT_EVENTHUB_AUTH", "SALLYPORT_EVENTHUB_TOKEN_FILE")}

    def test_without_its_directory_the_start_fails_with_its_name(self):
        self.assertFails(self.begin(wait=False, **self.NO_HUB, SALLYPORT_AUDIT_FILE="/nowhere/audit.ndjson"), "SALLYPORT_AUDIT_FILE", "ENOENT")

    def test_records_follow_a_torn_line_whole(self):
        file = self.lab.folder / "audit.ndjson"
        file.write_text('{"torn')
        self.begin(**self.NO_HUB, SALLYPORT_AUDIT_FILE=str(file))
        self.assertAnswers()
        wait_for("records are written", lambda: len(whole_lines(file)) > 3)
        torn, *lines = whole_lines(file)
        self.assertEqual(torn, '{"torn')
        self.assertEqual(json.loads(lines[0])["SbxRecordKind"], "SidecarStart")
        self.assertEqual(prove([line.encode() for line in lines]), [])

    def test_a_device_is_written_once(self):
        self.begin(**self.NO_HUB, SALLYPORT_AUDIT_FILE="/dev/null")
        self.assertAnswers()
        time.sleep(3)
        self.assertEqual(self.lines("a delivery failed"), [])

    def test_a_file_without_room_is_told_and_tried_again(self):
        self.begin(**self.NO_HUB, SALLYPORT_AUDIT_FILE="/dev/full")
        self.says("a delivery failed", "ENOSPC")
        self.assertAnswers()
        self.assertRests()
        self.assertLess(len(self.lines("a delivery failed")), 10)

    def test_standard_output_that_nobody_reads_keeps_nothing_else_waiting(self):
        env = self.lab.settings(self.policy, SALLYPORT_STATE_DIR=str(self.state), **self.NO_HUB)
        with open(self.lab.folder / "sallyport.log", "ab") as log:
            self.sidecar = subprocess.Popen(["ip", "netns", "exec", self.lab.pod, binary("sallyport"), "run"], env=env, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log)
        self.addCleanup(self.sidecar.stdout.close)
        self.wait_healthy()
        for number in range(100):
            self.lab.lookup(f"p{number}.artifacts.example.test") if number % 10 == 0 else self.lab.api("PATCH", "/policy", [allow(f"p{number}.test")])
        self.assertAnswers()
        self.assertRests()
        begun = time.monotonic()
        self.sidecar.terminate()
        self.assertEqual(self.sidecar.wait(15), 0)
        self.assertLess(time.monotonic() - begun, 8)

    def test_standard_output_that_nobody_reads_any_more_is_told(self):
        env = self.lab.settings(self.policy, SALLYPORT_STATE_DIR=str(self.state), **self.NO_HUB)
        with open(self.lab.folder / "sallyport.log", "ab") as log:
            self.sidecar = subprocess.Popen(["ip", "netns", "exec", self.lab.pod, binary("sallyport"), "run"], env=env, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log)
        self.wait_healthy()
        self.assertAnswers()
        self.assertEqual(json.loads(self.sidecar.stdout.readline())["SbxRecordKind"], "SidecarStart")
        self.sidecar.stdout.close()
        self.lab.lookup("more.artifacts.example.test")
        self.says("a delivery failed", "EPIPE")
        self.assertAnswers()
        self.assertRests()


if __name__ == "__main__":
    unittest.main()
