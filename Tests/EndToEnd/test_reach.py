"""What a workload reaches and what it does not (contract §3, C1)."""
import unittest

from stage import LabCase, allow, binary, deny_all_but, wait_for, whole_lines


class Reach(LabCase):
    policy = deny_all_but(
        allow("registry.example.test", "443/tcp"), allow("*.artifacts.example.test"), allow("api.example.test", "7000/udp"),
        {"action": "deny", "target": "198.51.100.60"}, allow("198.51.100.48/28", "7000", "443/tcp"), allow("inside.example.test"), allow("meta.example.test"))
    zone = "meta.example A 169.254.169.254\n"

    def test_an_exact_name_is_fetched_over_ipv4_and_ipv6(self):
        for family in ("-4", "-6"):
            self.assertIn("hello from registry", self.assertFetches("https://registry.example.test/", family))

    def test_a_wildcard_allows_every_depth_below_and_not_the_apex(self):
        self.assertFetches("https://a.artifacts.example.test/")
        self.assertEqual(self.lab.lookup("x.y.artifacts.example.test", "+short").strip(), "198.51.100.40")
        self.assertIn("NXDOMAIN", self.lab.lookup("artifacts.example.test"))

    def test_the_ports_of_a_rule_hold(self):
        self.assertFetches("https://registry.example.test/")
        for address in ("198.51.100.10", "2001:db8::10"):
            self.assertRefused(address, 80)
            self.assertRefused(address, 7000)
            self.assertRefused(address, 443, "udp")
        self.assertFetches("http://any.artifacts.example.test/")
        self.lab.lookup("api.example.test")
        self.assertEqual(self.lab.connect("198.51.100.70", 7000, "udp")["answer"], "x")
        self.assertRefused("198.51.100.70", 7000, "tcp")

    def test_an_address_rule_needs_no_name(self):
        self.assertEqual(self.lab.connect("198.51.100.50", 7000)["answer"], "x")
        self.assertEqual(self.lab.connect("198.51.100.51", 7000, "udp")["answer"], "x")
        self.assertRefused("198.51.100.50", 80)

    def test_an_earlier_deny_beats_a_later_allow(self):
        self.assertRefused("198.51.100.60", 443)
        self.assertRefused("198.51.100.60", 7000)

    def test_C1_a_denied_address_is_refused_at_once_and_on_record(self):
        for address in ("198.51.100.20", "2001:db8::20", "8.8.8.8", "2606:4700::1111"):
            for protocol in ("tcp", "udp"):
                quickest = min(self.assertRefused(address, 443, protocol)["milliseconds"] for _ in range(3))
                # Not a time limit: only the difference between an answer of the kernel and one that never comes.
                self.assertLess(quickest, 500, f"{address} {protocol}")
                self.arrived("FlowDenied", DstIpAddr=address, DstPortNumber=443, NetworkProtocol=protocol.upper())

    def test_nothing_denied_leaves_the_pod(self):
        with self.lab.capture("host 198.51.100.21 or host 2001:db8::21 or host 198.51.100.10") as packets:
            for address in ("198.51.100.21", "2001:db8::21"):
                for protocol in ("tcp", "udp"):
                    self.assertRefused(address, 443, protocol)
            self.assertEqual(len(packets()), 24, "a packet left: the capture holds more than its header")
            self.lab.lookup("registry.example.test")
            self.assertEqual(self.lab.connect("198.51.100.10", 443, payload="")["result"], "connected")
            self.assertGreater(len(packets()), 24, "the capture sees what does leave")

    def test_an_address_that_no_name_led_to_is_refused(self):
        """many.example.test has the address of an allowed block; denied.example.test none: knowing an address is not being allowed it."""
        self.assertRefused("198.51.100.41", 443)

    def test_a_name_with_a_special_purpose_address_is_withheld(self):
        for name, address in (("inside.example.test", "10.96.0.1"), ("meta.example.test", "169.254.169.254")):
            answer = self.lab.lookup(name)
            self.assertNotIn(address, "".join(line for line in answer.splitlines() if not line.startswith(";")), answer)
            self.assertRefused(address, 443)
        record = self.arrived("DnsDenied", DnsQuery="meta.example.test")[0]
        self.assertEqual(record["EventOriginalResultDetails"], "PRIVATE_ANSWER")

    def test_T19_the_control_api_is_closed_to_the_workload_and_the_try_is_on_record(self):
        for address in ("127.0.0.1", "10.77.0.2", "::1", "fd77::2"):
            self.assertRefused(address, 18080)
        for address in ("127.0.0.1", "10.77.0.2"):
            self.arrived("FlowDenied", DstIpAddr=address, DstPortNumber=18080)

    def test_T19_G15_the_workload_cannot_send_as_the_daemon_does_and_the_try_is_on_record(self):
        """Neither the daemon's listener nor the hub and the upstream are open to another uid."""
        self.assertRefused("203.0.113.10", 443)
        self.assertRefused("10.53.0.53", 443)
        self.assertRefused("10.53.0.53", 5353, "udp")
        for address, port, protocol in (("203.0.113.10", 443, "TCP"), ("10.53.0.53", 443, "TCP"), ("10.53.0.53", 5353, "UDP")):
            self.arrived("FlowDenied", DstIpAddr=address, DstPortNumber=port, NetworkProtocol=protocol)
        self.assertTrue(self.lab.records("SidecarStart"), "under the same policy the daemon reaches the hub")


