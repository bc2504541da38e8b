"""The hostile workload: what a program can do inside the pod, to the daemon and to its own sockets. None may lead anywhere."""
import signal, socket, struct, unittest

import bypass_workload as workload
from bypass import ALLOWED, ALLOWED6, API, DENIED, DENIED6, HUB, OUTSIDE, PLAIN, PROXY, RAW, ROOT, BypassCase, Flow, inside
from bypass import report as tearDownModule  # noqa: F401

DATAGRAM, STREAM = socket.SOCK_DGRAM, socket.SOCK_STREAM
# What a program that may write to /proc/sys, which a container may not, would turn to open a way.
SYSCTLS = ("net.ipv4.conf.all.route_localnet=1", "net.ipv4.conf.eth0.route_localnet=1", "net.ipv4.ip_nonlocal_bind=1", "net.ipv6.ip_nonlocal_bind=1",
           "net.ipv4.conf.all.accept_local=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0", "net.ipv4.conf.all.accept_source_route=1",
           "net.ipv4.conf.all.accept_redirects=1", "net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.all.accept_source_route=1",
           "net.ipv6.conf.all.seg6_enabled=1", "net.ipv4.tcp_fastopen=1543", "net.netfilter.nf_conntrack_tcp_loose=1", "net.netfilter.nf_conntrack_tcp_be_liberal=1",
           "net.netfilter.nf_conntrack_checksum=0", "net.netfilter.nf_conntrack_udp_timeout=1", "net.netfilter.nf_conntrack_generic_timeout=1",
           "net.netfilter.nf_conntrack_tcp_timeout_established=1", "net.netfilter.nf_conntrack_helper=1")


