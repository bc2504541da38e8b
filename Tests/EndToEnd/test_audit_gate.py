"""No evidence, no egress (kernel.md §1, C4): the audit lease, with the daemon alive, stopped and dead, and the operator's override."""
import json, os, signal, time, unittest

from faults import FaultCase
from stage import Flow, allow, deny_all_but, wait_for

TARGET = "198.51.100.98"


class GateCase(FaultCase):
    policy = deny_all_but(allow("registry.example.test"), allow("198.51.100.96/28"))

    def setUp(self):
        if self.hub.poll() is not None:
            self.begin_hub()
        if self.sidecar.poll() is not None:
            self.start_sidecar()
        self.assertOpen(60)

    def tries(self):
        return self.lab.connect(TARGET, 7000)["result"]

    def closes(self, timeout=30):
        """How long it took from now until a new flow was denied."""
        begun = time.monotonic()
        wait_for("new flows are denied", lambda: self.tries() == "refused", timeout)
        return time.monotonic() - begun

    def gate(self):
        return self.lab.inside(self.lab.pod, "nft", "list", "set", "inet", "sallyport", "gate").stdout


class Lease(GateCase):
    settings = {"SALLYPORT_AUDIT_LEASE": "5s", "SALLYPORT_FLUSH_INTERVAL": "200ms"}

    def test_the_lease_is_renewed_by_deliveries_and_a_quiet_sandbox_stays_open(self):
        # Three leases long nothing happens but the pulse.
        end = time.monotonic() + 15
        results = []
        while time.monotonic() < end:
            results.append(self.tries())
            time.sleep(0.5)
        self.assertEqual(set(results), {"connected"})
        self.assertGreater(self.metric("audit_lease_seconds_left"), 0)

    def test_without_acknowledgements_new_flows_are_denied_live_ones_go_on_and_it_reopens_by_itself(self):
        live = Flow(self.lab, "198.51.100.97", "echo", seconds=200)
        self.stop_hub()
        self.closes()
        self.assertIn("the audit lease ran out", self.lab.lookup("registry.example.test"))
        status, reasons, _ = self.lab.api("GET", "/readyz", token=None)
        self.assertEqual(status, 503)
        self.assertIn("AUDIT_LEASE_EXPIRED", json.dumps(reasons))
        self.assertEqual(self.lab.api("GET", "/audit")[1]["gate"], "AUDIT_LEASE_EXPIRED")
        self.assertEqual(self.metric("gate_open"), 0)
        self.assertTrue(live.lives)
        self.begin_hub()
        self.assertOpen(60)
        self.assertEqual(self.metric("gate_open"), 1)
        self.assertIsNone(live.stop()["error"])
        self.arrived("FlowDenied", 20, EventOriginalResultDetails="AUDIT_LEASE_EXPIRED", DstIpAddr=TARGET)
        self.assertComplete()

    def test_C4_the_lease_ends_in_the_kernel_while_the_daemon_is_stopped(self):
        self.assertIn("timeout", self.gate())
        os.kill(self.sidecar.pid, signal.SIGSTOP)
        try:
            self.closes()
            self.assertNotIn("elements", self.gate())
        finally:
            os.kill(self.sidecar.pid, signal.SIGCONT)
        self.assertOpen()

    def test_C4_the_lease_ends_in_the_kernel_when_the_daemon_is_dead(self):
        live = Flow(self.lab, "198.51.100.97", "echo", seconds=200)
        self.kill()
        self.closes()
        self.assertNotIn("elements", self.gate())
        self.assertTrue(live.lives)
        self.start_sidecar()
        self.assertOpen()
        self.assertIsNone(live.stop()["error"])


