"""The hostile workload against the daemon and this machine's kernel: each way out is tried, none may lead anywhere.

After each test everything that left the pod since it began is looked at: what is not the daemon's own, not a reply to permitted ingress and not to an
address and port that the policy allows at the time, is an escape.
"""
import contextlib, ipaddress, json, pathlib, re, shutil, signal, socket, struct, subprocess, sys, time, unittest

import bypass_workload as workload
from stage import Flow, LabCase, allow, binary, deny_all_but, run, wait_for

PROGRAM = pathlib.Path(workload.__file__)
DENIED, DENIED6 = "198.51.100.77", "2001:db8:bad::60"
ALLOWED, ALLOWED6 = "198.51.100.10", "2001:db8::10"
HUB, API = "203.0.113.10", 18080
OUTSIDE = "10.77.0.1"
TALLY = {}                                                # what was tried: whether it was blocked
# A process's credentials, as setpriv takes them.
PLAIN = ("--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
RAW = ("--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw", "--no-new-privs")
ROOT = ("--inh-caps=-all", "--bounding-set=-net_admin,-sys_admin,-sys_ptrace,-sys_module,-sys_rawio", "--no-new-privs")


def tearDownModule():
    for what, held in TALLY.items():
        if not held:
            print(f"not blocked: {what}", file=sys.stderr)
    print(f"{sum(TALLY.values())} of {len(TALLY)} blocked", file=sys.stderr)


class Packet:
    """One packet that left the pod, as far as its headers can be read."""

    def __init__(self, frame):
        self.octets = frame
        self.address = self.source = ""
        self.protocol = self.port = self.source_port = self.kind = None
        ethernet, = struct.unpack_from("!H", frame, 12)
        place = None
        if ethernet == 0x0800:
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

    def __repr__(self):
        return f"{self.source}.{self.source_port} > {self.address}.{self.port} protocol {self.protocol}: {self.octets[34:100]!r}"


class BypassCase(LabCase):
    upstream = workload.RESOLVER
    open_to = ()                                          # (address, port or None) that the policy of the class lets through

    @classmethod
    def prepare(cls):
        lab = cls.lab
        for name, value in (("net.ipv4.ping_group_range", "0 2147483647"), ("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ip_forward", "1")):
            lab.inside(lab.pod, "sysctl", "-qw", f"{name}={value}")  # as container runtimes leave them
        # Readable by the workload, wherever this checkout lies.
        cls.program = lab.folder / "workload.py"
        shutil.copy(PROGRAM, cls.program)
        cls.program.chmod(0o644)
        cls.asked_file = lab.folder / "asked"
        lab.start(sys.executable, PROGRAM, "resolver", cls.asked_file, namespace=lab.outside, log="resolver.log")
        wait_for("the resolver listens", lambda: "ready" in (lab.folder / "resolver.log").read_text())
        cls.settings = {"SALLYPORT_DNS_UPSTREAM": cls.upstream, **cls.settings}
        cls.pcap = lab.folder / "left.pcap"
        mac = json.loads(lab.inside(lab.pod, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
        process = lab.start("tcpdump", "-i", "eth0", "-U", "--immediate-mode", "-B", "16384", "-s", "400", "-w", cls.pcap, f"ether src {mac}",
                            namespace=lab.outside, log="left.log")
        wait_for("tcpdump listens", lambda: "listening" in (lab.folder / "left.log").read_text() or process.poll())

    def setUp(self):
        self.may = set(self.open_to)
        self.false_sources = ()                           # under which a packet without the mark may leave
        self.place = self.pcap.stat().st_size
        self.labels = []

    def tearDown(self):
        escaped = [packet for packet in self.left() if not self.permitted(packet)]
        for label in self.labels:
            TALLY[label] = TALLY.get(label, True) and not escaped
        self.assertEqual(escaped, [], "left the pod")

    def left(self):
        """The packets that left the pod since the test began."""
        time.sleep(0.25)
        octets, place, packets = self.pcap.read_bytes(), max(self.place, 24), []
        while place + 16 <= len(octets):
            length, = struct.unpack_from("<I", octets, place + 8)
            packets.append(Packet(octets[place + 16:place + 16 + length]))
            place += 16 + length
        return packets

    def permitted(self, packet):
        if not packet.isIP:
            return packet.octets[12:14] == b"\x08\x06"    # ARP
        if packet.protocol == 58 and packet.kind in (131, 132, 133, 135, 136, 143):
            address = ipaddress.ip_address(packet.address)
            return (address.is_link_local or address.is_multicast or packet.address.startswith("fd77:")) and workload.MARK not in packet.octets
        if (packet.address, packet.port) in ((workload.RESOLVER, 53), (workload.RESOLVER6, 53)):
            return b"escape" not in packet.octets.lower()
        if packet.protocol == 6 and ((packet.address, packet.port) == (HUB, 443) or (packet.address, packet.source_port) == (OUTSIDE, API)):
            return True
        return (packet.source in ("10.77.0.2", "fd77::2") or packet.source in self.false_sources and workload.MARK not in packet.octets) and ((packet.address, packet.port) in self.may or (packet.address, None) in self.may)

    # Trying.

    def run_tries(self, tries, credentials=PLAIN, timeout=60):
        result = self.lab.inside(self.lab.pod, "setpriv", *credentials, sys.executable, self.program, "try", input=json.dumps(tries), timeout=timeout, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def assertBlocked(self, tries, credentials=PLAIN, timeout=60, also=()):
        """Every try of {label: [function, argument…]} ends in a refusal of some kind: nobody outside spoke to it. tearDown looks at what left."""
        outcomes = self.run_tries(list(tries.values()), credentials, timeout)
        self.labels += tries
        for label, outcome in zip(tries, outcomes):
            text = str(outcome)
            TALLY[label] = not (text.startswith(("answered", "connected")) or text.startswith("code:0") and text != "code:0") or outcome in also
        for label, outcome in zip(tries, outcomes):
            with self.subTest(label):
                self.assertTrue(TALLY[label], f"{label}: {outcome}")
        return dict(zip(tries, outcomes))

    def one(self, name, *arguments, credentials=PLAIN, timeout=60):
        return self.run_tries([[name, *arguments]], credentials, timeout)[0]

    def note(self, label, held, message=""):
        """A try whose outcome the test itself looks at."""
        self.labels.append(label)
        TALLY[label] = bool(held)
        self.assertTrue(held, f"{label}: {message}")

    def resolve(self, name):
        outcome = self.one("look_up", name, workload.RESOLVER, 53, "udp", None, (), 28 if name.startswith("six") else 1, 2)
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


class Bypass(BypassCase):
    policy = deny_all_but(allow("*.open.test"), allow("*.web.test", "443/tcp"), {"action": "deny", "target": "198.51.100.49"},
                          allow("198.51.100.48/28", "7000"), allow("alias-198-51-100-31.front.test"), allow("*.rebind.test"), allow("*.many.test"),
                          allow("over.test", "7000-7010/tcp"), allow("pair.test"), allow("a-198-51-100-36.one.test"), allow("a-198-51-100-36.two.test"))

    # Addresses.

    def test_who_may_not_change_the_rules(self):
        tries = {what: ["command", *words.split()] for what, words in (
            ("deleting the table", "nft delete table inet sallyport"), ("a rule of its own", "nft insert rule inet sallyport out accept"), ("flushing conntrack", "conntrack -F"),
            ("marking flows", "conntrack -U -m 1"), ("a route", "ip route add 198.51.100.200/32 via 10.77.0.1"), ("an address", "ip addr add 10.77.0.9/24 dev eth0"), ("a tunnel", "ip tunnel add t0 mode gre remote 10.77.0.1"),
            ("reading the rules", "nft list ruleset"), ("a user namespace, then the table", "unshare -Ur nft delete table inet sallyport"), ("a queueing rule", "tc qdisc add dev eth0 clsact"))}
        self.assertBlocked(tries)
        self.assertBlocked({f"{label}, with NET_RAW": one for label, one in tries.items()}, RAW)
        self.assertBlocked({f"{label}, by root": one for label, one in tries.items()}, ROOT)

    def test_a_listener_on_the_closed_port_meets_itself(self):
        outcome = self.assertBlocked({"a listener on the closed port": ["own_listener", "198.51.100.78", 7000]})
        self.assertIn("met itself", outcome.values())
        self.arrived("FlowDenied", DstIpAddr="198.51.100.78", DstPortNumber=7000, NetworkProtocol="TCP")

    def test_denied_addresses(self):
        tries = {}
        for address in (DENIED, DENIED6, "8.8.8.8", "203.0.113.77", "10.53.0.53", "10.77.0.1", "fd77::1", "169.254.169.254", "2606:4700::1111", HUB):
            for port in (443, 853, 7000, 9, 15353, API):
                tries[f"tcp {address} {port}"] = ["tcp", address, port]
                tries[f"udp {address} {port}"] = ["udp", address, port]
        outcomes = self.assertBlocked(tries)
        self.assertEqual({o for o in outcomes.values()}, {"refused"}, {k: o for k, o in outcomes.items() if o != "refused"})
        for address in (DENIED, DENIED6):
            for port in (443, 7000):
                for protocol in ("TCP", "UDP"):
                    self.arrived("FlowDenied", DstIpAddr=address, DstPortNumber=port, NetworkProtocol=protocol)

    def test_disguised_addresses(self):
        self.assertBlocked({f"{p} {what}": [p, address, 7000] for p in ("tcp", "udp") for what, address in (
            ("IPv4-mapped", f"::ffff:{DENIED}"), ("IPv4-compatible", f"::{DENIED}"), ("NAT64", "64:ff9b::c633:644d"), ("NAT64 local", "64:ff9b:1::c633:644d"),
            ("6to4", "2002:c633:644d::1"), ("Teredo", "2001:0:c633:644d::1"), ("link-local", "fe80::1%eth0"), ("unspecified", "0.0.0.0"), ("this network", "0.1.2.3"),
            ("class E", "240.0.0.1"), ("site-local", "fec0::1"))})

    def test_ports_outside_the_rule(self):
        self.resolve("a-198-51-100-10.web.test")
        self.may.add((ALLOWED, 443))
        self.assertIn(self.one("tcp", ALLOWED, 443), ("connected", "answered", "ECONNRESET"))
        self.assertBlocked({f"{p} allowed address, port {port}": [p, ALLOWED, port] for p, port in (
            ("tcp", 80), ("tcp", 7000), ("udp", 443), ("udp", 7000), ("tcp", 442), ("tcp", 444), ("tcp", 853), ("tcp", 22), ("udp", 853))})
        self.assertBlocked({"ping of an address whose rule has ports": ["ping", ALLOWED], "UDP-Lite to it": ["udp", ALLOWED, 443, (), None, workload.UDPLITE],
                            "SCTP to it": ["other", ALLOWED, 443, workload.SCTP, 1]})
        self.assertEqual(self.one("tcp", "198.51.100.50", 443), "refused")
        # Among as many denials as this suite makes, those of one address may be counted in one record, without its port, at the end of their 10 s.
        wait_for("it is on the record", lambda: [r for r in self.lab.records("FlowDenied", DstIpAddr=ALLOWED) if r.get("DstPortNumber", 80) == 80], 30)

    def test_protocols_other_than_tcp_and_udp(self):
        tries = {f"{what} {a}": ["other", a, 7000, protocol, kind] for a in (DENIED, DENIED6) for what, protocol, kind in (
            ("SCTP", workload.SCTP, socket.SOCK_STREAM), ("SCTP seqpacket", workload.SCTP, socket.SOCK_SEQPACKET), ("DCCP", workload.DCCP, 6), ("L2TP", workload.L2TP, socket.SOCK_DGRAM),
            ("MPTCP", workload.MPTCP, socket.SOCK_STREAM))}
        tries |= {f"UDP-Lite {a}": ["udp", a, 7000, (), None, workload.UDPLITE] for a in (DENIED, DENIED6)}
        tries |= {f"ping {a}": ["ping", a] for a in (DENIED, DENIED6, "10.77.0.1", "fd77::1")}
        self.assertBlocked(tries)

    def test_socket_options(self):
        self.resolve("a-198-51-100-10.open.test")
        lsrr = "01" + "830704" + "c633644d"               # no-operation, then loose source route over one hop
        strict = "01" + "890704" + "c633644d"
        via = "01" + "830704" + "c633640a"
        segment_route = "0002040000000000" + socket.inet_pton(10, DENIED6).hex()
        tries = {}
        for a, level in ((DENIED, 0), (DENIED6, 41)):
            tries |= {
                f"TCP fast open {a}": ["fast_open", a, 7000],
                f"bound to eth0 {a}": ["udp", a, 7000, [[1, 25, "@eth0"]]],
                f"bound to lo {a}": ["udp", a, 7000, [[1, 25, "@lo"]]],
                f"tcp bound to eth0 {a}": ["tcp", a, 7000, [[1, 25, "@eth0"]]],
                f"a guessed mark {a}": ["tcp", a, 7000, [[1, workload.SO_MARK, 1]]],
                f"do not route {a}": ["tcp", a, 7000, [[1, 5, 1]]],
                f"8 KiB in fragments {a}": ["udp", a, 7000, (), None, 0, 8192],
                f"60 KiB in fragments {a}": ["udp", a, 7000, (), None, 0, 60000],
                f"from port 53 {a}": ["udp", a, 7000, (), ["::" if ":" in a else "0.0.0.0", 53]],
                f"from the API's port by UDP {a}": ["udp", a, 7000, (), ["::" if ":" in a else "0.0.0.0", API]],
                f"without connect() {a}": ["unconnected_udp", a, 7000],
                f"without fragmenting {a}": ["udp", a, 7000, [[level, 10 if level == 0 else 23, 2]], None, 0, 1400],
                f"to port 0 {a}": ["unconnected_udp", a, 0],
            }
        tries |= {
            "loose source route to a denied hop": ["tcp", DENIED, 7000, [[0, 4, lsrr]]], "strict source route": ["udp", DENIED, 7000, [[0, 4, strict]]],
            "loose source route: denied hop, allowed end": ["udp", ALLOWED, 7000, [[0, 4, lsrr]]],
            "hop-by-hop options": ["udp", DENIED6, 7000, [[41, 54, "0000010400000000"]]], "destination options": ["udp", DENIED6, 7000, [[41, 59, "0000010400000000"]]],
            "a routing header": ["udp", DENIED6, 7000, [[41, 57, segment_route]]],
            "transparent": ["udp", DENIED, 7000, [[0, 19, 1]]], "a free address": ["udp", DENIED, 7000, [[0, 15, 1]], ["198.51.100.10", 0]],
            "a free IPv6 address": ["udp", DENIED6, 7000, [[41, 78, 1]], ["2001:db8::10", 0]],
        }
        self.assertBlocked(tries)
        outcome = self.one("udp", DENIED, 7000, [[0, 4, via]])
        self.may.add((ALLOWED, None))                      # its header names the allowed hop; what that makes of it is the hop's
        self.note("loose source route over an allowed hop: the hop does not forward", not outcome.startswith("answered"), outcome)

    def test_multicast_and_broadcast(self):
        broadcast = [[1, 6, 1]]
        self.assertBlocked({f"udp to {a}": ["unconnected_udp", a, 5353, broadcast + (more or [])] for a, more in (
            ("224.0.0.251", None), ("224.0.0.1", None), ("239.1.2.3", None), ("255.255.255.255", None), ("10.77.0.255", None), ("ff02::fb%eth0", None), ("ff0e::1", None), ("ff02::1%eth0", None),
            ("239.1.2.4", [[0, 32, "0a4d0002"]]))})
        membership = socket.inet_aton("239.9.9.9").hex() + socket.inet_aton("10.77.0.2").hex()
        self.assertBlocked({"joining a group": ["unconnected_udp", "239.9.9.9", 5353, [[0, 35, membership]]]})

    def test_a_false_source_cannot_turn_a_flow_round(self):
        """A flow from (denied) to (allowed), whose "reply" is then from (allowed) to (denied)."""
        self.resolve("six-11.open.test")
        self.resolve("a-198-51-100-11.open.test")
        self.may |= {("2001:db8::11", 7000), ("198.51.100.11", 7000)}
        self.false_sources = (DENIED, DENIED6)
        self.assertEqual((self.one("udp", "2001:db8::11", 7000), self.one("udp", "198.51.100.11", 7000)), ("answered", "answered"))
        self.assertBlocked({"a flow turned round, IPv6": ["turned_round", DENIED6, "2001:db8::11", 7000]})
        self.assertBlocked({"a flow turned round, IPv4": ["turned_round4", DENIED, "198.51.100.11", 7000]}, RAW)
        self.assertEqual({p.address for p in self.left() if p.source in self.false_sources}, {"2001:db8::11", "198.51.100.11"}, "the first half was sent")

    # Names.

    def test_dns_goes_to_the_proxy_whichever_way(self):
        tries = {}
        for over in ("udp", "tcp"):
            for server in (workload.RESOLVER, "8.8.8.8", DENIED, "10.53.0.53", DENIED6, "127.0.0.1", "::1", "10.77.0.2", "224.0.0.251"):
                tries[f"a denied name, {over} to {server}"] = ["look_up", "escape.denied.test", server, 53, over]
            for port in (443, 7000, 853, 5353):
                tries[f"the resolver's port {port}, {over}"] = ["look_up", "escape.denied.test", workload.RESOLVER, port, over]
            for server in ("127.0.0.1", "::1", "10.77.0.2", "fd77::2", "127.0.0.2", "0.0.0.0"):
                tries[f"the proxy's own port at {server}, {over}"] = ["look_up", "a-1-1-1-1.open.test", server, 15353, over]
            tries[f"a denied name, {over}, bound to eth0"] = ["look_up", "escape.denied.test", workload.RESOLVER, 53, over, None, [[1, 25, "@eth0"]]]
        self.assertBlocked(tries)
        self.assertFalse([name for name in self.asked() if "escape" in name or "a-1-1-1-1" in name])
        self.arrived("DnsDenied", DnsQuery="escape.denied.test")

    def test_the_ports_of_the_daemons_own_queries_lead_nowhere(self):
        """G2: a socket bound to the source port of a recent upstream query meets its conntrack entry, which is not steered."""
        result = self.one("range_of_names", "n%d.many.test", 0, 500)
        self.assertEqual((result["answers"], result["silent"]), (500, 0), result["refused"])
        ports = self.own_query_ports()
        self.assertTrue(ports, "conntrack knows the daemon's queries")
        self.assertBlocked({"the source ports of the daemon's queries": ["from_ports", ports, "escape-collision.denied.test"]})
        # Closed sockets, live entries: the ports can be had now.
        self.sidecar.kill()
        self.sidecar.wait()
        try:
            outcomes = self.assertBlocked({"the same ports, given up": ["from_ports", ports, "escape-collision.denied.test"]})
            self.assertNotIn("none of 0", outcomes.values(), "the ports could be bound")
            self.assertBlocked({"the same ports, by root with the true mark": ["from_ports", ports, "escape-collision.denied.test"]}, ROOT)
        finally:
            self.start_sidecar()
        self.assertFalse([name for name in self.asked() if "escape" in name])

    def test_a_forged_answer_is_not_heard(self):
        """The workload knows the daemon's ports and may try every identifier within the patience of one query, in the resolver's name, over loopback."""
        before, heard = len(self.asked()), self.metric("dns_upstream_unmatched_total")
        outcome = self.assertBlocked({"a forged answer, IPv4": ["forged_answer", 4, "never.open.test", DENIED, 1.5]}, RAW)
        self.assertEqual(self.asked()[before:][:1], ["never.open.test"])
        self.assertBlocked({"an address out of a forged answer": ["tcp", DENIED, 7000]})
        self.assertEqual(outcome["a forged answer, IPv4"], "ignored some")
        self.note("a forged answer over IPv4 never reaches the daemon", self.metric("dns_upstream_unmatched_total") == heard)

    def test_an_alias_target_is_not_allowed_itself(self):
        self.assertEqual(self.resolve("alias-198-51-100-31.front.test"), ["198.51.100.31"])
        self.assertBlocked({"an alias target asked directly": ["look_up", "a-198-51-100-31.cdn.test"]})
        self.assertNotIn("a-198-51-100-31.cdn.test", self.asked())

    def test_answers_with_private_addresses_are_withheld(self):
        self.assertBlocked({f"rebinding, answer {i}": ["look_up", f"private-{i}.rebind.test", workload.RESOLVER, 53, "udp", None, (), 1, 2] for i in range(10)})
        self.assertBlocked({f"rebinding over IPv6, answer {i}": ["look_up", f"private-{i}.rebind.test", workload.RESOLVER, 53, "udp", None, (), 28, 2] for i in range(8)})
        self.assertBlocked({"rebinding, mixed": ["look_up", "mixed.rebind.test", workload.RESOLVER, 53, "udp", None, (), 1, 2]})
        self.assertBlocked({f"tcp {a} after rebinding": ["tcp", a, 7000] for a in ("10.96.0.1", "169.254.169.254", "10.0.0.5", "198.51.100.40")})
        self.assertTrue(self.arrived("DnsDenied", DnsQuery="private-1.rebind.test", EventOriginalResultDetails="PRIVATE_ANSWER"))

    def test_a_lease_is_for_its_address_alone(self):
        self.resolve("a-198-51-100-32.open.test")
        self.may.add(("198.51.100.32", None))
        self.assertEqual(self.one("tcp", "198.51.100.32", 7000), "answered")
        self.assertBlocked({f"the neighbour {a} of a leased address": ["tcp", a, 7000] for a in ("198.51.100.33", "198.51.100.31", "198.51.100.160")})

    def test_malformed_queries_open_nothing_and_harm_nobody(self):
        self.assertBlocked({"1,000 malformed packets to port 53": ["malformed", 1000]})
        self.assertEqual(self.resolve("a-198-51-100-33.open.test"), ["198.51.100.33"])
        self.assertIsNone(self.sidecar.poll())

    def test_one_wildcard_name_asked_with_2000_labels(self):
        result = self.one("range_of_names", "n%d.many.test", 1000, 2000)
        self.note("2,000 labels: nobody waits in vain", result["silent"] == 0, {k: v for k, v in result.items() if k != "addresses"})
        text = self.lab.inside(self.lab.pod, "nft", "list", "map", "inet", "sallyport", "lease4").stdout
        self.note("2,000 labels: no more leases than answers", text.count("198.18.") <= 2600, text.count("198.18."))
        self.assertEqual(self.resolve("a-198-51-100-34.open.test"), ["198.51.100.34"])

    def test_many_flows_wear_nothing_down(self):
        self.assertBlocked({"20,000 UDP sockets to denied ports": ["many_sockets", 20000], "a denied name after them": ["look_up", "escape-flood.denied.test"],
                            "a denied address after them": ["tcp", DENIED, 443]})
        self.assertEqual(self.resolve("a-198-51-100-35.open.test"), ["198.51.100.35"])

    # The daemon's privileges.

    def test_the_control_api_is_closed(self):
        tries = {f"the API at {a}{' by eth0' if o else ''}": ["tcp", a, API, o] for a in ("127.0.0.1", "10.77.0.2", "::1", "fd77::2", "0.0.0.0", "::", "127.9.9.9", "::ffff:127.0.0.1", "::ffff:10.77.0.2", "10.77.0.255")
                 for o in ([], [[1, 25, "@eth0"]])}
        self.assertBlocked(tries)
        self.assertBlocked({f"the API at {a}, by root": ["tcp", a, API] for a in ("127.0.0.1", "10.77.0.2")}, ROOT)
        self.arrived("FlowDenied", DstIpAddr="127.0.0.1", DstPortNumber=API)

    def test_the_true_mark_alone_opens_nothing(self):
        mark = [[1, workload.SO_MARK, self.true_mark()]]
        tries = {f"{p} {a} {port} with the true mark": [p, a, port, mark] for p in ("tcp", "udp") for a, port in (
            (DENIED, 7000), (DENIED6, 7000), (HUB, 443), (workload.RESOLVER, 443), (HUB, 80), ("127.0.0.1", API))}
        tries |= {"the resolver with the true mark": ["look_up", "escape-mark.denied.test", workload.RESOLVER, 53, "udp", None, mark],
                  "the resolver by TCP with the true mark": ["look_up", "escape-mark.denied.test", workload.RESOLVER, 53, "tcp", None, mark]}
        self.assertBlocked(tries, RAW)
        self.assertBlocked({f"{label}, by root": one for label, one in tries.items()}, ROOT)
        self.assertFalse([name for name in self.asked() if "escape" in name])

    def test_the_daemons_user_and_mark_reach_its_own_destinations_and_no_others(self):
        mark = [[1, workload.SO_MARK, self.true_mark()]]
        root = [part.replace("-sys_rawio", "-sys_rawio,-setpcap") for part in ROOT]
        self.assertBlocked({f"{p} {a} {port} as the daemon's user": ["as_user", 65532, p, a, port] for p in ("tcp", "udp") for a, port in (
            (DENIED, 7000), (DENIED6, 7000), (HUB, 443), (HUB, 80), (workload.RESOLVER, 443), ("10.53.0.53", 443))}, root)
        self.assertBlocked({"the resolver as the daemon's user without the mark": ["as_user", 65532, "look_up", "escape-user.denied.test"]}, root)
        result = self.lab.inside(self.lab.pod, "setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw",
                                 "--bounding-set=-all,+net_raw", sys.executable, self.program, "try",
                                 input=json.dumps([["tcp", DENIED, 7000, mark], ["udp", DENIED6, 7000, mark], ["tcp", HUB, 80, mark], ["udp", HUB, 443, mark],
                                                   ["tcp", workload.RESOLVER, 7000, mark], ["look_up", "documented.denied.test", workload.RESOLVER, 53, "udp", None, mark]]))
        outcomes = json.loads(result.stdout)
        self.note("uid and mark of the daemon: no destination but its own", not any(o.startswith(("answered", "connected")) for o in outcomes[:5]), outcomes)
        self.assertTrue(outcomes[5].startswith("code:"), f"documented: who may take uid and mark reaches the resolver ({outcomes[5]})")

    def test_raw_packets(self):
        self.resolve("a-198-51-100-12.open.test")
        self.may.add(("198.51.100.12", 7000))
        self.assertEqual(self.one("udp", "198.51.100.12", 7000, (), ["0.0.0.0", 40777]), "answered")
        mark = [[1, workload.SO_MARK, self.true_mark()]]
        lo = [[1, 25, "@lo"]]
        nodefrag = [[0, workload.IP_NODEFRAG, 1]]
        tries = {}
        for flags, what in ((2, "SYN"), (16, "ACK"), (18, "SYN and ACK"), (4, "RST"), (1, "FIN"), (0, "no flag"), (63, "every flag")):
            tries[f"raw TCP, {what}"] = ["raw_tcp", DENIED, 7000, flags]
            tries[f"raw TCP, {what}, true mark"] = ["raw_tcp", DENIED, 7000, flags, workload.POD, mark]
        tries |= {
            "raw UDP": ["raw_udp", DENIED, 7000], "raw UDP, true mark": ["raw_udp", DENIED, 7000, workload.POD, 4, mark],
            "raw DNS": ["raw_udp", workload.RESOLVER, 53], "raw DNS, true mark": ["raw_udp", workload.RESOLVER, 53, workload.POD, 41000, mark],
            "raw DNS from a false source": ["raw_udp", workload.RESOLVER, 53, "10.77.0.99"], "raw UDP from a false source": ["raw_udp", DENIED, 7000, ALLOWED],
            "raw UDP over loopback from a false source": ["raw_udp", DENIED, 7000, "10.77.0.99", 5, lo], "raw TCP over loopback from a false source": ["raw_tcp", DENIED, 7000, 2, "10.77.0.99", lo],
            "a first fragment": ["raw_udp", DENIED, 7000, workload.POD, 6, (), 0x2000], "a later fragment": ["raw_udp", DENIED, 7000, workload.POD, 6, (), 0x0003],
            "a first fragment, not reassembled": ["raw_udp", DENIED, 7000, workload.POD, 7, nodefrag, 0x2000], "a later fragment, not reassembled": ["raw_udp", DENIED, 7000, workload.POD, 7, nodefrag, 0x0003],
            "a later fragment to an allowed address, not reassembled": ["raw_udp", "198.51.100.12", 7000, workload.POD, 7, nodefrag, 0x0003],
            "an ICMP error about an allowed flow": ["raw_icmp", DENIED, 3, (), [40777, "198.51.100.12", 7000]],
            "ICMPv6 echo": ["icmp6", DENIED6, 128],
        }
        tries |= {f"ICMP type {kind} with a payload": ["raw_icmp", DENIED, kind] for kind in (0, 3, 8, 11, 13)}
        tries |= {f"IP protocol {number}": ["raw_other", DENIED, number] for number in (1, 2, 4, 41, 47, 50, 51, 103, 115, 132, 136, 253, 255)}
        tries |= {f"IPv6 next header {number}": ["raw6", DENIED6, number, octets] for number, octets in (
            (0, "1100010400000000"), (17, "9c431b5800180000"), (43, "1102040000000000" + "00" * 16), (44, "1100000100000001"), (60, "1100010400000000"), (4, ""), (41, ""), (59, ""), (50, "00000001"))}
        self.assertBlocked(tries, RAW)
        # The control messages of the link must not carry anything beyond it, nor a program's payload over it.
        self.assertBlocked({f"ICMPv6 type {kind} to {a}": ["icmp6", a, kind] for kind in (131, 132, 133, 134, 135, 136, 137, 143) for a in (DENIED6, "fd77::1", "ff02::1%eth0")}, RAW)

    # Flows and changes.

    def test_a_connection_during_every_change(self):
        """Whatever moment of a PATCH a connection meets, a denied address stays denied."""
        source = f"import sys; sys.path.insert(0, {str(self.lab.folder)!r}); import workload as w, time\nend=time.time()+3\nbad=0\nn=0\nwhile time.time()<end:\n n+=1\n bad+=w.attempt('tcp',{DENIED!r},7000) in ('answered','connected')\nprint(bad,n)"
        process = self.lab.workload_popen(sys.executable, "-c", source, stdout=subprocess.PIPE, text=True)
        while process.poll() is None:
            self.change("PATCH", [allow("new.test"), allow("198.51.100.240/29"), {"action": "deny", "target": "198.51.100.99"}])
            self.change("PUT", self.policy)
        bad, count = map(int, process.communicate()[0].split())
        self.note("connections during changes", bad == 0 and count > 100, (bad, count))

    def test_a_name_revoked_while_its_answer_is_on_its_way(self):
        self.change("PATCH", [allow("*.late.test")])
        process = self.lab.workload_popen(sys.executable, self.program, "try", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps([["look_up", "slow-a-198-51-100-37.late.test", workload.RESOLVER, 53, "udp", None, (), 1, 2.5]]))
        process.stdin.close()
        wait_for("the query is upstream", lambda: "slow-a-198-51-100-37.late.test" in self.asked())
        self.change("PUT", self.policy)
        outcome = json.loads(process.stdout.read())[0]
        process.stdout.close()
        self.note("revoked while its answer was on its way", outcome == "code:3", outcome)
        self.assertBlocked({"the address of that answer": ["tcp", "198.51.100.37", 7000]})

    def test_revoked_flows_end_however_they_are_kept_alive(self):
        self.change("PATCH", [allow("*.gone.test")])
        name = "a-198-51-100-38.gone.test"
        self.may.add(("198.51.100.38", None))
        flows = {what: Flow(self.lab, name, manner, protocol) for what, manner, protocol in (
            ("the server pushes", "push", "tcp"), ("both talk", "echo", "tcp"), ("UDP", "echo", "udp"), ("idle", "idle", "tcp"))}
        self.change("PUT", self.policy)
        at = time.time()
        self.left()
        self.place = self.pcap.stat().st_size
        self.may.clear()
        flows["idle"].process.send_signal(signal.SIGTERM)
        for what, flow in flows.items():
            result = flow.end()
            self.note(f"a revoked flow: {what}", result["error"] is not None and result["last"] - at < 1, result)
            self.arrived("FlowClose", SrcPortNumber=flow.port, EventOriginalResultDetails="REVOKED")
        port = flows["UDP"].port
        self.assertBlocked({"the same port after the cut": ["udp", "198.51.100.38", 7000, (), ["0.0.0.0", port]]})

    def test_the_outside_speaks_first_to_a_revoked_flow(self):
        """The peer goes on sending to where the flow was: none of it makes an entry that the workload's packets could answer."""
        self.change("PATCH", [allow("*.gone.test")])
        self.resolve("a-198-51-100-39.gone.test")
        self.may.add(("198.51.100.39", None))
        self.assertEqual(self.one("udp", "198.51.100.39", 7000, (), ["0.0.0.0", 40888]), "answered")
        self.change("PUT", self.policy)
        self.left()
        self.place = self.pcap.stat().st_size
        self.may.clear()
        self.outside_sends("198.51.100.39", 7000, 40888)
        self.assertBlocked({"after the outside spoke on the revoked flow": ["udp", "198.51.100.39", 7000, (), ["0.0.0.0", 40888]]})
        self.outside_sends(DENIED, 7000, 40889)
        self.assertBlocked({"after the outside spoke first": ["udp", DENIED, 7000, (), ["0.0.0.0", 40889]]})

    def outside_sends(self, address, port, to):
        """From a socket of its own: the echo server holds every address."""
        source = ("import socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_RAW,255);sys.path.insert(0,sys.argv[1]);import workload as w\n"
                  "for _ in range(20): s.sendto(w.header(sys.argv[2],w.POD,17,8+7)+w.datagram(sys.argv[2],w.POD,int(sys.argv[3]),int(sys.argv[4]),b'hello-x'),(w.POD,0))")
        self.lab.inside(self.lab.outside, sys.executable, "-c", source, self.lab.folder, address, port, to)

    def test_two_names_on_one_address(self):
        self.may.add(("198.51.100.36", None))
        for kept, gone in (("one", "two"), ("two", "one")):
            self.change("PUT", self.policy)
            lives = Flow(self.lab, f"a-198-51-100-36.{kept}.test")
            Flow(self.lab, f"a-198-51-100-36.{gone}.test").stop()
            self.change("DELETE", [f"a-198-51-100-36.{gone}.test"])
            time.sleep(0.3)
            self.assertIsNone(lives.stop()["error"], f"{kept} is still allowed")
        self.change("DELETE", ["a-198-51-100-36.two.test", "a-198-51-100-36.one.test"])
        self.left()
        self.place = self.pcap.stat().st_size
        self.may.clear()
        self.assertBlocked({"an address that both its names lost": ["tcp", "198.51.100.36", 7000]})
        self.change("PUT", self.policy)

    def test_the_order_of_rules(self):
        self.may |= {("198.51.100.50", 7000), ("198.51.100.13", 7000), ("198.51.100.13", 7010), ("198.51.100.13", 7015)}
        self.assertEqual(self.one("tcp", "198.51.100.50", 7000), "answered")
        self.assertBlocked({"a deny before the allow of its block": ["tcp", "198.51.100.49", 7000], "beside the block": ["tcp", "198.51.100.64", 7000], "before the block": ["tcp", "198.51.100.47", 7000]})
        # Two rules with overlapping ports, then a deny in between.
        self.change("PUT", deny_all_but(allow("198.51.100.13", "7000-7010/tcp"), allow("198.51.100.13", "7005-7015/tcp")))
        self.assertEqual(self.one("tcp", "198.51.100.13", 7000), "answered")
        self.assertBlocked({f"overlapping ports, {p} {port}": [p, "198.51.100.13", port] for p, port in (("tcp", 6999), ("tcp", 7016), ("udp", 7000), ("udp", 7007))})
        self.change("PUT", deny_all_but({"action": "deny", "target": "198.51.100.14", "ports": ["7000/tcp"]}, allow("198.51.100.14", "6990-7010"), allow("198.51.100.0/27", "7000")))
        self.may.add(("198.51.100.14", 7000))
        outcome = self.one("udp", "198.51.100.14", 7000)
        self.assertEqual(outcome, "answered")
        self.assertBlocked({"a denied port before an allowed range": ["tcp", "198.51.100.14", 7000]})
        self.change("PUT", self.policy)

    # The daemon's death.

    def test_stopped_the_daemon_leaves_everything_denied(self):
        end = (time.time() + 2.5)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end)) + f".{int(end % 1 * 1000):03d}Z"
        self.change("PATCH", [allow("*.soon.test", expiresAt=stamp), allow("198.51.100.97", expiresAt=stamp)])
        self.may |= {("198.51.100.96", None), ("198.51.100.97", None)}
        flow, direct = Flow(self.lab, "a-198-51-100-96.soon.test", "push"), Flow(self.lab, "198.51.100.97", "echo")
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            self.denied_without_daemon("stopped")
            time.sleep(max(0, end + 0.3 - time.time()))
            self.left()
            self.place = self.pcap.stat().st_size
            self.may.clear()
            self.assertBlocked({"an expired name's address, daemon stopped": ["tcp", "198.51.100.96", 7000], "an expired address, daemon stopped": ["tcp", "198.51.100.97", 7000]})
            for what, one in (("received only", flow), ("echoed", direct)):
                try:
                    self.note(f"a flow that {what}, past its rule's end, daemon stopped", one.end(8)["error"] is not None)
                except subprocess.TimeoutExpired:
                    self.note(f"a flow that {what}, past its rule's end, daemon stopped", False)
        finally:
            self.sidecar.send_signal(signal.SIGCONT)
        self.change("PUT", self.policy)

    def denied_without_daemon(self, how):
        self.assertBlocked({f"daemon {how}: {label}": one for label, one in {
            "tcp": ["tcp", DENIED, 7000], "udp": ["udp", DENIED, 7000], "tcp IPv6": ["tcp", DENIED6, 7000], "udp IPv6": ["udp", DENIED6, 7000],
            "a denied name": ["look_up", "escape-dead.denied.test"], "a denied name by TCP": ["look_up", "escape-dead.denied.test", workload.RESOLVER, 53, "tcp"],
            "DNS elsewhere": ["look_up", "escape-dead.denied.test", "8.8.8.8"], "the hub": ["tcp", HUB, 443], "the resolver's other port": ["tcp", workload.RESOLVER, 7000],
            "API": ["tcp", "127.0.0.1", API], "ping": ["ping", DENIED]}.items()})

    def test_killed_the_daemon_leaves_everything_denied(self):
        self.sidecar.kill()
        self.sidecar.wait()
        try:
            self.denied_without_daemon("killed")
            self.in_the_daemons_place()
        finally:
            self.start_sidecar()
        self.assertBlocked({"after the next start": ["tcp", DENIED, 7000]})

    def in_the_daemons_place(self):
        """Where the control plane would send its token."""
        listener = self.lab.workload_popen(sys.executable, "-c", f"import socket\ns=socket.create_server(('0.0.0.0',{API}))\nprint('ready',flush=True)\nc,_=s.accept()\nprint(c.recv(100),flush=True)",
                                           stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(listener.stdout.readline().strip(), "ready")
            self.note("a listener in the daemon's place", self.lab.api("GET", "/policy", timeout=1)[0] == 0 and listener.poll() is None)
        finally:
            listener.kill()
            listener.wait()
            listener.stdout.close()

    def test_ingress_taken_away_ends_its_flows(self):
        """SYN from outside, while permitted; then INGRESS=none: the pod can say nothing more on that flow, and no new one begins."""
        self.may.add(("10.77.0.1", None))
        listener = ("import socket,time\ns=socket.create_server(('0.0.0.0',8088))\nprint('ready',flush=True)\nc,_=s.accept()\nprint(c.recv(10),flush=True)\n"
                    "c.settimeout(1)\nimport sys\nsys.stdin.readline()\nc.send(b'sallyport-escape')\ntime.sleep(1)\nprint('done',flush=True)")
        pod = self.lab.workload_popen(sys.executable, "-c", listener, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(pod.stdout.readline().strip(), "ready")
        caller = self.lab.start(sys.executable, "-c", "import socket,time\ns=socket.create_connection(('10.77.0.2',8088))\ns.send(b'hello')\ntry:\n print(s.recv(100),flush=True)\nexcept OSError as e: print(e)",
                                namespace=self.lab.outside, log="caller.log")
        self.assertIn("hello", pod.stdout.readline())
        self.sidecar.terminate()
        self.sidecar.wait()
        self.start_sidecar(SALLYPORT_INGRESS="none")
        try:
            self.left()
            self.place = self.pcap.stat().st_size
            self.may.clear()
            pod.stdin.write("\n")
            pod.stdin.flush()
            self.assertEqual(pod.stdout.readline().strip(), "done")
            escaped = "sallyport-escape" in (self.lab.folder / "caller.log").read_text()
            self.note("a flow into the pod after its ingress was taken away", not escaped and not [p for p in self.left() if p.source_port == 8088], self.left())
            result = self.lab.inside(self.lab.outside, sys.executable, "-c", "import socket\ntry:\n socket.create_connection(('10.77.0.2',8088),0.5);print('connected')\nexcept OSError as e: print('no')")
            self.note("a new flow into the pod without ingress", result.stdout.strip() == "no")
        finally:
            caller.kill()
            pod.kill()
            pod.wait()
            pod.stdin.close()
            pod.stdout.close()
            self.sidecar.terminate()
            self.sidecar.wait()
            self.start_sidecar()
            self.may.add(("10.77.0.1", None))              # the kernel still has data of that flow to deliver, and now it may


class DefaultAllow(BypassCase):
    policy = {"defaultAction": "allow", "egress": [{"action": "deny", "target": DENIED}, {"action": "deny", "target": "*.denied.test"}, {"action": "deny", "target": "2001:db8:bad::/48"},
                                                    {"action": "deny", "target": "198.51.100.70", "ports": ["7000/tcp"]}, allow(DENIED, "7000")]}
    open_to = (("198.51.100.70", 7000), ("198.51.100.71", 7000), ("2001:db8::10", 7000))

    def test_deny_rules_hold_where_everything_else_is_allowed(self):
        self.assertEqual(self.one("tcp", "198.51.100.71", 7000), "answered")
        self.assertEqual(self.one("udp", "198.51.100.70", 7000), "answered")
        self.assertBlocked({f"default allow, {p} {a}": [p, a, 7000] for p in ("tcp", "udp") for a in (DENIED, DENIED6, f"::ffff:{DENIED}")} | {
            "default allow: a denied port": ["tcp", "198.51.100.70", 7000],
            "default allow: a denied name": ["look_up", "escape.denied.test"], "default allow: a denied name elsewhere": ["look_up", "escape.denied.test", "8.8.8.8"],
            "default allow: the API": ["tcp", "127.0.0.1", API], "default allow: ping": ["ping", DENIED], "default allow: SCTP": ["other", DENIED, 7000, workload.SCTP, 1]})
        self.assertBlocked({"default allow: raw UDP": ["raw_udp", DENIED, 7000], "default allow: raw SYN": ["raw_tcp", DENIED, 7000, 2], "default allow: ICMP": ["raw_icmp", DENIED, 8]}, RAW)
        self.assertFalse([name for name in self.asked() if "escape" in name])


class ShortLeases(BypassCase):
    """Leases end within seconds; the upstream is reached over IPv6, where any program may send under any source address."""
    upstream = workload.RESOLVER6
    policy = deny_all_but(allow("*.open.test"))
    settings = {"SALLYPORT_LEASE_MIN": "1s", "SALLYPORT_LEASE_GRACE": "1s", "SALLYPORT_LEASE_MAX": "1s"}

    def test_leases_end_while_the_daemon_is_stopped(self):
        self.resolve("a-198-51-100-41.open.test")
        self.may.add(("198.51.100.41", None))
        self.assertEqual(self.one("tcp", "198.51.100.41", 7000), "answered")
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            time.sleep(2.3)
            self.left()
            self.place = self.pcap.stat().st_size
            self.may.clear()
            self.assertBlocked({"an address whose lease ended, daemon stopped": ["tcp", "198.51.100.41", 7000], "by UDP": ["udp", "198.51.100.41", 7000]})
        finally:
            self.sidecar.send_signal(signal.SIGCONT)

    def test_a_forged_answer_is_not_heard(self):
        before = self.metric("dns_upstream_unmatched_total")
        outcome = self.assertBlocked({"a forged answer, IPv6": ["forged_answer", 6, "never.open.test", DENIED, 1.5]})
        self.assertBlocked({"an address out of an answer forged over IPv6": ["tcp", DENIED, 7000]})
        self.note("a forged answer over IPv6 never reaches the daemon", self.metric("dns_upstream_unmatched_total") == before, outcome)


if __name__ == "__main__":
    unittest.main()
