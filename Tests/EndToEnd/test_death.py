"""The daemon dies, is told to stop, and comes back."""
import collections, json, signal, subprocess, sys, time, unittest

from stage import Flow, LabCase, Probe, allow, deny_all_but, wait_for

NAMES = 4000


class Death(LabCase):
    policy = deny_all_but(allow("*.fresh.example.test"), allow("registry.example.test"), allow("many.example.test"), allow("slow.example.test"))
    zone = "".join(f"f{i}.fresh.example A 198.51.100.{100 + i % 100}\n" for i in range(NAMES))

    def kill(self):
        self.sidecar.kill()
        self.sidecar.wait(10)

    def test_T16_killed_ten_times_under_traffic_the_record_is_complete(self):
        live = Flow(self.lab, "many.example.test", "echo", seconds=200)
        traffic = self.lab.workload_popen(sys.executable, "-c", TRAFFIC, NAMES, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        gaps = []
        for round in range(10):
            time.sleep(0.4)
            begun = time.time() - 0.1
            self.kill()
            self.assertRefused("198.51.100.20", 443)
            self.start_sidecar()
            gaps.append((begun, time.time()))
        time.sleep(0.5)
        traffic.terminate()
        output, error = traffic.communicate(timeout=20)
        self.assertTrue(output, error)
        seen = json.loads(output)
        self.assertGreater(len(seen["names"]), 50)
        self.assertGreater(len(seen["flows"]), 50)
        self.assertEqual(seen["denied"], [], "an address that was answered was refused")
        self.assertIsNone(live.stop()["error"], "a live flow of an allowed name goes on")

        # Those too that came and went while it was dead: the kernel keeps the entry of a flow that ended for 120 s (TIME_WAIT), longer than any gap here. Left out is what it
        # forgets at once: a denied TCP flow, whose entry goes with the reset that refuses it. The traffic has none.
        made = collections.Counter((address, port) for address, port, _, _ in seen["flows"])
        overlapping = {(address, port) for address, port, begun, ended in seen["flows"] if any(begun < end and ended > start for start, end in gaps)}
        self.assertGreater(len(overlapping), 0, "no flow overlapped a gap")

        def names():
            return {r["DnsQuery"] for r in self.lab.records("DnsAllowed")}

        def unlike(kind):
            """The flows that the record does not have as often as the workload made them: one opening and one close each. An `Adopted` opening only goes on with a flow."""
            found = collections.Counter((r["DstIpAddr"], r["SrcPortNumber"]) for r in self.lab.records(kind) if r.get("AdditionalFields", {}).get("Origin") != "Adopted" or kind == "FlowClose")
            return {flow: (count, found[flow]) for flow, count in made.items() if found[flow] != count}
        end = time.monotonic() + 30
        while time.monotonic() < end and (set(seen["names"]) - names() or unlike("FlowOpen") or unlike("FlowClose")):
            time.sleep(0.5)
        missing = set(seen["names"]) - names()
        self.assertEqual(missing, set(), f"{len(missing)} of {len(seen['names'])} answers that the workload saw are on no record")
        for kind in ("FlowOpen", "FlowClose"):
            wrong = unlike(kind)
            self.assertEqual(wrong, {}, f"{len(wrong)} of {len(made)} flows of the workload, {len(overlapping & wrong.keys())} of {len(overlapping)} around a death, have not one {kind} each (made, on record)")
        self.assertComplete()
        records = self.lab.records()
        starts = sorted((r for r in records if r["SbxRecordKind"] == "SidecarStart"), key=lambda r: r["TimeGenerated"])
        self.assertGreaterEqual(len(starts), 11)
        for earlier, later in zip(starts, starts[1:]):
            self.assertEqual(later["SbxPrevBootId"], earlier["SbxBootId"])
            last = max(r["SbxSeq"] for r in records if r["SbxBootId"] == earlier["SbxBootId"])
            self.assertEqual(later["SbxPrevLastSeq"], last, "the end of a boot that was killed is missing")

    def test_T16_G9_G10_killed_stopped_or_crashed_and_back_no_denied_try_passes_no_leased_one_fails_and_a_download_goes_on(self):
        # Without the language's own look at the crash, which no image has and which takes its time in a debug build.
        self.kill()
        self.start_sidecar(SWIFT_BACKTRACE="enable=no")
        self.lab.lookup("registry.example.test")
        denied, leased = Probe(self.lab, "198.51.100.20", 443), Probe(self.lab, "198.51.100.10", rate=100)
        with open(self.lab.folder / "download", "wb") as file:
            download = self.lab.workload_popen("curl", "-sS", "-N", "--cacert", self.lab.folder / "ca.pem", "https://slow.example.test/slow", stdout=file, stderr=subprocess.PIPE)

        def more():
            """The download goes on from here."""
            size = file_size()
            wait_for("the download goes on", lambda: file_size() > size + (256 << 10), 30)

        def file_size():
            return (self.lab.folder / "download").stat().st_size
        more()
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT):
            self.sidecar.send_signal(number)
            wait_for(f"it ends by {number.name}", lambda: self.sidecar.poll() is not None, 60)
            more()
            self.start_sidecar(SWIFT_BACKTRACE="enable=no")
            more()
        self.assertIsNone(download.poll())
        download.terminate()
        result = denied.stop()
        self.assertEqual((result["connected"], result["other"]), (0, 0), result)
        self.assertGreater(result["refused"], 500, result)
        result = leased.stop()
        self.assertEqual((result["refused"], result["other"]), (0, 0), result)
        self.assertGreater(result["connected"], 100, result)

    def test_T16_while_it_is_dead_the_kernel_enforces_and_dns_fails_at_once(self):
        self.lab.lookup("registry.example.test")
        live = Flow(self.lab, "many.example.test", "echo")
        self.kill()
        self.assertRefused("198.51.100.20", 443)
        self.assertRefused("198.51.100.20", 443, "udp")
        self.assertRefused("2001:db8::20", 443)
        self.assertEqual(self.lab.connect("198.51.100.10", 7000)["answer"], "x", "what was leased stays reachable")
        self.assertEqual(self.lab.connect("10.53.0.53", 53, "udp")["result"], "refused")
        time.sleep(0.5)
        self.assertTrue(live.lives)
        self.start_sidecar()
        self.assertIsNone(live.stop()["error"])
        self.arrived("FlowClose", DstFQDN="many.example.test", SrcPortNumber=live.port)
        self.assertIn("198.51.100.10", self.lab.lookup("registry.example.test"))

    def test_flows_opened_while_it_was_dead_are_on_record_with_their_name(self):
        self.lab.lookup("registry.example.test")
        self.kill()
        flow = Flow(self.lab, "198.51.100.10", "echo")
        self.start_sidecar()
        record = self.arrived("FlowOpen", SrcPortNumber=flow.port, DstIpAddr="198.51.100.10")[0]
        self.assertEqual(record.get("DstFQDN"), "registry.example.test")
        self.assertIsNone(flow.stop()["error"])

    def test_what_came_and_went_while_it_was_dead_is_on_record(self):
        self.lab.lookup("registry.example.test")
        ended = Flow(self.lab, "many.example.test", "echo")
        former = self.arrived("FlowOpen", SrcPortNumber=ended.port)[0]
        self.kill()
        flow = Flow(self.lab, "198.51.100.10", "echo")
        flow.stop()
        ended.stop()
        # UDP: its entry outlives the refusal by 30 s. The kernel deletes that of a denied TCP flow with the reset that refuses it, so nobody can learn of it later.
        self.assertRefused("198.51.100.29", 443, "udp")
        for _ in range(2):         # the second start finds it all on record and adds nothing
            self.start_sidecar()
            self.arrived("FlowOpen", 5, SrcPortNumber=flow.port, DstIpAddr="198.51.100.10")
            self.arrived("FlowClose", 5, SrcPortNumber=flow.port, DstIpAddr="198.51.100.10")
            closed = self.arrived("FlowClose", 5, SrcPortNumber=ended.port)
            self.assertEqual(closed[0]["NetworkSessionId"], former["NetworkSessionId"])
            self.assertIn(closed[0]["EventResultDetails"], ("Terminated", "Reset"))
            self.arrived("FlowDenied", 5, DstIpAddr="198.51.100.29")
            time.sleep(1)
            kinds = [r["SbxRecordKind"] for r in self.lab.records() if r.get("SrcPortNumber") in (flow.port, ended.port) and r["SbxRecordKind"].startswith("Flow")]
            self.assertEqual(sorted(kinds), ["FlowClose", "FlowClose", "FlowOpen", "FlowOpen"])
            self.assertEqual(sum(r["EventCount"] for r in self.lab.records("FlowDenied", DstIpAddr="198.51.100.29")), 1)
            self.kill()
        self.start_sidecar()

    def test_a_restart_keeps_what_the_api_changed(self):
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("files.example.test")])[0], 200)
        before = self.lab.api("GET", "/policy")
        self.kill()
        self.start_sidecar()
        after = self.lab.api("GET", "/policy")
        self.assertEqual(before[1]["policy"], after[1]["policy"])
        self.assertFetches("https://files.example.test/")
        self.assertEqual(self.lab.api("DELETE", "/policy", ["files.example.test"])[0], 200)
        self.kill()
        self.start_sidecar()
        self.assertUnresolved("https://files.example.test/")

    def test_a_restart_can_still_cut_what_an_earlier_process_let_out(self):
        flow = Flow(self.lab, "many.example.test", "push")
        self.kill()
        self.start_sidecar()
        self.assertEqual(self.lab.api("DELETE", "/policy", ["many.example.test"])[0], 200)
        at = time.time()
        result = flow.end()
        self.assertIsNotNone(result["error"])
        self.assertLess(result["last"] - at, 1)
        self.assertEqual(self.lab.api("PUT", "/policy", self.policy)[0], 200)

    def test_T16_G9_told_to_stop_it_ends_cleanly_and_the_rules_stay(self):
        self.lab.lookup("registry.example.test")
        live = Flow(self.lab, "many.example.test", "echo")
        self.sidecar.send_signal(signal.SIGTERM)
        self.assertEqual(self.sidecar.wait(10), 0, self.lab.log())
        self.assertIn("sallyport", self.lab.inside(self.lab.pod, "nft", "list", "tables").stdout)
        self.assertRefused("198.51.100.20", 443)
        self.assertRefused("2001:db8::20", 443, "udp")
        self.assertEqual(self.lab.connect("198.51.100.10", 7000)["answer"], "x")
        self.assertIsNone(live.stop()["error"])
        stops = len(self.lab.records("SidecarStop"))
        self.start_sidecar()
        wait_for("the stop is on record", lambda: len(self.lab.records("SidecarStop")) >= max(stops, 1))

    def test_another_pod_starts_with_its_own_policy(self):
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("files.example.test")])[0], 200)
        self.kill()
        self.start_sidecar(POD_UID="11111111-2222-4333-8444-555555555555")
        self.assertNotIn("files.example.test", json.dumps(self.lab.api("GET", "/policy")[1]))
        self.assertUnresolved("https://files.example.test/")
        self.kill()
        self.start_sidecar()
        self.assertEqual(self.lab.api("PUT", "/policy", self.policy)[0], 200)


TRAFFIC = r"""
import json, signal, socket, struct, sys, time
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
seen = {"names": [], "flows": [], "denied": []}

def ask(name):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3)
    try:
        s.connect(("10.53.0.53", 53))
        s.send(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0" + struct.pack("!2H", 1, 1))
        data = s.recv(4096)
    except OSError:
        return None
    finally:
        s.close()
    return socket.inet_ntoa(data[-4:]) if data[3] & 15 == 0 and data[6:8] == b"\0\1" else None

for i in range(int(sys.argv[1])):
    if stop:
        break
    name = f"f{i}.fresh.example.test"
    address = ask(name)
    time.sleep(0.005)
    if address is None:
        continue
    seen["names"].append(name)
    s = socket.socket()
    s.settimeout(2)
    begun = time.time()
    try:
        s.connect((address, 7000))
        s.send(b"x")
        s.recv(1)
        seen["flows"].append([address, s.getsockname()[1], begun, time.time()])
    except OSError as error:
        seen["denied"].append([name, address, str(error)])
    s.close()
print(json.dumps(seen))
"""

if __name__ == "__main__":
    unittest.main()
