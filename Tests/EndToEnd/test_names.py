"""What the DNS proxy answers, and what never leaves (contract §5)."""
import random, struct, subprocess, sys, unittest

from stage import LabCase, RESOLVER, allow, deny_all_but

FRESH = 100


class Names(LabCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp"), allow("*.artifacts.example.test"), allow("*.fresh.example.test"),
                          allow("alias.example.test"), allow("service.example.test"), allow("big.example.test"))
    zone = "".join(f"n{i}.fresh.example A 198.51.100.{100 + i}\n" for i in range(FRESH)) + \
        "".join(f"big.example A 198.51.100.{100 + i}\n" for i in range(60)) + \
        "service.example HTTPS 1 . alpn=h2 ipv4hint=198.51.100.66 ech=AEX+DQBBpQAgACCKEk9uMGtNSBRqbRRsIBoKCNQzTK2QnpSTiL2YIJxtLwAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29tAAA=\n"

    def test_a_denied_name_is_nxdomain_with_the_reason_and_an_empty_authority(self):
        for name in ("files.example.test", "denied.example.test", "no.such.name.anywhere", "artifacts.example.test", "test"):
            for kind in ("A", "AAAA", "TXT", "HTTPS"):
                answer = self.lab.lookup(name, kind)
                self.assertIn("status: NXDOMAIN", answer)
                self.assertIn("EDE: 15 (Blocked)", answer)
                self.assertIn("AUTHORITY: 0", answer)
                self.assertIn("ANSWER: 0", answer)
        self.assertIn("blocked by policy", self.lab.lookup("files.example.test"))
        self.assertNotIn("EDE", self.lab.lookup("files.example.test", "+noedns"))

    def test_a_denied_name_never_reaches_upstream(self):
        with self.lab.capture("port 53") as packets:
            for name in ("secret-a.files.example.test", "secret-b.elsewhere.test"):
                for options in ((), ("+tcp",), ("TXT",), ("+noedns",)):
                    self.assertIn("NXDOMAIN", self.lab.lookup(name, *options))
            self.assertIn("NOERROR", self.lab.lookup("control.artifacts.example.test"))
            octets = packets().lower()
        self.assertIn(b"\x07control\x09artifacts", octets, "the capture sees what does go upstream")
        self.assertNotIn(b"secret-", octets)

    def test_dns_to_any_address_is_steered_to_the_proxy(self):
        with self.lab.capture("port 53 and not host 10.53.0.53") as packets:
            for server in ("8.8.8.8", "198.51.100.99", "2606:4700:4700::1111", "10.53.0.53"):
                for options in ((), ("+tcp",)):
                    common = ("dig", "+tries=1", "+time=3", f"@{server}", *options)
                    self.assertIn("198.51.100.10", self.lab.workload(*common, "registry.example.test").stdout, f"{server} {options}")
                    self.assertIn("NXDOMAIN", self.lab.workload(*common, "files.example.test").stdout, f"{server} {options}")
            self.assertEqual(len(packets()), 24, "a query left for an address that the workload chose")

    def test_the_lease_is_in_the_kernel_before_the_answer(self):
        result = self.lab.python(FIRST_CONNECT, RESOLVER, str(FRESH))
        self.assertEqual(result["failed"], [])
        self.assertEqual(result["connected"], FRESH)
        self.assertTrue(self.leased("198.51.100.100"))

    def test_an_answer_over_tcp_leases_every_address(self):
        answer = self.lab.lookup("big.example.test", "+tcp", "+short").split()
        self.assertEqual(len(answer), 60)
        self.assertTrue(all(self.leased(address) for address in answer))

    def test_a_truncated_answer_is_repeated_over_tcp(self):
        self.assertEqual(len(self.lab.lookup("big.example.test", "+noedns", "+short").split()), 60)
        self.assertIn("flags: qr tc", self.lab.lookup("big.example.test", "+noedns", "+ignore"))

    def test_an_alias_is_followed_and_its_address_leased_to_the_name_that_was_asked(self):
        self.assertIn("198.51.100.10", self.lab.lookup("alias.example.test"))
        self.assertEqual(self.lab.connect("198.51.100.10", 80, payload="")["result"], "connected")

    def test_case_is_kept_and_does_not_matter(self):
        answer = self.lab.lookup("ReGiStRy.ExAmPlE.tEsT")
        self.assertIn("ReGiStRy.ExAmPlE.tEsT.\t", answer)
        self.assertIn("198.51.100.10", answer)

    def test_a_name_without_such_a_record_is_nodata(self):
        answer = self.lab.lookup("n1.fresh.example.test", "AAAA")
        self.assertIn("status: NOERROR", answer)
        self.assertIn("ANSWER: 0", answer)

    def test_unserved_types_and_classes_are_refused(self):
        for options in (("ANY",), ("AXFR", "+tcp"), ("NULL",), ("-c", "CH", "-t", "TXT"), ("IXFR=1", "+tcp")):
            answer = self.lab.lookup("registry.example.test", *options)
            self.assertTrue("status: REFUSED" in answer or "Transfer failed" in answer, f"{options}: {answer}")

    def test_https_records_lose_ech_and_lead_nowhere_unleased(self):
        answer = self.lab.lookup("service.example.test", "HTTPS")
        self.assertIn("status: NOERROR", answer)
        self.assertNotIn("ech=", answer)
        if "ipv4hint" in answer:
            self.assertEqual(self.lab.connect("198.51.100.66", 7000)["result"], "connected")
        else:
            self.assertRefused("198.51.100.66", 7000)

    def test_pipelined_queries_over_tcp_are_all_answered(self):
        names = [f"n{i}.fresh.example.test" for i in range(20)] + ["files.example.test"]
        stream = b""
        for number, name in enumerate(names):
            query = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + encoded(name) + struct.pack("!2H", 1, 1)
            stream += struct.pack("!H", len(query)) + query
        answers = self.lab.python(STREAM, RESOLVER, stream.hex(), str(len(names)))
        self.assertEqual(sorted(a[0] for a in answers), list(range(len(names))))
        self.assertEqual({a[0]: a[1] for a in answers}[20], 3)

    def test_malformed_datagrams_are_dropped_or_answered_and_counted(self):
        generator = random.Random(7)
        query = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + encoded("registry.example.test") + struct.pack("!2H", 1, 1)
        noise = [generator.randbytes(generator.randrange(0, 600)) for _ in range(300)]
        noise += [query[:length] for length in range(len(query))]
        noise += [query[:2] + b"\x81\x80" + query[4:]] * 5                                    # responses
        noise += [query[:12] + b"\xc0\x0c" + query[14:], query[:12] + b"\xff" * 40, query[:4] + b"\xff\xff" * 4 + query[12:]]
        noise += [query + b"\0" * 4000, query[:12] + b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\x3f" + b"d" * 63 + b"\0\0\1\0\1"]
        before = self.metric("dns_dropped_total") + self.metric("dns_malformed_total")
        self.lab.python(DATAGRAMS, RESOLVER, *[datagram.hex() for datagram in noise])
        self.assertGreater(self.metric("dns_dropped_total") + self.metric("dns_malformed_total") - before, 100)
        for stream in (b"\0", b"\0\0", b"\0\1x", b"\xff\xff" + b"x" * 100, b"\0\x0c" + b"\0" * 12, generator.randbytes(2000)):
            self.lab.python(STREAM, RESOLVER, stream.hex(), "0")
        self.assertIsNone(self.sidecar.poll(), self.lab.log())
        self.assertIn("198.51.100.10", self.lab.lookup("registry.example.test"))


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


FIRST_CONNECT = r"""
import json, socket, struct, sys, time
server, count = sys.argv[1], int(sys.argv[2])
failed, connected = [], 0
for i in range(count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect((server, 53))
    name = b"".join(bytes([len(x)]) + x.encode() for x in f"n{i}.fresh.example.test".split(".")) + b"\0"
    s.send(struct.pack("!6H", i, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1))
    address = socket.inet_ntoa(s.recv(4096)[-4:])
    try:
        socket.create_connection((address, 7000), 0.9).close()         # the first SYN, not its repetition after a second
        connected += 1
    except OSError as error:
        failed.append([i, address, str(error)])
print(json.dumps({"failed": failed, "connected": connected}))
"""

STREAM = r"""
import json, socket, struct, sys
s = socket.create_connection((sys.argv[1], 53), 5)
s.settimeout(5)
octets, wanted = bytes.fromhex(sys.argv[2]), int(sys.argv[3])
s.sendall(octets[:1])
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.sendall(octets[1:])
buffer, answers = b"", []
while len(answers) < wanted:
    data = s.recv(65536)
    if not data:
        break
    buffer += data
    while len(buffer) >= 2 and len(buffer) >= 2 + struct.unpack("!H", buffer[:2])[0]:
        size = struct.unpack("!H", buffer[:2])[0]
        message, buffer = buffer[2:2 + size], buffer[2 + size:]
        answers.append([struct.unpack("!H", message[:2])[0], message[3] & 15])
print(json.dumps(answers))
"""

DATAGRAMS = r"""
import json, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 53))
for text in sys.argv[2:]:
    s.send(bytes.fromhex(text))
print(json.dumps(len(sys.argv) - 2))
"""

if __name__ == "__main__":
    unittest.main()
