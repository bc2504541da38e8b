"""Delivery to the hub, and what happens when it does not go well (audit.md, "Spool and delivery")."""
import collections, json, time, unittest

from stage import HUB_BEARER, LabCase, allow, deny_all_but, prove, wait_for, whole_lines


class Delivery(LabCase):
    """Each test leaves a hub that works."""
    policy = deny_all_but(allow("registry.example.test"))

    def ask(self, count, tag):
        for i in range(count):
            self.lab.lookup(f"{tag}-{i}.elsewhere.test")
        return {f"{tag}-{i}.elsewhere.test" for i in range(count)}

    def assertDelivered(self, names, timeout=40):
        missing = names
        end = time.monotonic() + timeout
        while missing and time.monotonic() < end:
            missing = names - {r["DnsQuery"] for r in self.lab.records("DnsDenied")}
            time.sleep(0.2)
        self.assertEqual(missing, set(), self.lab.log()[-2000:])
        self.assertComplete()

    def restart_hub(self, *options, **more):
        self.hub.terminate()
        self.hub.wait(5)
        type(self).hub = self.lab.start_hub(*options, **more)

    def test_nothing_is_lost_while_the_hub_is_down(self):
        self.hub.terminate()
        self.hub.wait(5)
        names = self.ask(20, "down")
        time.sleep(3)
        status, audit, _ = self.lab.api("GET", "/audit")
        self.assertEqual(status, 200)
        self.assertGreater(self.metric("records_unacknowledged"), 0)
        type(self).hub = self.lab.start_hub()
        self.assertDelivered(names)

    def test_faults_of_the_hub_lose_nothing(self):
        for fault in ("503:2", "401:1", "500:2", "reset:2", "reset-after-store:2", "truncate:1", "garbage:1", "slow:300ms:2", "retry-after:1s:1", "503:after-store:1", "302:1", "200:1"):
            with self.subTest(fault=fault):
                self.restart_hub("--fault", fault)
                self.assertDelivered(self.ask(3, fault.replace(":", "-")), 60)

    def test_a_wrong_token_is_read_again(self):
        self.restart_hub(authorization=("--bearer", "another-token"))
        names = self.ask(3, "rotated")
        time.sleep(2)
        (self.lab.folder / "hub.token").write_text("another-token\n")
        self.assertDelivered(names, 60)
        (self.lab.folder / "hub.token").write_text(HUB_BEARER)
        self.restart_hub()
        self.assertDelivered(self.ask(2, "back"), 60)

    def test_a_hub_that_takes_only_small_batches_gets_small_batches(self):
        self.restart_hub("--max-body", "6000")
        self.assertDelivered(self.ask(30, "small"), 60)
        self.restart_hub()

    def test_records_that_are_sent_again_are_the_same_bytes(self):
        self.restart_hub("--fault", "reset-after-store:3")
        self.assertDelivered(self.ask(5, "again"), 60)
        copies = collections.defaultdict(set)
        for line in self.lab.record_bytes():
            copies[json.loads(line)["EventOriginalUid"]].add(line)
        self.assertTrue(all(len(c) == 1 for c in copies.values()))


class Untrusted(LabCase):
    """A hub whose certificate is not signed by a trusted authority gets nothing."""
    policy = deny_all_but()
    hub_authorization = ("--no-auth",)

    @classmethod
    def start_sidecar(cls, **changes):
        return super().start_sidecar(SALLYPORT_CA_FILE=None, SALLYPORT_EVENTHUB_AUTH="none", SALLYPORT_EVENTHUB_TOKEN_FILE=None)

    def test_nothing_is_sent_to_a_hub_that_is_not_proved(self):
        self.lab.lookup("a.elsewhere.test")
        time.sleep(3)
        self.assertEqual(self.lab.record_bytes(), [])
        self.assertGreater(self.metric("records_unacknowledged"), 0)


class SharedAccess(LabCase):
    policy = deny_all_but()
    hub_authorization = ("--sas", "send:c2VjcmV0LWtleQ==")
    settings = {"SALLYPORT_EVENTHUB_AUTH": "sas", "SALLYPORT_EVENTHUB_SAS_NAME": "send", "SALLYPORT_EVENTHUB_SAS_KEY": "c2VjcmV0LWtleQ==",
                "SALLYPORT_EVENTHUB_TOKEN_FILE": None}

    def test_a_shared_access_signature_is_accepted(self):
        self.arrived("SidecarStart")


