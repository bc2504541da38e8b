"""The records as the hub gets them (audit.md)."""
import datetime, re, signal, time, unittest

from stage import OWNER_OBJECT, OWNER_TENANT, Flow, LabCase, allow, deny_all_but, wait_for

KINDS = {"FlowOpen", "FlowUpdate", "FlowClose", "FlowDenied", "DnsAllowed", "DnsDenied", "PolicyChange", "SidecarStart", "SidecarStop", "Heartbeat"}
COMMON = {
    "TimeGenerated": str, "EventOriginalUid": str, "EventSchema": str, "EventSchemaVersion": str, "EventVendor": str, "EventProduct": str,
    "EventProductVersion": str, "EventType": str, "EventResult": str, "EventSeverity": str, "EventCount": int, "EventStartTime": str, "EventEndTime": str,
    "Dvc": str, "DvcHostname": str, "DvcIpAddr": str, "DvcId": str, "DvcIdType": str, "DvcZone": str, "SrcUserId": str, "SrcUserIdType": str,
    "SrcUserAadId": str, "SrcUserScopeId": str, "SrcUserType": str, "SbxRecordKind": str, "SbxFormat": int, "SbxBootId": str, "SbxSeq": int, "SbxChain": str,
    "SbxSandboxId": str, "SbxOwnerState": str, "SbxOwnerBindingId": str, "SbxOwnerSource": str, "SbxPolicyRevision": str, "SbxEnforcement": str}
SCHEMAS = {"NetworkSession": "0.2.7", "Dns": "1.0.0", "AuditEvent": "1.0.0"}
RESERVED = {"EventTime", "EventProcessedUtcTime", "EventEnqueuedUtcTime", "PartitionId", "TenantId", "Type", "Title", "UniqueId", "id"}
ADDRESS = "198.51.100.50"


