"""Protocols other than TCP and UDP, odd packets, and what the record says of packets that never become a flow."""
import datetime, json, pathlib, shutil, socket, sys, time, unittest

import bypass_workload as workload
from shell import inside
from stage import LabCase, allow, deny_all_but, run, wait_for

PROGRAM = pathlib.Path(workload.__file__)
DENIED, DENIED6, ALLOWED, ALLOWED6 = "198.51.100.77", "2001:db8::77", "198.51.100.98", "2001:db8:a::98"
RAW = ("--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw", "--no-new-privs")


class Protocols(LabCase):
    policy = deny_all_but(allow("198.51.100.96/28"), allow("2001:db8:a::/48"), allow("198.51.100.10", "443/tcp"), {"action": "deny", "target": "198.51.100.49"})

    @classmethod
    def prepare(cls):
        for name, value in (("net.ipv4.ping_group_range", "0 2147483647"), ("net.ipv4.ip_forward", "1"), ("net.ipv6.conf.all.forwarding", "1")):
            cls.lab.inside(cls.lab.pod, "sysctl", "-qw", f"{name}={value}")
        cls.program = cls.lab.folder / "workload.py"
        shutil.copy(PROGRAM, cls.program)
        cls.program.chmod(0o644)

    def attempt(self, name, *arguments, privileged=False):
        """What came of one try of the workload; `privileged`: with NET_RAW."""
        source = f"import sys; sys.path.insert(0, {str(self.lab.folder)!r}); import json, workload; print(json.dumps(workload.attempt(*json.loads(sys.argv[1]))))"
        words = [sys.executable, "-c", source, json.dumps([name, *arguments])]
        result = self.lab.inside(self.lab.pod, "setpriv", *RAW, *words) if privileged else self.lab.workload(*words)
        return json.loads(result.stdout)

    def counted(self, count, **fields):
        """The records about these packets, once they add up to so many; they may not add up to more."""
        def total():
            return sum(r["EventCount"] for r in self.lab.records("FlowDenied", **fields)) >= count
        wait_for(f"{count} packets of {fields} are on record", total, 30)
        records = self.lab.records("FlowDenied", **fields)
        self.assertEqual(sum(r["EventCount"] for r in records), count)
        return records

    def assertDenied(self, record, reason="PROTOCOL", **fields):
        for member, value in {"DvcAction": "Deny", "EventResult": "Failure", "EventOriginalResultDetails": reason, "EventSubType": "Start", **fields}.items():
            self.assertEqual(record.get(member), value, member)

    # Under which addresses packets leave.

    def test_over_ipv6_nothing_leaves_under_a_false_source_and_an_address_that_comes_later_is_not_false(self):
        with self.lab.capture("src host 2001:db8::66 or src host fd77::66") as packets:
            self.lab.python(FROM_ADDRESS, "2001:db8::66", ALLOWED6)
            self.counted(1, SrcIpAddr="2001:db8::66", DstIpAddr=ALLOWED6, NetworkProtocol="UDP")
            self.assertEqual(len(packets()), 24, "a packet left: the capture holds more than its header")
            self.lab.inside(self.lab.pod, "ip", "-6", "address", "add", "fd77::66/64", "dev", "eth0", "nodad")
            wait_for("under the pod's new address it is answered", lambda: self.lab.python(FROM_ADDRESS, "fd77::66", ALLOWED6) == "x", 30)
            self.lab.inside(self.lab.pod, "ip", "-6", "address", "delete", "fd77::66/64", "dev", "eth0")
            wait_for("the address that went is false", lambda: self.lab.python(FROM_ADDRESS, "fd77::66", ALLOWED6) != "x", 30)

    # Every packet is counted.

    def test_denied_icmp_is_on_record_with_an_exact_count(self):
        for address, protocol, source, version in ((DENIED, "ICMP", "10.77.0.2", "IPv4"), (DENIED6, "ICMPv6", "fd77::2", "IPv6")):
            self.assertEqual(self.lab.python(PINGS, address, 300, 0.01), 0)
            record = self.counted(300, DstIpAddr=address, NetworkProtocol=protocol)[0]
            self.assertDenied(record, Src=source, SrcIpAddr=source, Dst=address, NetworkProtocolVersion=version, NetworkDirection="Outbound")
            self.assertEqual(record["NetworkRuleName"], "default deny")
            self.assertNotIn("NetworkIcmpType", record)

    def test_denied_protocols_of_raw_sockets_are_on_record_by_their_numbers(self):
        for number, name in ((47, "47"), (50, "50"), (132, "SCTP"), (2, "2")):
            for address in ("198.51.100.80", "2001:db8::80"):
                result = self.lab.inside(self.lab.pod, "setpriv", *RAW, sys.executable, "-c", RAW_PACKETS, address, str(number), "3")
                self.assertEqual(result.stdout.strip(), "done", result.stderr)
                self.assertDenied(self.counted(3, DstIpAddr=address, NetworkProtocol=name)[0])

    def test_a_deny_rule_is_named(self):
        self.attempt("ping", "198.51.100.49")
        self.assertEqual(self.counted(1, DstIpAddr="198.51.100.49")[0]["NetworkRuleName"], "deny 198.51.100.49")

    def test_an_address_rule_with_ports_lets_no_other_protocol_out(self):
        self.attempt("ping", "198.51.100.10")
        self.assertDenied(self.counted(1, DstIpAddr="198.51.100.10", NetworkProtocol="ICMP")[0])

    def test_an_address_rule_lets_every_protocol_out(self):
        self.assertEqual(self.attempt("ping", ALLOWED), "answered")
        self.assertEqual(self.attempt("ping", ALLOWED6), "answered")
        self.arrived("FlowOpen", DstIpAddr=ALLOWED, NetworkProtocol="ICMP")
        self.arrived("FlowOpen", DstIpAddr=ALLOWED6, NetworkProtocol="ICMPv6")

    def test_neighbours_are_found_and_are_not_on_record(self):
        before = len(self.lab.records("FlowDenied", NetworkProtocol="ICMPv6"))
        self.lab.inside(self.lab.pod, "ip", "-6", "neigh", "flush", "dev", "eth0")
        self.assertEqual(self.attempt("ping", ALLOWED6), "answered")
        self.attempt("ping", "2001:db8::81")
        self.counted(1, DstIpAddr="2001:db8::81")
        others = [r for r in self.lab.records("FlowDenied", NetworkProtocol="ICMPv6")[before:] if r["DstIpAddr"] != "2001:db8::81"]
        self.assertEqual(others, [])

    def test_a_programs_neighbour_solicitation_is_on_record(self):
        self.assertEqual(self.attempt("icmp6", "fd77::9", 135, privileged=True), "not permitted")
        self.assertDenied(self.counted(1, DstIpAddr="fd77::9", NetworkProtocol="ICMPv6")[0])

    # Odd packets are refused as flows, each once.

    def test_T12_disguised_addresses_are_refused_and_on_record(self):
        for address in ("2001:db8::99", "64:ff9b::c633:6463"):
            self.assertRefused(address, 443)
            self.counted(1, DstIpAddr=address, DstPortNumber=443, NetworkProtocol="TCP")
        self.assertRefused("::ffff:198.51.100.79", 443)
        self.counted(1, DstIpAddr="198.51.100.79", DstPortNumber=443, NetworkProtocol="TCP")

    def test_a_datagram_in_fragments_is_one_denied_flow(self):
        for address in ("198.51.100.82", "2001:db8::82"):
            self.assertEqual(self.attempt("udp", address, 7000, [], None, 0, 8192), "refused")
            self.counted(1, DstIpAddr=address, NetworkProtocol="UDP")

    def test_extension_headers_hide_nothing(self):
        for number, (level, name, octets) in enumerate(((41, 54, "0000010400000000"), (41, 59, "0000010400000000"))):
            address = f"2001:db8::83:{number}"
            self.assertEqual(self.attempt("udp", address, 7000, [[level, name, octets]], privileged=True), "refused")
            self.counted(1, DstIpAddr=address, NetworkProtocol="UDP")

    def test_multicast_and_broadcast_are_on_record(self):
        for address, to in (("239.1.2.3", "239.1.2.3"), ("255.255.255.255", "255.255.255.255"), ("10.77.0.255", "10.77.0.255"), ("ff0e::1", "ff0e::1"), ("ff02::fb", "ff02::fb%eth0")):
            self.attempt("unconnected_udp", to, 5353, [[1, 6, 1]])
            self.assertEqual(self.arrived("FlowDenied", DstIpAddr=address, NetworkProtocol="UDP")[0]["DstPortNumber"], 5353)

    # What is not the workload's own.

    def test_forwarded_packets_are_on_record(self):
        pod, inner = self.lab.pod, f"{self.lab.pod}-in"
        run("ip", "netns", "add", inner)
        self.addCleanup(run, "ip", "netns", "del", inner)
        self.lab.inside(pod, "ip", "link", "add", "inner0", "type", "veth", "peer", "name", "eth0", "netns", inner)
        self.lab.inside(pod, "ip", "addr", "add", "10.88.0.1/24", "dev", "inner0")
        self.lab.inside(pod, "ip", "link", "set", "inner0", "up")
        self.lab.inside(inner, "sh", "-c", "ip link set eth0 up; ip addr add 10.88.0.2/24 dev eth0; ip route add default via 10.88.0.1")
        self.lab.inside(inner, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        self.assertEqual(json.loads(self.lab.inside(inner, sys.executable, "-c", PINGS, ALLOWED, "20", "0.02").stdout), 0)
        record = self.counted(20, SrcIpAddr="10.88.0.2", DstIpAddr=ALLOWED)[0]
        self.assertDenied(record, "DEFAULT_DENY", NetworkProtocol="ICMP")
        self.assertEqual(record["AdditionalFields"], {"Origin": "Forwarded"})

    def test_what_may_not_come_in_is_on_record(self):
        with inside(self.lab.outside):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            for _ in range(40):
                sender.sendto(b"unasked", ("10.77.0.2", 4000))
        record = self.counted(40, SrcIpAddr="10.77.0.1", DstIpAddr="10.77.0.2", NetworkProtocol="UDP")[0]
        self.assertDenied(record, "DEFAULT_DENY", NetworkDirection="Inbound")
        self.assertEqual(record["AdditionalFields"], {"Origin": "Uninvited"})

    def test_packets_to_more_addresses_than_the_kernel_tells_apart_are_counted_all_the_same(self):
        self.lab.inside(self.lab.pod, "setpriv", *RAW, sys.executable, "-c", MANY_ADDRESSES, "3000")

        def total():
            told = sum(r["EventCount"] for r in self.lab.records("FlowDenied", NetworkProtocol="253"))
            return told, told + sum(r["SbxDroppedCount"] for r in self.lab.records("RecordsDropped", EventOriginalResultDetails="EVENTS_LOST"))
        wait_for("3000 packets are told of", lambda: total()[1] >= 3000, 40)
        self.assertEqual(total()[1], 3000)
        self.assertGreaterEqual(total()[0], 1024)

    # The checkpoint.

    def test_zz_the_checkpoint_of_a_heartbeat_agrees_with_the_sums_of_the_records(self):
        self.attempt("tcp", ALLOWED, 7000)
        self.assertRefused(DENIED, 4000)
        began = time.time()
        wait_for("a heartbeat made after all that", lambda: self.heartbeats(began), 45)
        beat = self.heartbeats(began)[-1]
        for kernel, recorded in (("SbxKernelAllowed", "SbxRecordedAllowed"), ("SbxKernelDenied", "SbxRecordedDenied"), ("SbxKernelDropped", "SbxRecordedDropped")):
            self.assertGreater(beat[kernel], 0, kernel)
        self.assertEqual((beat["SbxKernelAllowed"], beat["SbxKernelDenied"]), (beat["SbxRecordedAllowed"], beat["SbxRecordedDenied"]))
        lost = sum(r["SbxDroppedCount"] for r in self.lab.records("RecordsDropped", EventOriginalResultDetails="EVENTS_LOST"))
        self.assertEqual(beat["SbxKernelDropped"], beat["SbxRecordedDropped"] + lost)
        self.assertComplete()

    def heartbeats(self, since):
        """Those made later than that."""
        return [r for r in self.lab.records("Heartbeat") if datetime.datetime.fromisoformat(r["TimeGenerated"].replace("Z", "+00:00")).timestamp() > since]


# One datagram under the address that it is given, whosever it is: the answer, or what went wrong.
FROM_ADDRESS = r"""
import json, socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(41, 78, 1)                                    # IPV6_FREEBIND
s.bind((sys.argv[1], 0))
s.settimeout(0.5)
try:
    s.sendto(b"x", (sys.argv[2], 7000))
    print(json.dumps(s.recv(10).decode()))
except OSError as error:
    print(json.dumps(type(error).__name__))
"""

PINGS = r"""
import json, select, socket, struct, sys, time
address, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
six = ":" in address
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM, 58 if six else 1)
for number in range(count):
    try:
        s.sendto(struct.pack("!BBHHH", 128 if six else 8, 0, 0, 7, number) + b"hello", (address, 0))
    except PermissionError:
        pass
    time.sleep(pause)
answers = 0
while select.select([s], [], [], 0.3)[0]:
    s.recv(200)
    answers += 1
print(json.dumps(answers))
"""

RAW_PACKETS = r"""
import socket, sys
address, protocol, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_RAW, protocol)
for _ in range(count):
    try:
        s.sendto(b"\0\x50\0\x50" + b"\0" * 12, (address, 0))
    except PermissionError:
        pass
print("done")
"""

MANY_ADDRESSES = r"""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
for n in range(int(sys.argv[1])):
    try:
        s.sendto(b"x" * 16, (f"192.0.{2 + (n >> 8)}.{n & 255}", 0))
    except PermissionError:
        pass
"""

if __name__ == "__main__":
    unittest.main()