class NoAuthorization(LabCase):
    policy = deny_all_but()
    hub_authorization = ("--no-auth",)
    settings = {"SALLYPORT_EVENTHUB_AUTH": "none", "SALLYPORT_EVENTHUB_TOKEN_FILE": None}

    def test_a_hub_without_authorization_is_sent_to(self):
        self.arrived("SidecarStart")


class ToAFile(LabCase):
    has_hub = False
    policy = deny_all_but(allow("registry.example.test"))

    @classmethod
    def prepare(cls):
        cls.path = cls.lab.folder / "audit.ndjson"
        cls.settings = {"SALLYPORT_EVENTHUB_URL": None, "SALLYPORT_EVENTHUB_AUTH": None, "SALLYPORT_EVENTHUB_TOKEN_FILE": None, "SALLYPORT_CA_FILE": None,
                        "SALLYPORT_AUDIT_FILE": cls.path}

    def test_without_a_hub_the_records_go_to_the_file(self):
        self.lab.lookup("files.example.test")
        wait_for("the query is in the file", lambda: self.path.exists() and b"files.example.test" in self.path.read_bytes())
        lines = self.path.read_bytes().split(b"\n")[:-1]
        self.assertEqual(prove(lines), [])
        self.assertEqual(json.loads(lines[0])["SbxRecordKind"], "SidecarStart")


class ToStandardOutput(LabCase):
    has_hub = False
    policy = deny_all_but()
    settings = {"SALLYPORT_EVENTHUB_URL": None, "SALLYPORT_EVENTHUB_AUTH": None, "SALLYPORT_EVENTHUB_TOKEN_FILE": None, "SALLYPORT_CA_FILE": None}

    def test_without_hub_and_file_the_records_go_to_standard_output(self):
        self.lab.lookup("files.example.test")

        def lines():
            return [line.encode() for line in whole_lines(self.lab.folder / "sallyport.log") if line.startswith('{"SbxChain"')]
        wait_for("the query is shown", lambda: any(b"files.example.test" in line for line in lines()))
        self.assertEqual(prove(lines()), [])


class FullStore(LabCase):
    """C5 in small: the hub never answers and the spool is full."""
    policy = deny_all_but(allow("registry.example.test"), allow("198.51.100.96/28"))
    settings = {"SALLYPORT_SPOOL_MAX": "1MiB"}

    def test_a_full_store_denies_new_flows_and_reopens_when_the_hub_is_back(self):
        from stage import Flow
        live = Flow(self.lab, "198.51.100.97", "echo", seconds=200)
        self.hub.terminate()
        self.hub.wait(5)
        self.lab.python(FLOOD, "1500")
        wait_for("new flows are denied", lambda: self.lab.connect("198.51.100.98", 7000)["result"] == "refused", 20)
        self.assertNotIn("NOERROR", self.lab.lookup("registry.example.test"))
        self.assertTrue(live.lives)
        type(self).hub = self.lab.start_hub()
        wait_for("egress reopens by itself", lambda: self.lab.connect("198.51.100.98", 7000)["result"] == "connected", 60)
        self.assertIsNone(live.stop()["error"])
        self.arrived("FlowDenied", 40, EventOriginalResultDetails="AUDIT_STORE_FULL")
        self.assertComplete()
        # Denials that no longer fitted are counted, and nothing else is missing.
        self.assertEqual({r["EventOriginalResultDetails"] for r in self.lab.records("RecordsDropped")} - {"STORE_FULL"}, set())


FLOOD = r"""
import json, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect(("10.53.0.53", 53))
answered = 0
for i in range(int(sys.argv[1])):
    name = b"".join(bytes([len(x)]) + x.encode() for x in ("x%06d" % i + "a" * 50, "b" * 60, "c" * 60, "test")) + b"\0"
    s.send(struct.pack("!6H", i, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1))
    try:
        s.recv(4096)
        answered += 1
    except OSError:
        pass
print(json.dumps(answered))
"""

if __name__ == "__main__":
    unittest.main()
