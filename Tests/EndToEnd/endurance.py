"""Many flows of every sort, the sidecar killed at random among them, and then the account: every attempt is on record, or counted as lost.

    python3 Tests/EndToEnd/endurance.py [--flows 1000000] [--kills 10] [--rate 3000] [--seed N]

Needs root and the built executables. A million flows take some ten minutes and 3 GB of disk. `test_endurance.py` runs a small one."""
import argparse, datetime, json, random, re, subprocess, sys, time

from stage import RESOLVER, Lab, allow, binary, deny_all_but, wait_for


PORT = 7001
POLICY = deny_all_but(allow("198.18.0.0/15"), allow("2001:db8:1::/48", f"{PORT}/tcp"), allow("many.example.test", f"{PORT}/tcp"))
FIELDS = re.compile(rb'"(SbxSeq|EventCount|SbxDroppedCount|SbxDroppedFromSeq)":(\d+)|"(SbxBootId|SbxRecordKind|NetworkDirection|Origin|EventOriginalResultDetails|Flows)":"([^"]*)"|"(SbxOwnFlow)":true')


# Dropped packets of no flow are FlowDenied too.
COUNTED = {"Counted", "Forwarded", "Uninvited"}


class Account:
    """What the records say of flows, each record once, read without the daemon's own code."""

    def __init__(self, lines):
        self.allowed = self.denied = self.closed = self.lost_allowed = self.lost_denied = self.starts = self.records = self.dropped = 0
        seen = set()
        for line in lines:
            fields = {}
            for number, value, name, text, own in FIELDS.findall(line):
                fields.setdefault((number or name or own).decode(), int(value) if number else text.decode())
            key = fields["SbxBootId"], fields["SbxSeq"]
            if key in seen:
                continue
            seen.add(key)
            self.take(fields["SbxRecordKind"], fields)
        self.records = len(seen)

    def take(self, kind, fields):
        if kind == "FlowOpen" and fields.get("NetworkDirection") == "Outbound" and "SbxOwnFlow" not in fields and fields.get("Origin") != "Adopted":
            self.allowed += fields["EventCount"]
        elif kind == "FlowDenied" and fields.get("Origin") not in COUNTED:
            self.denied += fields["EventCount"]
        elif kind == "FlowClose":
            self.closed += 1
        elif kind == "SidecarStart":
            self.starts += 1
        elif kind == "RecordsDropped" and "SbxDroppedFromSeq" in fields:
            self.dropped += fields["SbxDroppedCount"]
        elif kind == "RecordsDropped" and fields.get("Flows") == "allowed":
            self.lost_allowed += fields["SbxDroppedCount"]
        elif kind == "RecordsDropped" and fields.get("Flows") == "denied":
            self.lost_denied += fields["SbxDroppedCount"]

    def __str__(self):
        return (f"{self.records:,} records of {self.starts} starts: {self.allowed:,} flows allowed ({self.lost_allowed:,} more counted as lost), "
                f"{self.denied:,} denied ({self.lost_denied:,} more counted as lost), {self.closed:,} closed; {self.dropped:,} records dropped")


class Traffic:
    """Flows of the workload, at a rate, in a process of their own."""

    def __init__(self, lab, flows, rate, seed):
        self.server = lab.start(sys.executable, "-c", SERVER, str(PORT), namespace=lab.outside, log="accept.log")
        wait_for("the server of flows listens", lambda: f":{PORT}" in lab.inside(lab.outside, "ss", "-Hltn").stdout)
        # An ended entry stays 20 s, or the kernel's table would be full of them.
        for name in ("time_wait", "close"):
            lab.inside(lab.pod, "sysctl", "-qw", f"net.netfilter.nf_conntrack_tcp_timeout_{name}=20")
        self.process = lab.workload_popen(sys.executable, "-c", TRAFFIC, flows, rate, seed, PORT, RESOLVER, stdout=subprocess.PIPE, text=True)

    def progress(self):
        """Waits for the next word of it: how many flows were tried, and what became of them once all were."""
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the workload ended without a word")
        word = json.loads(line)
        if "allowed" in word:
            self.process.communicate()
        return word