class Pod(BypassCase):
    # The daemon.

    def test_the_daemons_ports_cannot_be_taken(self):
        self.assertBlocked({f"{'UDP' if kind == DATAGRAM else 'TCP'} port {port} of {address}": ["take_port", kind, address, port] for kind, address, port in (
            (DATAGRAM, "127.0.0.1", PROXY), (STREAM, "127.0.0.1", PROXY), (DATAGRAM, "::1", PROXY), (STREAM, "::1", PROXY), (DATAGRAM, "0.0.0.0", PROXY), (STREAM, "0.0.0.0", PROXY),
            (STREAM, "0.0.0.0", API), (STREAM, "127.0.0.1", API), (STREAM, workload.POD, API), (STREAM, "::", API))})

    def test_it_listens_nowhere_else(self):
        lines = self.lab.inside(self.lab.pod, "ss", "-Hlntup").stdout.splitlines()
        ports = {(line.split()[0], int(line.split()[4].rpartition(":")[2])) for line in lines if "sallyport" in line}
        self.assertEqual({(kind, port) for kind, port in ports if kind == "tcp"}, {("tcp", API), ("tcp", PROXY)})
        # Its upstream sockets hear one resolver each, and are connected.
        self.assertEqual({(kind, port) for kind, port in ports if kind == "udp"}, {("udp", PROXY)})
        self.assertNotIn("sallyport", self.lab.inside(self.lab.pod, "ss", "-Hlxp").stdout, "no socket in the file system or by an abstract name")

    def test_its_process_and_its_files_are_closed(self):
        process, state = self.sidecar.pid, self.lab.folder / "state"
        tries = {f"reading /proc/…/{name} of the daemon": ["read_file", f"/proc/{process}/{name}"] for name in ("environ", "mem", "maps", "auxv", "stack", "syscall")}
        tries |= {f"listing /proc/…/{name} of the daemon": ["list_folder", f"/proc/{process}/{name}"] for name in ("root", "cwd")}
        tries |= {
            "a descriptor of the daemon": ["taken_descriptor", process, 40], "tracing the daemon": ["system_call", 101, 0x4206, process, 0, 0],
            "the daemon's network namespace": ["command", "nsenter", f"--net=/proc/{process}/ns/net", "true"], "the first process's network namespace": ["command", "nsenter", "--net=/proc/1/ns/net", "true"]}
        self.assertBlocked(tries)
        self.assertBlocked({f"{label}, under its user": ["as_user", 65532, *one] for label, one in tries.items()}, ROOT)
        # Who is root among these files may read them; a container has none of them.
        self.assertBlocked({"listing the daemon's descriptors": ["list_folder", f"/proc/{process}/fd"], "listing the daemon's state": ["list_folder", str(state)], "the policy that it keeps": ["read_file", str(state / "policy.json")],
                            "killing the daemon": ["signal_process", process, signal.SIGKILL], "stopping it": ["signal_process", process, signal.SIGSTOP],
                            "sacrificing it when memory is short": ["write_file", f"/proc/{process}/oom_score_adj", "1000"]}, PLAIN, RAW)
        self.assertIsNone(self.sidecar.poll())

    def test_who_takes_its_ports_while_it_is_away_is_told_nothing_and_opens_nothing(self):
        """The workload answers its own queries in the proxy's place; the next start says what is in its way, and enforces as before."""
        self.sidecar.terminate()
        self.sidecar.wait()
        self.is_recorded = False
        taker = self.lab.workload_popen("python3", "-c", f"import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('127.0.0.1',{PROXY}))\nprint('ready',flush=True)\nsys.stdin.read()",
                                        stdin=-1, stdout=-1, text=True)
        try:
            self.assertEqual(taker.stdout.readline().strip(), "ready")
            self.lab.start_sidecar(self.policy, wait=False, **self.settings).wait(30)
            self.assertBlocked({"with the proxy's port taken": ["tcp", DENIED, 7000], "with the proxy's port taken, UDP": ["udp", DENIED6, 7000],
                                "with the proxy's port taken, DNS elsewhere": ["look_up", "escape-taken.denied.test", "8.8.8.8"]})
        finally:
            taker.kill()
            taker.communicate()
            self.start_sidecar()
        self.assertFalse([name for name in self.asked() if "escape" in name])

    # Its own sockets.

    def test_control_messages(self):
        source = socket.inet_aton(ALLOWED)
        true_mark = self.true_mark()
        hop = "830704" + "c633644d" + "00"
        for_ipv6 = lambda index, address: socket.inet_pton(10, address).hex() + struct.pack("=i", index).hex()
        self.assertBlocked({
            "the true mark by a control message": ["with_control", DENIED, 7000, [[1, workload.SO_MARK, true_mark]]],
            "the true mark by a control message, to the hub": ["with_control", HUB, 443, [[1, workload.SO_MARK, true_mark]]],
            "the true mark by a control message, to the resolver": ["with_control", workload.RESOLVER, 7000, [[1, workload.SO_MARK, true_mark]]],
            "another source by a control message": ["with_control", DENIED, 7000, [[0, 8, struct.pack("=i", 0).hex() + source.hex() + "00000000"]]],
            "loopback's source by a control message": ["with_control", DENIED, 7000, [[0, 8, struct.pack("=i", 0).hex() + "7f000001" + "00000000"]]],
            "loopback's interface by a control message": ["with_control", DENIED, 7000, [[0, 8, struct.pack("=i", 1).hex() + "00000000" * 2]]],
            "a source route by a control message": ["with_control", DENIED, 7000, [[0, 7, hop]]],
            "another IPv6 source by a control message": ["with_control", DENIED6, 7000, [[41, 50, for_ipv6(0, "2001:db8::10")]]],
            "a next hop by a control message": ["with_control", DENIED6, 7000, [[41, 9, (struct.pack("=H", 10) + bytes(6) + socket.inet_pton(10, "fd77::1") + bytes(4)).hex()]]],
            "hop-by-hop options by a control message": ["with_control", DENIED6, 7000, [[41, 54, "0000010400000000"]]],
            "a routing header by a control message": ["with_control", DENIED6, 7000, [[41, 57, "0002040000000000" + socket.inet_pton(10, DENIED6).hex()]]],
            "destination options by a control message": ["with_control", DENIED6, 7000, [[41, 59, "0000010400000000"]]]})

    def test_sockets_that_were_used_for_what_is_allowed(self):
        self.resolve("a-198-51-100-42.open.test")
        self.may.add(("198.51.100.42", None))
        self.assertEqual(self.one("tcp", "198.51.100.42", 7000), "answered")
        self.assertBlocked({"a socket that was connected to an allowed address": ["reconnected", "198.51.100.42", DENIED, 7000],
                            "a datagram begun for an allowed address": ["corked", "198.51.100.42", DENIED, 7000],
                            "the allowed flow's source port": ["udp", DENIED, 7000, (), ["0.0.0.0", 40999]]})

    def test_ways_to_send_a_datagram_or_open_a_connection(self):
        tries = {}
        for a in (DENIED, DENIED6):
            tries |= {f"in segments {a}": ["udp", a, 7000, [[17, 103, 8]]], f"corked {a}": ["udp", a, 7000, [[17, 1, 0]]], f"fast open by option {a}": ["tcp", a, 7000, [[6, 30, 1]]],
                      f"deferred {a}": ["tcp", a, 7000, [[6, 9, 5]]], f"with zero copies {a}": ["tcp", a, 7000, [[1, 60, 1]]], f"with priority 6 {a}": ["udp", a, 7000, [[1, 12, 6]]],
                      f"by multipath TCP to port 53 {a}": ["other", a, 53, workload.MPTCP, STREAM], f"by UDP-Lite to port 53 {a}": ["udp", a, 53, (), None, workload.UDPLITE],
                      f"by SCTP to port 53 {a}": ["other", a, 53, workload.SCTP, STREAM]}
        tries |= {f"broadcast to port {port}": ["unconnected_udp", "255.255.255.255", port, [[1, 6, 1]]] for port in (67, 137, 1900)}
        tries |= {f"to the link's {what}": ["unconnected_udp", group, port] for what, group, port in (
            ("multicast DNS", "224.0.0.251", 5353), ("LLMNR", "224.0.0.252", 5355), ("SSDP", "239.255.255.250", 1900), ("multicast DNS, IPv6", "ff02::fb%eth0", 5353),
            ("LLMNR, IPv6", "ff02::1:3%eth0", 5355), ("DHCPv6", "ff02::1:2%eth0", 547))}
        self.assertBlocked(tries)

    def test_odd_raw_packets(self):
        port = 40555
        self.assertBlocked({
            **{f"ICMP type {kind}": ["raw_icmp", DENIED, kind] for kind in (4, 5, 9, 10, 12, 14, 15, 17, 42)},
            "an ICMP error about the daemon's own flow": ["raw_icmp", workload.RESOLVER, 3, (), [port, workload.RESOLVER, 53]],
            "an ICMP error about nothing": ["raw_icmp", DENIED, 3, (), [port, DENIED, 7000]],
            **{f"to the resolver by TCP, {what}": ["raw_tcp", workload.RESOLVER, 53, flags] for flags, what in ((16, "ACK"), (4, "RST"), (1, "FIN"), (0, "no flag"), (63, "every flag"))},
            "UDP with a wrong length to the resolver": ["raw_other", workload.RESOLVER, 17], "UDP with a wrong length": ["raw_other", DENIED, 17], "TCP that is none": ["raw_other", DENIED, 6],
            "from nowhere": ["raw_udp", DENIED, 7000, "0.0.0.0"], "from a multicast group": ["raw_udp", DENIED, 7000, "224.0.0.1"], "from loopback": ["raw_udp", DENIED, 7000, "127.0.0.1"],
            "from the resolver": ["raw_udp", DENIED, 7000, workload.RESOLVER], "from the hub to the resolver": ["raw_udp", workload.RESOLVER, 7000, HUB],
            "to the pod's own address by eth0": ["raw_udp", DENIED, 7000, workload.POD, 0, [[1, 25, "@eth0"]]]}, RAW, ROOT)

    def test_who_asks_from_outside_is_not_answered_by_a_program(self):
        """A question from outside that nothing drops makes an entry; no answer may leave by it, the kernel's or a program's."""
        with inside(self.lab.outside), socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) as asking:
            body = struct.pack("!BBHHH", 8, 0, 0, 9, 1) + b"question"
            asking.sendto(body[:2] + struct.pack("!H", workload.checksum(body)) + body[4:], (workload.POD, 0))
        with inside(self.lab.outside), socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) as asking:
            asking.sendto(b"question", (workload.POD, 0))
        self.assertBlocked({"an answer to a ping": ["raw_icmp", OUTSIDE, 0], "an answer by protocol 253": ["raw_other", OUTSIDE, 253]}, RAW, ROOT)

    def test_yy_sysctls_of_a_root_workload_open_nothing(self):
        self.run_tries([["command", "sysctl", "-qw", one] for one in SYSCTLS], ROOT)
        loose = "01" + "830704" + "c633644d"
        self.assertBlocked({
            **{f"after the sysctls, {p} {a}": [p, a, 7000] for p in ("tcp", "udp") for a in (DENIED, DENIED6, HUB, "127.0.0.1")},
            **{f"after the sysctls, the API at {a}": ["tcp", a, API, o] for a in ("127.0.0.1", workload.POD, "::1") for o in ([], [[1, 25, "@eth0"]])},
            "after the sysctls, bound to eth0": ["udp", DENIED, 7000, [[1, 25, "@eth0"]]], "after the sysctls, bound to lo": ["udp", DENIED, 7000, [[1, 25, "@lo"]]],
            "after the sysctls, a source route": ["udp", DENIED, 7000, [[0, 4, loose]]], "after the sysctls, from another source": ["udp", DENIED, 7000, (), [ALLOWED, 0]],
            "after the sysctls, from another IPv6 source": ["udp", DENIED6, 7000, (), [ALLOWED6, 0]], "after the sysctls, fast open": ["fast_open", DENIED, 7000],
            "after the sysctls, DNS elsewhere": ["look_up", "escape-sysctl.denied.test", "8.8.8.8"], "after the sysctls, ping": ["ping", DENIED]})
        self.assertBlocked({"after the sysctls, raw ACK": ["raw_tcp", DENIED, 7000, 16], "after the sysctls, raw UDP by lo": ["raw_udp", DENIED, 7000, workload.POD, 0, [[1, 25, "@lo"]]],
                            "after the sysctls, raw UDP from another source": ["raw_udp", DENIED, 7000, ALLOWED]}, RAW, ROOT)
        self.assertFalse([name for name in self.asked() if "escape" in name])

    def test_zz_each_try_that_made_a_packet_is_on_the_record(self):
        self.assertAllOnRecord()


class PodUnderTheAKSProfile(Pod):
    profile = "aks-kata-6.6"


class Before(BypassCase):
    """Flows that are older than the rules."""

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.flows = {f"{protocol}, {manner}": Flow(cls.lab, DENIED, manner, protocol) for protocol, manner in (("tcp", "echo"), ("tcp", "push"), ("tcp", "idle"), ("udp", "echo"))}

    def test_nothing_of_a_flow_leaves_that_began_before_the_rules(self):
        self.flows["tcp, idle"].process.send_signal(signal.SIGTERM)
        for what, flow in self.flows.items():
            result = flow.end(30)
            self.note(f"a flow from before the rules: {what}", result["error"] is not None, result)
        for protocol in ("TCP", "UDP"):
            self.arrived("FlowDenied", DstIpAddr=DENIED, NetworkProtocol=protocol)


if __name__ == "__main__":
    unittest.main()
