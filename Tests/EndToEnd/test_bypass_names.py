"""The hostile workload: names, the DNS proxy and its upstream. None may lead anywhere."""
import signal, time, unittest

import bypass_workload as workload
from bypass import DENIED, DENIED6, PLAIN, RAW, BypassCase, allow, deny_all_but
from bypass import report as tearDownModule  # noqa: F401


class Names(BypassCase):
    def test_dns_goes_to_the_proxy_whichever_way(self):
        tries = {}
        for over in ("udp", "tcp"):
            for server in (workload.RESOLVER, "8.8.8.8", DENIED, "10.53.0.53", DENIED6, "127.0.0.1", "::1", "10.77.0.2", "224.0.0.251", "::ffff:8.8.8.8", "::ffff:198.51.100.77", "fe80::1%eth0", "198.51.100.50"):
                tries[f"a denied name, {over} to {server}"] = ["look_up", "escape.denied.test", server, 53, over]
            for port in (443, 7000, 853, 5353):
                tries[f"the resolver's port {port}, {over}"] = ["look_up", "escape.denied.test", workload.RESOLVER, port, over]
            for server in ("127.0.0.1", "::1", "10.77.0.2", "fd77::2", "127.0.0.2", "0.0.0.0"):
                tries[f"the proxy's own port at {server}, {over}"] = ["look_up", "a-1-1-1-1.open.test", server, 15353, over]
            for port in (53, 15354, 40053):
                tries[f"a denied name, {over}, from port {port}"] = ["look_up", "escape.denied.test", workload.RESOLVER, 53, over, ["0.0.0.0", port]]
            tries[f"a denied name, {over}, with the address of the hub"] = ["look_up", "escape.denied.test", workload.RESOLVER, 53, over, ["203.0.113.10", 0], [[0, 15, 1]]]
            tries[f"a denied name, {over}, bound to eth0"] = ["look_up", "escape.denied.test", workload.RESOLVER, 53, over, None, [[1, 25, "@eth0"]]]
        self.assertBlocked(tries)
        self.assertFalse([name for name in self.asked() if "escape" in name or "a-1-1-1-1" in name])

    def test_the_ports_of_the_daemons_own_queries_lead_nowhere(self):
        """G2: a socket bound to the source port of a recent upstream query meets its conntrack entry, which is not steered."""
        result = self.one("range_of_names", "n%d.many.test", 0, 500)
        self.assertEqual((result["answers"], result["silent"]), (500, 0), result["refused"])
        ports = self.own_query_ports()
        self.assertTrue(ports, "conntrack knows the daemon's queries")
        self.assertBlocked({"the source ports of the daemon's queries": ["from_ports", ports, "escape-collision.denied.test"]})
        # Closed sockets, live entries: the ports can be had now.
        self.sidecar.terminate()
        self.sidecar.wait()
        try:
            outcomes = self.assertBlocked({"the same ports, given up": ["from_ports", ports, "escape-collision.denied.test"]})
            self.assertNotIn("none of 0", outcomes.values(), "the ports could be bound")
        finally:
            self.start_sidecar()
        self.assertFalse([name for name in self.asked() if "escape" in name])

    def test_a_forged_answer_is_not_heard(self):
        """The workload knows the daemon's ports and may try every identifier within the patience of one query, in the resolver's name, over loopback."""
        before, heard = len(self.asked()), self.metric("dns_upstream_unmatched_total")
        outcome = self.assertBlocked({"a forged answer, IPv4": ["forged_answer", 4, "never.open.test", DENIED, 1.5]}, RAW)
        self.assertIn("never.open.test", self.asked()[before:])
        self.assertBlocked({"an address out of a forged answer": ["tcp", DENIED, 7000]})
        self.assertEqual(set(outcome.values()), {"ignored some"})
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
        self.assertBlocked({"1,000 malformed packets to port 53": ["malformed", 1000]}, PLAIN)
        self.assertEqual(self.resolve("a-198-51-100-33.open.test"), ["198.51.100.33"])
        self.assertIsNone(self.sidecar.poll())

    def test_one_wildcard_name_asked_with_2000_labels(self):
        result = self.one("range_of_names", "n%d.many.test", 1000, 2000)
        self.note("2,000 labels: nobody waits in vain", result["silent"] == 0, {k: v for k, v in result.items() if k != "addresses"})
        text = self.lab.inside(self.lab.pod, "nft", "list", "map", "inet", "sallyport", "lease4").stdout
        self.note("2,000 labels: no more leases than answers", text.count("198.18.") <= 2600, text.count("198.18."))
        self.assertEqual(self.resolve("a-198-51-100-34.open.test"), ["198.51.100.34"])

    def test_zz_each_try_that_made_a_packet_is_on_the_record(self):
        self.assertAllOnRecord()


class NamesUnderTheAKSProfile(Names):
    profile = "aks-kata-6.6"


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
            self.looked_at()
            self.may.clear()
            self.assertBlocked({"an address whose lease ended, daemon stopped": ["tcp", "198.51.100.41", 7000], "by UDP": ["udp", "198.51.100.41", 7000]})
        finally:
            self.sidecar.send_signal(signal.SIGCONT)

    def test_a_forged_answer_is_not_heard(self):
        before = self.metric("dns_upstream_unmatched_total")
        outcome = self.assertBlocked({"a forged answer, IPv6": ["forged_answer", 6, "never.open.test", DENIED, 1.5]})
        self.assertBlocked({"an address out of an answer forged over IPv6": ["tcp", DENIED, 7000]})
        self.note("a forged answer over IPv6 never reaches the daemon", self.metric("dns_upstream_unmatched_total") == before, outcome)

    def test_zz_each_try_that_made_a_packet_is_on_the_record(self):
        self.assertAllOnRecord()


class ShortLeasesUnderTheAKSProfile(ShortLeases):
    profile = "aks-kata-6.6"


if __name__ == "__main__":
    unittest.main()
