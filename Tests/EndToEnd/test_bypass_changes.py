"""The hostile workload: changes of the policy, and a daemon that is stopped, killed or flooded. None may open anything."""
import json, signal, subprocess, sys, time, unittest

import bypass_workload as workload
from bypass import API, DENIED, DENIED6, HUB, PLAIN, BypassCase, Flow, allow, wait_for
from bypass import report as tearDownModule  # noqa: F401


class Changes(BypassCase):
    def test_a_connection_during_every_change(self):
        """Whatever moment of a PATCH a connection meets, a denied address stays denied."""
        source = f"import sys; sys.path.insert(0, {str(self.lab.folder)!r}); import workload as w, time\nend=time.time()+3\nbad=0\nn=0\nwhile time.time()<end:\n n+=1\n bad+=w.attempt('tcp',{DENIED!r},7000) in ('answered','connected')\nprint(bad,n)"
        process = self.lab.workload_popen(sys.executable, "-c", source, stdout=subprocess.PIPE, text=True)
        while process.poll() is None:
            self.change("PATCH", [allow("new.test"), allow("198.51.100.240/29"), {"action": "deny", "target": "198.51.100.99"}])
            self.change("PUT", self.policy)
        bad, count = map(int, process.communicate()[0].split())
        self.note("connections during changes", bad == 0 and count > 100, (bad, count))

    def test_G7_a_name_revoked_while_its_answer_is_on_its_way(self):
        self.change("PATCH", [allow("*.late.test")])
        process = self.lab.workload_popen(sys.executable, self.program, "play", "30000", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps([["look_up", "slow-a-198-51-100-37.late.test", workload.RESOLVER, 53, "udp", None, (), 1, 10]]) + "\n")
        process.stdin.close()
        wait_for("the query is upstream", lambda: "slow-a-198-51-100-37.late.test" in self.asked())
        self.change("PUT", self.policy)
        outcome = json.loads(process.stdout.read())[0]
        process.stdout.close()
        self.note("revoked while its answer was on its way", outcome == "code:3", outcome)
        self.assertBlocked({"the address of that answer": ["tcp", "198.51.100.37", 7000]})

    def test_T10_G6_C12_revoked_flows_end_however_they_are_kept_alive(self):
        self.change("PATCH", [allow("*.gone.test")])
        name = "a-198-51-100-38.gone.test"
        self.may.add(("198.51.100.38", None))
        flows = {what: Flow(self.lab, name, manner, protocol) for what, manner, protocol in (
            ("the server pushes", "push", "tcp"), ("both talk", "echo", "tcp"), ("UDP", "echo", "udp"), ("idle", "idle", "tcp"))}
        self.change("PUT", self.policy)
        self.looked_at()
        self.may.clear()
        flows["idle"].process.send_signal(signal.SIGTERM)
        for what, flow in flows.items():
            result = flow.end()
            self.note(f"a revoked flow: {what}", result["error"] is not None, result)
            self.arrived("FlowClose", SrcPortNumber=flow.port, EventOriginalResultDetails="REVOKED")
        port = flows["UDP"].port
        self.assertBlocked({"the same port after the cut": ["udp", "198.51.100.38", 7000, (), ["0.0.0.0", port]]})

    def test_C2_the_outside_speaks_first_to_a_revoked_flow(self):
        """The peer goes on sending to where the flow was: none of it makes an entry that the workload's packets could answer."""
        self.change("PATCH", [allow("*.gone.test")])
        self.resolve("a-198-51-100-39.gone.test")
        self.may.add(("198.51.100.39", None))
        self.assertEqual(self.one("udp", "198.51.100.39", 7000, (), ["0.0.0.0", 40888]), "answered")
        self.change("PUT", self.policy)
        self.looked_at()
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
        self.looked_at()
        self.may.clear()
        self.assertBlocked({"an address that both its names lost": ["tcp", "198.51.100.36", 7000]})
        self.change("PUT", self.policy)

    def test_C4_stopped_the_daemon_leaves_everything_denied(self):
        end = (time.time() + 2.5)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end)) + f".{int(end % 1 * 1000):03d}Z"
        self.change("PATCH", [allow("*.soon.test", expiresAt=stamp), allow("198.51.100.97", expiresAt=stamp)])
        self.may |= {("198.51.100.96", None), ("198.51.100.97", None)}
        flow, direct = Flow(self.lab, "a-198-51-100-96.soon.test", "push"), Flow(self.lab, "198.51.100.97", "echo")
        self.sidecar.send_signal(signal.SIGSTOP)
        try:
            self.denied_without_daemon("stopped")
            time.sleep(max(0, end + 0.3 - time.time()))
            self.looked_at()
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
        self.is_recorded = how != "killed"
        self.assertBlocked({f"daemon {how}: {label}": one for label, one in {
            "tcp": ["tcp", DENIED, 7000], "udp": ["udp", DENIED, 7000], "tcp IPv6": ["tcp", DENIED6, 7000], "udp IPv6": ["udp", DENIED6, 7000],
            "a denied name": ["look_up", "escape-dead.denied.test"], "a denied name by TCP": ["look_up", "escape-dead.denied.test", workload.RESOLVER, 53, "tcp"],
            "DNS elsewhere": ["look_up", "escape-dead.denied.test", "8.8.8.8"], "the hub": ["tcp", HUB, 443], "the resolver's other port": ["tcp", workload.RESOLVER, 7000],
            "API": ["tcp", "127.0.0.1", API], "ping": ["ping", DENIED]}.items()})

    def test_G9_killed_the_daemon_leaves_everything_denied(self):
        self.kill()
        try:
            self.denied_without_daemon("killed")
            self.in_the_daemons_place()
        finally:
            self.start_sidecar()
            self.is_recorded = True
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

    def test_C2_ingress_taken_away_ends_its_flows(self):
        """SYN from outside, while permitted; then INGRESS=none: the pod can say nothing more on that flow, and no new one begins."""
        self.may.add(("10.77.0.1", None))
        listener = ("import socket,time\ns=socket.create_server(('0.0.0.0',8088))\nprint('ready',flush=True)\nc,_=s.accept()\nprint(c.recv(10),flush=True)\n"
                    "import struct\nc.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0))\n"
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
            self.looked_at()
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
            # What the caller's kernel still sends on that flow is not answered any more.
            self.lab.inside(self.lab.pod, "conntrack", "-D", "-p", "tcp", "--orig-port-dst", "8088", check=False)
            self.start_sidecar()

    def test_zz_each_try_that_made_a_packet_is_on_the_record(self):
        self.assertAllOnRecord()


class ChangesUnderTheAKSProfile(Changes):
    profile = "aks-kata-6.6"


class Floods(BypassCase):
    def test_many_flows_wear_nothing_down(self):
        self.assertBlocked({"20,000 UDP sockets to denied ports": ["many_sockets", 20000], "a denied name after them": ["look_up", "escape-flood.denied.test"],
                            "a denied address after them": ["tcp", DENIED, 443]}, PLAIN)
        self.assertEqual(self.resolve("a-198-51-100-35.open.test"), ["198.51.100.35"])


class FloodsUnderTheAKSProfile(Floods):
    profile = "aks-kata-6.6"


if __name__ == "__main__":
    unittest.main()
