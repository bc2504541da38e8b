"""F6 to F8, C5: the disk is full or fails, the hub is gone for long. New flows are denied and say why; nothing is lost without a word; it ends by itself."""
import contextlib, json, os, unittest

from faults import FaultCase, records
from stage import Flow, allow, deny_all_but, prove, run, wait_for


class DiskCase(FaultCase):
    policy = deny_all_but(allow("registry.example.test"), allow("198.51.100.96/28"), allow("*.fill.example.test"))
    # What fills the spool is names that are allowed, each of which has a record of its own; denied ones are counted after some hundreds.
    budgets = {"SALLYPORT_DNS_NAME_BUDGET": "0", "SALLYPORT_DNS_CHANNEL_BUDGET": "0"}
    settings = budgets

    def fill(self, tag):
        """Names until new flows are denied."""
        def closed():
            fill.count += 1
            self.lab.python(FLOOD, f"{tag}{fill.count}", 400)
            return self.lab.connect("198.51.100.98", 7000)["result"] == "refused"
        fill = closed
        fill.count = 0
        wait_for("new flows are denied", closed, 60)

    def assertSaysStoreFull(self):
        status, reasons, _ = self.lab.api("GET", "/readyz", token=None)
        self.assertEqual(status, 503)
        self.assertIn("AUDIT_STORE_FULL", json.dumps(reasons))
        self.assertIn("no room for audit records", self.lab.lookup("registry.example.test"))

    def assertAccounted(self):
        """What is missing is counted, for want of room and for nothing else."""
        self.settle(90)
        self.arrived("FlowDenied", 40, EventOriginalResultDetails="AUDIT_STORE_FULL")
        self.assertComplete()
        self.assertLessEqual({r["EventOriginalResultDetails"] for r in self.lab.records("RecordsDropped")}, {"STORE_FULL"})


class F6DiskFull(DiskCase):
    """F6 on a small tmpfs: SALLYPORT_SPOOL_MAX is more than the file system has."""

    @classmethod
    def prepare(cls):
        state = cls.lab.folder / "state"
        state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700,uid=65532,gid=65532", "tmpfs", state)
        cls.addClassCleanup(run, "umount", "-l", state)

    def test_F6_no_space_on_append_denies_new_flows_and_recovers_without_a_restart(self):
        live = Flow(self.lab, "198.51.100.97", "echo", seconds=200)
        self.stop_hub()
        self.fill("f6")
        self.assertSaysStoreFull()
        self.assertTrue(self.said("ENOSPC") or self.said("No space left"), self.lab.log()[-2000:])
        self.assertTrue(live.lives)
        self.assertEqual(self.lab.api("GET", "/healthz", token=None)[0], 200, "what the kernel enforces does not depend on the disk")
        # Space returns while the hub is still away.
        run("mount", "-o", "remount,size=32m", self.state)
        self.assertOpen()
        before = self.lab.record_bytes()
        names = self.ask("after", 3)
        self.stored(names)
        self.assertEqual(self.lab.record_bytes(), before)
        self.begin_hub()
        self.assertDelivered(names)
        self.assertIsNone(live.stop()["error"])
        self.assertAccounted()


class F7DiskFails(DiskCase):
    """F7 on a device that fails: an ext2 file system whose blocks have nowhere to go any more, so that writing back ends in EIO."""

    @classmethod
    def prepare(cls):
        cls.below, cls.mounted = cls.lab.folder / "below", cls.lab.folder / "state"
        cls.below.mkdir()
        cls.mounted.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", cls.below)
        cls.addClassCleanup(run, "umount", "-l", cls.below)
        image = cls.below / "image"
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        run("mke2fs", "-q", "-t", "ext2", "-b", "4096", "-N", "256", "-E", "nodiscard,lazy_itable_init=0", image)
        # Metadata has its place; data has not.
        with open(image, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, 256 << 10)
        run("mount", "-o", "loop,errors=continue", image, cls.mounted)
        cls.addClassCleanup(run, "umount", "-l", cls.mounted)
        os.chown(cls.mounted, 65532, 65532)
        os.chmod(cls.mounted, 0o700)

    def test_F7_a_failed_sync_abandons_the_segment_and_rewrites_it_elsewhere(self):
        first = self.ask("f7-before", 20)
        self.assertDelivered(first)
        self.stop_hub()
        names = self.ask("f7", 20)
        stored = self.stored(names)
        # To the last block, whoever else takes some meanwhile.
        with open(self.below / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(65_536)):
                pass
        more = self.ask("f7-more", 200)
        wait_for("the device fails", lambda: self.said("a write to the spool failed", "fdatasync"), 40)
        self.assertClosed(60)
        (self.below / "filler").unlink()
        self.assertOpen(60)
        # Rewritten under the same numbers, in a later segment.
        for name, record in self.stored(names, 30).items():
            self.assertEqual(record.payload, stored[name].payload)
        self.begin_hub()
        self.assertDelivered(names)
        self.assertComplete()
        self.settle()
        # What the workload was told has its record; what could not be kept is counted.
        dropped = {r["EventOriginalResultDetails"] for r in self.lab.records("RecordsDropped")}
        self.assertLessEqual(dropped, {"STORE_FULL"})
        if not dropped:
            self.assertDelivered(more)


