"""How fast the hub is sent to (SALLYPORT_EVENTHUB_MAX_RATE), and the second sink beside it (SALLYPORT_AUDIT_FILE)."""
import json, unittest

from faults import FaultCase
from records import prove
from stage import deny_all_but, run, wait_for, whole_lines


class Rate(FaultCase):
    policy = deny_all_but()
    settings = {"SALLYPORT_EVENTHUB_MAX_RATE": "20"}

    def test_a_backlog_leaves_no_faster_than_the_hubs_throughput_allows(self):
        # The hub throttles what is faster than 30 events, or 30 KB, a second.
        self.stop_hub()
        names = self.ask("rate", 90)
        self.stored(names)
        before = len(self.requests())
        self.begin_hub("--max-rate", "30")
        self.assertDelivered(names, 90)
        asked = self.requests()[before:]
        self.assertEqual([r for r in asked if r["outcome"] == "503"], [], "it was throttled")
        # Of each span of requests: what it took to be paid for, less the first of them, which pays afterwards.
        for first in range(len(asked)):
            cost = 0
            for request, later in zip(asked[first:], asked[first + 1:]):
                cost += max(request["events"], request["octets"] / 1000)
                self.assertLessEqual(cost, 20 * (later["at"] - asked[first]["at"]) * 1.02 + 1, (request, later))
        self.assertGreater(asked[-1]["at"] - asked[0]["at"], 3)


class SecondSink(FaultCase):
    """On a file system of its own, which may be full."""
    policy = deny_all_but()

    @classmethod
    def prepare(cls):
        cls.folder = cls.lab.folder / "audit"
        cls.folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=256k,mode=0755,uid=65532", "tmpfs", cls.folder)
        cls.addClassCleanup(run, "umount", "-l", cls.folder)
        cls.path = cls.folder / "audit.ndjson"
        cls.settings = {"SALLYPORT_AUDIT_FILE": cls.path}

    def in_file(self):
        return [line.encode() for line in whole_lines(self.path)] if self.path.exists() else []

    def test_the_file_has_every_record_in_order_and_a_full_one_does_not_hold_up_the_hub(self):
        names = self.ask("both", 20)
        self.assertDelivered(names)
        wait_for("the file has them too", lambda: names <= {json.loads(line).get("DnsQuery") for line in self.in_file()})
        self.assertEqual(prove(self.in_file()), [])
        hub = {json.loads(line)["EventOriginalUid"]: line for line in self.lab.record_bytes()}
        for line in self.in_file():
            uid = json.loads(line)["EventOriginalUid"]
            self.assertEqual(hub.get(uid, line), line)
        numbers = [json.loads(line)["SbxSeq"] for line in self.in_file()]
        self.assertEqual(numbers, sorted(numbers))
        with self.subTest("the file's disk is full"):
            with open(self.folder / "filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"\0" * 4096)
                except OSError:
                    pass
            full = self.ask("full", 40)
            self.assertDelivered(full)
            wait_for("it is counted", lambda: self.metric("audit_file_missing_records_total") > 0)
            self.assertIsNotNone(self.lab.api("GET", "/audit")[1]["auditFile"].get("error"))
            self.assertTrue(self.said("the audit file does not take records; the hub does not wait for it"))
        with self.subTest("and has room again"):
            (self.folder / "filler").unlink()
            again = self.ask("again", 5)
            wait_for("the file goes on", lambda: again <= {json.loads(line).get("DnsQuery") for line in self.in_file()}, 20)
            self.assertTrue(self.said("the audit file takes records again"))
            self.assertDelivered(again)
            # What it lacks is what was counted.
            there = {json.loads(line)["SbxSeq"] for line in self.in_file()}
            missing = set(range(1, max(there) + 1)) - there
            self.assertEqual(len(missing), self.metric("audit_file_missing_records_total"))


class SecondSinkStandardOutput(FaultCase):
    policy = deny_all_but()
    settings = {"SALLYPORT_AUDIT_FILE": "-"}

    def test_standard_output_may_be_the_second_sink(self):
        names = self.ask("out", 5)
        self.assertDelivered(names)
        wait_for("standard output has them", lambda: names <= {json.loads(line).get("DnsQuery") for line in whole_lines(self.lab.folder / "sallyport.log") if line.startswith('{"SbxChain"')})


if __name__ == "__main__":
    unittest.main()
