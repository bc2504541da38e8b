"""F15, F18, F19: the clock jumps, the hub does not prove who it is, the daemon is told to stop with a backlog."""
import json, os, ssl, subprocess, sys, time, unittest

from faults import FaultCase, records
from lab import HUB_ADDRESS, HUB_NAME
from stage import allow, deny_all_but, run, wait_for


class F15Clock(FaultCase):
    """F15: the wall clock jumps by an hour and by ten years, both ways. By libfaketime, under the daemon alone; its other clock runs on."""
    policy = deny_all_but(allow("198.51.100.96/28"))

    @classmethod
    def prepare(cls):
        folder = cls.lab.folder
        # A certificate that holds all the time the clock visits.
        run("faketime", "2001-01-01", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "20000",
            "-subj", "/CN=Sallyport lab CA", "-addext", f"subjectAltName=DNS:{HUB_NAME}", "-keyout", folder / "server.key", "-out", folder / "server.pem")
        (folder / "ca.pem").write_bytes((folder / "server.pem").read_bytes())
        cls.clock = folder / "clock"
        cls.clock.write_text("+0")
        library = run("find", "/usr/lib", "-name", "libfaketime.so.1").stdout.split()
        cls.settings = {"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": str(cls.clock), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                        "DONT_FAKE_MONOTONIC": "1"}

    def jump(self, text):
        new = self.clock.with_name("clock.new")
        new.write_text(text)
        os.rename(new, self.clock)

    def test_F15_retries_go_on_and_records_say_so_whatever_the_wall_clock_does(self):
        names = self.ask("straight", 3)
        self.assertDelivered(names)
        for number, offset in enumerate(("+1h", "-1h", "+3650d", "-3650d", "+0")):
            with self.subTest(offset=offset):
                self.stop_hub()
                waiting = self.ask(f"before-{number}", 2)
                self.stored(waiting)
                self.jump(offset)
                after = self.ask(f"after-{number}", 2)
                stored = self.stored(after)
                for record in stored.values():
                    self.assertEqual(record.body.get("SbxClockSkewed", False), offset != "+0", record.body["TimeGenerated"])
                self.begin_hub()
                # As soon as without the jump: waits are those of the other clock.
                self.assertDelivered(waiting | after, 30)
                self.assertOpen()
                self.assertLess(self.metric("records_oldest_unacknowledged_seconds"), 60)
        uids = [r["EventOriginalUid"] for r in self.lab.records()]
        self.assertEqual(len(uids), len(set(uids)))


