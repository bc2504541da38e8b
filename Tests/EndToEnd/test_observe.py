"""Observe mode: nothing is blocked, and the records say what would have been."""
import json, unittest

from stage import Flow, LabCase, allow, deny_all_but, wait_for


class Observing(LabCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp"), {"action": "deny", "target": "denied.example.test"},
                          allow("inside.example.test"))
    settings = {"SALLYPORT_MODE": "observe"}

    def test_everything_passes_and_the_mode_is_told_as_it_is(self):
        self.assertEqual(self.lab.api("GET", "/policy")[1]["enforcementMode"], "observe")
        self.assertIn("hello", self.assertFetches("https://registry.example.test/"))
        self.assertIn("hello", self.assertFetches("https://files.example.test/", "-k"))
        self.assertEqual(self.lab.connect("198.51.100.50", 443, payload="")["result"], "connected")
        self.assertEqual(self.lab.connect("198.51.100.50", 7000, "udp")["result"], "connected")
        self.assertIn("198.51.100.60", self.lab.lookup("denied.example.test", "+short"))
        self.assertIn("10.96.0.1", self.lab.lookup("inside.example.test", "+short"))
        self.assertEqual(self.metric("observing"), 1)

    def test_what_would_have_been_denied_is_on_the_record(self):
        self.assertFetches("https://files.example.test/", "-k")
        self.lab.connect("198.51.100.51", 7000)
        self.lab.lookup("denied.example.test")
        self.lab.lookup("inside.example.test")
        name = self.arrived("DnsDenied", DnsQuery="files.example.test")[0]
        self.assertEqual((name["SbxEnforcement"], name["DnsResponseCodeName"], name["EventOriginalResultDetails"]),
                         ("observe", "NOERROR", "DEFAULT_DENY"))
        flow = self.arrived("FlowDenied", DstIpAddr="198.51.100.20", DstPortNumber=443)[0]
        self.assertEqual((flow["SbxEnforcement"], flow["DstFQDN"], flow["EventOriginalResultDetails"]),
                         ("observe", "files.example.test", "DEFAULT_DENY"))
        self.arrived("FlowDenied", DstIpAddr="198.51.100.51", EventOriginalResultDetails="DEFAULT_DENY", SbxEnforcement="observe")
        self.arrived("DnsDenied", DnsQuery="denied.example.test", EventOriginalResultDetails="RULE_DENY", SbxEnforcement="observe")
        self.arrived("DnsDenied", DnsQuery="inside.example.test", EventOriginalResultDetails="PRIVATE_ANSWER", SbxEnforcement="observe")
        self.assertEqual(self.arrived("PolicyChange")[0]["SbxEnforcement"], "observe")

    def test_a_revocation_cuts_nothing(self):
        self.lab.api("PATCH", "/policy", [allow("short.example.test")])
        flow = Flow(self.lab, "short.example.test")
        self.assertEqual(self.lab.api("DELETE", "/policy", ["short.example.test"])[0], 200)
        self.assertFetches("https://registry.example.test/")
        self.assertTrue(flow.lives)
        self.assertIsNone(flow.stop()["error"])

    def test_the_suggested_policy_is_what_was_seen_and_lets_it_pass(self):
        for label in "abcdef":
            self.assertFetches(f"https://{label}.artifacts.example.test/")
        self.assertFetches("https://files.example.test/", "-k")
        self.lab.connect("198.51.100.52", 7000, "udp")
        self.lab.lookup("nothing-there.test")
        status, policy, _ = self.lab.api("GET", "/policy/suggested")
        self.assertEqual((status, policy["defaultAction"]), (200, "deny"))
        rules = {rule["target"]: rule for rule in policy["egress"]}
        self.assertEqual(rules["*.artifacts.example.test"]["ports"], ["443/tcp"])
        self.assertNotIn("a.artifacts.example.test", rules)
        self.assertEqual(rules["files.example.test"]["ports"], ["443/tcp"])
        self.assertEqual(rules["198.51.100.52"]["ports"], ["7000/udp"])
        for target in ("nothing-there.test", "denied.example.test"):
            self.assertNotIn(target, rules)
        before = self.lab.api("GET", "/policy")[1]["policy"]
        status, answer, _ = self.lab.api("PUT", "/policy", json.dumps(policy))
        self.assertEqual(status, 200, answer)
        try:
            for target in ("files.example.test", "f.artifacts.example.test"):
                self.assertTrue(self.lab.api("GET", f"/policy/explain?target={target}&port=443")[1]["allowed"], target)
            self.assertTrue(self.lab.api("GET", "/policy/explain?target=198.51.100.52&port=7000&protocol=udp")[1]["allowed"])
        finally:
            self.lab.api("PUT", "/policy", before)


class ObservingUnbound(LabCase):
    policy = deny_all_but(allow("registry.example.test"))
    settings = {"SALLYPORT_MODE": "observe", "SALLYPORT_OWNER": None}

    def test_without_an_owner_nothing_is_blocked_either_and_the_record_says_why_it_would_be(self):
        self.assertIn("hello", self.assertFetches("https://registry.example.test/"))
        self.arrived("DnsDenied", DnsQuery="registry.example.test", EventOriginalResultDetails="OWNER_UNBOUND", SbxEnforcement="observe")
        self.arrived("FlowDenied", DstIpAddr="198.51.100.10", EventOriginalResultDetails="OWNER_UNBOUND", SbxEnforcement="observe")
        self.assertEqual(self.lab.api("GET", "/readyz", token=None)[0], 200)


class NeverByItself(LabCase):
    policy = deny_all_but(allow("registry.example.test"))

    def test_observe_and_enforce_are_left_by_the_setting_alone_and_flows_go_on(self):
        self.assertRefused("198.51.100.50", 443)
        self.sidecar.terminate()
        self.sidecar.wait(10)
        self.start_sidecar(SALLYPORT_MODE="observe")
        self.assertEqual(self.lab.connect("198.51.100.50", 443, payload="")["result"], "connected")
        self.assertEqual(self.lab.api("GET", "/policy")[1]["enforcementMode"], "observe")
        self.sidecar.terminate()
        self.sidecar.wait(10)
        self.start_sidecar()
        self.assertRefused("198.51.100.50", 443)
        self.assertEqual(self.lab.api("GET", "/policy")[1]["enforcementMode"], "dns+nft")
        started = wait_for("the starts are on the record", lambda: len(found) == 3 and found
                           if (found := self.lab.records("SidecarStart")) else None)
        self.assertEqual([r["SbxEnforcement"] for r in started], ["enforce", "observe", "enforce"])


if __name__ == "__main__":
    unittest.main()
