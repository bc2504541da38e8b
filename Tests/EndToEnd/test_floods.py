"""Floods: everything is counted, and what it costs stays bounded (audit.md: repeats roll up with exact counts; kernel.md section 3: lost events are repaired)."""
import pathlib, re, signal, unittest

from stage import LabCase, allow, deny_all_but, wait_for
from judge import faults

PORTS, NAMES, BURST = 65_535, 100_000, 10_000
# Destinations on record each for itself in a window of 10 s (README, table of limits).
EACH_MAX = 512


class FloodCase(LabCase):
    settings = {"SALLYPORT_DNS_NAME_BUDGET": "0"}

    def counted(self, kind, **fields):
        return sum(record["EventCount"] for record in self.lab.records(kind, **fields))

    def memory(self):
        """The sidecar's highest resident memory so far, MiB."""
        return int(re.search(r"^VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{self.sidecar.pid}/status").read_text(), re.M)[1]) / 1024

    def octets(self):
        return self.lab.ledger.stat().st_size


class Floods(FloodCase):
    policy = deny_all_but(allow("registry.example.test"))

    def test_a_scan_of_every_port_is_counted_to_the_last_and_stays_small(self):
        before, memory = self.octets(), self.memory()
        done = self.lab.python(SCAN, "198.51.100.22", PORTS, timeout=120)
        # Port 53 of whatever address is the DNS proxy's.
        self.assertEqual(done["refused"], PORTS - 1, done)
        wait_for("every port is counted", lambda: self.counted("FlowDenied", DstIpAddr="198.51.100.22") >= PORTS - 1, 60)
        records = self.lab.records("FlowDenied", DstIpAddr="198.51.100.22")
        self.assertEqual(sum(r["EventCount"] for r in records), PORTS - 1)
        alone = [r for r in records if "DstPortNumber" in r]
        self.assertEqual(len({r["DstPortNumber"] for r in alone}), len(alone), "a port is on record twice")
        rolled = [r for r in records if "DstPortNumber" not in r]
        self.assertEqual({r["AdditionalFields"]["RolledUp"] for r in rolled}, {"ports of this address"})
        windows = done["seconds"] / 10 + 2
        self.assertLess(len(alone), EACH_MAX * windows)
        self.assertLess(self.octets() - before, EACH_MAX * windows * 3072 + (1 << 20))
        self.assertLess(self.memory() - memory, 48)
        self.assertEqual(faults(self.lab.record_bytes()), [])

    def test_a_hundred_thousand_denied_names_are_counted_to_the_last_and_stay_small(self):
        before, memory = self.octets(), self.memory()
        denied = self.metric("dns_denied_total")
        done = self.lab.python(ASK, NAMES, timeout=240)
        self.assertEqual(done["denied"], NAMES, done)
        # A query that was sent twice is two.
        asked = self.metric("dns_denied_total") - denied
        self.assertGreaterEqual(asked, NAMES)
        wait_for("every name is counted", lambda: self.counted("DnsDenied") >= asked, 60)
        records = self.lab.records("DnsDenied")
        self.assertEqual(sum(r["EventCount"] for r in records), asked)
        rolled = [r for r in records if "RolledUp" in r.get("AdditionalFields", {})]
        self.assertIn("flood.test", {r["DnsQuery"] for r in rolled})
        windows = done["seconds"] / 10 + 2
        self.assertLess(len(records), EACH_MAX * windows + 100)
        self.assertLess(self.octets() - before, EACH_MAX * windows * 3072 + (1 << 20))
        self.assertLess(self.memory() - memory, 48)
        self.assertEqual(faults(self.lab.record_bytes()), [])


