"""Leases as the workload meets them, on this machine's kernel."""
import concurrent.futures, json, pathlib, re, struct, subprocess, sys, time, unittest

from stage import Flow, LabCase, Probe, allow, deny_all_but, wait_for

RESOLVER = "10.53.0.54"


class LeaseCase(LabCase):
    policy = deny_all_but(allow("*.lease.test"), allow("other.example.test"))
    settings = {"SALLYPORT_DNS_UPSTREAM": RESOLVER, "SALLYPORT_DNS_CACHE": "off"}
    leases = {}

    @classmethod
    def prepare(cls):
        lab = cls.lab
        cls.settings = {**LeaseCase.settings, **cls.leases}
        lab.inside(lab.outside, "ip", "route", "add", "local", f"{RESOLVER}/32", "dev", "lo")
        lab.start(sys.executable, pathlib.Path(__file__).with_name("lease_resolver.py"), RESOLVER, namespace=lab.outside, log="resolver.log")
        wait_for("the resolver listens", lambda: "ready" in (lab.folder / "resolver.log").read_text(), 60)

    @classmethod
    def start_sidecar(cls, **changes):
        # The hub's name is knot's.
        return super().start_sidecar(**{"SALLYPORT_EVENTHUB_URL": "https://203.0.113.10/audit", **changes})

    def remaining(self, address):
        """Seconds that the kernel still holds a learned address; None when it does not."""
        name = "lease6" if ":" in address else "lease4"
        for item in json.loads(self.lab.inside(self.lab.pod, "nft", "-j", "list", "map", "inet", "sallyport", name).stdout)["nftables"]:
            for key, _ in item.get("map", {}).get("elem", []):
                element = key["elem"] if isinstance(key, dict) and "elem" in key else {"val": key}
                if element["val"] == address:
                    return element.get("expires")
        return None

    def look_up(self, name, *options):
        return self.lab.lookup(f"{name}.lease.test", *options)

    def reaches(self, address, port=7000):
        return self.lab.connect(address, port)["result"] == "connected"

    def run_python(self, source, *arguments, timeout=300):
        return self.lab.python(source, *arguments, timeout=timeout)