class NoOwner(LabCase):
    policy = deny_all_but(allow("registry.example.test"), allow("198.51.100.48/28"))
    settings = {"SALLYPORT_OWNER": None}

    def test_without_an_owner_everything_is_denied_and_says_so(self):
        self.assertIn("NXDOMAIN", self.lab.lookup("registry.example.test"))
        self.assertRefused("198.51.100.50", 7000)
        record = self.arrived("FlowDenied", DstIpAddr="198.51.100.50")[0]
        self.assertEqual(record["EventOriginalResultDetails"], "OWNER_UNBOUND")
        self.assertEqual((record["SbxOwnerState"], record["EventSeverity"]), ("unbound", "Medium"))
        for member in ("SrcUserId", "SrcUserAadId", "SrcUserScopeId"):
            self.assertNotIn(member, record)


class OwnerNotRequired(LabCase):
    policy = deny_all_but(allow("registry.example.test"))
    settings = {"SALLYPORT_OWNER": None, "SALLYPORT_OWNER_REQUIRED": "false"}

    def test_an_owner_that_is_not_required_denies_nothing(self):
        self.assertFetches("https://registry.example.test/")
        record = self.arrived("FlowOpen", DstPortNumber=443)[0]
        self.assertEqual(record["SbxOwnerState"], "unbound")


class ConfigurationFile(LabCase):
    """`run --config FILE`: the same names, and the environment wins."""
    has_hub = True

    @classmethod
    def start_sidecar(cls, **changes):
        return None

    def test_run_takes_its_settings_from_the_file(self):
        import json
        env = self.lab.settings(deny_all_but(allow("registry.example.test")))
        path = self.lab.folder / "settings"
        path.write_text("".join(f"{k}={v}\n" for k, v in env.items() if k != "PATH" and k != "SALLYPORT_SANDBOX_ID"))
        process = self.lab.start(binary("sallyport"), "run", "--config", path, namespace=self.lab.pod, log="sallyport.log",
                                 env={"PATH": env["PATH"], "SALLYPORT_SANDBOX_ID": "from-environment"})
        wait_for("it enforces", lambda: self.assertIsNone(process.poll(), self.lab.log()) or self.lab.api("GET", "/healthz", timeout=1)[0] == 200)
        self.assertFetches("https://registry.example.test/")
        self.assertEqual(self.arrived("SidecarStart")[0]["SbxSandboxId"], "from-environment")
        for line in whole_lines(self.lab.folder / "sallyport.log"):
            json.loads(line)


if __name__ == "__main__":
    unittest.main()
