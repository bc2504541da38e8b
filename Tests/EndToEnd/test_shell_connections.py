"""Connections to the sidecar that behave badly: half closed, slow, silent, greedy, many."""
import json, re, resource, socket, time, unittest

from stage import API_TOKEN, allow, deny_all_but, wait_for
from shell import ShellCase, framed, messages, query, read_all

HEAD = f"HTTP/1.1\r\nHost: x\r\nOPENSANDBOX-EGRESS-AUTH: {API_TOKEN}\r\n"


class Connections(ShellCase):
    policy = deny_all_but(allow("registry.example.test"), allow("*.artifacts.example.test"))

    def assertServes(self, seconds=1.0):
        begun = time.monotonic()
        self.assertEqual(self.lab.api("GET", "/policy", timeout=5)[0], 200)
        self.assertIn("198.51.100.10", self.lab.lookup("registry.example.test", "+short"))
        self.assertLess(time.monotonic() - begun, 5 + seconds)

    def test_a_client_that_closed_its_sending_half_gets_its_answer(self):
        body = json.dumps(self.policy).encode()
        client = self.connect()
        client.sendall(f"PUT /policy {HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        client.shutdown(socket.SHUT_WR)
        self.assertTrue(read_all(client).startswith(b"HTTP/1.1 200 "))

    def test_half_a_request_and_the_end_is_the_end(self):
        client = self.connect()
        client.sendall(f"PUT /policy {HEAD}Content-Length: 100\r\n\r\n{{".encode())
        client.shutdown(socket.SHUT_WR)
        begun = time.monotonic()
        self.assertEqual(read_all(client), b"")
        self.assertLess(time.monotonic() - begun, 2)

    def test_a_tcp_resolver_client_that_closed_its_sending_half_gets_its_answers(self):
        client = self.connect_names()
        names = [f"h{number}.artifacts.example.test" for number in range(20)]
        client.sendall(b"".join(framed(query(name, number)) for number, name in enumerate(names)))
        client.shutdown(socket.SHUT_WR)
        answers = messages(read_all(client))
        self.assertEqual(sorted(answer[1] for answer in answers), list(range(20)))
        self.assertEqual({answer[3] & 15 for answer in answers}, {0})

    def test_queries_over_tcp_are_whole_wherever_the_stream_is_cut(self):
        client = self.connect_names()
        octets = framed(query("registry.example.test", 1)) + framed(query("denied.example.test", 2)) + framed(b"")
        for octet in octets:
            client.sendall(bytes([octet]))
            time.sleep(0.002)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual({answer[1] for answer in messages(read_all(client))}, {1, 2})

    def test_a_client_that_leaves_before_its_answers_harms_nobody(self):
        for number in range(20):
            client = self.connect_names()
            client.sendall(framed(query(f"gone{number}.artifacts.example.test")))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        self.assertServes()
        self.assertRests()

    def test_head_tells_the_length_and_sends_nothing_more(self):
        client = self.connect()
        client.sendall(f"HEAD /policy {HEAD}\r\nGET /healthz {HEAD}Connection: close\r\n\r\n".encode())
        answer = read_all(client)
        self.assertEqual(len(re.findall(rb"HTTP/1.1 \d+ ", answer)), 2, answer)

    def test_a_refused_upload_is_told_why_although_it_goes_on(self):
        for _ in range(5):
            client = self.connect()
            chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
            try:
                client.sendall(f"PUT /policy {HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 9)
            except OSError:
                pass
            self.assertTrue(read_all(client).startswith(b"HTTP/1.1 413 "))

    def test_thousands_of_requests_at_once_do_not_keep_names_waiting(self):
        count = 3000
        client = self.connect(timeout=30)
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * (count - 1) + b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        names = self.connect_names()
        begun = time.monotonic()
        names.sendall(framed(query("registry.example.test")))
        self.assertNotEqual(names.recv(512), b"")
        self.assertLess(time.monotonic() - begun, 0.5)
        self.assertEqual(read_all(client).count(b"HTTP/1.1 200 "), count)

    def test_a_long_answer_waits_for_a_slow_reader(self):
        label = "x" * 60
        long = deny_all_but(*(allow(f"{label}.{label}.{label}.n{number}.test", "443/tcp", "8443/tcp", "9443/udp") for number in range(4096)))
        self.assertEqual(self.lab.api("PUT", "/policy", long)[0], 200)
        try:
            client = self.connect(buffer=4096)
            client.sendall(f"GET /policy {HEAD}Connection: close\r\n\r\n".encode())
            time.sleep(1)
            self.assertRests(1.0)
            head, _, body = read_all(client).partition(b"\r\n\r\n")
            self.assertGreater(len(body), 1 << 20)
            self.assertEqual(len(json.loads(body)["policy"]["egress"]), 4096)
        finally:
            self.assertEqual(self.lab.api("PUT", "/policy", self.policy)[0], 200)

    def test_silent_clients_make_room(self):
        silent = [self.connect() for _ in range(200)] + [self.connect_names() for _ in range(400)]
        self.assertRests()
        self.assertServes()
        client = self.connect_names()
        client.sendall(framed(query("registry.example.test")))
        self.assertNotEqual(client.recv(512), b"")
        self.assertLess(self.descriptors(), 64 + 256 + 150)
        for client in silent:
            client.close()

    def test_no_descriptor_is_left_behind(self):
        time.sleep(3)
        self.assertServes()
        before = self.descriptors()
        for number in range(300):
            client = self.connect() if number % 2 else self.connect_names()
            if number % 3 == 0:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" if number % 2 else framed(query("registry.example.test")))
            client.close()
        for number in range(40):
            self.lab.lookup(f"t{number}.artifacts.example.test", "+tcp")
        wait_for("descriptors are given back", lambda: self.descriptors() <= before + 16)

    def test_clients_that_dawdle_are_cut(self):
        trickle, never, name = self.connect(), self.connect(buffer=4096), self.connect_names()
        for _ in range(200):
            never.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        begun = time.monotonic()
        header = iter("GET /healthz HTTP/1.1\r\nHost: x\r\n" + "X-A: b\r\n" * 100)
        ends = {}
        name.sendall(b"\1")
        while time.monotonic() - begun < 36 and len(ends) < 2:
            for what, client, octet in (("trickle", trickle, next(header).encode()), ("name", name, b"\0")):
                if what in ends:
                    continue
                try:
                    client.setblocking(False)
                    if what == "trickle" or time.monotonic() - begun > 9:
                        client.send(octet)
                    if client.recv(100) == b"":
                        ends[what] = time.monotonic() - begun
                except BlockingIOError:
                    pass
                except OSError:
                    ends[what] = time.monotonic() - begun
            time.sleep(0.5)
        self.assertEqual(set(ends), {"trickle", "name"})
        self.assertLess(ends["name"], 15)
        self.assertRests()

    def test_an_idle_sidecar_rests(self):
        time.sleep(1)
        self.assertLess(self.processor_time(5), 0.02)


class FewDescriptors(ShellCase):
    policy = deny_all_but(allow("registry.example.test"))

    @classmethod
    def start_sidecar(cls, **changes):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, hard))
        try:
            return super().start_sidecar(**changes)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_without_descriptors_the_loop_rests_and_goes_on_when_there_are_some(self):
        clients = [self.connect() for _ in range(30)] + [self.connect_names() for _ in range(30)]
        self.assertRests(3.0)
        self.assertIn(len(self.log_lines("connections cannot be taken")), (1, 2, 3))
        for client in clients:
            client.close()
        wait_for("the API answers again", lambda: self.lab.api("GET", "/healthz", timeout=2)[0] == 200)
        wait_for("names are answered again", lambda: "198.51.100.10" in self.lab.lookup("registry.example.test", "+short"))


if __name__ == "__main__":
    unittest.main()
