"""`sallyport top` and `GET /flows`: who looks on sees what the record says."""
import json, os, pty, select, subprocess, time, unittest

from stage import API_TOKEN, OWNER_OBJECT, OWNER_TENANT, Flow, LabCase, allow, binary, deny_all_but, wait_for


class Top(LabCase):
    policy = deny_all_but(allow("many.example.test"), allow("registry.example.test", "443/tcp"), allow("198.51.100.96/28"))

    def top(self, *arguments, namespace=None, **environment):
        """Run in the pod as root, which becomes the sidecar's user; or where the control plane is."""
        command = ["env", "-i", f"PATH={os.environ['PATH']}", f"SALLYPORT_API_TOKEN={API_TOKEN}", *(f"{k}={v}" for k, v in environment.items()), str(binary("sallyport")), "top", *arguments]
        return self.lab.inside(namespace or self.lab.pod, *command, check=False)

    def test_a_live_flow_its_bytes_and_what_was_denied_are_in_view(self):
        flow = Flow(self.lab, "many.example.test", "push")
        self.addCleanup(flow.stop)
        self.assertRefused("198.51.100.20", 4443)
        self.lab.lookup("never.elsewhere.test")

        def seen():
            frame = json.loads(self.top("--json").stdout)
            lines = [line for line in frame["flows"] if line["sourcePort"] == flow.port]
            return lines and lines[0]["bytesReceived"] > 100_000 and (frame, lines[0])
        frame, line = wait_for("the flow's bytes of now are in view", seen)
        for member, value in (("direction", "outbound"), ("verdict", "allow"), ("name", "many.example.test"), ("names", ["many.example.test"]), ("source", "10.77.0.2"),
                              ("address", flow.address), ("port", 7000), ("protocol", "tcp"), ("rule", "allow many.example.test")):
            self.assertEqual(line[member], value, member)
        self.assertGreater(line["packetsReceived"], 10)
        self.assertEqual((frame["owner"]["tenantId"], frame["owner"]["objectId"]), (OWNER_TENANT, OWNER_OBJECT))
        record = self.arrived("FlowOpen", SrcPortNumber=flow.port)[0]
        self.assertEqual((record["NetworkSessionId"], record["TimeGenerated"][:19]), (line["session"], line["startedAt"][:19]))
        denied = {(d.get("address"), d.get("port"), d.get("name")): d for d in frame["denied"]}
        self.assertEqual(denied["198.51.100.20", 4443, None]["reason"], "DEFAULT_DENY")
        self.assertEqual(denied[None, None, "never.elsewhere.test"]["protocol"], "dns")

        text = self.top("--api", "10.77.0.2:18080", namespace=self.lab.outside).stdout
        self.assertNotIn("\x1b", text)
        for words in (f"{OWNER_TENANT}/{OWNER_OBJECT}", "enforcing", "many.example.test", "7000/tcp", "never.elsewhere.test", "4443/tcp", "DEFAULT_DENY"):
            self.assertIn(words, text)

    def test_on_a_terminal_the_view_is_drawn_anew_and_never_rolls(self):
        flow = Flow(self.lab, "many.example.test", "push")
        self.addCleanup(flow.stop)
        screen, terminal = pty.openpty()
        self.addCleanup(os.close, screen)
        subprocess.run(["stty", "rows", "24", "cols", "100"], stdin=terminal, check=True)
        process = subprocess.Popen(["ip", "netns", "exec", self.lab.outside, str(binary("sallyport")), "top", "--api", "10.77.0.2:18080", "--interval", "1", "--count", "3"],
                                   stdin=terminal, stdout=terminal, stderr=terminal, env={"PATH": os.environ["PATH"], "SALLYPORT_API_TOKEN": API_TOKEN})
        os.close(terminal)
        output = b""
        while select.select([screen], [], [], 10)[0]:
            try:
                output += os.read(screen, 65536)
            except OSError:
                break
        self.assertEqual(process.wait(10), 0)
        frames = output.decode().split("\x1b[H")[1:]
        self.assertEqual(len(frames), 3)
        for frame in frames:
            lines = [line for line in frame.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[31m", "").replace("\x1b[K", "").replace("\x1b[J", "").split("\r\n")]
            self.assertLessEqual(len(lines), 24)
            self.assertLessEqual(max(map(len, lines)), 100)
        self.assertRegex(frames[2], r"many\.example\.test +198\.51\.100\.50 +7000/tcp +\S+ +\S+[KM] ")

    def test_what_cannot_be_read_is_said(self):
        result = self.top("--api", "10.77.0.2:1", namespace=self.lab.outside)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("10.77.0.2:1: Connection refused", result.stderr)
        for arguments in (["--api", "nowhere"], ["--interval", "0"], ["x"]):
            self.assertEqual(self.top(*arguments).returncode, 2)


if __name__ == "__main__":
    unittest.main()