class C5HubGone(DiskCase):
    """C5 and F8: the hub is unreachable from the start, for longer than the spool has room."""
    settings = {**DiskCase.budgets, "SALLYPORT_SPOOL_MAX": "1MiB"}

    @classmethod
    def start_sidecar(cls, **changes):
        cls.hub.kill()
        cls.hub.wait(10)
        return super().start_sidecar(**changes)

    def test_C5_F8_a_full_spool_denies_new_flows_and_everything_arrives_in_order_when_the_hub_is_back(self):
        live = Flow(self.lab, "198.51.100.97", "echo", seconds=200)
        first = self.ask("first", 10)
        before = self.stored(first)
        self.fill("c5")
        self.assertSaysStoreFull()
        # The reserve lets records about the sidecar through.
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("late.example.test")])[0], 200)
        wait_for("the change is in the spool", lambda: any(b'"PolicyChange"' in r.payload and b'"EventType":"Set"' in r.payload for r in records(self.state)))
        self.assertTrue(live.lives)
        self.begin_hub()
        self.assertOpen(60)
        self.assertIsNone(live.stop()["error"])
        self.assertDelivered(first)
        self.assertAccounted()
        # In order, oldest first: nothing older arrives after something newer but as a repeat.
        numbers = [event["body"]["SbxSeq"] for event in self.lab.accepted()]
        backlog = numbers[:numbers.index(max(r.sequence for r in before.values())) + 1]
        self.assertEqual(backlog, sorted(backlog))
        for name, record in before.items():
            self.assertIn(record.payload, set(self.lab.record_bytes()))


class F8Open(DiskCase):
    """F8 with SALLYPORT_AUDIT_FAIL=open: the oldest go, counted and reported, and egress stays open."""
    settings = {**DiskCase.budgets, "SALLYPORT_SPOOL_MAX": "1MiB", "SALLYPORT_AUDIT_FAIL": "open"}

    def test_F8_with_fail_open_the_oldest_records_go_and_are_reported(self):
        self.stop_hub()
        for part in range(4):
            self.lab.python(FLOOD, f"open{part}", 400)
        self.assertEqual(self.lab.connect("198.51.100.98", 7000)["result"], "connected")
        wait_for("records were dropped", lambda: self.metric("records_dropped_total") > 0)
        names = self.ask("newest", 5)
        self.begin_hub()
        wait_for("every number is there or reported", lambda: self.lab.records("DnsDenied", DnsQuery="newest-4.elsewhere.test") and prove(self.lab.record_bytes()) == [], 90)
        self.assertDelivered(names)
        dropped = self.lab.records("RecordsDropped", EventOriginalResultDetails="STORE_FULL")
        # More when a batch that was under way, or a report in it, arrived after all; never less.
        self.assertGreaterEqual(sum(r["SbxDroppedCount"] for r in dropped), self.metric("records_dropped_total"))


# Long names, so that the spool fills soon.
FLOOD = r"""
import json, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect(("10.53.0.53", 53))
answered = 0
for i in range(int(sys.argv[2])):
    name = b"".join(bytes([len(x)]) + x.encode() for x in (sys.argv[1] + "-%06d" % i + "a" * 45, "b" * 60, "c" * 60, "fill", "example", "test")) + b"\0"
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
