"""Answers that are too long, cut, in pieces and out of order: acceptance cases T11, G12."""
import socket, subprocess, threading, unittest

from scripted import ScriptedCase
from stage import RESOLVER, allow, deny_all_but
from upstream import framed, record, whole


class Streams(ScriptedCase):
    policy = deny_all_but(allow("*.acme.test"))

    def test_T11_G12_a_truncated_answer_comes_by_tcp_in_pieces_and_every_address_is_leased(self):
        addresses = [f"198.51.100.{number}" for number in range(100, 160)]

        def script(q, over):
            if over == "udp":
                return [q.reply(truncated=True)]
            octets = framed(q.reply([record(q.name, "A", address) for address in addresses]))
            return [octets[:1], octets[1:2], octets[2:500], octets[500:]]
        self.resolver(script)
        for options in ((), ("+noedns",), ("+tcp",)):
            found = self.lab.lookup("big.acme.test", "+short", *options).split()
            self.assertEqual(sorted(found), sorted(addresses))
        self.assertTrue(all(self.leased(address) for address in addresses))

    def test_T11_an_answer_in_fragments_is_taken(self):
        addresses = [f"198.51.100.{number}" for number in range(1, 101)]
        upstream = self.resolver(lambda q, _: [q.reply([record(q.name, "A", address) for address in addresses])])
        with self.lab.capture("ip[6:2] & 0x3fff != 0") as fragments:
            found = self.lab.lookup("fragments.acme.test", "+short", "+bufsize=4096").split()
            self.assertGreater(len(fragments()), 100, "the answer came in fragments")
        self.assertEqual(sorted(found), sorted(addresses))
        self.assertEqual([over for _, over in upstream.seen], ["udp"])

    def test_T11_a_datagram_that_is_longer_than_its_reader_takes_is_asked_for_by_tcp(self):
        addresses = [f"198.51.{100 + number // 200}.{1 + number % 200}" for number in range(300)]

        def script(q, over):
            reply = q.reply([record(q.name, "A", address) for address in addresses])
            self.assertGreater(len(reply), 4096)
            return [reply] if over == "udp" else whole(reply)
        upstream = self.resolver(script)
        found = self.lab.lookup("longer.acme.test", "+short", "+tcp").split()
        self.assertEqual(sorted(found), sorted(addresses))
        self.assertEqual([over for _, over in upstream.seen], ["udp", "tcp"])

    def test_T11_an_answer_that_cannot_be_read_whole_is_not_passed_on(self):
        def script(q, _):
            octets = q.reply([record(q.name, "A", "198.51.100.244"), record(q.name, "A", "198.51.100.245")])
            return [octets[:-1] if q.name.startswith("cut") else octets + b"\0"]
        self.resolver(script)
        for name in ("cut.acme.test", "long.acme.test"):
            self.assertFails(self.lab.lookup(name))
        self.assertFalse(self.leased("198.51.100.244"))

    def test_one_connection_carries_all_queries_and_is_made_anew_when_the_resolver_ends_it(self):
        def script(q, over):
            return [q.reply(truncated=True)] if over == "udp" else whole(q.reply([record(q.name, "A", "198.51.100.46")]))
        upstream = self.resolver(script)
        for number in range(20):
            self.assertIn("198.51.100.46", self.lab.lookup(f"kept{number}.acme.test"))
        self.assertEqual(len(upstream.connections), 1)
        upstream.connections[0].shutdown(socket.SHUT_RDWR)
        self.assertIn("198.51.100.46", self.lab.lookup("again.acme.test"))
        self.assertEqual(len(upstream.connections), 2)

    def test_answers_over_one_connection_of_a_client_do_not_wait_for_one_another(self):
        quick = threading.Event()

        def script(q, _):
            if q.name.startswith("quick"):
                quick.set()
            return [q.reply([record(q.name, "A", "198.51.100.47")])] if quick.is_set() else []
        self.resolver(script)
        order = self.lab.python(PIPELINE, RESOLVER, "slow.acme.test", "quick.acme.test", "denied.evil.test")
        self.assertEqual((sorted(order["order"]), order["order"][-1]), ([0, 1, 2], 0), "the denied and the quick one, then the slow one (RFC 7766 §7)")

    def test_pipelined_queries_upstream_may_be_answered_in_any_order(self):
        waiting, lock = [], threading.Lock()

        def script(q, over):
            if over == "udp":
                return [q.reply(truncated=True)]
            with lock:
                waiting.append(q)
                if len(waiting) < 4:
                    return []
                return [framed(w.reply([record(w.name, "A", f"198.51.100.{60 + int(w.name[1])}")])) for w in reversed(waiting)]
        upstream = self.resolver(script)
        names = [f"p{number}.acme.test" for number in range(4)]
        digs = [self.lab.workload_popen("dig", "+short", "+tries=1", "+time=5", f"@{RESOLVER}", name, stdout=subprocess.PIPE, text=True) for name in names]
        self.assertEqual([dig.communicate()[0].strip() for dig in digs], [f"198.51.100.{60 + number}" for number in range(4)])
        self.assertEqual(len(upstream.connections), 1)


del ScriptedCase

# Asks for each name over one connection and says in which order the answers came.
PIPELINE = r"""
import json, socket, struct, sys, time
s = socket.create_connection((sys.argv[1], 53), 10)
f = s.makefile("rb")
for number, name in enumerate(sys.argv[2:]):
    octets = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    message = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + octets + struct.pack("!2H", 1, 1)
    s.sendall(struct.pack("!H", len(message)) + message)
order = []
for _ in sys.argv[2:]:
    size = struct.unpack("!H", f.read(2))[0]
    order.append(struct.unpack("!H", f.read(size)[:2])[0])
print(json.dumps({"order": order}))
"""


if __name__ == "__main__":
    unittest.main()