class LostEvents(FloodCase):
    policy = deny_all_but(allow("198.18.0.0/15"))

    def test_a_burst_that_overflows_the_event_socket_is_repaired_from_the_kernels_table(self):
        """ENOBUFS for real: more flows begin than the socket holds, while nobody reads it."""
        dumps = self.metric("conntrack_reconciliations_total")
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            sent = self.lab.python(BEGIN, "198.18.0.0", BURST, timeout=60)
        finally:
            self.sidecar.send_signal(signal.SIGCONT)
        self.assertEqual(sent, BURST)
        wait_for("every flow is opened on record", lambda: self.counted("FlowOpen", NetworkProtocol="UDP", SbxOwnFlow=None) >= BURST, 60)
        opened = self.lab.records("FlowOpen", NetworkProtocol="UDP", SbxOwnFlow=None)
        self.assertEqual((len(opened), len({r["DstIpAddr"] for r in opened})), (BURST, BURST))
        self.assertGreater(self.metric("conntrack_reconciliations_total"), dumps, "the socket held it all: the burst is too small")
        recovered = [r for r in opened if r.get("AdditionalFields", {}).get("Origin") == "Recovered"]
        self.assertTrue(0 < len(recovered) < BURST, f"{len(recovered)} of {BURST} were known only from the dump")
        # By the rule that the kernel's mark names, told by event or not.
        self.assertEqual({r["NetworkRuleName"] for r in opened}, {"allow 198.18.0.0/15"})
        self.assertEqual(len({r["NetworkSessionId"] for r in opened}), BURST)
        self.assertEqual(faults(self.lab.record_bytes()), [])

    def test_what_no_table_keeps_is_counted_as_lost(self):
        """The kernel lets go of a refused TCP flow with its reset: what the socket lost of these, only its counter knows."""
        def told():
            return self.counted("FlowDenied", DstIpAddr="198.51.100.23")

        def lost():
            return sum(r["SbxDroppedCount"] for r in self.lab.records("RecordsDropped", EventOriginalResultDetails="EVENTS_LOST") if r["AdditionalFields"] == {"Flows": "denied"})
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            done = self.lab.python(SCAN, "198.51.100.23", BURST, timeout=60)
        finally:
            self.sidecar.send_signal(signal.SIGCONT)
        tries = BURST - 1                                   # port 53 is the DNS proxy's
        self.assertEqual(done["refused"], tries)
        wait_for("every try is told or counted as lost", lambda: told() + lost() >= tries, 60)
        self.assertEqual(told() + lost(), tries)
        self.assertTrue(0 < lost() < tries, f"{lost()} of {tries} were lost")
        beat = wait_for("a checkpoint tells of it", lambda: [r for r in self.lab.records("Heartbeat") if r["SbxLostDenied"] and "SbxKernelDenied" in r], 60)[-1]
        self.assertEqual(beat["SbxRecordedDenied"] + beat["SbxLostDenied"], beat["SbxKernelDenied"])
        self.assertEqual(faults(self.lab.record_bytes()), [])


SCAN = r"""
import json, select, socket, sys, time
address, count = sys.argv[1], int(sys.argv[2])
refused, begun, waiting = 0, time.monotonic(), {}
poll = select.epoll()
def take(patience):
    global refused
    for number, _ in poll.poll(patience):
        s = waiting.pop(number)
        refused += s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 111
        s.close()
for port in range(1, count + 1):
    s = socket.socket()
    s.setblocking(False)
    code = s.connect_ex((address, port))
    if code == 111:
        refused += 1
        s.close()
    else:
        waiting[s.fileno()] = s
        poll.register(s, select.EPOLLOUT | select.EPOLLERR)
        if len(waiting) > 200:
            take(1)
end = time.monotonic() + 20
while waiting and time.monotonic() < end:
    take(1)
print(json.dumps({"refused": refused, "seconds": time.monotonic() - begun}))
"""

ASK = r"""
import json, select, socket, struct, sys, time
count, begun = int(sys.argv[1]), time.monotonic()
sockets = []
for _ in range(8):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.connect(("10.53.0.53", 53))
    sockets.append(s)
tail = b"\5flood\4test\0" + struct.pack("!2H", 1, 1)
open_, denied = {}, set()
def send(number):
    label = b"n%d" % number
    sockets[number % 8].send(struct.pack("!6H", number & 65535, 0x0100, 1, 0, 0, 0) + bytes([len(label)]) + label + tail)
    open_[number] = time.monotonic()
following = 0
while len(denied) < count:
    while len(open_) < 64 and following < count:
        send(following)
        following += 1
    ready = select.select(sockets, [], [], 1)[0]
    for s in ready:
        data = s.recv(4096)
        number = int(data[14:13 + data[12]])
        if data[3] & 15 == 3:
            denied.add(number)
        open_.pop(number, None)
    if not ready:
        for number, at in list(open_.items()):
            if time.monotonic() - at > 2:
                send(number)
print(json.dumps({"denied": len(denied), "seconds": time.monotonic() - begun}))
"""

BEGIN = r"""
import ipaddress, json, socket, sys
base, count = int(ipaddress.IPv4Address(sys.argv[1])), int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sent = 0
for i in range(count):
    sent += s.sendto(b"?", (str(ipaddress.IPv4Address(base + i)), 9))
print(json.dumps(sent))
"""

if __name__ == "__main__":
    unittest.main()
