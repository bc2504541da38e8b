"""Upstream resolvers that refuse, stall, hang up or answer in pieces; datagrams that are none."""
import contextlib, socket, struct, threading, time, unittest

from stage import RESOLVER, wait_for
from shell import framed, inside, query
from test_shell_life import LifeCase

PORT = 5301


def answer(octets, truncated):
    """The query with an address, or cut short."""
    end = octets.index(b"\0", 12) + 5
    header = octets[:2] + struct.pack(">HHHHH", 0x8380 if truncated else 0x8180, 1, 0 if truncated else 1, 0, 0)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("198.51.100.40")
    return header + octets[12:end] + (b"" if truncated else record)


class Upstream(LifeCase):
    @contextlib.contextmanager
    def resolver(self, converse, truncated=True):
        """A resolver that asks for TCP and there does what `converse` does with each connection."""
        with inside(self.lab.outside):
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        datagrams.bind((RESOLVER, PORT))
        listener.bind((RESOLVER, PORT))
        listener.listen(256)
        held, ending = [], threading.Event()

        def answer_datagrams():
            datagrams.settimeout(0.1)
            while not ending.is_set():
                with contextlib.suppress(TimeoutError):
                    octets, peer = datagrams.recvfrom(4096)
                    datagrams.sendto(answer(octets, truncated), peer)

        def answer_streams():
            listener.settimeout(0.1)
            while not ending.is_set():
                with contextlib.suppress(OSError):
                    connection = listener.accept()[0]
                    held.append(connection)
                    connection.settimeout(2)
                    converse(connection)

        threads = [threading.Thread(target=body, daemon=True) for body in (answer_datagrams, answer_streams)]
        for thread in threads:
            thread.start()
        try:
            yield held
        finally:
            ending.set()
            for thread in threads:
                thread.join(5)
            for made in (datagrams, listener, *held):
                made.close()

    def begin_with(self, timeout="1s"):
        self.begin(SALLYPORT_DNS_UPSTREAM=f"{RESOLVER}:{PORT}", SALLYPORT_DNS_UPSTREAM_TIMEOUT=timeout)

    def ask(self, name="x.artifacts.example.test"):
        begun = time.monotonic()
        return self.lab.workload("dig", "+tries=1", "+time=9", f"@{RESOLVER}", name).stdout, time.monotonic() - begun

    def test_a_refusal_is_told_at_once_and_ends_with_the_resolver(self):
        self.begin_with()
        for _ in range(3):
            text, seconds = self.ask()
            self.assertIn("SERVFAIL", text)
            self.assertLess(seconds, 1)
        self.assertRests()
        with self.resolver(lambda connection: None, truncated=False):
            self.assertIn("198.51.100.40", self.ask()[0])

    def test_an_answer_over_tcp_may_come_in_pieces(self):
        def converse(connection):
            # The hub's name may be asked for first, over the connection that is kept for the next one.
            stream = connection.makefile("rb")
            while len(prefix := stream.read(2)) == 2:
                for octet in framed(answer(stream.read(int.from_bytes(prefix)), False)):
                    connection.sendall(bytes([octet]))
                    time.sleep(0.001)
        with self.resolver(converse):
            # Some hundred pauses on a busy machine take longer than they say.
            self.begin_with(timeout="5s")
            self.assertIn("198.51.100.40", self.ask()[0])

    def test_a_broken_or_silent_conversation_is_a_failure_and_leaves_nothing(self):
        def reset(connection):
            connection.recv(4096)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        for what, converse, limit in (("closes", lambda c: c.close(), 3), ("resets", reset, 3),
                                      ("half", lambda c: (c.recv(4096), c.sendall(b"\1\0half"), c.close()), 3), ("silent", lambda c: None, 9)):
            with self.subTest(what), self.resolver(converse):
                if self.sidecar:
                    self.sidecar.kill()
                    self.sidecar.wait()
                self.begin_with()
                before = self.descriptors()
                text, seconds = self.ask()
                self.assertIn("SERVFAIL", text)
                self.assertLess(seconds, limit)
                self.assertRests()
                wait_for("the look-up's descriptors are given back", lambda: self.descriptors() <= before + 16)

    def test_many_queries_in_a_row_use_few_ports(self):
        with self.resolver(lambda connection: None, truncated=False):
            self.begin_with()
            before = self.descriptors()
            with inside(self.lab.pod):
                client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.addCleanup(client.close)
            client.settimeout(3)
            client.connect((RESOLVER, 53))
            for number in range(300):
                client.send(query(f"r{number}.artifacts.example.test", number))
                self.assertEqual(client.recv(4096)[:2], struct.pack(">H", number))
            self.assertLess(self.descriptors(), before + 70)

    def test_datagrams_that_are_no_queries_are_passed_over(self):
        self.begin()
        with inside(self.lab.pod):
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((RESOLVER, 53))
        for octets in (b"", b"\0", b"\xff" * 12, b"\0" * 4096, b"\0" * 4097, b"\xff" * 60000, query("registry.example.test")[:-1]):
            client.send(octets)
        # One that asks and is gone before its answer.
        client.send(query("gone.artifacts.example.test"))
        client.close()
        self.assertAnswers()
        self.assertRests()


del LifeCase

if __name__ == "__main__":
    unittest.main()