class Leases(LeaseCase):
    def test_T1_the_first_packet_never_races_the_answer(self):
        with self.lab.capture("dst net 198.18.0.0/16 and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn") as packets:
            result = self.run_python(RESOLVE_AND_CONNECT, RESOLVER, "n%d.lease.test", 0, 1000)
            self.assertEqual(result, {"connected": 1000, "failed": []})
            octets = packets()
        # One SYN each: a second would have the sequence number of the first.
        self.assertEqual(len(syns(octets)), 1000)
        self.assertEqual(len(set(syns(octets))), 1000)

    def test_T18_G7_an_answer_judged_under_an_older_policy_leases_nothing(self):
        query = self.lab.workload_popen("dig", "+tries=1", "+time=5", f"@{RESOLVER}", "slow-a-198-51-100-61.lease.test", stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        status, answer, _ = self.lab.api("DELETE", "/policy", ["*.lease.test"])
        self.assertEqual(status, 200, answer)
        output, _ = query.communicate(timeout=10)
        self.assertIn("NXDOMAIN", output)
        self.assertNotIn("198.51.100.61", output)
        self.assertIsNone(self.remaining("198.51.100.61"))
        self.assertRefused("198.51.100.61", 7000)
        self.assertEqual(self.lab.api("PUT", "/policy", self.policy)[0], 200)

    def test_T18_of_two_changes_for_one_revision_one_is_412(self):
        tag = self.lab.api("GET", "/policy")[2]["ETag"]
        for round in range(10):
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                both = [pool.submit(self.lab.api, "PATCH", "/policy", [allow(f"r{round}-{n}.example.test")], headers={"If-Match": tag}) for n in range(2)]
                answers = [one.result() for one in both]
            self.assertEqual(sorted(status for status, _, _ in answers), [200, 412], answers)
            tag = next(headers["ETag"] for status, _, headers in answers if status == 200)
        shown = json.dumps(self.lab.api("GET", "/policy")[1])
        self.assertEqual(len(re.findall(r"r\d+-\d\.example\.test", shown)), 10)
        self.assertEqual(self.lab.api("PUT", "/policy", self.policy)[0], 200)

    def test_C11_after_ten_thousand_names_no_source_port_collides(self):
        result = self.run_python(ASK_MANY, RESOLVER, "n%d.lease.test", 20_000, 10_000)
        self.assertEqual((result["answered"], result["other"]), (10_000, {}))
        with self.lab.capture(f"udp and dst host {RESOLVER} and dst port 53") as packets:
            result = self.run_python(FROM_EVERY_PORT, RESOLVER, "p%d.denied.test", 10_000)
            octets = packets()
        self.assertEqual(result["silent"], [], "a first try failed")
        self.assertEqual(result["answered"], result["asked"])
        self.assertGreater(result["asked"], 9_000)
        self.assertNotIn(b"denied", octets, "a query reached the upstream unsteered")


class ShortLeases(LeaseCase):
    leases = {"SALLYPORT_LEASE_MIN": "1s", "SALLYPORT_LEASE_GRACE": "1s"}

    def test_T2_G5_asking_again_extends_a_lease_without_a_gap(self):
        self.look_up("grow-4-a-198-51-100-71")
        self.assertLessEqual(self.remaining("198.51.100.71"), 5)
        probe = Probe(self.lab, "198.51.100.71")
        wait_for("the lease is about to end", lambda: self.remaining("198.51.100.71") <= 2, 5)
        self.look_up("grow-4-a-198-51-100-71")
        self.assertGreaterEqual(self.remaining("198.51.100.71"), 59)
        time.sleep(3)                                            # past the end of the first lease
        result = probe.stop()
        self.assertEqual((result["refused"], result["other"]), (0, 0), result)
        self.assertGreater(result["connected"], 500, result)

    def test_T3_an_idle_flow_outlives_its_lease_and_its_close_names_it(self):
        flow = Flow(self.lab, "ttl-1-a-198-51-100-72.lease.test", "idle")
        wait_for("the lease has ended", lambda: not self.reaches("198.51.100.72"), 10)
        time.sleep(2)
        self.assertIsNone(flow.stop()["error"], "its next word is delivered")
        record = self.arrived("FlowClose", 60, DstIpAddr="198.51.100.72", SrcPortNumber=flow.port)[0]
        self.assertEqual(record["DstFQDN"], "ttl-1-a-198-51-100-72.lease.test")

    def test_T4_a_reconnect_works_in_the_grace_and_is_refused_after_it_with_the_last_name(self):
        name = "ttl-2-a-198-51-100-73"
        begun = time.monotonic()
        self.look_up(name)
        time.sleep(max(0, begun + 2.3 - time.monotonic()))       # the TTL is over, the second of grace is not
        self.assertTrue(self.reaches("198.51.100.73"))
        wait_for("the lease has ended", lambda: self.remaining("198.51.100.73") is None, 5)
        self.assertRefused("198.51.100.73", 7000)
        record = self.arrived("FlowDenied", 60, DstIpAddr="198.51.100.73")[-1]
        self.assertEqual((record["EventOriginalResultDetails"], record.get("DstFQDN")), ("LEASE_EXPIRED", f"{name}.lease.test"))
        self.look_up(name)
        self.assertTrue(self.reaches("198.51.100.73"))

    def test_T12_each_family_has_its_own_lease(self):
        name = "ttl-60-a-198-51-100-74"
        self.look_up(name)
        self.look_up(name, "AAAA")
        self.assertGreater(self.remaining("198.51.100.74"), 55)
        self.assertLessEqual(self.remaining("2001:db8::74"), 2)
        wait_for("the IPv6 lease has ended", lambda: self.remaining("2001:db8::74") is None, 6)
        self.look_up(name)
        self.assertIsNone(self.remaining("2001:db8::74"), "an answer about A says nothing of AAAA")
        self.assertGreater(self.remaining("198.51.100.74"), 55)
        self.assertRefused("2001:db8::74", 7000)
        self.assertTrue(self.reaches("198.51.100.74"))

    def test_T6_a_name_that_rotates_through_thousands_is_bounded_and_drops_nothing_it_told(self):
        live = Flow(self.lab, "ttl-1-a-198-51-100-75.lease.test", "echo", seconds=100)
        refused = self.metric("leases_refused_total")
        # Faster than the case's thirty a second, so that what lives at a time exceeds the bound within seconds.
        result = self.run_python(ROTATE, RESOLVER, "bucket.lease.test", 8, 100)
        self.assertEqual(result["failed"], [], "an address that was told was refused within its lease")
        self.assertGreater(result["connected"], 1_000)
        self.assertGreater(result["withheld"], 0, "the bound was reached")
        self.assertGreaterEqual(self.metric("leases_refused_total") - refused, result["withheld"])
        self.assertIsNone(live.stop()["error"])


class ManyLeases(LeaseCase):
    policy = deny_all_but(allow("*.lease.test"), allow("*.many.test"))
    # Names come faster than a slow hub takes their records, and a full spool would close the gate.
    leases = {"SALLYPORT_SPOOL_MAX": "1GiB"}

    def test_C6_one_wildcard_asked_with_many_labels_is_bounded_and_harms_nobody(self):
        self.look_up("ttl-60-a-198-51-100-62")
        flow = Flow(self.lab, "198.51.100.62", "echo", seconds=900)
        before = self.memory()
        result = self.run_python(ASK_MANY, RESOLVER, "n%d.many.test", 0, 100_000, timeout=900)
        self.assertEqual(result["other"], {}, "every query has an answer of its kind")
        # 98,304 leases of one rule, and as many names a day: the excess is SERVFAIL or REFUSED.
        self.assertLessEqual(result["answered"], 98_304)
        self.assertGreater(result["answered"], 90_000)
        self.assertEqual(result["answered"] + result["withheld"], 100_000)
        self.arrived("DnsDenied", 150, EventOriginalResultDetails="NAME_BUDGET")
        self.assertLess(self.memory() - before, 220 << 10, "KiB for a hundred thousand leases")
        self.look_up("ttl-60-a-198-51-100-63")
        self.assertTrue(self.reaches("198.51.100.63"), "other names are unaffected")
        self.assertIsNone(flow.stop()["error"])

    def memory(self):
        """KiB resident."""
        status = pathlib.Path(f"/proc/{self.sidecar.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


class DefaultLeases(LeaseCase):
    def test_T5_a_time_to_live_of_zero_is_the_documented_minimum(self):
        self.look_up("ttl-0-a-198-51-100-81")
        left = self.remaining("198.51.100.81")
        self.assertTrue(115 <= left <= 120, left)                # SALLYPORT_LEASE_MIN and _GRACE: 60 s each
        time.sleep(0.2)
        self.assertTrue(self.reaches("198.51.100.81"))

    def test_T18_a_change_that_the_kernel_refuses_changes_nothing(self):
        shim = self.lab.folder / "refuse.so"
        source = self.lab.folder / "refuse.c"
        source.write_text(REFUSE)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], check=True)
        shim.chmod(0o755)
        switch = self.lab.folder / "refuse"
        self.sidecar.kill()
        self.sidecar.wait()
        self.start_sidecar(LD_PRELOAD=shim, REFUSE_BATCHES=switch)
        self.look_up("ttl-60-a-198-51-100-82")
        live = Flow(self.lab, "198.51.100.82", "echo")
        before = self.lab.api("GET", "/policy")
        switch.touch()
        try:
            for method, body in (("PATCH", [allow("198.51.100.83")]), ("PUT", deny_all_but()), ("DELETE", ["*.lease.test"])):
                status, answer, _ = self.lab.api(method, "/policy", body)
                self.assertEqual(status, 500, answer)
                self.assertIn("nftables", str(answer))
        finally:
            switch.unlink()
        after = self.lab.api("GET", "/policy")
        self.assertEqual((before[1], before[2]["ETag"]), (after[1], after[2]["ETag"]))
        self.assertTrue(self.reaches("198.51.100.82"), "a lease that nobody meant to end")
        self.assertRefused("198.51.100.83", 7000)
        self.assertIsNone(live.stop()["error"])
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("198.51.100.83")])[0], 200)
        self.assertTrue(self.reaches("198.51.100.83"))
        wait_for("all three are on record as refused", lambda: len(self.lab.records("PolicyChange", EventResult="Failure")) == 3, 60)


