"""A change of policy holds when its answer arrives, and what it takes away is cut (contract §4)."""
import datetime, json, signal, subprocess, time, unittest

from stage import Flow, LabCase, allow, deny_all_but, wait_for

DOWNLOAD = "https://slow.example.test/slow"


def soon(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Change(LabCase):
    policy = deny_all_but(allow("slow.example.test"), allow("many.example.test"), allow("registry.example.test"), allow("*.artifacts.example.test"), allow("twin.example.test"), allow("second.example.test"))
    zone = """one.artifacts.example A 198.51.100.90
twin.example A 198.51.100.90
two.artifacts.example A 198.51.100.91
second.example A 198.51.100.91
partner.example A 198.51.100.70
"""

    def setUp(self):
        self.change("PUT", self.policy)

    def change(self, method, body):
        status, answer, _ = self.lab.api(method, "/policy", body)
        self.assertEqual(status, 200, answer)

    def assertCut(self, flow, at):
        """The program was told by an error, and nothing arrived later than a moment after the change."""
        result = flow.end()
        self.assertIsNotNone(result["error"])
        self.assertLess(result["last"] - at, 1, result)
        return result

    def test_an_allowed_name_is_reachable_when_the_answer_arrives_twenty_times(self):
        for round in range(20):
            self.change("PATCH", [allow("files.example.test")])
            self.assertFetches("https://files.example.test/")
            self.change("DELETE", ["files.example.test"])
            self.assertUnresolved("https://files.example.test/")
            self.assertRefused("198.51.100.20", 443)

    def test_T10_G6_a_removal_cuts_a_running_download(self):
        download = self.lab.workload_popen("curl", "-sS", "--cacert", self.lab.folder / "ca.pem", "-o", "/dev/null", "-w", "%{size_download}", DOWNLOAD,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.arrived("FlowOpen", DstFQDN="slow.example.test")
        self.assertIsNone(download.poll())
        self.change("DELETE", ["slow.example.test"])
        output, error = download.communicate(timeout=10)
        self.assertNotEqual(download.returncode, 0, error)
        self.assertGreater(int(output), 0)
        record = self.arrived("FlowClose", DstFQDN="slow.example.test", EventOriginalResultDetails="REVOKED")[-1]
        # What the peer still had under way when the flow was cut reaches the program, so that it is reset, and is not the flow's any more.
        self.assertGreater(record["DstBytes"], int(output) - (256 << 10))
        self.assertGreater(record["DstBytes"], 0)

    def test_T10_C12_a_removal_cuts_flows_that_only_receive_that_only_send_and_that_are_idle(self):
        flows = [Flow(self.lab, "many.example.test", manner, protocol) for manner, protocol in (("push", "tcp"), ("echo", "tcp"), ("send", "tcp"), ("echo", "udp"), ("send", "udp"))]
        idle = Flow(self.lab, "many.example.test", "idle")
        time.sleep(0.3)
        self.change("PATCH", [{"action": "deny", "target": "many.example.test"}])
        at = time.time()
        for flow in flows:
            self.assertCut(flow, at)
        self.assertIsNotNone(idle.stop()["error"], "an idle flow must not carry its next word")
        for flow in (*flows, idle):
            self.arrived("FlowClose", SrcPortNumber=flow.port, EventOriginalResultDetails="REVOKED")

    def test_a_rehearsal_names_the_live_flows_that_it_would_cut_and_cuts_none(self):
        doomed = [Flow(self.lab, "many.example.test", "echo"), Flow(self.lab, "many.example.test", "echo", "udp")]
        other = Flow(self.lab, "registry.example.test", "echo")
        self.assertFetches("https://registry.example.test/")

        def rehearse(method, body):
            status, answer, headers = self.lab.api(method, "/policy?dryRun=true", body)
            self.assertEqual((status, answer["dryRun"]), (200, True), answer)
            return answer
        removal = wait_for("both flows are known", lambda: (a := rehearse("DELETE", ["many.example.test"])) and len(a["flowsCut"]) == 2 and a)
        self.assertEqual({(f["name"], f["protocol"], f["sourcePort"], f["address"], f["port"], f["rule"]) for f in removal["flowsCut"]},
                         {("many.example.test", protocol, flow.port, "198.51.100.50", 7000, "allow many.example.test") for flow, protocol in zip(doomed, ("tcp", "udp"))})
        self.assertEqual((removal["namesDenied"], removal["rulesRemoved"]), (["many.example.test"], [allow("many.example.test")]))
        # One port of the name goes on: the flows do not.
        narrowed = rehearse("PATCH", [allow("many.example.test", "443/tcp")])
        self.assertEqual(({f["sourcePort"] for f in narrowed["flowsCut"]}, narrowed["namesDenied"]), ({flow.port for flow in doomed}, []))
        everything = rehearse("PUT", {})
        self.assertEqual({f["sourcePort"] for f in everything["flowsCut"]} & {*(flow.port for flow in doomed), other.port}, {*(flow.port for flow in doomed), other.port})
        self.assertEqual(rehearse("PATCH", [allow("new.example.test")])["flowsCut"], [])
        self.assertTrue(all(flow.lives for flow in (*doomed, other)))
        before = self.lab.api("GET", "/policy")[2]["ETag"]
        self.change("DELETE", ["many.example.test"])
        self.assertNotEqual(self.lab.api("GET", "/policy")[2]["ETag"], before)
        for flow in doomed:
            self.assertIsNotNone(flow.end()["error"])
        self.assertIsNone(other.stop()["error"])

    def test_T10_a_revoked_flow_sends_nothing_more(self):
        flow = Flow(self.lab, "many.example.test", "echo")
        self.change("DELETE", ["many.example.test"])
        with self.lab.capture(f"src host 10.77.0.2 and tcp src port {flow.port} and tcp[tcpflags] & tcp-push != 0") as packets:
            flow.end()
            self.assertEqual(len(packets()), 24, "data left after the change was answered")

    def test_flows_of_other_names_are_untouched_by_any_change(self):
        others = [Flow(self.lab, "registry.example.test", manner, protocol) for manner, protocol in (("echo", "tcp"), ("push", "tcp"), ("echo", "udp"))]
        for round in range(5):
            self.change("PATCH", [allow("files.example.test"), {"action": "deny", "target": "many.example.test"}])
            self.change("DELETE", ["files.example.test", "many.example.test"])
            self.change("PUT", {**self.policy, "egress": [allow("new.example.test"), *self.policy["egress"]]})
        for flow in others:
            self.assertIsNone(flow.stop()["error"])
        self.assertEqual(self.lab.records("FlowClose", DstFQDN="registry.example.test", EventOriginalResultDetails="REVOKED"), [])

    def test_G4_a_lease_that_a_program_already_has_survives_another_names_change(self):
        """A cached address must still work without another look-up."""
        self.lab.lookup("registry.example.test")
        self.change("PATCH", [allow("files.example.test")])
        self.change("DELETE", ["many.example.test"])
        self.assertEqual(self.lab.connect("198.51.100.10", 7000)["answer"], "x")

    def test_T10_a_name_keeps_an_address_that_another_name_loses(self):
        """Whichever of the two names came first."""
        first = Flow(self.lab, "one.artifacts.example.test", "echo")
        Flow(self.lab, "twin.example.test", "echo")
        Flow(self.lab, "second.example.test", "echo")
        second = Flow(self.lab, "two.artifacts.example.test", "echo")
        self.change("DELETE", ["twin.example.test", "second.example.test"])
        for address in (first.address, second.address):
            self.assertEqual(self.lab.connect(address, 7000)["answer"], "x", address)
        time.sleep(0.5)
        self.assertIsNone(first.stop()["error"], "one.artifacts was asked first")
        self.assertIsNone(second.stop()["error"], "two.artifacts was asked last")

    def test_T18_a_query_under_way_is_not_answered_by_what_is_no_longer_policy(self):
        """Whatever the order, after the change no lease of the name is left."""
        for round in range(5):
            self.change("PATCH", [allow("partner.example.test")])
            query = self.lab.workload_popen("dig", "+tries=1", "+time=3", "@10.53.0.53", "partner.example.test", stdout=subprocess.DEVNULL)
            self.change("DELETE", ["partner.example.test"])
            query.wait(10)
            self.assertRefused("198.51.100.70", 7000)

    def test_a_change_is_on_record_with_who_was_cut(self):
        flow = Flow(self.lab, "many.example.test", "push")
        self.change("DELETE", ["many.example.test"])
        flow.end()
        records = self.arrived("PolicyChange")
        record = wait_for("the last change is on record", lambda: [r for r in self.lab.records("PolicyChange") if (r.get("AdditionalFields") or {}).get("FlowsCut")])[-1]
        self.assertEqual((record["EventSchema"], record["ObjectType"]), ("AuditEvent", "Policy Rule"))
        self.assertNotEqual(record["OldValue"], record["NewValue"])
        self.assertTrue(records)

    def test_expiry_ends_a_rule_and_its_flows(self):
        self.change("PATCH", [allow("files.example.test", expiresAt=soon(3)), allow("198.51.100.99", expiresAt=soon(3))])
        end = time.time() + 3
        flow = Flow(self.lab, "files.example.test", "push")
        direct = Flow(self.lab, "198.51.100.99", "echo")
        self.assertCut(flow, end)
        self.assertCut(direct, end)
        self.assertUnresolved("https://files.example.test/")
        self.assertRefused("198.51.100.20", 443)
        self.assertRefused("198.51.100.99", 7000)

    def test_C4_expiry_holds_while_the_daemon_is_stopped(self):
        self.change("PATCH", [allow("files.example.test", expiresAt=soon(3)), allow("198.51.100.98", expiresAt=soon(3))])
        end = time.time() + 3
        flow = Flow(self.lab, "files.example.test", "echo")
        direct = Flow(self.lab, "198.51.100.98", "echo")
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            self.assertCut(flow, end)
            self.assertCut(direct, end)
            for address in ("198.51.100.20", "198.51.100.98"):
                self.assertRefused(address, 7000)
        finally:
            self.sidecar.send_signal(signal.SIGCONT)
        self.assertFetches("https://registry.example.test/")

    def test_an_expiry_in_the_past_never_opens(self):
        status, answer, _ = self.lab.api("PATCH", "/policy", [allow("files.example.test", expiresAt="2020-01-01T00:00:00Z")])
        self.assertIn(status, (200, 400), answer)
        self.assertUnresolved("https://files.example.test/")


class ShortLease(LabCase):
    """A lease ends in the kernel; a live flow outlives it (T3)."""
    policy = deny_all_but(allow("*.artifacts.example.test"), allow("short.example.test"))
    settings = {"SALLYPORT_LEASE_MIN": "1s", "SALLYPORT_LEASE_GRACE": "1s", "SALLYPORT_LEASE_MAX": "2s"}

    def test_a_lease_ends_and_a_new_look_up_renews_it(self):
        self.lab.lookup("short.example.test")
        self.assertEqual(self.lab.connect("198.51.100.41", 7000)["answer"], "x")
        wait_for("the lease has ended", lambda: self.lab.connect("198.51.100.41", 7000)["result"] == "refused", 8)
        record = self.arrived("FlowDenied", DstIpAddr="198.51.100.41")[-1]
        self.assertEqual((record["EventOriginalResultDetails"], record.get("DstFQDN")), ("LEASE_EXPIRED", "short.example.test"))
        self.lab.lookup("short.example.test")
        self.assertEqual(self.lab.connect("198.51.100.41", 7000)["answer"], "x")

    def test_T3_a_live_flow_outlives_its_lease(self):
        flow = Flow(self.lab, "x.artifacts.example.test", "echo")
        wait_for("the lease has ended", lambda: self.lab.connect("198.51.100.40", 7000)["result"] == "refused", 10)
        time.sleep(1)
        self.assertIsNone(flow.stop()["error"])
        record = self.arrived("FlowClose", SrcPortNumber=flow.port)[0]
        self.assertEqual(record["DstFQDN"], "x.artifacts.example.test")

    def test_asking_again_never_leaves_a_moment_without_a_lease(self):
        self.lab.lookup("y.artifacts.example.test")
        end = time.time() + 4
        while time.time() < end:
            self.lab.lookup("y.artifacts.example.test")
            self.assertEqual(self.lab.connect("198.51.100.40", 7000)["answer"], "x")


if __name__ == "__main__":
    unittest.main()
