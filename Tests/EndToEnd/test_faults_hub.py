"""F9 to F11, F16, F17: what the hub answers, or does not."""
import collections, json, unittest

from faults import FaultCase
from stage import deny_all_but, wait_for


class Answers(FaultCase):
    policy = deny_all_but()

    def begun(self):
        """How many requests there were before."""
        return len(self.requests())

    def test_F9_throttled_with_and_without_retry_after(self):
        before = self.begun()
        self.restart_hub("--fault", "503:2,retry-after:7s:1,429:1")
        names = self.ask("f9", 5)
        self.assertDelivered(names)
        asked = self.requests()[before:]
        least = {"status(503)": 4, "status(429)": 4, "retryAfter(7)": 7}
        waits = [(r["outcome"], later["at"] - r["at"]) for r, later in zip(asked, asked[1:]) if r["outcome"] in least]
        self.assertEqual(len(waits), 4, asked)
        for outcome, wait in waits:
            self.assertGreaterEqual(wait, least[outcome] - 0.05, outcome)
        # Bounded: nothing was asked in between, and what is new went with what waited.
        self.assertLessEqual(len(asked), 4 + 6)

    def test_F10_one_poisoned_record_in_a_batch(self):
        self.stop_hub()
        names = self.ask("f10", 60) | self.ask("poisoned", 1) | self.ask("f10-more", 60)
        stored = self.stored(names)
        before = self.begun()
        self.begin_hub("--poison", "poisoned-0.")
        victim = stored["poisoned-0.elsewhere.test"]
        dropped = self.arrived("RecordsDropped", 30, EventOriginalResultDetails="REJECTED_400")
        self.assertDelivered(names - {"poisoned-0.elsewhere.test"})
        self.assertEqual([(r["SbxDroppedFromSeq"], r["SbxDroppedToSeq"], r["SbxDroppedCount"]) for r in dropped], [(victim.sequence, victim.sequence, 1)])
        boot = json.loads(victim.payload)["SbxBootId"]
        kept = self.state / "spool" / "quarantine" / f"refused-{boot}-{victim.sequence}.json"
        self.assertEqual(kept.read_bytes(), victim.payload)
        asked = self.requests()[before:]
        events = sum(r["events"] for r in asked if r["outcome"] == "201")
        refused = sum(1 for r in asked if r["outcome"] == "400")
        # Halving a batch of at most 256 finds one record in 8 refusals and the one that stands alone.
        self.assertLessEqual(refused, 9)
        self.assertGreaterEqual(events, 120)
        self.assertEqual(self.metric("records_quarantined_total"), 1)

    def test_F11_too_large_as_a_batch_and_as_a_single_record(self):
        with self.subTest("a batch"):
            before = self.begun()
            self.restart_hub("--max-body", "6000")
            names = self.ask("f11", 30)
            self.assertDelivered(names)
            self.assertTrue(any(r["outcome"] == "413" for r in self.requests()[before:]))
        with self.subTest("every single record"):
            quarantined = self.metric("records_quarantined_total")
            self.restart_hub("--max-body", "400")
            names = self.ask("f11-single", 20)
            # After eight in a row the hub is suspected, not the records.
            wait_for("eight are set aside", lambda: self.metric("records_quarantined_total") - quarantined == 8)
            wait_for("the hub is suspected", lambda: self.said("the hub refuses everything"))
            self.restart_hub()
            self.settle()
            self.assertLessEqual(self.metric("records_quarantined_total") - quarantined, 9)
            self.assertComplete()
            dropped = sum(r["SbxDroppedCount"] for r in self.lab.records("RecordsDropped", EventOriginalResultDetails="REJECTED_413"))
            self.assertEqual(dropped, self.metric("records_quarantined_total") - quarantined)

    def test_F16_the_answer_is_lost_after_the_hub_stored_the_batch(self):
        self.restart_hub("--fault", "reset-after-store:1,hang-after-store:1,503:after-store:1")
        names = self.ask("f16", 5)
        self.assertDelivered(names)
        wait_for("all three happened", lambda: {"resetAfterStore", "hangAfterStore", "statusAfterStore(503)"} <= {r["outcome"] for r in self.requests()}, 40)
        self.settle()
        copies = collections.defaultdict(list)
        for line in self.lab.record_bytes():
            copies[json.loads(line)["EventOriginalUid"]].append(line)
        self.assertGreaterEqual(max(len(c) for c in copies.values()), 2, "nothing was sent again")
        self.assertTrue(all(len(set(c)) == 1 for c in copies.values()), "duplicates differ")

    def test_F17_nothing_but_a_complete_201_acknowledges(self):
        control = self.lab.folder / "control"
        control.write_text("")
        self.restart_hub("--control", control)
        self.settle()
        asked = set()
        for lie in ("200", "202", "204", "301", "302", "truncate", "garbage", "extra"):
            with self.subTest(lie=lie):
                before, failures = self.begun(), self.metric("delivery_attempts_total") - self.metric("delivery_batches_total")
                control.write_text(f"{lie}:1")
                asked |= self.ask(f"f17-{lie}", 1)
                wait_for("it happened, and the same records came again", lambda: self.lied(before), 30)
                self.assertGreater(self.metric("delivery_attempts_total") - self.metric("delivery_batches_total"), failures)
        for truth in ("interim", "chunked", "drip:2ms"):
            with self.subTest(truth=truth):
                before = self.begun()
                control.write_text(f"{truth}:1")
                asked |= self.ask(f"f17-{truth.replace(':', '-')}", 1)
                wait_for("it happened", lambda: any(r["outcome"].startswith(truth[:4]) for r in self.requests()[before:]), 30)
                self.settle()
        control.write_text(" ")
        self.assertDelivered(asked)

    def lied(self, before):
        """Whether a request that was answered by a lie was followed by one with at least as many events."""
        asked = self.requests()[before:]
        at = next((number for number, request in enumerate(asked) if request["outcome"] != "201"), None)
        return at is not None and any(later["outcome"] == "201" and later["events"] >= asked[at]["events"] for later in asked[at + 1:])


if __name__ == "__main__":
    unittest.main()
