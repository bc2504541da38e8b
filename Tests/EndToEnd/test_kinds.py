"""Every kind of record that audit.md names, made by the daemon itself, and judged by JSON Schema and by ASIM's tester."""
import signal, unittest

from stage import Flow, LabCase, allow, deny_all_but, wait_for
from judge import asim_faults, columns, schema_faults

KINDS = {"FlowOpen", "FlowUpdate", "FlowClose", "FlowDenied", "DnsAllowed", "DnsDenied", "PolicyChange", "OwnerChange", "SidecarStart", "SidecarStop", "Heartbeat", "RecordsDropped",
         "Tamper"}
FLOW = {"Src", "Dst", "NetworkSessionId", "NetworkDirection", "NetworkProtocol", "NetworkProtocolVersion", "SrcIpAddr", "DstIpAddr", "SrcPortNumber", "DstPortNumber", "DvcAction",
        "EventSubType"}
ENDED = {"SrcBytes", "DstBytes", "SrcPackets", "DstPackets", "NetworkDuration", "EventResultDetails"}
QUERY = {"Src", "SrcIpAddr", "DnsQuery", "DnsQueryType", "DnsQueryTypeName", "DnsQueryClassName", "DnsResponseCode", "DnsResponseCodeName", "DnsNetworkDuration", "DnsSessionId",
         "EventResultDetails", "DvcAction", "RuleName", "EventSubType"}
DONE = {"Operation", "Object", "ObjectType"}
# Beyond the common fields, what at least one record of the kind says (audit.md, "By kind").
SAYS = {
    "FlowOpen": FLOW | {"DstFQDN", "SbxDstNames", "NetworkRuleName", "SbxDnsSessionId"}, "FlowUpdate": FLOW | {"SrcBytes", "DstBytes", "SrcPackets", "DstPackets"},
    "FlowClose": FLOW | ENDED, "FlowDenied": FLOW | {"EventOriginalResultDetails"}, "DnsAllowed": QUERY | {"DnsResponseName"}, "DnsDenied": QUERY | {"EventOriginalResultDetails"},
    "PolicyChange": DONE | {"OldValue", "NewValue", "AdditionalFields"}, "OwnerChange": DONE | {"EventOriginalResultDetails", "AdditionalFields"},
    "SidecarStart": DONE | {"SbxPrevBootId", "SbxPrevLastSeq"}, "SidecarStop": DONE | {"EventOriginalResultDetails"},
    "Heartbeat": DONE | {"SbxLastSeq", "SbxAckedSeq", "SbxSpoolBytes", "SbxDroppedTotal", "SbxLiveFlows", "SbxRecordedAllowed", "SbxRecordedDenied", "SbxKernelAllowed", "SbxKernelDenied"},
    "RecordsDropped": DONE | {"SbxDroppedCount", "EventOriginalResultDetails"}, "Tamper": DONE | {"EventOriginalResultDetails", "AdditionalFields"}}
# What every record says (audit.md, "Common fields").
COMMON = {"SbxChain", "SbxSeq", "TimeGenerated", "EventOriginalUid", "EventSchema", "EventSchemaVersion", "EventVendor", "EventProduct", "EventProductVersion", "EventType", "EventResult",
          "EventSeverity", "EventCount", "EventStartTime", "EventEndTime", "Dvc", "DvcHostname", "DvcIpAddr", "DvcId", "DvcIdType", "DvcZone", "SrcUserId", "SrcUserIdType", "SrcUserAadId",
          "SrcUserScopeId", "SrcUserType", "SbxRecordKind", "SbxFormat", "SbxBootId", "SbxSandboxId", "SbxOwnerState", "SbxOwnerBindingId", "SbxOwnerSource", "SbxPolicyRevision",
          "SbxEnforcement"}


class Kinds(LabCase):
    policy = deny_all_but(allow("many.example.test"), allow("198.18.0.0/15"))

    def test_every_kind_is_made_and_judged_well(self):
        long = Flow(self.lab, "many.example.test", "echo", seconds=120)
        Flow(self.lab, "many.example.test", "echo").stop()
        self.assertRefused("198.51.100.24", 4443)
        self.lab.lookup("not.elsewhere.test")
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("files.example.test")])[0], 200)
        self.assertEqual(self.lab.api("PUT", "/owner", {"token": "no.signed.token"})[0], 401)
        self.lab.inside(self.lab.pod, "nft", "add rule inet sallyport out counter accept")
        self.arrived("Tamper")
        # The kernel keeps nothing of a refused TCP flow: tries that the stopped daemon's socket cannot hold are lost, and counted.
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            self.lab.python(REFUSED, 10_000, timeout=60)
        finally:
            self.sidecar.send_signal(signal.SIGCONT)
        self.arrived("RecordsDropped", 60)
        self.arrived("FlowUpdate", 60)
        wait_for("a heartbeat with the kernel's counters", lambda: any("SbxAckedSeq" in r and "SbxKernelDenied" in r for r in self.lab.records("Heartbeat")), 60)
        long.stop()
        self.arrived("FlowClose", SrcPortNumber=long.port)
        self.sidecar.send_signal(signal.SIGTERM)
        self.assertEqual(self.sidecar.wait(10), 0)
        self.start_sidecar()
        wait_for("two starts are at the hub", lambda: len(self.lab.records("SidecarStart")) == 2)
        self.arrived("SidecarStop")

        records = self.lab.records()
        self.assertEqual({r["SbxRecordKind"] for r in records}, KINDS)
        self.assertEqual(set(columns()), {"NetworkSession", "Dns", "AuditEvent"}, "the table of ASIM's tester is not read")
        for record in records:
            self.assertEqual(schema_faults(record) + asim_faults(record), [], record)
            self.assertEqual(COMMON - set(record), set(), record)
            self.assertEqual(next(iter(record)), "SbxChain")
        for kind, members in SAYS.items():
            said = set().union(*(set(r) for r in records if r["SbxRecordKind"] == kind))
            self.assertEqual(members - said, set(), kind)
        self.assertComplete()


REFUSED = r"""
import json, socket, sys
refused = 0
for i in range(int(sys.argv[1])):
    s = socket.socket()
    try:
        s.connect(("45.0.%d.%d" % (i // 250, i % 250 + 1), 4443))
    except ConnectionRefusedError:
        refused += 1
    s.close()
print(json.dumps(refused))
"""

if __name__ == "__main__":
    unittest.main()
