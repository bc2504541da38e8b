"""Someone else changes the rules: undone at once, on the record with who did it, and what was permitted stays permitted."""
import re, time, unittest

from stage import Flow, LabCase, allow, deny_all_but, wait_for

DENIED = "198.51.100.77"


class Tamper(LabCase):
    policy = deny_all_but(allow("many.example.test"), allow("198.51.100.96/28", "7000"))

    def nft(self, *words, check=True):
        return self.lab.inside(self.lab.pod, "nft", *words, check=check)

    def shape(self):
        """The ruleset as far as it does not change by itself."""
        text = self.nft("list", "ruleset").stdout
        text = re.sub(r"counter packets \d+ bytes \d+", "counter", text)
        text = re.sub(r"\n\s*elements = \{[^}]*\}", "", text)
        return re.sub(r"meta mark (0x)?[0-9a-f]+", "", text)

    def tampered(self, before):
        """The records of tampering since there were so many."""
        records = wait_for("the tampering is on the record", lambda: self.lab.records("Tamper")[before:], 15)
        for record in records:
            self.assertEqual((record["EventSeverity"], record["EventResult"], record["EventOriginalResultDetails"]), ("High", "Failure", "RESTORED"), record)
        return records

    def test_whatever_someone_changes_is_put_back_at_once_and_on_the_record(self):
        self.lab.lookup("many.example.test")
        live = Flow(self.lab, "many.example.test", "echo", seconds=900)
        shape = self.shape()
        for what, commands in (
            ("rule of chain out", ["insert rule inet sallyport out accept"]),
            ("rule of chain steer", ["flush chain inet sallyport steer"]),
            ("chain out", ["chain inet sallyport out { policy accept; }"]),
            ("chain", ["add chain inet sallyport mine { type nat hook output priority -150; }"]),
            ("set mine", ["add set inet sallyport mine { type mark; }"]),
            ("elements of lease4", [f"add element inet sallyport lease4 {{ {DENIED} : 1 }}"]),
            ("elements of lease4", ["flush map inet sallyport lease4"]),
            ("elements of grants", ["flush set inet sallyport grants"]),
            ("elements of block4_port", ["flush map inet sallyport block4_port"]),
            ("elements of gate", ["flush set inet sallyport gate"]),
            ("table inet sallyport", ["add table inet sallyport { flags dormant; }"]),
            ("table inet sallyport", ["delete table inet sallyport"]),
            ("table inet sallyport", ["flush ruleset"]),
        ):
            with self.subTest(commands):
                before = len(self.lab.records("Tamper"))
                for command in commands:
                    self.nft(*command.split(" "))
                record = self.tampered(before)[0]
                self.assertIn(what, record["Object"])
                self.assertIn("nft", record["AdditionalFields"]["What"])
                self.assertEqual(self.shape(), shape)
                self.assertRefused(DENIED, 7000)
                self.assertTrue(self.leased("198.51.100.50"))
                self.assertEqual(self.lab.connect("198.51.100.50", 7000)["answer"], "x")
                self.assertEqual(self.lab.connect("198.51.100.97", 7000)["answer"], "x")
        self.assertTrue(live.lives)
        self.assertIsNone(live.stop()["error"], "a live flow outlives every repair")
        self.assertComplete()

    def test_its_own_changes_are_no_tampering(self):
        before = len(self.lab.records("Tamper"))
        for index in range(30):
            self.assertEqual(self.lab.api("PATCH", "/policy", [allow(f"n{index}.example.test"), allow(f"198.51.101.{index}")])[0], 200)
            self.lab.lookup("registry.example.test")
        self.assertEqual(self.lab.api("PUT", "/policy", self.policy)[0], 200)
        last = max(record["SbxSeq"] for record in self.lab.records())
        wait_for("later records are at the hub", lambda: self.lab.lookup("denied.example.test") and max(r["SbxSeq"] for r in self.lab.records()) > last)
        self.assertEqual(len(self.lab.records("Tamper")), before)

    def test_changes_in_a_loop_are_undone_each_and_counted_exactly(self):
        before = len(self.lab.records("Tamper"))
        script = self.lab.folder / "loop.nft"
        script.write_text("add rule inet sallyport out accept\n")
        self.lab.inside(self.lab.pod, "sh", "-c", f"for i in $(seq 40); do nft -f {script} || exit 1; done", timeout=60)
        wait_for("each of them is counted", lambda: sum(r["EventCount"] for r in self.lab.records("Tamper")[before:]) >= 1)
        wait_for("nothing of it is left", lambda: "\t\taccept\n" not in self.nft("list", "chain", "inet", "sallyport", "out").stdout)
        time.sleep(1.2)                                   # what is merged is recorded a second after the first
        records = self.lab.records("Tamper")[before:]
        self.assertLess(len(records), 20)
        self.assertLessEqual(sum(r["EventCount"] for r in records), 40)
        self.assertRefused(DENIED, 7000)

    def test_tables_of_others_are_left_alone(self):
        before = len(self.lab.records("Tamper"))
        self.nft("add", "table", "inet", "theirs")
        self.nft("add", "chain", "inet", "theirs", "out", "{ type filter hook output priority 10; }")
        self.nft("add", "rule", "inet", "theirs", "out", "counter")
        self.lab.lookup("registry.example.test")
        self.assertIn("theirs", self.nft("list", "tables").stdout)
        self.assertEqual(self.lab.api("GET", "/readyz")[0], 200)
        self.nft("delete", "table", "inet", "theirs")
        self.assertEqual(len(self.lab.records("Tamper")), before)

    def test_another_interception_layer_that_appears_is_named_and_takes_readiness(self):
        self.nft("add", "table", "ip", "mesh")
        self.nft("add", "chain", "ip", "mesh", "ISTIO_OUTPUT", "{ type nat hook output priority -150; }")
        self.nft("add", "rule", "ip", "mesh", "ISTIO_OUTPUT", "tcp", "dport", "7000", "redirect", "to", ":15001")
        try:
            wait_for("it is not ready", lambda: self.lab.api("GET", "/readyz")[0] == 503)
            self.assertIn("ISTIO_OUTPUT", str(self.lab.api("GET", "/readyz")[1]["reasons"]))
            self.arrived("Tamper", EventOriginalResultDetails="NOT_RESTORED", Object="ip mesh ISTIO_OUTPUT (of Istio, it seems)")
        finally:
            self.nft("delete", "table", "ip", "mesh")
        wait_for("it is ready", lambda: self.lab.api("GET", "/readyz")[0] == 200)

    def test_what_was_changed_while_the_daemon_was_dead_is_put_right_at_the_start(self):
        for what, commands in (
            ("a rule", ["insert rule inet sallyport out accept"]), ("the table", ["delete table inet sallyport"]), ("everything", ["flush ruleset"]),
            ("a chain of their own", ["add chain inet sallyport mine { type nat hook output priority -150; }", "add rule inet sallyport mine accept",
                                      f"add element inet sallyport lease4 {{ {DENIED} : 1 }}"]),
            ("sleep", ["add table inet sallyport { flags dormant; }"])):
            with self.subTest(what):
                live = Flow(self.lab, "many.example.test", "echo")
                shape = self.shape()
                before = len(self.lab.records("Tamper"))
                self.sidecar.kill()
                self.sidecar.wait()
                for command in commands:
                    self.nft(*command.split(" "))
                self.start_sidecar()
                self.assertEqual(self.shape(), shape)
                self.assertRefused(DENIED, 7000)
                record = self.tampered(before)[0]
                self.assertIn("while the daemon was not running", record["AdditionalFields"]["What"])
                if "table" not in what and what != "everything":
                    self.assertIsNone(live.stop()["error"], "what is still allowed lives on")
                else:
                    live.stop()

    def test_a_restart_without_a_change_is_no_tampering(self):
        before = len(self.lab.records("Tamper"))
        for _ in range(3):
            self.sidecar.kill()
            self.sidecar.wait()
            starts = len(self.lab.records("SidecarStart"))
            self.start_sidecar()
            wait_for("the start is on the record", lambda: len(self.lab.records("SidecarStart")) > starts)
        self.assertEqual(len(self.lab.records("Tamper")), before)


if __name__ == "__main__":
    unittest.main()