def start(lab, settings):
    """A start beside a table of many flows takes its time on a busy machine."""
    sidecar = lab.start_sidecar(POLICY, wait=False, **(settings or {}))

    def enforces():
        if sidecar.poll() is not None:
            raise AssertionError(f"sallyport ended with {sidecar.returncode}:\n{lab.log()[-2000:]}")
        return lab.api("GET", "/healthz", timeout=1)[0] == 200
    wait_for("sallyport enforces", enforces, 60)
    return sidecar


def kill(lab, process):
    process.kill()
    process.wait()
    lab.processes.remove(process)


def add_up(lab):
    """A checkpoint made from now on in which the kernel's counters and the records agree, once the hub has every record before it."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()[:26] + "Z"
    wait_for("the hub has every record", lambda: metric(lab, "records_unacknowledged") <= 4, 600)

    def settled():
        beat = next((r for r in reversed(latest(lab, b'"SbxRecordKind":"Heartbeat"')) if "SbxKernelDenied" in r), None)
        return beat and beat["TimeGenerated"] > now and all(beat[f"SbxRecorded{what}"] + beat[f"SbxLost{what}"] == beat[f"SbxKernel{what}"] for what in ("Allowed", "Denied")) and beat
    return wait_for("a checkpoint adds up", settled, 150)


def run(lab, flows, kills, rate, seed, settings=None, say=lambda text: None):
    """Returns what was tried, and the account of it."""
    order = random.Random(seed)
    sidecar = start(lab, settings)
    traffic = Traffic(lab, flows, rate, seed)
    at = sorted(order.randrange(flows // 20, flows - flows // 20) for _ in range(kills))
    while True:
        word = traffic.progress()
        while at and word["done"] >= at[0]:
            at.pop(0)
            kill(lab, sidecar)
            time.sleep(order.uniform(0, 1))             # dead for a while: flows go on
            sidecar = start(lab, settings)
            say(f"killed and started again after {word['done']:,} flows")
        if "allowed" in word:
            break
    say(f"tried: {word['allowed']:,} allowed, {word['denied']:,} denied in {word['seconds']:.0f} s")
    beat = add_up(lab)
    word["kernel"] = counts(lab)
    say("the kernel counted: " + ", ".join(f"{count:,} {what}" for what, count in word["kernel"].items()))
    say("the last checkpoint: " + ", ".join(f"{name} {beat[name]:,}" for name in sorted(beat) if re.match("Sbx(Recorded|Lost|Carried|Kernel)(Allowed|Denied)", name)))
    sidecar.terminate()
    if sidecar.wait(60) != 0:
        raise AssertionError(lab.log()[-2000:])
    return word, Account(read(lab))


def metric(lab, name):
    return int(re.search(rf"^sallyport_{name} (\d+)", lab.api("GET", "/metrics", token=None)[1], re.M)[1])


def counts(lab):
    """New flows by the kernel's own counters, since the table was made."""
    sets = {"allowed": "permitted", "denied": "refused"}
    texts = {what: lab.inside(lab.pod, "nft", "list", "set", "inet", "sallyport", name).stdout for what, name in sets.items()}
    return {what: sum(map(int, re.findall(r"counter packets (\d+)", text))) for what, text in texts.items()}


def read(lab):
    with lab.ledger.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def latest(lab, mark, octets=4 << 20):
    """The records with this mark among the last of the ledger."""
    size = lab.ledger.stat().st_size
    with lab.ledger.open("rb") as file:
        file.seek(max(size - octets, 0))
        lines = file.read().split(b"\n")[1:-1]
    return [json.loads(line) for line in lines if mark in line]