def syns(octets):
    """(source port, sequence number) of each TCP packet of a capture of Ethernet frames."""
    found, place = [], 24
    while place + 16 <= len(octets):
        length, = struct.unpack_from("<I", octets, place + 8)
        frame = octets[place + 16:place + 16 + length]
        start = 14 + 4 * (frame[14] & 15)
        found.append((struct.unpack_from("!H", frame, start)[0], struct.unpack_from("!I", frame, start + 4)[0]))
        place += 16 + length
    return found


QUERY = r"""
import json, select, socket, struct, sys, time
def query(name, number):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    return struct.pack("!6H", number & 65535, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!2H", 1, 1)
def answers(data):
    count, = struct.unpack_from("!H", data, 6)
    return [socket.inet_ntoa(data[len(data) - 16 * (count - i) + 12:len(data) - 16 * (count - i) + 16]) for i in range(count)]
"""

RESOLVE_AND_CONNECT = QUERY + r"""
server, form, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
connected, failed = 0, []
for i in range(first, first + count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect((server, 53))
    s.send(query(form % i, i))
    data = s.recv(4096)
    s.close()
    try:
        c = socket.create_connection((answers(data)[0], 7000), 5)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
        connected += 1
    except (OSError, IndexError) as error:
        failed.append([i, repr(error)])
print(json.dumps({"connected": connected, "failed": failed}))
"""

