"""Measures Sallyport beside what it replaces, on one machine. Prints medians and ratios; the judgement is the reader's.

The process under test has core 0 to itself and everything else (load, upstream, hub) has core 1. Every round measures every contender
once, in turn, each started anew, so that a noisy minute of the machine touches all of them.
"""
import argparse, collections, json, os, pathlib, random, re, resource, shutil, statistics, subprocess, sys, tempfile, time, traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "deploy" / "lab"))
from delivery import Delivery
from lab import API_TOKEN, HUB_NAME, OWNER_OBJECT, OWNER_TENANT, RESOLVER, WORKLOAD_UID, Lab, binary, run, wait_for

TESTED, REST = "0", "1"             # the core of the process under test, and that of everything else
NEW, PACED, HOT, DENIED = 100_000, 10_000, 1_000, 10_000
LEASES = 5_000                      # leases that are timed one by one
FLOWS, FLOWS_TO = 10_000, "198.51.100.77"   # live flows that a revocation cuts, and where they go
PACE = 5_000                        # queries a second at which latency is measured
STRAIGHT, RELAY = "knot, asked straight", "relay without policy"
# What takes the sidecar's place gets the workload's queries as the sidecar does. Its own queries pass untracked: their entries would let the
# workload's queries from the same ports by.
STEER_NFT = """table inet peer {
  chain steer { type nat hook output priority -100; meta skuid %d meta l4proto { tcp, udp } th dport 53 redirect to :5300; }
}
""" % WORKLOAD_UID
UNTRACKED_NFT = STEER_NFT + """table inet peer {
  chain own { type filter hook output priority -300; meta skuid 0 udp dport 53 notrack; }
  chain answered { type filter hook prerouting priority -300; ip saddr %s udp sport 53 notrack; }
}
""" % RESOLVER
LEASES_NFT = UNTRACKED_NFT + """table inet peer {
  set allow4 { type ipv4_addr; flags timeout; size 196608; }
  set allow6 { type ipv6_addr; flags timeout; size 196608; }
  chain out { type filter hook output priority 0; policy drop;
    ct state established,related accept
    oifname "lo" accept
    ip daddr 127.0.0.1 accept
    meta skuid 0 ip daddr %s accept
    ip daddr @allow4 accept
    ip6 daddr @allow6 accept
  }
}
""" % RESOLVER
ALLOWED = [f"{name}.new.test" for name in ("a", "b", "paced", "hot")]
UNBOUND_CONF = """server:
  interface: 127.0.0.1@5300
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  num-threads: 1
  module-config: "iterator"
  outgoing-range: 8192
  num-queries-per-thread: 4096
  so-rcvbuf: 4m
  so-sndbuf: 4m
  msg-cache-size: 64m
  rrset-cache-size: 128m
  minimal-responses: yes
  local-zone: "." refuse
%s
forward-zone:
  name: "."
  forward-addr: %s
remote-control:
  control-enable: no
""" % ("\n".join(f'  local-zone: "{name}." transparent' for name in ALLOWED), RESOLVER)
DNSDIST_LUA = """setLocal("127.0.0.1:5300")
setSecurityPollSuffix("")
newServer{address="%s:53"}
getServer(0):setUp()
setMaxUDPOutstanding(65535)
getPool(""):setCache(newPacketCache(200000))
allowed = newSuffixMatchNode()
%s
addAction(NotRule(SuffixMatchNodeRule(allowed)), RCodeAction(DNSRCode.REFUSED))
""" % (RESOLVER, "\n".join(f'allowed:add(newDNSName("{name}."))' for name in ALLOWED))
POLICY = {"defaultAction": "deny", "egress": [
    {"action": "allow", "target": f"*.{name}"} for name in ALLOWED]}

values = collections.defaultdict(list)      # (row, contender) -> one value a round


def note(row, contender, value):
    values[row, contender].append(value)
    print(f"  {row}: {contender} {value:,.4g}", file=sys.stderr, flush=True)


# What is asked.

