"""Resolvers that say nothing, and such that must prove who they are."""
import unittest

from scripted import ScriptedCase
from stage import RESOLVER, allow, deny_all_but, run, wait_for
from upstream import PORT, record

SECOND = f"{RESOLVER}:5302"


class Failover(ScriptedCase):
    """The first resolver never says a word; nobody but us knows."""
    policy = deny_all_but(allow("*.acme.test"))
    settings = {"SALLYPORT_DNS_UPSTREAM": f"{RESOLVER}:{PORT},{SECOND}", "SALLYPORT_DNS_CACHE": "off"}

    def test_the_first_query_is_answered_by_the_second_resolver_within_the_clients_second(self):
        answers = [True]
        silent = self.resolver(lambda q, _: [q.reply([record(q.name, "A", "198.51.100.50")])] if not answers[0] else [])
        second = self.resolver(lambda q, _: [q.reply([record(q.name, "A", "198.51.100.51")])], port=5302)

        def ask(name):
            return self.lab.workload("dig", "+short", "+tries=1", "+time=1", f"@{RESOLVER}", name).stdout.strip()
        for number in range(3):
            self.assertEqual(ask(f"n{number}.acme.test"), "198.51.100.51")
        self.assertGreaterEqual(self.metric("dns_upstream_failovers_total"), 2)
        # It is out of its place now: further names are asked of the second alone, but for a probe now and then.
        before = len(silent.seen)
        for number in range(20):
            self.assertEqual(ask(f"m{number}.acme.test"), "198.51.100.51")
        self.assertLess(len(silent.seen) - before, 20)
        # And in it again when it answers.
        answers[0] = False
        wait_for("the first resolver is asked first again", lambda: ask(f"back{len(silent.seen)}.acme.test") == "198.51.100.50")
        self.assertIn("n0.acme.test", second.names())


class Secure(ScriptedCase):
    """DNS over TLS (RFC 7858) to a real resolver."""
    policy = deny_all_but(allow("*.acme.test"))
    port = 8853
    settings = {"SALLYPORT_DNS_UPSTREAM": f"tls://{RESOLVER}:8853#dns.example.test", "SALLYPORT_DNS_CACHE": "off"}

    @classmethod
    def prepare(cls):
        super().prepare()
        f = cls.lab.folder
        (f / "unbound.conf").write_text(f"""server:
  interface: {RESOLVER}@{cls.port}
  tls-port: {cls.port}
  tls-service-key: "{f}/server.key"
  tls-service-pem: "{f}/server.pem"
  access-control: 0.0.0.0/0 allow
  chroot: ""
  username: ""
  directory: "{f}"
  pidfile: "{f}/unbound.pid"
  do-daemonize: no
  use-syslog: no
  local-zone: "acme.test." redirect
  local-data: "acme.test. 60 A 198.51.100.50"
remote-control:
  control-enable: no
""")
        cls.lab.start("unbound", "-d", "-p", "-c", f / "unbound.conf", namespace=cls.lab.outside, log="unbound.log")
        wait_for("unbound listens", lambda: f":{cls.port}" in cls.lab.inside(cls.lab.outside, "ss", "-Hltn").stdout)

    def connections(self):
        return self.lab.inside(self.lab.pod, "ss", "-Htn", "state", "established", f"dport = :{self.port}").stdout.splitlines()

    def test_names_are_asked_over_one_kept_connection_that_nobody_can_read(self):
        with self.lab.capture("port 53 or port 8853") as packets:
            for number in range(20):
                self.assertIn("198.51.100.50", self.lab.lookup(f"secret{number}.acme.test"))
            octets = packets().lower()
        self.assertGreater(len(octets), 4000)
        self.assertNotIn(b"secret", octets)
        self.assertEqual(len(self.connections()), 1)
        self.assertEqual(self.lab.connect("198.51.100.50", 7000)["result"], "connected")

    def test_a_resolver_that_cannot_prove_its_name_is_not_believed(self):
        self.restart(SALLYPORT_DNS_UPSTREAM=f"tls://{RESOLVER}:{self.port}#dns.elsewhere.test")
        self.addCleanup(self.restart)
        self.assertFails(self.lab.lookup("x.acme.test"))
        self.assertIn("hostname mismatch", self.lab.log())
        self.restart(SALLYPORT_CA_FILE=self.stranger())
        self.assertFails(self.lab.lookup("y.acme.test"))
        self.assertRegex(self.lab.log(), "self-signed|unable to get|certificate verify")

    def stranger(self):
        """Roots of somebody else."""
        f = self.lab.folder
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=stranger",
            "-keyout", f / "stranger.key", "-out", f / "stranger.pem")
        (f / "stranger.pem").chmod(0o644)
        return f / "stranger.pem"

    def test_a_connection_that_the_resolver_ended_is_made_anew(self):
        self.assertIn("198.51.100.50", self.lab.lookup("a.acme.test"))
        self.lab.inside(self.lab.outside, "ss", "-K", "state", "established", f"sport = :{self.port}")
        wait_for("it is gone", lambda: not self.connections())
        self.assertIn("198.51.100.50", self.lab.lookup("b.acme.test"))


del ScriptedCase


if __name__ == "__main__":
    unittest.main()