class Override(GateCase):
    settings = {"SALLYPORT_AUDIT_LEASE": "4s", "SALLYPORT_FLUSH_INTERVAL": "200ms"}

    def override(self, seconds, reason, status=200):
        got, answer, _ = self.lab.api("PUT", "/audit/override", {"seconds": seconds, "reason": reason})
        self.assertEqual(got, status, answer)
        return answer

    def test_an_operator_sets_the_lease_aside_on_the_record_and_takes_it_back(self):
        self.stop_hub()
        self.closes()
        self.override(600, "ticket 4711")
        self.assertEqual(self.tries(), "connected")
        self.assertEqual(self.metric("audit_override"), 1)
        self.assertEqual(self.lab.api("DELETE", "/audit/override")[0], 200)
        self.assertEqual(self.tries(), "refused")
        self.begin_hub()
        self.assertOpen(60)
        (begun,) = [r for r in self.arrived("PolicyChange", 30, Operation="AuditOverride") if r["AdditionalFields"]["Reason"] == "ticket 4711"]
        self.assertEqual((begun["EventOriginalResultDetails"], begun["OldValue"], begun["EventSeverity"]), ("AUDIT_LEASE_EXPIRED", "enforced", "High"))
        self.assertTrue(begun["NewValue"].startswith("overridden until "))
        ended = self.arrived("PolicyChange", 30, Operation="AuditOverrideEnd")
        self.assertTrue(any(r["SbxSeq"] > begun["SbxSeq"] and r["NewValue"] == "enforced" for r in ended))
        self.assertComplete()

    def test_an_override_ends_by_itself_in_the_kernel_also_while_the_daemon_is_stopped(self):
        self.stop_hub()
        self.closes()
        self.override(4, "short")
        self.assertEqual(self.tries(), "connected")
        os.kill(self.sidecar.pid, signal.SIGSTOP)
        try:
            self.closes()
        finally:
            os.kill(self.sidecar.pid, signal.SIGCONT)
        self.begin_hub()
        self.assertOpen(60)
        wait_for("its end is on record", lambda: any(r["AdditionalFields"]["Reason"] == "EXPIRED" for r in self.lab.records("PolicyChange", Operation="AuditOverrideEnd")), 20)

    def test_an_override_is_refused_without_credentials_reason_or_measure(self):
        self.assertEqual(self.lab.api("PUT", "/audit/override", {"seconds": 5, "reason": "x"}, token=None)[0], 401)
        for body in ({"seconds": 5}, {"reason": "x"}, {"seconds": 0, "reason": "x"}, {"seconds": 86_401, "reason": "x"}, {"seconds": 5, "reason": ""},
                     {"seconds": 5, "reason": "x" * 257}, {"seconds": "5", "reason": "x"}, [], {"seconds": 5, "reason": "x", "more": 1}):
            self.assertEqual(self.lab.api("PUT", "/audit/override", body)[0], 400, body)
        self.assertEqual(self.metric("audit_override"), 0)


class Hysteresis(GateCase):
    """A spool that is full opens again once an eighth is free, and not with each acknowledgement."""
    settings = {"SALLYPORT_SPOOL_MAX": "1MiB", "SALLYPORT_DNS_NAME_BUDGET": "0", "SALLYPORT_DNS_CHANNEL_BUDGET": "0"}
    policy = deny_all_but(allow("*.fill.example.test"), allow("198.51.100.96/28"))

    def test_the_gate_does_not_flap_at_the_edge_of_the_spool(self):
        self.stop_hub()
        number = 0
        def full():
            nonlocal number
            number += 1
            self.lab.python(FILL, f"h{number}", 300)
            return self.tries() == "refused"
        wait_for("the spool is full", full, 60)
        closed, opened = len(self.said("no room for audit records: new flows are denied")), len(self.said("there is room for audit records again"))
        self.assertEqual((closed, opened), (1, 0))
        # One batch at a time is taken, with tries of the workload all along, which make records.
        self.begin_hub("--max-rate", "300")
        # Some ten kilobytes a second of records, of the half megabyte that the hub takes: without pauses they alone would fill the eighth again.
        wait_for("new flows pass", lambda: time.sleep(0.5) or self.tries() == "connected", 90)
        self.settle(90, pause=0.5)
        self.assertEqual((len(self.said("no room for audit records: new flows are denied")), len(self.said("there is room for audit records again"))), (1, 1))


FILL = r"""
import json, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect(("10.53.0.53", 53))
for i in range(int(sys.argv[2])):
    name = b"".join(bytes([len(x)]) + x.encode() for x in (sys.argv[1] + "-%06d" % i + "a" * 45, "b" * 60, "c" * 60, "fill", "example", "test")) + b"\0"
    s.send(struct.pack("!6H", i, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1))
    try:
        s.recv(4096)
    except OSError:
        pass
print("0")
"""

if __name__ == "__main__":
    unittest.main()
