"""F1 to F5: the daemon is killed, the power is cut, bits flip, the cursor is lost."""
import json, os, shutil, unittest

from faults import FaultCase, records, segments
from stage import deny_all_but, wait_for


class Crash(FaultCase):
    policy = deny_all_but()
    # Segments of 128 KiB, an eighth.
    settings = {"SALLYPORT_SPOOL_MAX": "1MiB"}

    def setUp(self):
        if self.hub.poll() is not None:
            self.begin_hub()
        if self.sidecar.poll() is not None:
            self.start_sidecar()

    def kept(self):
        """A copy of the spool of a sidecar that is dead."""
        copy = self.lab.folder / f"kept-{self._testMethodName[:10]}"
        shutil.copytree(self.state / "spool", copy)
        self.addCleanup(shutil.rmtree, copy)
        return copy

    def test_F1_killed_between_append_and_send(self):
        self.stop_hub()
        names = self.ask("f1", 20)
        before = self.stored(names)
        self.kill()
        self.begin_hub()
        self.start_sidecar()
        self.assertDelivered(names)
        accepted = set(self.lab.record_bytes())
        for name, record in before.items():
            self.assertIn(record.payload, accepted, f"{name} arrived as other octets than it was stored")

    def test_F3_the_power_is_cut_within_the_last_record(self):
        self.stop_hub()
        names = self.ask("f3", 6)
        self.stored(names)
        self.kill()
        kept = self.kept()
        whole = records(self.state)
        last = whole[-1]
        length = last.end - last.offset
        # Beginning and end of length, checksum, number and payload; every byte there is, is SpoolTests' part.
        cuts = [("cut", n) for n in (1, 4, 8, 15, 16, 17, length // 2, length - 1)] + [("flip", n) for n in (0, 5, 9, 16, length - 1)]
        for manner, n in cuts:
            with self.subTest(manner=manner, octet=n):
                self.put_back(kept)
                octets = bytearray(last.path.read_bytes())
                if manner == "cut":
                    del octets[last.offset + n:]
                else:
                    octets[last.offset + n] ^= 0x10
                last.path.write_bytes(octets)
                self.start_sidecar()
                start = self.started()
                self.assertEqual((start["SbxPrevBootId"], start["SbxPrevLastSeq"]), (last.body["SbxBootId"], whole[-2].sequence))
                self.assertIn("bytes of an interrupted write were cut off the spool", json.dumps(start))
                there = {(r.body["SbxBootId"], r.sequence): r.payload for r in records(self.state)}
                for record in whole[:-1]:
                    self.assertEqual(there.get((record.body["SbxBootId"], record.sequence)), record.payload)
                self.kill()
        self.begin_hub()
        self.start_sidecar()
        self.assertDelivered({r.body["DnsQuery"] for r in whole[:-1] if "DnsQuery" in r.body and r.body["DnsQuery"] in names})

    def started(self):
        """The record of the start that is in the spool last."""
        return wait_for("the start is on record", lambda: [r.body for r in records(self.state) if b'"SidecarStart"' in r.payload][-1:])[0]

    def test_F4_a_bit_flips_in_an_old_segment(self):
        self.stop_hub()
        names = self.ask("f4" + "x" * 40, 220)
        stored = self.stored(names)
        self.kill()
        first = min(r.path for r in stored.values())
        self.assertLess(first, segments(self.state)[-1])
        victims = [r for r in stored.values() if r.path == first]
        victim = victims[len(victims) // 2]
        octets = bytearray(first.read_bytes())
        octets[victim.offset + 16 + 100] ^= 0x01
        first.write_bytes(octets)
        self.begin_hub()
        self.start_sidecar()
        self.assertDelivered(names - {victim.body["DnsQuery"]})
        dropped = self.arrived("RecordsDropped", EventOriginalResultDetails="CORRUPT")
        self.assertEqual([(r["SbxDroppedBootId"], r["SbxDroppedFromSeq"], r["SbxDroppedToSeq"], r["SbxDroppedCount"]) for r in dropped],
                         [(victim.body["SbxBootId"], victim.sequence, victim.sequence, 1)])
        quarantine = [path.read_bytes() for path in (self.state / "spool" / "quarantine").iterdir()]
        self.assertIn(bytes(octets[victim.offset:victim.end]), quarantine, "the damaged octets are kept aside")

    def test_F5_the_cursor_is_lost_or_stale_or_garbage(self):
        cursor = self.state / "spool" / "cursor"
        stale = cursor.read_bytes()
        for manner in ("lost", "stale", "garbage", "half", "empty"):
            with self.subTest(manner=manner):
                delivered = self.ask(f"f5-{manner}-a", 4)
                self.assertDelivered(delivered)
                self.stop_hub()
                waiting = self.ask(f"f5-{manner}-b", 4)
                self.stored(waiting)
                self.kill()
                if manner == "lost":
                    cursor.unlink()
                else:
                    cursor.write_bytes({"stale": stale, "garbage": os.urandom(8192), "half": cursor.read_bytes()[:4100], "empty": b""}[manner])
                self.begin_hub()
                self.start_sidecar()
                self.assertDelivered(delivered | waiting)


if __name__ == "__main__":
    unittest.main()
