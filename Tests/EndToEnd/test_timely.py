"""How soon a record is there, told by the order of things and never by a clock: what is still so while the record is at the hub already."""
import unittest

from stage import Flow, LabCase, allow, deny_all_but


class Timely(LabCase):
    policy = deny_all_but(allow("many.example.test"), allow("198.51.100.96/28"))

    def entry(self, port, protocol="tcp"):
        """What the kernel's table has of the workload's flow from this port."""
        return self.lab.inside(self.lab.pod, "conntrack", "-L", "-p", protocol, "--orig-port-src", port).stdout

    def times(self, kind, **fields):
        record = self.arrived(kind, **fields)[0]
        return record["EventStartTime"], record["EventEndTime"], record["TimeGenerated"]

    def test_an_opening_is_at_the_hub_while_the_flow_lives(self):
        flow = Flow(self.lab, "many.example.test", "idle", seconds=120)
        began, ended, made = self.times("FlowOpen", SrcPortNumber=flow.port)
        self.assertTrue(flow.lives)
        self.assertEqual(began, ended)
        self.assertLessEqual(began, made)
        self.assertEqual(self.lab.records("FlowClose", SrcPortNumber=flow.port), [])
        self.assertIsNone(flow.stop()["error"])

    def test_a_close_is_at_the_hub_while_the_kernel_still_keeps_the_entry(self):
        """By TCP's state: the kernel lets go of the entry minutes later."""
        flow = Flow(self.lab, "many.example.test", "echo")
        self.assertIsNone(flow.stop()["error"])
        began, ended, made = self.times("FlowClose", SrcPortNumber=flow.port)
        self.assertRegex(self.entry(flow.port), r"TIME_WAIT|CLOSE")
        self.assertLess(began, ended)
        self.assertLessEqual(ended, made)

    def test_a_denied_datagram_is_at_the_hub_while_the_kernel_still_keeps_its_entry(self):
        self.assertRefused("198.51.100.24", 4443, "udp")
        record = self.arrived("FlowDenied", DstIpAddr="198.51.100.24")[0]
        self.assertIn("198.51.100.24", self.entry(record["SrcPortNumber"], "udp"))

    def test_records_of_a_flow_come_to_the_hub_in_the_order_of_its_life(self):
        flows = [Flow(self.lab, "many.example.test", "echo") for _ in range(10)]
        for flow in flows:
            self.assertIsNone(flow.stop()["error"])
        for flow in flows:
            self.arrived("FlowClose", SrcPortNumber=flow.port)
        order = [(event["enqueued"], event["body"]) for event in self.lab.accepted()]
        for flow in flows:
            own = [body for _, body in order if body.get("SrcPortNumber") == flow.port and body["SbxRecordKind"].startswith("Flow")]
            self.assertEqual([body["SbxRecordKind"] for body in own], ["FlowOpen", "FlowClose"])
            self.assertEqual(sorted(body["TimeGenerated"] for body in own), [body["TimeGenerated"] for body in own])
        # Nothing comes before it happened.
        for enqueued, body in order:
            self.assertLessEqual(body["EventEndTime"], body["TimeGenerated"])
            self.assertLessEqual(body["TimeGenerated"][:19], enqueued[:19])


if __name__ == "__main__":
    unittest.main()
