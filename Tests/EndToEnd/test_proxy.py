"""HTTPS_PROXY and NO_PROXY: the hub and the token endpoint behind a real proxy (tinyproxy), which is asked by CONNECT."""
import contextlib, pathlib, shutil, unittest

from authority import Authority
from faults import FaultCase
from identity import IdentityCase
from lab import HUB_ADDRESS, HUB_NAME
from stage import deny_all_but, wait_for

NAME, ADDRESS, PORT = "proxy.example.test", "203.0.113.30", 8888
USER, PASSWORD = "sidecar", "pr0xyPassword"
ZONE = f"proxy.example A {ADDRESS}\n"


class Proxy:
    """tinyproxy in a lab's outside world, which resolves names as that world does."""

    def __init__(self, lab):
        self.lab = lab
        self.folder = pathlib.Path("/etc/netns") / lab.outside
        self.folder.mkdir(parents=True)
        (self.folder / "resolv.conf").write_text("nameserver 10.53.0.53\n")
        self.log = lab.folder / "tinyproxy.log"
        (lab.folder / "tinyproxy.conf").write_text(f"""Port {PORT}
Listen {ADDRESS}
Timeout 60
MaxClients 20
LogFile "{self.log}"
LogLevel Connect
Allow 10.77.0.0/24
BasicAuth {USER} {PASSWORD}
ConnectPort 443
ConnectPort {Authority.PORT}
""")
        self.start()

    def close(self):
        shutil.rmtree(self.folder, True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    def start(self):
        self.process = self.lab.start("tinyproxy", "-d", "-c", self.lab.folder / "tinyproxy.conf", namespace=self.lab.outside, log="tinyproxy.out")
        wait_for("tinyproxy listens", lambda: str(PORT) in self.lab.inside(self.lab.outside, "ss", "-Hltn", f"src {ADDRESS}").stdout)

    def stop(self):
        self.process.kill()
        self.process.wait(5)

    def asked(self, what):
        """How often it was asked for a connection there."""
        return self.log.read_text().count(f"CONNECT {what} ") if self.log.exists() else 0


class Proxied(FaultCase):
    policy = deny_all_but()
    zone = ZONE
    settings = {"HTTPS_PROXY": f"http://{USER}:{PASSWORD}@{NAME}:{PORT}"}

    @classmethod
    def prepare(cls):
        cls.proxy = Proxy(cls.lab)
        cls.addClassCleanup(cls.proxy.close)

    def own(self):
        return self.lab.inside(self.lab.pod, "nft", "list", "set", "inet", "sallyport", "own4").stdout

    def test_deliveries_pass_the_proxy_and_never_the_hub_directly(self):
        self.restart()
        with self.lab.capture(f"host {HUB_ADDRESS}") as packets:
            names = self.ask("proxied", 3)
            self.assertDelivered(names)
            self.assertGreater(self.proxy.asked(f"{HUB_NAME}:443"), 0)
            with self.subTest("the proxy is down"):
                self.proxy.stop()
                more = self.ask("down", 3)
                wait_for("it is said", lambda: self.said("a delivery failed", ADDRESS), 30)
                self.assertGreater(self.metric("records_unacknowledged"), 0)
                self.proxy.start()
                self.assertDelivered(more)
            self.assertLessEqual(len(packets()), 24, "the hub was reached past the proxy")
        self.assertIn(f"{ADDRESS} . tcp . {PORT}", self.own())
        self.assertNotIn(HUB_ADDRESS, self.own())
        self.assertRefused(ADDRESS, PORT)

    def test_a_proxy_that_wants_other_credentials_is_said_and_they_are_never_shown(self):
        self.restart(HTTPS_PROXY=f"http://{USER}:wr0ngPassword@{NAME}:{PORT}")
        names = self.ask("refused", 3)
        wait_for("it is said", lambda: self.said("a delivery failed", f"proxy {ADDRESS}:{PORT}: answered 40", "to CONNECT"), 30)
        self.assertEqual(self.lab.records("DnsDenied", DnsQuery="refused-0.elsewhere.test"), [])
        self.restart()
        self.assertDelivered(names)
        for text in (self.lab.log(), b"".join(self.lab.record_bytes()).decode()):
            for secret in ("wr0ngPassword", PASSWORD):
                self.assertNotIn(secret, text)

    def test_what_NO_PROXY_names_is_reached_directly(self):
        for exemption in (HUB_NAME, ".servicebus.test", "*"):
            with self.subTest(exemption=exemption):
                before = self.proxy.asked(f"{HUB_NAME}:443")
                self.restart(NO_PROXY=exemption)
                self.assertDelivered(self.ask(f"direct-{len(exemption)}", 2))
                self.assertEqual(self.proxy.asked(f"{HUB_NAME}:443"), before)
        self.restart(NO_PROXY="other.test,10.0.0.0/8")
        before = self.proxy.asked(f"{HUB_NAME}:443")
        self.assertDelivered(self.ask("again", 2))
        self.assertGreaterEqual(self.proxy.asked(f"{HUB_NAME}:443"), before)


class ProxiedIdentity(IdentityCase):
    zone = ZONE + Authority.ZONE

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.proxy = Proxy(cls.lab)
        cls.addClassCleanup(cls.proxy.close)
        cls.settings = {**cls.settings, "HTTPS_PROXY": f"http://{USER}:{PASSWORD}@{NAME}:{PORT}"}

    def test_tokens_are_exchanged_through_the_proxy_too(self):
        self.ask("identity.elsewhere.test", 30)
        self.assertGreater(self.proxy.asked(f"{Authority.NAME}:{Authority.PORT}"), 0)
        self.assertGreater(self.proxy.asked(f"{HUB_NAME}:443"), 0)
        own = self.lab.inside(self.lab.pod, "nft", "list", "set", "inet", "sallyport", "own4").stdout
        self.assertIn(f"{ADDRESS} . tcp . {PORT}", own)
        self.assertNotIn(f"{ADDRESS} . tcp . {PORT} timeout", own, "the way to the hub must not end with the exchange")
        self.assertNotIn(Authority.ADDRESS, own)


if __name__ == "__main__":
    unittest.main()
