"""The hostile workload: addresses, ports, protocols, socket options, raw packets, marks. None may lead anywhere."""
import json, sys, socket, unittest

import bypass_workload as workload
from bypass import ALLOWED, API, DAEMON, DENIED, DENIED6, HUB, RAW, ROOT, BypassCase, allow, deny_all_but
from bypass import report as tearDownModule  # noqa: F401


class Packets(BypassCase):
    def test_who_may_not_change_the_rules(self):
        tries = {what: ["command", *words.split()] for what, words in (
            ("deleting the table", "nft delete table inet sallyport"), ("a rule of its own", "nft insert rule inet sallyport out accept"), ("flushing conntrack", "conntrack -F"),
            ("marking flows", "conntrack -U -m 1"), ("a route", "ip route add 198.51.100.200/32 via 10.77.0.1"), ("an address", "ip addr add 10.77.0.9/24 dev eth0"), ("a tunnel", "ip tunnel add t0 mode gre remote 10.77.0.1"),
            ("reading the rules", "nft list ruleset"), ("a user namespace, then the table", "unshare -Ur nft delete table inet sallyport"), ("a queueing rule", "tc qdisc add dev eth0 clsact"))}
        self.assertBlocked(tries)

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
        self.false_sources = (DENIED,)
        self.assertEqual((self.one("udp", "2001:db8::11", 7000), self.one("udp", "198.51.100.11", 7000)), ("answered", "answered"))
        self.assertBlocked({"a flow turned round, IPv6": ["turned_round", DENIED6, "2001:db8::11", 7000]})
        self.assertBlocked({"a flow turned round, IPv4": ["turned_round4", DENIED, "198.51.100.11", 7000]}, RAW)
        self.assertEqual({p.address for p in self.left() if p.source in (DENIED, DENIED6)}, {"198.51.100.11"}, "with NET_RAW over IPv4 the first half is sent, over IPv6 it is not")

    def test_the_control_api_is_closed(self):
        tries = {f"the API at {a}{' by eth0' if o else ''}": ["tcp", a, API, o] for a in ("127.0.0.1", "10.77.0.2", "::1", "fd77::2", "0.0.0.0", "::", "127.9.9.9", "::ffff:127.0.0.1", "::ffff:10.77.0.2", "10.77.0.255")
                 for o in ([], [[1, 25, "@eth0"]])}
        self.assertBlocked(tries)

    def test_T19_G3_the_true_mark_alone_opens_nothing(self):
        mark = [[1, workload.SO_MARK, self.true_mark()]]
        tries = {f"{p} {a} {port} with the true mark": [p, a, port, mark] for p in ("tcp", "udp") for a, port in (
            (DENIED, 7000), (DENIED6, 7000), (HUB, 443), (workload.RESOLVER, 443), (HUB, 80), ("127.0.0.1", API))}
        tries |= {"the resolver with the true mark": ["look_up", "escape-mark.denied.test", workload.RESOLVER, 53, "udp", None, mark],
                  "the resolver by TCP with the true mark": ["look_up", "escape-mark.denied.test", workload.RESOLVER, 53, "tcp", None, mark]}
        self.assertBlocked(tries)
        self.assertFalse([name for name in self.asked() if "escape" in name])

    def test_T19_G15_the_daemons_user_and_mark_reach_its_own_destinations_and_no_others(self):
        mark = [[1, workload.SO_MARK, self.true_mark()]]
        self.assertBlocked({f"{p} {a} {port} as the daemon's user": ["as_user", 65532, p, a, port] for p in ("tcp", "udp") for a, port in (
            (DENIED, 7000), (DENIED6, 7000), (HUB, 443), (HUB, 80), (workload.RESOLVER, 443), ("10.53.0.53", 443))}, ROOT)
        self.assertBlocked({"the resolver as the daemon's user without the mark": ["as_user", 65532, "look_up", "escape-user.denied.test"]}, ROOT)
        outcomes = self.run_tries([["tcp", DENIED, 7000, mark], ["udp", DENIED6, 7000, mark], ["tcp", HUB, 80, mark], ["udp", HUB, 443, mark],
                                   ["tcp", workload.RESOLVER, 7000, mark], ["look_up", "documented.denied.test", workload.RESOLVER, 53, "udp", None, mark]], DAEMON)
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
            "raw UDP": ["raw_udp", DENIED, 7000], "raw UDP, true mark": ["raw_udp", DENIED, 7000, workload.POD, 0, mark],
            "raw DNS": ["raw_udp", workload.RESOLVER, 53], "raw DNS, true mark": ["raw_udp", workload.RESOLVER, 53, workload.POD, 0, mark],
            "raw DNS from a false source": ["raw_udp", workload.RESOLVER, 53, "10.77.0.99"], "raw UDP from a false source": ["raw_udp", DENIED, 7000, ALLOWED],
            "raw UDP over loopback from a false source": ["raw_udp", DENIED, 7000, "10.77.0.99", 0, lo], "raw TCP over loopback from a false source": ["raw_tcp", DENIED, 7000, 2, "10.77.0.99", lo],
            "a first fragment": ["raw_udp", DENIED, 7000, workload.POD, 0, (), 0x2000], "a later fragment": ["raw_udp", DENIED, 7000, workload.POD, 0, (), 0x0003],
            "a first fragment, not reassembled": ["raw_udp", DENIED, 7000, workload.POD, 0, nodefrag, 0x2000], "a later fragment, not reassembled": ["raw_udp", DENIED, 7000, workload.POD, 0, nodefrag, 0x0003],
            "a later fragment to an allowed address, not reassembled": ["raw_udp", "198.51.100.12", 7000, workload.POD, 0, nodefrag, 0x0003],
            "an ICMP error about an allowed flow": ["raw_icmp", DENIED, 3, (), [40777, "198.51.100.12", 7000]],
            "ICMPv6 echo": ["icmp6", DENIED6, 128],
        }
        tries |= {f"ICMP type {kind} with a payload": ["raw_icmp", DENIED, kind] for kind in (0, 3, 8, 11, 13)}
        tries |= {f"IP protocol {number}": ["raw_other", DENIED, number] for number in (1, 2, 4, 41, 47, 50, 51, 103, 115, 132, 136, 253, 255)}
        tries |= {f"IPv6 next header {number}": ["raw6", DENIED6, number, octets] for number, octets in (
            (0, "1100010400000000"), (17, "9c431b5800180000"), (43, "1102040000000000" + "00" * 16), (44, "1100000100000001"), (60, "1100010400000000"), (4, ""), (41, ""), (59, ""), (50, "00000001"))}
        self.assertBlocked(tries, RAW, ROOT)
        # The control messages of the link must not carry anything beyond it, nor a program's payload over it.
        self.assertBlocked({f"ICMPv6 type {kind} to {a}": ["icmp6", a, kind] for kind in (131, 132, 133, 134, 135, 136, 137, 143) for a in (DENIED6, "fd77::1", "ff02::1%eth0")}, RAW, ROOT)

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

    def test_zz_each_try_that_made_a_packet_is_on_the_record(self):
        self.assertAllOnRecord()


class PacketsUnderTheAKSProfile(Packets):
    profile = "aks-kata-6.6"


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

    def test_zz_each_try_that_made_a_packet_is_on_the_record(self):
        self.assertAllOnRecord()


class DefaultAllowUnderTheAKSProfile(DefaultAllow):
    profile = "aks-kata-6.6"


if __name__ == "__main__":
    unittest.main()