class F18Untrusted(FaultCase):
    """F18: wrong name, expired, unknown authority, TLS 1.1, roots that are rotated. Nothing is sent, everything is kept, and no other way is tried."""
    policy = deny_all_but()

    @classmethod
    def prepare(cls):
        cls.good = {name: (cls.lab.folder / name).read_bytes() for name in ("ca.pem", "server.pem", "server.key")}

    def certificate(self, name="server", subject=HUB_NAME, days="30", clock=None, authority="ca"):
        """A certificate that the hub shows from its next start on."""
        f = self.lab.folder
        at = ["faketime", clock] if clock else []
        if not (f / f"{authority}.key").exists():
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=another",
                "-keyout", f / f"{authority}.key", "-out", f / f"{authority}.pem")
        (f / "f18.ext").write_text(f"subjectAltName=DNS:{subject}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=lab", "-keyout", f / "server.key", "-out", f / "f18.csr")
        run(*at, "openssl", "x509", "-req", "-in", f / "f18.csr", "-CA", f / f"{authority}.pem", "-CAkey", f / f"{authority}.key", "-CAcreateserial", "-days", days,
            "-extfile", f / "f18.ext", "-out", f / "server.pem")

    def refused(self):
        return len(self.said("a delivery failed", "TLS:"))

    def assertRefuses(self, names):
        before, taken = self.refused(), len(self.lab.record_bytes())
        wait_for("it is refused twice, and said", lambda: self.refused() >= before + 2 or self.audited() and self.refused() > 0, 40)
        self.assertEqual(len(self.lab.record_bytes()), taken)
        self.assertGreater(self.metric("records_unacknowledged"), 0)

    def audited(self):
        return "TLS:" in json.dumps(self.lab.api("GET", "/audit")[1])

    def test_F18_a_hub_that_does_not_prove_who_it_is_gets_nothing(self):
        names = set()
        plain = self.lab.capture(f"host {HUB_ADDRESS} and tcp port not 443")
        with plain as packets:
            for manner, options in (("another name", {"subject": "other.servicebus.test"}), ("expired", {"clock": "2020-01-01"}),
                                    ("not yet valid", {"clock": "2035-01-01"}), ("unknown authority", {"authority": "unknown"})):
                with self.subTest(manner=manner):
                    self.certificate(**options)
                    self.restart_hub()
                    names |= self.ask(f"f18-{manner.replace(' ', '-')}", 2)
                    self.assertRefuses(names)
            with self.subTest("TLS 1.1 only"):
                for name, octets in self.good.items():
                    (self.lab.folder / name).write_bytes(octets)
                self.stop_hub()
                old = self.lab.start(sys.executable, "-c", OLD_TLS, self.lab.folder, HUB_ADDRESS, namespace=self.lab.outside, log="old.log")
                wait_for("it listens", lambda: "443" in self.lab.inside(self.lab.outside, "ss", "-Hltn", f"src {HUB_ADDRESS}").stdout)
                names |= self.ask("f18-old", 2)
                self.assertRefuses(names)
                wait_for("handshakes were tried", lambda: "handshake" in (self.lab.folder / "old.log").read_text())
                self.assertNotIn("spoke", (self.lab.folder / "old.log").read_text())
                old.kill()
                old.wait(5)
            with self.subTest("the roots are rotated under the daemon"):
                self.certificate(authority="rotated")
                self.begin_hub()
                self.assertRefuses(names)
                (self.lab.folder / "ca.pem").write_bytes((self.lab.folder / "rotated.pem").read_bytes())
                self.assertDelivered(names)
            self.assertLessEqual(len(packets()), 24, "something left on another port than the hub's")


class F19Stop(FaultCase):
    """F19: TERM with a backlog, and KILL at the end of the grace."""
    policy = deny_all_but()

    def last(self):
        return records(self.state)[-1]

    def test_F19_a_stop_says_what_it_leaves_behind_and_the_next_start_delivers_it(self):
        self.stop_hub()
        names = self.ask("f19", 10)
        self.stored(names)
        waiting = self.metric("records_unacknowledged")
        begun = time.monotonic()
        self.assertEqual(self.stop(), 0)
        self.assertLess(time.monotonic() - begun, 15, "the usual grace is 30 s")
        stop = self.last()
        self.assertEqual(stop.body["SbxRecordKind"], "SidecarStop")
        self.assertGreaterEqual(stop.body["SbxUnackedCount"], waiting)
        self.start_sidecar()
        more = self.ask("f19-grace", 5)
        self.stored(more)
        self.sidecar.terminate()
        time.sleep(0.5)
        self.kill()
        self.begin_hub()
        self.start_sidecar()
        self.assertDelivered(names | more)
        self.assertIn(stop.payload, set(self.lab.record_bytes()))
        # With a hub that takes records nothing is left behind.
        names = self.ask("f19-well", 5)
        self.assertEqual(self.stop(), 0)
        self.assertLessEqual(names, {r["DnsQuery"] for r in self.lab.records("DnsDenied")})
        self.assertIn(0, [r.get("SbxUnackedCount") for r in self.lab.records("SidecarStop")])
        self.start_sidecar()


OLD_TLS = r"""
import pathlib, socket, ssl, sys
folder = pathlib.Path(sys.argv[1])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.set_ciphers("DEFAULT:@SECLEVEL=0")
context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
context.load_cert_chain(folder / "server.pem", folder / "server.key")
listener = socket.create_server((sys.argv[2], 443))
while True:
    client, _ = listener.accept()
    try:
        with context.wrap_socket(client, server_side=True) as secure:
            print("spoke", secure.version(), secure.recv(100), flush=True)
    except OSError as error:
        print("handshake", error, flush=True)
"""

if __name__ == "__main__":
    unittest.main()
