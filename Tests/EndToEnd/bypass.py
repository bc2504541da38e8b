"""What the tests of the hostile workload stand on: its three players, the capture of what left the pod, and what must be on the record of each try.

After each test everything that left the pod since it began is looked at: what is not the daemon's own, not a reply to permitted ingress and not to an
address and port that the policy allows at the time, is an escape. When all tests of a class are over, each try that made a packet must be on the record.
"""
import collections, contextlib, ipaddress, json, os, pathlib, re, select, shutil, socket, struct, subprocess, sys, time

import bypass_workload as workload
from stage import Flow, LabCase, allow, deny_all_but, inside, wait_for

PROGRAM = pathlib.Path(workload.__file__)
DENIED, DENIED6 = "198.51.100.77", "2001:db8:bad::60"
ALLOWED, ALLOWED6 = "198.51.100.10", "2001:db8::10"
HUB, API, PROXY = "203.0.113.10", 18080, 15353
OUTSIDE = "10.77.0.1"
# A process's credentials, as setpriv takes them.
PLAIN = ("--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
RAW = ("--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw", "--no-new-privs")
ROOT = ("--inh-caps=-all", "--bounding-set=-net_admin,-sys_admin,-sys_ptrace,-sys_module,-sys_rawio,-perfmon", "--no-new-privs")
# Who may become the daemon's user: what that opens is known, and no more may be.
DAEMON = ("--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw")
PLAYERS = {"": PLAIN, ", with NET_RAW": RAW, ", by root without NET_ADMIN": ROOT}
POLICY = deny_all_but(allow("*.open.test"), allow("*.web.test", "443/tcp"), {"action": "deny", "target": "198.51.100.49"}, allow("198.51.100.48/28", "7000"),
                      allow("alias-198-51-100-31.front.test"), allow("*.rebind.test"), allow("*.many.test"), allow("a-198-51-100-36.one.test"), allow("a-198-51-100-36.two.test"))

held = {}                                                 # what was tried: whether it was blocked
recorded = {}                                             # what was tried and made a packet: whether it is on the record


def report():
    """Prints N of N, and begins anew."""
    for what, tally in (("not blocked", held), ("not on the record", recorded)):
        for label, good in tally.items():
            if not good:
                print(f"{what}: {label}", file=sys.stderr)
    if held:
        print(f"{sum(held.values())} of {len(held)} blocked; {sum(recorded.values())} of {len(recorded)} that made a packet are on the record", file=sys.stderr)
    held.clear()
    recorded.clear()


class Packet:
    """One packet that left the pod, as far as its headers can be read."""

    def __init__(self, frame):
        self.octets = frame
        self.address = self.source = ""
        self.protocol = self.port = self.source_port = self.kind = self.sought = None
        ethernet, = struct.unpack_from("!H", frame, 12)
        self.isARP = ethernet == 0x0806
        place = None
        if self.isARP:
            self.address = socket.inet_ntoa(frame[38:42])
        elif ethernet == 0x0800:
            self.source, self.address = socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
            self.protocol, place = frame[23], 14 + 4 * (frame[14] & 15)
        elif ethernet == 0x86dd:
            self.source, self.address = socket.inet_ntop(10, frame[22:38]), socket.inet_ntop(10, frame[38:54])
            self.protocol, place = frame[20], 54
            if self.protocol == 0 and len(frame) > 56:    # hop-by-hop: the router alert of a listener report
                self.protocol, place = frame[54], 54 + 8 * (frame[55] + 1)
        self.isIP = place is not None
        if self.protocol in (6, 17) and len(frame) >= place + 4:
            self.source_port, self.port = struct.unpack_from("!HH", frame, place)
        elif self.protocol == 58 and len(frame) > place:
            self.kind = frame[place]
            if self.kind == 135 and len(frame) >= place + 24:
                self.sought = socket.inet_ntop(10, frame[place + 8:place + 24])

    def __repr__(self):
        return f"{self.source}.{self.source_port} > {self.address}.{self.port} protocol {self.protocol}: {self.octets[34:100]!r}"


def sent_by(one):
    """What a try sends: (address, port, protocol's name in the record), where port or protocol may be None for any; None when it sends nothing that could be told."""
    kind, *rest = one
    if kind == "as_user":
        return sent_by(rest[1:])
    if kind not in ("tcp", "udp", "unconnected_udp", "fast_open", "other", "ping", "look_up", "raw_tcp", "raw_udp", "raw_icmp", "raw_other", "raw6", "icmp6", "with_control", "reconnected"):
        return None
    if [[1, 25, "@lo"]] in rest:                          # never gets beyond loopback
        return None
    if kind == "raw_udp" and len(rest) > 5 and rest[5] and not rest[4]:
        return None                                       # a fragment waits in the kernel for the others
    if kind == "look_up":
        if len(rest) < 3 or rest[2] == 53:                # the proxy's
            return None
        kind, rest = rest[3] if len(rest) > 3 else "udp", [rest[1], rest[2], rest[5] if len(rest) > 5 else ()]
    if kind == "reconnected":
        kind, rest = "tcp", rest[1:]
    address = ipaddress.ip_address(rest[0].split("%")[0])
    options = rest[2] if kind in ("tcp", "udp", "with_control") and len(rest) > 2 else ()
    for level, name, value in options:
        if (level, name) == (0, 8) and value.startswith("01000000"):
            return None                                   # loopback again, by its number
        if (level, name) == (0, 4):                       # a source route: the first hop is where it goes
            address = ipaddress.ip_address(bytes.fromhex(value)[4:8])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_unspecified:                            # the kernel takes it for the pod itself
        here = workload.POD if [1, 25, "@eth0"] in options else "127.0.0.1"
        address = ipaddress.ip_address(here if address.version == 4 else "::1")
    number = {"tcp": 6, "fast_open": 6, "udp": 17, "unconnected_udp": 17, "raw_tcp": 6, "raw_udp": 17, "with_control": 17, "raw_icmp": 1, "icmp6": 58,
              "ping": 1 if address.version == 4 else 58, "raw6": None}.get(kind, 0)
    if kind == "raw_other":
        number = rest[1]
    elif kind == "other":
        number = 6 if rest[2] == workload.MPTCP else rest[2]
    elif kind == "udp" and len(rest) > 4 and rest[4]:
        number = rest[4]
    if number in (6, 17) and kind != "raw_other" and rest[1] == 53 and (kind != "raw_tcp" or rest[2] in (2, 16)):
        return None                                       # the proxy's
    port = rest[1] if number in (6, 17) and not kind.startswith("raw") else None
    if address.is_loopback or str(address) in (workload.POD, "fd77::2"):
        # Inside the pod only two ports are closed.
        if port not in (API, PROXY) or port == API and number != 6:
            return None
    name = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP", None: None}.get(number, str(number))
    return str(address), port, name


class BypassCase(LabCase):
    upstream = workload.RESOLVER
    profile = "auto"
    policy = POLICY
    open_to = ()                                          # (address, port or None) that the policy of the class lets through

    @classmethod
    def prepare(cls):
        lab = cls.lab
        cls.players, cls.serial, cls.probe_serial = {}, 0, 0
        cls.evidence = collections.defaultdict(list)      # (address, port, protocol) or a name: the tries and, for each, the flow it belongs to
        for name, value in (("net.ipv4.ping_group_range", "0 2147483647"), ("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ip_forward", "1")):
            lab.inside(lab.pod, "sysctl", "-qw", f"{name}={value}")  # as container runtimes leave them
        # Readable by the workload, wherever this checkout lies.
        cls.program = lab.folder / "workload.py"
        shutil.copy(PROGRAM, cls.program)
        cls.program.chmod(0o644)
        cls.asked_file = lab.folder / "asked"
        lab.start(sys.executable, PROGRAM, "resolver", cls.asked_file, namespace=lab.outside, log="resolver.log")
        wait_for("the resolver listens", lambda: "ready" in (lab.folder / "resolver.log").read_text())
        cls.settings = {"SALLYPORT_DNS_UPSTREAM": cls.upstream, "SALLYPORT_KERNEL_PROFILE": cls.profile, **cls.settings}
        cls.pcap = lab.folder / "left.pcap"
        cls.mac = json.loads(lab.inside(lab.pod, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
        process = lab.start("tcpdump", "-Z", "root", "-i", "eth0", "-U", "--immediate-mode", "-B", "16384", "-s", "400", "-w", cls.pcap, f"ether src {cls.mac}",
                            namespace=lab.outside, log="left.log")
        wait_for("tcpdump listens", lambda: "listening" in (lab.folder / "left.log").read_text() or process.poll() is not None)
        if process.poll() is not None:
            raise AssertionError((lab.folder / "left.log").read_text())
        with inside(lab.outside):
            cls.probe = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        cls.probe.bind(("eth0", 0x0806))
        cls.addClassCleanup(cls.probe.close)
        cls.addClassCleanup(cls.dismiss_players)

    @classmethod
    def dismiss_players(cls):
        for process in cls.players.values():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def setUp(self):
        self.is_recorded = True                           # false while no daemon runs
        self.may = set(self.open_to)
        self.false_sources = ()                           # under which a packet without the mark may leave
        self.place = self.pcap.stat().st_size
        self.labels = []

    def tearDown(self):
        escaped = [packet for packet in self.left() if not self.permitted(packet)]
        for label in self.labels:
            held[label] = held.get(label, True) and not escaped
        self.assertEqual(escaped, [], "left the pod")

    # What left.

    def left(self):
        """The packets that left the pod since the test began. The kernel's answer to a question of ours comes behind all of them."""
        cls = type(self)
        cls.probe_serial = cls.probe_serial % 100 + 1
        asker = socket.inet_aton(f"10.77.0.{100 + cls.probe_serial}")
        source = cls.probe.getsockname()[4]
        target = bytes.fromhex(cls.mac.replace(":", ""))
        question = target + source + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + source + asker + bytes(6) + socket.inet_aton(workload.POD)
        before = self.pcap.stat().st_size

        def answered():
            packets, place = self.packets(before)
            return any(p.isARP and p.octets[20:22] == b"\0\2" and p.octets[38:42] == asker for p in packets)

        cls.probe.send(question)
        try:
            wait_for("the capture is complete", answered, 20)
        except TimeoutError:
            self.fail("the capture does not show an answer of the pod's kernel")
        return self.packets(self.place)[0]

    def packets(self, place):
        """Those of the capture from this place on, and the place behind them."""
        packets = []
        with open(self.pcap, "rb") as file:
            file.seek(max(place, 24))
            octets = file.read()
        at = 0
        while at + 16 <= len(octets):
            length, = struct.unpack_from("<I", octets, at + 8)
            if at + 16 + length > len(octets):            # not written to its end yet
                break
            packets.append(Packet(octets[at + 16:at + 16 + length]))
            at += 16 + length
        return packets, max(place, 24) + at

    def looked_at(self):
        """What left until now is none of the test's business."""
        self.left()
        self.place = self.packets(self.place)[1]

    def permitted(self, packet):
        if packet.isARP:                                  # to its gateway, and to us who ask
            return packet.address == OUTSIDE or packet.octets[20:22] == b"\0\2"
        if not packet.isIP:
            return False
        if packet.protocol == 58 and packet.kind in (131, 132, 133, 135, 136, 143):
            address = ipaddress.ip_address(packet.address)
            if packet.kind == 135 and packet.sought not in ("fd77::1", "fd77::2") and not packet.sought.startswith("fe80:"):
                return False                              # nobody looks for a neighbour that may not be spoken to
            return (address.is_link_local or address.is_multicast or packet.address.startswith("fd77:")) and workload.MARK not in packet.octets
        if (packet.address, packet.port) in ((workload.RESOLVER, 53), (workload.RESOLVER6, 53)):
            return b"escape" not in packet.octets.lower()
        if packet.protocol == 6 and ((packet.address, packet.port) == (HUB, 443) or (packet.address, packet.source_port) == (OUTSIDE, API)):
            return True
        return ((packet.source in (workload.POD, "fd77::2") or packet.source in self.false_sources and workload.MARK not in packet.octets)
                and ((packet.address, packet.port) in self.may or (packet.address, None) in self.may))

    # Trying.

    def begin_tries(self, tries, credentials):
        """Tells a player what to try. The players live as long as the class."""
        process = self.players.get(credentials)
        if process is None:
            base = 20000 + 4000 * len(self.players)
            process = self.players[credentials] = subprocess.Popen(
                ["ip", "netns", "exec", self.lab.pod, "setpriv", *credentials, sys.executable, str(self.program), "play", str(base)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        process.stdin.write(json.dumps(tries).encode() + b"\n")

    def outcomes(self, credentials, timeout=120):
        """What came of it."""
        process = self.players[credentials]
        answer, end = b"", time.monotonic() + timeout
        while not answer.endswith(b"\n"):
            if not select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                self.fail(f"no outcome after {timeout} s")
            piece = os.read(process.stdout.fileno(), 1 << 16)
            self.assertTrue(piece, "the player ended")
            answer += piece
        return json.loads(answer)

    def run_tries(self, tries, credentials=PLAIN):
        self.begin_tries(tries, credentials)
        return self.outcomes(credentials)

    def assertBlocked(self, tries, *players, also=()):
        """Every try of {label: [function, argument…]}, by every player unless some are given, ends in a refusal of some kind: nobody outside spoke to it.
        tearDown looks at what left, the last test at what is on the record."""
        found = {}
        playing = {player: credentials for player, credentials in PLAYERS.items() if not players or credentials in players}
        for credentials in playing.values():
            self.begin_tries(list(tries.values()), credentials)
        for player, credentials in playing.items():
            for (label, one), outcome in zip(tries.items(), self.outcomes(credentials)):
                label = f"{type(self).__name__}: {label}{player}"
                found[label] = outcome
                self.labels.append(label)
                held[label] = not (outcome.startswith(("answered", "connected")) or outcome.startswith("code:0") and outcome != "code:0") or outcome in also
                if self.is_recorded:
                    self.expect_record(label, one, outcome)
        for label, outcome in found.items():
            with self.subTest(label):
                self.assertTrue(held[label], f"{label}: {outcome}")
        return found

    def expect_record(self, label, one, outcome):
        """Notes what a blocked try must leave on the record."""
        if one[0] == "look_up" and (len(one) < 4 or one[3] == 53):
            if re.match(r"code:[1-9]", outcome):
                self.evidence[one[1].lower()].append((label, label))
            return
        sent = sent_by(one)
        if sent is None or outcome not in ("refused", "not permitted", "silence", "sent"):
            return
        address, port, protocol = sent
        if outcome != "refused" and one[0] != "unconnected_udp":
            port = None
        # A flow that conntrack still knows tells of itself once.
        bind = one[4] if one[0] in ("tcp", "udp") and len(one) > 4 else None
        self.evidence[address, port, protocol].append((label, tuple(bind) if bind else label))

    def one(self, name, *arguments, credentials=PLAIN):
        return self.run_tries([[name, *arguments]], credentials)[0]

    def note(self, label, good, message=""):
        """A try whose outcome the test itself looks at."""
        label = f"{type(self).__name__}: {label}"
        self.labels.append(label)
        held[label] = bool(good)
        self.assertTrue(good, f"{label}: {message}")

    # The record.

    def assertAllOnRecord(self):
        """Stops the daemon, so that what it still counts becomes records, and compares. Flows and names: as many as tries, by destination, port and protocol. Packets that the
        kernel only counts: each way is there, and all are as many as tries; those that come while the daemon reads are told with the busiest way."""
        def counted():
            sets = (f"{name}{family}" for name in ("dropped", "forwarded", "uninvited") for family in (4, 6))
            return [name for name in sets if "counter packets" in self.lab.inside(self.lab.pod, "nft", "list", "set", "inet", "sallyport", name).stdout]

        wait_for("what the kernel counted is on the record", lambda: not counted(), 30)
        self.sidecar.terminate()
        self.assertEqual(self.sidecar.wait(60), 0, self.lab.log()[-2000:])
        told = collections.Counter()
        for record in self.lab.records():
            if record["SbxRecordKind"] == "DnsDenied":
                told[record["DnsQuery"].lower()] += record["EventCount"]
            elif record["SbxRecordKind"] == "FlowDenied":
                address = str(ipaddress.ip_address(record["DstIpAddr"]))
                told["packets"] += record["EventCount"]
                for port in {record.get("DstPortNumber"), None}:
                    for protocol in (record["NetworkProtocol"], None):
                        told[address, port, protocol] += record["EventCount"]
        expected = collections.Counter()
        for key, tries in self.evidence.items():
            flows = len({flow for _, flow in tries})
            expected[key] = flows if isinstance(key, str) or key[1] is not None else 1
            if isinstance(key, tuple):
                expected["packets"] += flows
        missing = []
        for key, tries in self.evidence.items():
            for label, _ in tries:
                recorded[label] = told[key] >= expected[key]
            if told[key] < expected[key]:
                missing.append(f"{key}: {told[key]} of {expected[key]} of {'; '.join(label for label, _ in tries)[:160]}")
        if told["packets"] < expected["packets"]:
            missing.append(f"{told['packets']} packets of {expected['packets']} in all")
        if missing:
            self.fail("\n".join([f"{len(missing)} are not on the record:", *missing[:40]]))

    # The pod and the daemon.

    def kill(self):
        """SIGKILL. Repeats that were being counted are lost with it: of what was tried until now only the first is on the record for certain."""
        for key, tries in self.evidence.items():
            self.evidence[key] = [(label, "before") for label, _ in tries]
        self.sidecar.kill()
        self.sidecar.wait()

    def resolve(self, name):
        outcome = self.one("look_up", name, workload.RESOLVER, 53, "udp", None, (), 28 if name.startswith("six") else 1, 10)
        self.assertRegex(outcome, r"^code:0 \S+", f"{name}\n{self.lab.log()[-1500:]}")
        return outcome.split()[1:]

    def change(self, method, body):
        status, answer, _ = self.lab.api(method, "/policy", body)
        self.assertEqual(status, 200, answer)

    def asked(self):
        return self.asked_file.read_text().split()

    def true_mark(self):
        text = self.lab.inside(self.lab.pod, "nft", "list", "ruleset").stdout
        return struct.pack("=I", int(re.search(r"meta mark (0x[0-9a-f]+|\d+)", text)[1], 0)).hex()

    def own_query_ports(self):
        """Source ports of the daemon's upstream queries that conntrack remembers."""
        ports = set()
        for protocol in ("udp", "tcp"):
            text = self.lab.inside(self.lab.pod, "conntrack", "-L", "-p", protocol, "--orig-dst", workload.RESOLVER, "--orig-port-dst", "53", check=False).stdout
            ports |= {int(re.search(r"sport=(\d+)", line)[1]) for line in text.splitlines()}
        return sorted(ports)