def judge(word, account, lab):
    """What is wrong, as a list of sentences. The kernel may have refused what the workload took for let out (a datagram while there was no room for records), and may have begun more
    flows than the workload (a late packet of one that is over); so it is the kernel's counters that the records must equal."""
    found = []
    for what, count in word["kernel"].items():
        told = getattr(account, what) + getattr(account, f"lost_{what}")
        # Among records that were dropped, each by its number, may be those of flows.
        if not told <= count <= told + account.dropped:
            found.append(f"{count:,} flows were {what}, the records tell of {told:,}, and {account.dropped:,} records were dropped")
    if sum(word["kernel"].values()) < word["done"]:
        found.append(f"{word['done']:,} flows were tried, the kernel counted {sum(word['kernel'].values()):,}")
    code = subprocess.run([str(binary("sallyport")), "verify", str(lab.ledger)], capture_output=True, text=True)
    if code.returncode != 0:
        found.append("sallyport verify: " + code.stdout[-2000:] + code.stderr[-2000:])
    return found


SERVER = r"""
import select, socket, sys
l = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, backlog=4096, dualstack_ipv6=True)
l.setblocking(False)
poll = select.epoll()
poll.register(l, select.EPOLLIN)
open_ = {}
while True:
    for number, _ in poll.poll():
        if number != l.fileno():
            open_.pop(number).close()
            continue
        try:
            while True:
                s, _ = l.accept()
                open_[s.fileno()] = s
                poll.register(s, select.EPOLLIN)
        except BlockingIOError:
            pass
"""

TRAFFIC = r"""
import ipaddress, json, random, socket, struct, sys, time
flows, rate, seed, port, resolver = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
order = random.Random(seed)
count = {"allowed": 0, "denied": 0}

def v4(base, index): return socket.inet_ntoa(struct.pack("!I", base + index))
def v6(block, index): return "2001:db8:%x::1:%x:%x" % (block, index >> 16, index & 0xffff)
OPEN, SHUT = int(ipaddress.IPv4Address("198.18.0.0")), int(ipaddress.IPv4Address("45.0.0.0"))

def tcp(address, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(20)
    try:
        s.connect((address, port))
        count["allowed"] += 1
    except ConnectionRefusedError:
        count["denied"] += 1
    finally:
        s.close()

def datagram(address, allowed):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect((address, 9))
    s.send(b"?")
    if not allowed:
        try:
            s.recv(1)
        except ConnectionRefusedError:
            pass
    s.close()
    count["allowed" if allowed else "denied"] += 1

def resolve():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.2)
    try:
        s.connect((resolver, 53))
        s.send(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + b"\4many\7example\4test\0" + struct.pack("!2H", 1, 1))
        s.recv(512)
    except OSError:
        pass
    s.close()

begun, asked = time.monotonic(), 0
for i in range(flows):
    now = time.monotonic()
    if now - asked > 5:
        resolve()
        asked = now
    if begun + i / rate > now:
        time.sleep(begun + i / rate - now)
    sort = order.randrange(20)
    if sort < 6: tcp(v4(OPEN, i % 100_000))
    elif sort < 7: tcp("198.51.100.50")
    elif sort < 8: tcp(v6(1, i % 100_000), socket.AF_INET6)
    elif sort < 10: datagram(v4(OPEN, i % 100_000), True)
    elif sort < 15: tcp(v4(SHUT, i % 100_000))
    elif sort < 16: tcp(v6(2, i % 100_000), socket.AF_INET6)
    else: datagram(v4(SHUT, i % 100_000), False)
    if i % 200 == 199 and i + 1 < flows:
        print(json.dumps({"done": i + 1}), flush=True)
print(json.dumps({"done": flows, "seconds": time.monotonic() - begun, **count}), flush=True)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rate", type=float, default=3_000, help="flows a second")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with Lab() as lab:
        lab.start_hub()
        word, account = run(lab, options.flows, options.kills, options.rate, options.seed, {"SALLYPORT_SPOOL_MAX": "1GiB"}, lambda text: print(text, flush=True))
        print(account)
        found = judge(word, account, lab)
        print("\n".join(found) if found else "every flow is on record or counted as lost; sallyport verify: complete")
        return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