def zone():
    """Names that exist; each allowed one has one address of its own, and every second of them is asked for AAAA."""
    lines = []
    for index, name in enumerate(new_names() + paced_names() + hot_names()):
        high, low = divmod(index, 65536)
        lines.append(f"{name} 300 A 45.{high}.{low >> 8}.{low & 255}\n{name} 300 AAAA 2a0f:0:{high:x}::{low:x}\n")
    lines += [f"d{index}.denied.new 300 A 198.51.100.60\nd{index}.denied.new 300 AAAA 2001:db8::60\n" for index in range(DENIED)]
    return "".join(lines)


def new_names():
    return [f"n{index}.{'ab'[index % 2]}.new" for index in range(NEW)]


def paced_names():
    return [f"p{index}.paced.new" for index in range(PACED)]


def hot_names():
    return [f"h{index}.hot.new" for index in range(HOT)]


def write_queries(folder):
    def write(kind, names):
        shuffled = [f"{name}.test {('A', 'AAAA')[index % 2]}\n" for index, name in enumerate(names)]
        random.Random(1).shuffle(shuffled)
        (folder / f"{kind}.queries").write_text("".join(shuffled))
    # A and AAAA by turns within each of the two rules, not one each.
    write("new", sorted(new_names(), key=lambda name: name.split(".")[1]))
    write("paced", paced_names())
    write("hot", hot_names())
    write("denied", [f"d{index}.denied.new" for index in range(DENIED)])


# The machine.

def under_test(*command):
    return ["taskset", "-c", TESTED, *map(str, command)]


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process):
    text = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
    return {name: int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) / 1024 for name in ("Pss", "Rss")}


def status(process, field):
    """A size in MiB."""
    text = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M)[1]) / 1024


def compile_tools(folder):
    for name, libraries in (("latency", []), ("relay", []), ("start", []), ("commit", ["-lmnl", "-lnftnl"])):
        run("gcc", "-O2", "-o", folder / name, HERE / f"{name}.c", *libraries)