# A window of 64 queries; a silence is asked again, as a stub resolver does.
ASK_MANY = QUERY + r"""
server, form, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.connect((server, 53))
result = {"answered": 0, "withheld": 0, "other": {}}
waiting, next_one, end = {}, first, first + count
while waiting or next_one < end:
    while len(waiting) < 64 and next_one < end:
        waiting[next_one & 65535] = (next_one, time.monotonic())
        s.send(query(form % next_one, next_one))
        next_one += 1
    if select.select([s], [], [], 1)[0]:
        data = s.recv(4096)
        if waiting.pop(struct.unpack_from("!H", data)[0], None) is None:
            continue
        code = data[3] & 15
        if code == 0 and data[6:8] != b"\0\0":
            result["answered"] += 1
        elif code in (2, 5):
            result["withheld"] += 1
        else:
            result["other"][code] = result["other"].get(code, 0) + 1
    else:
        for key, (number, _) in list(waiting.items()):
            s.send(query(form % number, number))
print(json.dumps(result))
"""

FROM_EVERY_PORT = QUERY + r"""
server, form, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
low, high = map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split())
result = {"asked": 0, "answered": 0, "silent": []}
step = max(1, (high - low) // count)
for port in range(low, high, step):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    try:
        s.bind(("0.0.0.0", port))
    except OSError:
        continue
    s.connect((server, 53))
    result["asked"] += 1
    try:
        s.send(query(form % port, port))
        s.recv(4096)
        result["answered"] += 1
    except OSError as error:
        result["silent"].append([port, repr(error)])
    s.close()
print(json.dumps(result))
"""

# Asks so many times a second for so long, and connects at once to every address that it is told.
ROTATE = QUERY + r"""
server, name, seconds, rate = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
result = {"connected": 0, "withheld": 0, "failed": []}
begun = time.monotonic()
number = 0
while time.monotonic() < begun + seconds:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect((server, 53))
    s.send(query(name, number))
    data = s.recv(4096)
    s.close()
    if data[3] & 15 == 2:
        result["withheld"] += 1
    for address in answers(data):
        c = socket.socket()
        c.settimeout(5)
        try:
            c.connect((address, 7000))
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            result["connected"] += 1
        except OSError as error:
            result["failed"].append([address, repr(error)])
        c.close()
    number += 1
    time.sleep(max(0, begun + number / rate - time.monotonic()))
print(json.dumps(result))
"""

# Between the daemon and the kernel: while the file is there, transactions of nf_tables fail for want of memory, as the kernel itself says it.
REFUSE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
static int refuses(int fd, const void *bytes, size_t length) {
  const struct nlmsghdr *header = bytes;
  int domain = 0;
  socklen_t size = sizeof domain;
  const char *file = getenv("REFUSE_BATCHES");
  // NFNL_MSG_BATCH_BEGIN is 16 (linux/netfilter/nfnetlink.h).
  return length >= sizeof *header && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK && header->nlmsg_type == 16 &&
         file && access(file, F_OK) == 0;
}
ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  static ssize_t (*next)(int, const void *, size_t, int);
  if (!next) next = dlsym(RTLD_NEXT, "send");
  if (refuses(fd, bytes, length)) return errno = ENOMEM, -1;
  return next(fd, bytes, length, flags);
}
"""

if __name__ == "__main__":
    unittest.main()