class Record(LabCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp"), allow("many.example.test"), allow("*.artifacts.example.test"), allow("198.51.100.96/28"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.long = Flow(cls.lab, "x.artifacts.example.test", "echo", seconds=120)

    def test_a_flow_is_opened_and_closed_with_five_tuple_bytes_name_rule_and_query(self):
        flow = Flow(self.lab, "many.example.test", "echo")
        time.sleep(0.3)
        received = flow.stop()["bytes"]
        opened = self.arrived("FlowOpen", SrcPortNumber=flow.port, DstIpAddr=ADDRESS)[0]
        closed = self.arrived("FlowClose", SrcPortNumber=flow.port, DstIpAddr=ADDRESS)[0]
        asked = [r for r in self.lab.records("DnsAllowed", DnsQuery="many.example.test")]
        for record in (opened, closed):
            for member, value in (("Src", "10.77.0.2"), ("SrcIpAddr", "10.77.0.2"), ("Dst", ADDRESS), ("DstPortNumber", 7000), ("NetworkProtocol", "TCP"),
                                  ("NetworkProtocolVersion", "IPv4"), ("NetworkDirection", "Outbound"), ("DstFQDN", "many.example.test"), ("DvcAction", "Allow"),
                                  ("EventSchema", "NetworkSession"), ("EventType", "NetworkSession"), ("EventResult", "Success"), ("EventSeverity", "Informational")):
                self.assertEqual(record.get(member), value, member)
            self.assertIn("many.example.test", record["NetworkRuleName"])
            self.assertIn(record["SbxDnsSessionId"], [r["DnsSessionId"] for r in asked])
        self.assertEqual((opened["EventSubType"], closed["EventSubType"]), ("Start", "End"))
        self.assertEqual(opened["NetworkSessionId"], closed["NetworkSessionId"])
        self.assertIn("many.example.test", opened["SbxDstNames"])
        self.assertGreater(closed["DstBytes"], received)
        for member in ("SrcBytes", "SrcPackets", "DstPackets", "NetworkDuration"):
            self.assertGreater(closed[member], 0, member)
        self.assertIn(closed["EventResultDetails"], ("Terminated", "Reset"))

    def test_a_udp_flow_is_on_record(self):
        flow = Flow(self.lab, "198.51.100.97", "echo", "udp")
        flow.stop()
        record = self.arrived("FlowOpen", SrcPortNumber=flow.port, NetworkProtocol="UDP")[0]
        self.assertEqual((record["DstIpAddr"], record["DstPortNumber"]), ("198.51.100.97", 7000))
        self.assertNotIn("DstFQDN", record)
        self.assertIn("198.51.100.96/28", record["NetworkRuleName"])

    def test_a_denied_flow_is_on_record_with_its_original_destination(self):
        for address, protocol, version in (("198.51.100.20", "TCP", "IPv4"), ("198.51.100.21", "UDP", "IPv4"), ("2001:db8::20", "TCP", "IPv6"), ("2001:db8::21", "UDP", "IPv6")):
            self.assertRefused(address, 4443, protocol.lower())
            record = self.arrived("FlowDenied", DstIpAddr=address, DstPortNumber=4443)[0]
            for member, value in (("NetworkProtocol", protocol), ("NetworkProtocolVersion", version), ("EventResult", "Failure"), ("DvcAction", "Deny"),
                                  ("EventSeverity", "Low"), ("EventOriginalResultDetails", "DEFAULT_DENY"), ("EventSubType", "Start")):
                self.assertEqual(record.get(member), value, member)

    def test_every_try_of_a_repeated_denial_is_counted(self):
        for _ in range(25):
            self.assertRefused("198.51.100.22", 4443)

        def counted():
            return sum(r["EventCount"] for r in self.lab.records("FlowDenied", DstIpAddr="198.51.100.22")) >= 25
        wait_for("25 tries are counted", counted, 30)
        self.assertEqual(sum(r["EventCount"] for r in self.lab.records("FlowDenied", DstIpAddr="198.51.100.22")), 25)

    def test_icmp_that_was_denied_is_on_record(self):
        self.lab.inside(self.lab.pod, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        self.assertEqual(self.lab.python(PING, "198.51.100.23"), "no answer")
        record = self.arrived("FlowDenied", 4, DstIpAddr="198.51.100.23")[0]
        self.assertEqual(record["NetworkProtocol"], "ICMP")

    def test_queries_are_on_record_allowed_and_denied(self):
        self.lab.lookup("registry.example.test", "AAAA")
        record = self.arrived("DnsAllowed", DnsQuery="registry.example.test", DnsQueryTypeName="AAAA")[0]
        for member, value in (("DnsQueryType", 28), ("DnsQueryClassName", "IN"), ("DnsResponseCode", 0), ("DnsResponseCodeName", "NOERROR"), ("DvcAction", "Allow"),
                              ("EventSchema", "Dns"), ("EventType", "Query"), ("EventSubType", "response"), ("SrcIpAddr", "10.77.0.2")):
            self.assertEqual(record.get(member), value, member)
        self.assertIn("2001:db8::10", record["DnsResponseName"])
        self.lab.lookup("quite.elsewhere.test")
        record = self.arrived("DnsDenied", DnsQuery="quite.elsewhere.test")[0]
        self.assertEqual((record["DnsResponseCode"], record["DnsResponseCodeName"], record["DvcAction"], record["EventResult"]), (3, "NXDOMAIN", "Deny", "Failure"))

    def test_every_repeated_query_is_counted(self):
        for _ in range(30):
            self.lab.lookup("often.elsewhere.test")
        wait_for("30 queries are counted", lambda: sum(r["EventCount"] for r in self.lab.records("DnsDenied", DnsQuery="often.elsewhere.test")) >= 30, 30)
        self.assertEqual(sum(r["EventCount"] for r in self.lab.records("DnsDenied", DnsQuery="often.elsewhere.test")), 30)

    def test_a_flow_into_the_pod_is_on_record_as_inbound(self):
        server = self.lab.workload_popen("nc", "-l", "-p", "8080", "-N", stdin=-3, stdout=-3)
        wait_for("the workload listens", lambda: ":8080" in self.lab.inside(self.lab.pod, "ss", "-Hltn").stdout)
        self.lab.exchange(b"hello", port=8080, timeout=2)
        record = self.arrived("FlowOpen", NetworkDirection="Inbound", DstPortNumber=8080)[0]
        self.assertEqual((record["SrcIpAddr"], record["DstIpAddr"]), ("10.77.0.1", "10.77.0.2"))
        server.terminate()

    def test_zz_every_kind_has_every_common_field_and_the_stream_is_complete(self):
        self.lab.api("PATCH", "/policy", [allow("files.example.test")])
        self.lab.api("DELETE", "/policy", ["files.example.test"])
        self.arrived("Heartbeat", 45)
        update = self.arrived("FlowUpdate", 45, SrcPortNumber=self.long.port)[0]
        self.assertGreater(update["SrcBytes"], 0)
        self.assertIsNone(self.long.stop()["error"])
        heartbeat = self.lab.records("Heartbeat")[-1]
        self.assertGreater(heartbeat["SbxRecordedAllowed"], 0)
        self.assertEqual(heartbeat["SbxDroppedTotal"], 0)
        self.sidecar.send_signal(signal.SIGTERM)
        self.assertEqual(self.sidecar.wait(10), 0)
        self.start_sidecar()
        self.arrived("SidecarStop")
        starts = wait_for("two starts", lambda: len(s := self.lab.records("SidecarStart")) == 2 and s)
        last = max(r["SbxSeq"] for r in self.lab.records() if r["SbxBootId"] == starts[0]["SbxBootId"])
        self.assertEqual((starts[1]["SbxPrevBootId"], starts[1]["SbxPrevLastSeq"]), (starts[0]["SbxBootId"], last))
        records = self.lab.records()
        self.assertLessEqual(KINDS, {r["SbxRecordKind"] for r in records})
        for record in records:
            for member, kind in COMMON.items():
                self.assertIsInstance(record.get(member), kind, f"{member} of {record['SbxRecordKind']}")
            for member in record:
                self.assertRegex(member, r"\A[A-Za-z][A-Za-z0-9_]{0,44}\Z")
                self.assertNotIn(member, RESERVED)
            self.assertEqual(next(iter(record)), "SbxChain")
            self.assertRegex(record["TimeGenerated"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
            self.assertRegex(record["EventOriginalUid"], r"\A[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
            self.assertEqual(SCHEMAS[record["EventSchema"]], record["EventSchemaVersion"])
            for member, value in (("SrcUserAadId", OWNER_OBJECT), ("SrcUserId", OWNER_OBJECT), ("SrcUserScopeId", OWNER_TENANT), ("SrcUserIdType", "AADID"),
                                  ("SbxOwnerState", "bound"), ("SbxOwnerSource", "static"), ("SbxSandboxId", "sandbox-1"), ("Dvc", "sandbox-1-pod"),
                                  ("DvcIpAddr", "10.77.0.2"), ("DvcZone", "sandboxes"), ("SbxEnforcement", "enforce"), ("SbxFormat", 1)):
                self.assertEqual(record[member], value)
        self.assertEqual(len({r["EventOriginalUid"] for r in records}), len({(r["SbxBootId"], r["SbxSeq"]) for r in records}))
        self.assertComplete()
        for event in self.lab.accepted():
            made = datetime.datetime.fromisoformat(event["body"]["TimeGenerated"].replace("Z", "+00:00"))
            enqueued = datetime.datetime.fromisoformat(event["enqueued"].replace("Z", "+00:00"))
            self.assertLess((enqueued - made).total_seconds(), 60, event["body"]["SbxRecordKind"])


PING = r"""
import json, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(0.5)
try:
    s.sendto(b"\x08\0\0\0\0\0\0\0hello", (sys.argv[1], 0))
    s.recv(100)
    print(json.dumps("answered"))
except OSError:
    print(json.dumps("no answer"))
"""

if __name__ == "__main__":
    unittest.main()