class Bench:
    def __init__(self, lab, tools, options):
        self.lab, self.tools, self.options = lab, tools, options
        self.hub = None
        # knot places its threads itself.
        for process in lab.processes:
            run("taskset", "-acp", REST, process.pid)
        # What the world's end of the cable does for an arriving packet is the world's work: its core does it, not the sender's.
        lab.inside(lab.outside, "sh", "-c", f"echo {1 << int(REST):x} > /sys/class/net/eth0/queues/rx-0/rps_cpus")

    def load(self, *command, timeout=120):
        """Runs a program as the workload and returns what it printed."""
        return self.lab.workload(*command, check=True, timeout=timeout).stdout

    def in_pod(self, *command, **options):
        return self.lab.inside(self.lab.pod, *command, **options)

    # Contenders: each returns the process under test, or None.

    def clear(self):
        self.in_pod("nft", "flush", "ruleset")
        self.in_pod("conntrack", "-F")
        shutil.rmtree(self.lab.folder / "state", ignore_errors=True)
        (self.lab.folder / "audit.ndjson").unlink(missing_ok=True)

    def environment(self, hub, policy=POLICY, **more):
        changes = {} if hub else {"SALLYPORT_EVENTHUB_URL": None, "SALLYPORT_EVENTHUB_AUTH": None, "SALLYPORT_EVENTHUB_TOKEN_FILE": None,
                                  "SALLYPORT_AUDIT_FILE": self.lab.folder / "audit.ndjson"}
        file = policy
        if not isinstance(policy, pathlib.Path):
            # As a file: 4,000 rules do not fit into one variable.
            file = self.lab.folder / "policy.json"
            file.write_text(json.dumps(policy))
        return self.lab.settings(None, SALLYPORT_POLICY=None, SALLYPORT_POLICY_FILE=file, SALLYPORT_MAX_RULES=0, **{"SALLYPORT_SPOOL_MAX": "1GiB", **changes, **more})

    def start_sallyport(self, hub=False, policy=POLICY, **more):
        if hub and (self.hub is None or self.hub.poll() is not None):
            self.hub = self.lab.start_hub()
        process = self.lab.start(*under_test(binary("sallyport"), "run"), namespace=self.lab.pod, log="sallyport.log", env=self.environment(hub, policy, **more))

        def enforces():
            if process.poll() is not None:
                raise SystemExit(f"sallyport ended:\n{self.lab.log()[-2000:]}")
            return self.lab.api("GET", "/healthz", timeout=1)[0] == 200
        wait_for("sallyport enforces", enforces)
        return process

    def delivered(self):
        return self.lab.ledger.stat().st_size if self.lab.ledger.exists() else 0

    def start_peer(self, name, rules, *command):
        run("ip", "netns", "exec", self.lab.pod, "nft", "-f", "-", input=rules)
        process = self.lab.start(*under_test(*command), namespace=self.lab.pod, log=f"{name}.log")
        wait_for(f"{name} listens", lambda: ":5300" in self.in_pod("ss", "-Hlun").stdout)
        return process

    def start_relay(self):
        return self.start_peer("relay", STEER_NFT, self.tools / "relay", 5300, RESOLVER)

    def start_dnsmasq(self):
        return self.start_peer(
            "dnsmasq", LEASES_NFT, "dnsmasq", "-k", "-C", "/dev/null", "--port=5300", "--listen-address=127.0.0.1", "--bind-interfaces",
            "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--dns-forward-max=10000", "--cache-size=10000",
            *(f"--server=/{name}/{RESOLVER}" for name in ALLOWED),
            *(f"--nftset=/{name}/4#inet#peer#allow4,6#inet#peer#allow6" for name in ALLOWED))

    def start_unbound(self):
        file = self.lab.folder / "unbound.conf"
        file.write_text(UNBOUND_CONF)
        return self.start_peer("unbound", UNTRACKED_NFT, "unbound", "-d", "-c", file)

    def start_dnsdist(self):
        file = self.lab.folder / "dnsdist.lua"
        file.write_text(DNSDIST_LUA)
        return self.start_peer("dnsdist", UNTRACKED_NFT, "dnsdist", "-C", file, "--supervised", "--disable-syslog")

    def stop(self, process):
        if process is not None:
            process.kill()
            process.wait()
            self.lab.processes.remove(process)
        self.clear()

    # Rows.

    def saturate(self, kind, contender, process, once=False):
        limit = ["-n", "1"] if once else ["-l", str(self.options.seconds)]
        before = cpu_seconds(process.pid) if process else 0
        text = self.load("dnsperf", "-s", RESOLVER, "-d", self.lab.folder / f"{kind}.queries", "-c", "8", "-T", "1", "-q", "100", "-t", "2",
                         "-O", "suppress=timeouts,congestion,sendfailed,sockready,unexpected", *limit)
        found = {name: float(value) for name, value in re.findall(r"(Queries sent|Queries completed|Queries lost|Queries per second):\s+([\d.]+)", text)}
        answers = dict(re.findall(r"(\w+) (\d+) \(", re.search(r"Response codes:(.*)", text)[1]))
        wanted = "NOERROR" if kind != "denied" or contender in (STRAIGHT, RELAY) else ("NXDOMAIN" if "Sallyport" in contender else "REFUSED")
        if int(answers.get(wanted, 0)) < 0.99 * found["Queries sent"]:
            print(f"  {contender}, {kind}: of {found['Queries sent']:.0f} queries only {answers} answered", file=sys.stderr)
        note(f"{kind} names: answers a second", contender, found["Queries per second"])
        if process:
            note(f"{kind} names: CPU seconds per 100,000", contender, (cpu_seconds(process.pid) - before) / found["Queries completed"] * 1e5)

    def dns(self, contender, begin):
        process = begin()
        try:
            sent, answered, p50, _, p99, _ = map(float, self.load(self.tools / "latency", RESOLVER, self.lab.folder / "paced.queries", PACE,
                                                                  PACED / PACE).split())
            note(f"new names at {PACE:,} a second: answered, %", contender, answered / sent * 100)
            note(f"new names at {PACE:,} a second: p50, µs", contender, p50)
            note(f"new names at {PACE:,} a second: p99, µs", contender, p99)
            if process:
                note(f"new names at {PACE:,} a second: added p50, µs", contender, p50 - values[f"new names at {PACE:,} a second: p50, µs", STRAIGHT][-1])
            self.saturate("new", contender, process, once=True)
            if process:
                note("PSS after 110,000 names, MiB", contender, memory(process.pid)["Pss"])
            if process and "Sallyport" in contender:
                self.check_leases(contender)
            self.saturate("hot", contender, process)
            self.saturate("denied", contender, process)
        finally:
            self.stop(process)

    def check_leases(self, contender):
        """Every new name was leased, or the figure is about something else."""
        held = sum(self.in_pod("nft", "list", "map", "inet", "sallyport", name).stdout.count(" expires ") for name in ("lease4", "lease6"))
        note("leases held after all names", contender, held)

    def dns_round(self, rows):
        if "dns" in rows:
            self.dns(STRAIGHT, lambda: None)
            self.dns(RELAY, self.start_relay)
            if not self.options.quick:
                self.dns("dnsmasq --nftset", self.start_dnsmasq)
                self.dns("unbound", self.start_unbound)
                self.dns("dnsdist", self.start_dnsdist)
            self.dns("Sallyport, audit file", self.start_sallyport)
        if "hub" in rows:
            self.dns("Sallyport, hub", lambda: self.start_sallyport(hub=True))

    def memory_round(self):
        before = self.delivered()
        process = self.start_sallyport(hub=True)
        try:
            wait_for("the hub has the first records", lambda: self.delivered() > before, 20)
            time.sleep(self.options.settle)
            for name, value in memory(process.pid).items():
                note(f"idle {name.upper()}, MiB", "Sallyport, hub", value)
        finally:
            self.stop(process)
        process = self.start_dnsmasq()
        try:
            time.sleep(1)
            for name, value in memory(process.pid).items():
                note(f"idle {name.upper()}, MiB", "dnsmasq --nftset", value)
        finally:
            self.stop(process)

    def start_round(self):
        for _ in range(3):
            self.clear()
            environment = self.environment(hub=True)
            text = self.in_pod(*under_test(self.tools / "start", WORKLOAD_UID, "198.51.100.60", 80, RESOLVER, "denied.example.test",
                                   binary("sallyport"), "run"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               capture_output=False).stdout
            process, refused, denied = map(int, text.split())
            os.kill(process, 9)
            note("start: connect refused after, ms", "Sallyport, hub", refused / 1000)
            note("start: query denied after, ms", "Sallyport, hub", denied / 1000)
        self.clear()

    def rules_round(self):
        for label, targets in (("10 rules", [f"r{index}.rules.test" for index in range(10)]),
                               ("4,000 rules", [f"r{index}.rules.test" for index in range(4000)]),
                               ("4,000 rules about addresses", [f"45.9.{index // 250}.{index % 250}" for index in range(4000)])):
            rules = [{"action": "allow", "target": target} for target in targets]
            process = self.start_sallyport(policy={"defaultAction": "deny", "egress": rules})
            try:
                taken = json.loads(self.lab.inside(self.lab.outside, sys.executable, "-c", PATCHES, env={
                    **os.environ, "TOKEN": API_TOKEN}).stdout)
                note("PATCH, ms", label, statistics.median(taken))
            finally:
                self.stop(process)

    def owner_round(self):
        """From a token's way to the API until the workload's first packet passes, which tries all the time."""
        key, keys = self.lab.folder / "issuer.pem", self.lab.folder / "jwks.json"
        run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
        keys.write_text(run(binary("sallyport"), "owner", "keys", key).stdout)
        policy = {"defaultAction": "deny", "egress": [{"action": "allow", "target": "198.51.100.50"}]}
        environment = {**self.environment(hub=False, policy=policy), "SALLYPORT_OWNER_JWKS_FILE": str(keys)}
        del environment["SALLYPORT_OWNER"]
        for _ in range(3):
            process = self.lab.start(*under_test(binary("sallyport"), "run"), namespace=self.lab.pod, log="sallyport.log", env=environment)
            try:
                wait_for("sallyport enforces", lambda: self.lab.api("GET", "/healthz", timeout=1)[0] == 200)
                token = run(binary("sallyport"), "owner", "sign", "--key", key, "--subject", f"{OWNER_TENANT}/{OWNER_OBJECT}",
                            "--pod-uid", environment["POD_UID"]).stdout.strip()
                tries = self.lab.workload_popen(sys.executable, "-c", TRIES, stdout=subprocess.PIPE, text=True)
                tries.stdout.readline()
                sent, answered = map(float, self.lab.inside(self.lab.outside, sys.executable, "-c", BIND, env={
                    **os.environ, "TOKEN": API_TOKEN, "OWNER": token}).stdout.split())
                passed = float(tries.communicate(timeout=20)[0])
                note("owner's token sent, ms until", "first allowed packet", (passed - sent) * 1000)
                note("owner's token sent, ms until", "answered 200", (answered - sent) * 1000)
            finally:
                self.stop(process)

    def policy_round(self):
        """A policy of a million names, decisions beside those of one with a hundred, and 4,000 address rules replaced by others."""
        for count in (100, 1_000_000):
            label = f"{count:,} names"
            policy, asked = self.lab.folder / f"{count}.json", self.lab.folder / f"{count}.names"
            if not policy.exists():
                policy.write_text('{"egress":[' + ",".join(f'{{"action":"allow","target":"{name_of(i)}"}}' for i in range(count)) + "]}")
                order = random.Random(1)
                asked.write_text("".join((name_of(order.randrange(count)) if i % 2 else f"no{i}.example.test") + "\n" for i in range(10_000)))
                for path in (policy, asked):
                    path.chmod(0o644)
            found = json.loads(run(*under_test(binary("policy-benchmark"), policy, asked)).stdout)
            if found["allowed"] != found["asked"] // 2:
                raise SystemExit(f"policy-benchmark allowed {found['allowed']} of {found['asked']}")
            note("a decision: p50, ns", label, found["decision"])
            note("a policy parsed and compiled, ms", label, found["parse"] + found["compile"])
            begun = time.monotonic()
            process = self.start_sallyport(policy=policy)
            try:
                note("start with a policy: enforcing after, ms", label, (time.monotonic() - begun) * 1000)
                time.sleep(3)
                note("memory with a policy: RSS, MiB", label, status(process.pid, "VmRSS"))
                note("memory with a policy: highest RSS, MiB", label, status(process.pid, "VmHWM"))
            finally:
                self.stop(process)
        for label, ports in (("every port", None), ("443/tcp", ["443/tcp"])):
            process = self.start_sallyport()
            try:
                taken = json.loads(self.lab.inside(self.lab.outside, sys.executable, "-c", REPLACEMENTS, env={
                    **os.environ, "TOKEN": API_TOKEN, "PORTS": json.dumps(ports)}).stdout)
                note("PUT of 4,000 address rules in place of others, ms", label, statistics.median(taken))
            finally:
                self.stop(process)

    def leases_round(self):
        """What one lease takes from its decision to the kernel's acknowledgement, with few and with 100,000 leases held."""
        for held in (1_000, 100_000):
            found = json.loads(self.in_pod(*under_test(binary("lease-benchmark"), held, LEASES), timeout=120).stdout)
            if found["held"] != held + LEASES:
                raise SystemExit(f"lease-benchmark holds {found['held']} leases")
            for quantile in ("p50", "p99"):
                note(f"one lease decided, committed, acknowledged: {quantile}, µs", f"{held:,} leases held", found[quantile] / 1000)

    def revocation_round(self):
        """10,000 live UDP flows under one rule, all of which go on sending; the rule is deleted. When the last packet left the pod, and when the change was answered.
        The senders have both cores: on that of the client alone they would rest while it asks."""
        for count in (100, FLOWS):
            process = self.start_sallyport(policy={"defaultAction": "deny", "egress": [{"action": "allow", "target": FLOWS_TO}]})
            flows = None
            try:
                flows = self.lab.workload_popen(sys.executable, "-c", SENDERS, FLOWS_TO, count, stdout=subprocess.PIPE, text=True,
                                                preexec_fn=lambda: (resource.setrlimit(resource.RLIMIT_NOFILE, (FLOWS + 64, FLOWS + 64)), os.sched_setaffinity(0, {0, 1})))
                flows.stdout.readline()
                wait_for("every flow lives", lambda: json.loads(self.lab.api("GET", "/metrics", token=None)[1].split("\nsallyport_flows_live ")[1].split()[0]) >= count, 30)
                last, answered, before = map(float, self.lab.inside(self.lab.outside, sys.executable, "-c", REVOKE, FLOWS_TO, env={
                    **os.environ, "TOKEN": API_TOKEN}, timeout=60).stdout.split())
                if before < 10:
                    raise SystemExit("the flows did not send")
                note("rule deleted, ms until", f"last packet of {count:,} flows", last)
                note("rule deleted, ms until", f"answer with {count:,} flows", answered)
            finally:
                if flows is not None:
                    flows.kill()
                    flows.wait()
                    self.lab.processes.remove(flows)
                self.stop(process)

    def commit_round(self):
        process = self.start_sallyport()
        try:
            p50, p99 = map(float, self.in_pod(*under_test(self.tools / "commit", 2000)).stdout.split())
            note("one lease committed and acknowledged: p50, µs", "netlink, in process", p50)
            begun = time.monotonic()
            for index in range(50):
                self.in_pod("nft", "add", "element", "inet", "sallyport", "lease4", f"{{ 48.0.0.{index} timeout 2m : 0x{0x50000000 + index:x} }}")
            entry = time.monotonic()
            for index in range(50):
                self.in_pod("true")
            note("one lease committed and acknowledged: p50, µs", "spawning nft", ((entry - begun) - (time.monotonic() - entry)) / 50 * 1e6)
        finally:
            self.stop(process)


# Some 20,000 packets a second over as many sockets as asked for, until killed.
SENDERS = r"""
import socket, sys, time
address, count = sys.argv[1], int(sys.argv[2])
sockets = []
for index in range(count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((address, 7000))
    s.setblocking(False)
    sockets.append(s)
    s.send(b"x")
    if index % 100 == 99: time.sleep(0.01)
print("ready", flush=True)
begun, number = time.monotonic(), 0
while True:
    for s in sockets:
        try: s.send(b"x")
        except OSError: pass
        number += 1
        if number % 100 == 0: time.sleep(max(0, begun + number / 20000 - time.monotonic()))
"""
# Deletes the rule, and sees with the kernel's time stamps what comes out of the pod: milliseconds from the request until the last packet and until the answer, and how many packets
# there were in the tenth of a second before.
REVOKE = r"""
import http.client, json, os, socket, struct, sys, threading, time
address = socket.inet_aton(sys.argv[1])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)              # SO_RCVBUFFORCE
s.setsockopt(socket.SOL_SOCKET, 35, 1)                     # SO_TIMESTAMPNS
s.settimeout(0.5)
seen, stop = [], []
def see():
    while not stop:
        try: data, extra, _, _ = s.recvmsg(64, 64)
        except TimeoutError: continue
        if data[30:34] != address: continue
        seconds, nanoseconds = struct.unpack("qq", extra[0][2])
        seen.append(seconds + nanoseconds / 1e9)
thread = threading.Thread(target=see)
thread.start()
connection = http.client.HTTPConnection("10.77.0.2", 18080, timeout=30)
connection.request("GET", "/healthz")
connection.getresponse().read()
time.sleep(0.5)
sent = time.time()
connection.request("DELETE", "/policy", json.dumps([sys.argv[1]]), {"OPENSANDBOX-EGRESS-AUTH": os.environ["TOKEN"]})
answer = connection.getresponse()
answer.read()
answered = time.time()
if answer.status != 200: raise SystemExit(f"DELETE: {answer.status}")
time.sleep(0.5)
stop.append(1)
thread.join()
print((max(seen) - sent) * 1000, (answered - sent) * 1000, sum(sent - 0.1 < at < sent for at in seen))
"""
TRIES = r"""
import socket, time
denied = 0
while True:
    try:
        socket.create_connection(("198.51.100.50", 80), 5)
        break
    except ConnectionRefusedError:
        denied += 1
        if denied == 20: print("denied", flush=True)
print(time.monotonic())
"""
BIND = r"""
import http.client, json, os, time
connection = http.client.HTTPConnection("10.77.0.2", 18080, timeout=10)
connection.request("GET", "/healthz")
connection.getresponse().read()
sent = time.monotonic()
connection.request("PUT", "/owner", json.dumps({"token": os.environ["OWNER"]}), {"OPENSANDBOX-EGRESS-AUTH": os.environ["TOKEN"]})
answer = connection.getresponse()
answer.read()
if answer.status != 200: raise SystemExit(f"PUT /owner: {answer.status}")
print(sent, time.monotonic())
"""
def name_of(index):
    return f"n{index}.d{index % 4999}.zone{index % 97}.example.net"


REPLACEMENTS = r"""
import http.client, json, os, time
connection = http.client.HTTPConnection("10.77.0.2", 18080, timeout=30)
ports = json.loads(os.environ["PORTS"])
taken = []
for turn in range(12):
    rules = [{"action": "allow", "target": f"45.{turn}.{i // 250}.{i % 250}", **({"ports": ports} if ports else {})} for i in range(4000)]
    body = json.dumps({"egress": rules})
    begun = time.monotonic()
    connection.request("PUT", "/policy", body, {"OPENSANDBOX-EGRESS-AUTH": os.environ["TOKEN"]})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200: raise SystemExit(f"PUT: {answer.status}")
    if turn >= 2: taken.append((time.monotonic() - begun) * 1000)
print(json.dumps(taken))
"""

PATCHES = r"""
import http.client, json, os, time
connection = http.client.HTTPConnection("10.77.0.2", 18080, timeout=10)
taken = []
for index in range(60):
    body = json.dumps([{"action": "allow", "target": "one.patched.test", "ports": [f"{1000 + index}/tcp"]}])
    begun = time.monotonic()
    connection.request("PATCH", "/policy", body, {"OPENSANDBOX-EGRESS-AUTH": os.environ["TOKEN"]})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200: raise SystemExit(f"PATCH: {answer.status}")
    if index >= 10: taken.append((time.monotonic() - begun) * 1000)
print(json.dumps(taken))
"""


def table(baselines):
    rows = list(dict.fromkeys(row for row, _ in values))
    print(f"\n| {'row':44} | {'contender':22} | {'median':>10} | {'spread':>21} | ratio |")
    print(f"|{'-' * 46}|{'-' * 24}|{'-' * 11}:|{'-' * 22}:|-------|")
    for row in rows:
        contenders = [contender for name, contender in values if name == row]
        base = next((b for b in baselines if b in contenders), contenders[0])
        for contender in contenders:
            found = values[row, contender]
            median, compared = statistics.median(found), statistics.median(values[row, base])
            ratio = "1" if contender == base else f"{median / compared:.2f}" if compared else "-"
            print(f"| {row:44} | {contender:22} | {median:10,.4g} | {min(found):9,.4g} … {max(found):9,.4g} | {ratio:5} |")


def main():
    parser = argparse.ArgumentParser(prog="Tests/Benchmarks/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender has its turn (5)")
    parser.add_argument("--rows", default="dns,hub,delivery,backlog,memory,start,rules,policy,owner,leases,revocation,commit", help="parts to measure, by commas (all)")
    parser.add_argument("--seconds", type=float, default=2, help="length of the runs with hot and denied names (2)")
    parser.add_argument("--quick", action="store_true", help="of the peers only knot and the relay")
    parser.add_argument("--settle", type=float, default=4, help="seconds between the first delivery and the look at the memory (4)")
    options = parser.parse_args()
    rows = options.rows.split(",")
    failed = 0
    tools = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-bench-"))
    # Inherited by everything that is started from here on.
    os.sched_setaffinity(0, {int(REST)})
    os.nice(-10)
    try:
        tools.chmod(0o755)
        compile_tools(tools)
        with Lab(tag=f"bench{os.getpid()}", zone=zone()) as lab:
            write_queries(lab.folder)
            bench = Bench(lab, tools, options)
            for index in range(options.rounds):
                print(f"round {index + 1} of {options.rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
                bench.dns_round(rows)
                delivery = Delivery(bench, note, cpu_seconds, status)
                for part in ("delivery", "backlog"):
                    if part in rows:
                        getattr(delivery, f"{part}_round")()
                for part in ("memory", "start", "rules", "policy", "owner", "leases", "revocation", "commit"):
                    if part in rows:
                        getattr(bench, f"{part}_round")()
    except KeyboardInterrupt:
        print("stopped early", file=sys.stderr)
    except Exception:
        failed = 1
        traceback.print_exc()
    finally:
        shutil.rmtree(tools, True)
    print(f"Medians of {options.rounds} rounds on {os.cpu_count()} cores, Linux {os.uname().release}. Ratios are to the contender whose ratio is 1.")
    table([RELAY, "dnsmasq --nftset", "10 rules", "first allowed packet", "1,000 leases held", "last packet of 100 flows", "netlink, in process"])
    return failed


if __name__ == "__main__":
    sys.exit(main())
