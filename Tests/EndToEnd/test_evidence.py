"""No evidence, no egress: the audit lease (contract §2, `SALLYPORT_AUDIT_LEASE`; C4), renewed by what the hub accepts and ended by a timer of the kernel."""
import signal, unittest

from stage import Flow, LabCase, allow, deny_all_but, wait_for

ADDRESS = "198.51.100.97"


class AuditLease(LabCase):
    policy = deny_all_but(allow("198.51.100.96/28"))
    settings = {"SALLYPORT_AUDIT_LEASE": "6s"}

    def passes(self):
        return self.lab.connect(ADDRESS, 7000)["answer"] == "x"

    def refused(self):
        return self.lab.connect(ADDRESS, 7000)["result"] == "refused"

    def test_without_deliveries_new_flows_end_and_with_them_they_begin_again(self):
        wait_for("the hub's word opens the gate", self.passes, 30)
        live = Flow(self.lab, ADDRESS, "echo", seconds=120)
        self.hub.terminate()
        self.hub.wait(5)
        wait_for("the lease runs out", self.refused, 30)
        self.assertTrue(live.lives, "what lives goes on")
        self.assertRefused("198.51.100.98", 7000, "udp")
        type(self).hub = self.lab.start_hub()
        wait_for("egress opens by itself", self.passes, 60)
        for address in (ADDRESS, "198.51.100.98"):
            record = self.arrived("FlowDenied", DstIpAddr=address, EventOriginalResultDetails="AUDIT_LEASE_EXPIRED")[0]
            self.assertEqual((record["EventSeverity"], record["DvcAction"]), ("Low", "Deny"))
        self.assertIsNone(live.stop()["error"])
        self.assertComplete()

    def test_C4_the_lease_ends_with_the_daemon_stopped(self):
        wait_for("the gate is open", self.passes, 30)
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            wait_for("the kernel's timer ends the lease", self.refused, 30)
        finally:
            self.sidecar.send_signal(signal.SIGCONT)
        wait_for("egress opens by itself", self.passes, 60)


if __name__ == "__main__":
    unittest.main()
