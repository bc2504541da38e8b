"""Live flows as the control API shows them beside those of conntrack's own tool."""
import unittest, xml.etree.ElementTree

from stage import Flow, LabCase, allow, deny_all_but, wait_for

OUTSIDE = ("198.51.100.", "2001:db8:")


class ConntrackView(LabCase):
    policy = deny_all_but(allow("api.example.test"), allow("198.51.100.0/24"), allow("2001:db8::/32"))

    def theirs(self):
        """What `conntrack -L` says of the workload's flows, by protocol, address and source port."""
        flows = {}
        for family in ("ipv4", "ipv6"):
            text = self.lab.inside(self.lab.pod, "conntrack", "-L", "-f", family, "-o", "xml", check=False).stdout
            if "<conntrack>" not in text:
                continue
            for flow in xml.etree.ElementTree.fromstring(text[text.index("<conntrack>"):]):
                metas = {meta.get("direction"): meta for meta in flow}
                sent, received = metas["original"], metas["reply"]
                address = sent.findtext("layer3/dst")
                if not address.startswith(OUTSIDE):
                    continue
                port = int(sent.findtext("layer4/sport"))
                flows[sent.find("layer4").get("protoname"), address, port] = {
                    "source": sent.findtext("layer3/src"), "port": int(sent.findtext("layer4/dport")),
                    "bytesSent": int(sent.findtext("counters/bytes")), "packetsSent": int(sent.findtext("counters/packets")),
                    "bytesReceived": int(received.findtext("counters/bytes")), "packetsReceived": int(received.findtext("counters/packets"))}
        return flows

    def ours(self):
        status, answer, _ = self.lab.api("GET", "/flows")
        self.assertEqual(status, 200)
        return {(flow["protocol"], flow["address"], flow["sourcePort"]): {key: flow[key] for key in (
            "source", "port", "bytesSent", "packetsSent", "bytesReceived", "packetsReceived")} for flow in answer["flows"]
            if flow["address"].startswith(OUTSIDE)}

    def test_every_flow_and_its_counters_are_those_that_conntrack_lists(self):
        idle = [Flow(self.lab, host, "idle", protocol) for host, protocol in (
            ("api.example.test", "tcp"), ("198.51.100.77", "tcp"), ("198.51.100.78", "udp"), ("198.51.100.79", "udp"))]
        self.addCleanup(lambda: [flow.stop() for flow in idle])
        self.assertEqual(self.lab.connect("2001:db8::70", 443, payload="")["result"], "connected")
        wanted = {(protocol, flow.address, flow.port) for protocol, flow in zip(("tcp", "tcp", "udp", "udp"), idle)}

        # Nothing moves now, so two looks a moment apart see the same; an acknowledgement may still be under way at the first.
        def agree():
            theirs, ours = self.theirs(), self.ours()
            return wanted <= set(theirs) and all(ours.get(key) == theirs[key] for key in wanted) and set(ours) <= set(theirs)
        try:
            wait_for("both say the same", agree, 20)
        except TimeoutError:
            self.maxDiff = None
            self.assertEqual(self.ours(), self.theirs())
        for key in wanted:
            self.assertGreater(self.ours()[key]["packetsReceived"], 0, key)


del LabCase

if __name__ == "__main__":
    unittest.main()
