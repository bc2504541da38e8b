"""DNS is no channel: acceptance cases T15, C6."""
import base64, hashlib, unittest

from scripted import RestartCase
from stage import RESOLVER, allow, deny_all_but, wait_for


class Channel(RestartCase):
    """T15 and C6 with the settings as they are when nobody sets them, and with a small budget."""
    policy = deny_all_but(allow("*.acme.test"), allow("*.small.test", "443/tcp"), allow("registry.example.test"))
    zone = "*.acme A 198.51.100.40\n*.small A 198.51.100.41\n"

    def ask(self, names):
        """Asks for each name over one socket, 64 at a time: how many answers had each code."""
        return self.lab.python(ASK, RESOLVER, input="\n".join(names), timeout=120)

    def test_T15_five_thousand_denied_names_stay_here_and_are_counted_by_their_domain(self):
        with self.lab.capture("port 53 and host 10.53.0.53") as packets:
            answers = self.ask(f"{encode(number)}.a.evil.test" for number in range(5000))
            self.assertEqual(answers["codes"], {"3": 5000})
            self.assertNotIn(b"\x04evil", packets().lower())

        def of_evil():
            return [r for r in self.lab.records("DnsDenied") if r["DnsQuery"].endswith("evil.test")]
        wait_for("all are counted", lambda: sum(r["EventCount"] for r in of_evil()) == 5000, 40)
        self.assertLess(len(of_evil()), 1500)
        rolled = [r for r in of_evil() if r["DnsQuery"] == "evil.test"]
        self.assertTrue(rolled and all(r["AdditionalFields"]["RolledUp"] == "names of this domain" for r in rolled))
        self.assertComplete()

    def test_T15_names_that_carry_data_use_the_budget_up_and_the_estimate_is_on_record(self):
        answers = self.ask(f"{encode(number)}.acme.test" for number in range(5000))
        self.assertGreater(answers["codes"].get("5", 0), 100, answers)
        self.assertGreater(answers["codes"]["0"], 3000)
        trip = self.arrived("DnsDenied", 40, EventOriginalResultDetails="CHANNEL_BUDGET", RuleName="allow *.acme.test")[0]
        self.assertGreater(trip["AdditionalFields"]["BudgetBits"], 1_000_000)
        self.assertEqual(trip["DnsResponseCodeName"], "REFUSED")
        answer = self.lab.lookup(f"{encode(9999)}.acme.test")
        self.assertIn("EDE: 15 (Blocked)", answer)
        self.assertIn("has used up its budget of new names", answer)
        self.assertIn("198.51.100.41", self.lab.lookup("other.small.test"))
        self.assertIn("198.51.100.40", self.lab.lookup(f"{encode(0)}.acme.test"), "a name that was asked before")
        status, text, _ = self.lab.api("GET", "/metrics", token=None)
        self.assertRegex(text, r'sallyport_dns_limit_reached_total\{limit="CHANNEL_BUDGET"\} [1-9]')

    def test_C6_labels_without_end_are_refused_and_recorded_and_others_go_on(self):
        self.restart(SALLYPORT_DNS_NAME_BUDGET="1000")
        self.addCleanup(self.restart)
        answers = self.ask(f"l{number}.small.test" for number in range(3000))
        self.assertEqual(answers["codes"], {"0": 1000, "5": 2000})

        def refused():
            return [r for r in self.lab.records("DnsDenied") if r["EventOriginalResultDetails"] == "NAME_BUDGET"]
        wait_for("the excess is recorded", lambda: sum(r["EventCount"] for r in refused()) == 2000, 40)
        self.assertEqual({r["AdditionalFields"]["BudgetNames"] for r in refused()}, {1000})
        self.assertIn("198.51.100.10", self.lab.lookup("registry.example.test"))


del RestartCase


def encode(number):
    """Fifty-two characters of base32 that stand for nothing but themselves."""
    return base64.b32encode(hashlib.sha512(str(number).encode()).digest())[:52].decode().lower()


ASK = r"""
import collections, json, socket, struct, sys
names = sys.stdin.read().split()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], 53))
codes = collections.Counter()
waiting = set()
def answer():
    octets = s.recv(4096)
    waiting.discard(octets[:2])
    codes[octets[3] & 15] += 1
for number, name in enumerate(names):
    octets = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    waiting.add(struct.pack("!H", number & 0xffff))
    s.send(struct.pack("!6H", number & 0xffff, 0x0100, 1, 0, 0, 0) + octets + struct.pack("!2H", 1, 1))
    # As many at a time as a socket holds answers to.
    while len(waiting) >= 64:
        answer()
while waiting:
    answer()
print(json.dumps({"codes": codes}))
"""


if __name__ == "__main__":
    unittest.main()
