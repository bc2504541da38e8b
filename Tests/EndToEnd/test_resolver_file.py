"""/etc/resolv.conf while the sidecar runs: other resolvers, and files that name none."""
import pathlib, shutil, unittest

from scripted import ScriptedCase
from stage import allow, deny_all_but, wait_for
from upstream import record

FIRST, SECOND = "198.51.100.53", "198.51.100.54"


class ResolverFile(ScriptedCase):
    policy = deny_all_but(allow("*.acme.test"))
    settings = {"SALLYPORT_DNS_UPSTREAM": None, "SALLYPORT_DNS_CACHE": "off"}

    @classmethod
    def prepare(cls):
        super().prepare()
        # `ip netns exec` puts it over /etc/resolv.conf, as a container runtime does.
        folder = pathlib.Path("/etc/netns") / cls.lab.pod
        folder.mkdir(parents=True)
        cls.addClassCleanup(shutil.rmtree, folder, True)
        cls.file = folder / "resolv.conf"
        cls.write(f"nameserver {FIRST}\n")

    @classmethod
    def write(cls, text):
        cls.file.write_text(text)
        cls.file.chmod(0o644)

    def answerer(self, address, answer):
        return self.resolver(lambda q, _: [q.reply([record(q.name, "A", answer)])], address=address, port=53)

    def test_changed_resolvers_are_asked_without_a_restart_and_a_bad_file_keeps_the_last_good_ones(self):
        first, second = self.answerer(FIRST, "198.51.100.1"), self.answerer(SECOND, "198.51.100.2")
        number = iter(range(1000))

        def answer():
            return self.lab.lookup(f"n{next(number)}.acme.test", "+short").strip()
        self.assertEqual(answer(), "198.51.100.1")
        self.write(f"search acme.test\nnameserver {SECOND}\noptions ndots:2\n")
        wait_for("the second resolver is asked", lambda: answer() == "198.51.100.2", 30)
        asked = len(first.seen)
        for _ in range(10):
            self.assertEqual(answer(), "198.51.100.2")
        self.assertEqual(len(first.seen), asked, "the former resolver is asked no more")
        self.assertEqual(self.metric("dns_resolvers_changed_total"), 1)
        for text in ("search acme.test\n", "options ndots:3\n"):
            refused = self.metric("dns_resolvers_refused_total")
            self.write(text)
            wait_for("the bad file is said", lambda: self.metric("dns_resolvers_refused_total") > refused, 30)
            self.assertIn("the last good ones are asked", self.lab.log())
            self.assertEqual(answer(), "198.51.100.2")
        self.write(f"nameserver {FIRST}\n")
        wait_for("the first resolver is asked again", lambda: answer() == "198.51.100.1", 30)
        self.assertGreater(len(second.seen), 10)


del ScriptedCase

if __name__ == "__main__":
    unittest.main()
