"""A resolver that does what a test's script says: right, late, forged, in pieces, or not at all."""
import contextlib, ipaddress, socket, struct, threading

from stage import RESOLVER
from shell import framed, inside

PORT = 5301
TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "TXT": 16, "AAAA": 28, "HTTPS": 65}


def encoded(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def record(owner, kind, data, ttl=60):
    """A record's octets; `data` is text for addresses and names, else octets."""
    if kind in ("A", "AAAA"):
        data = ipaddress.ip_address(data).packed
    elif kind == "CNAME":
        data = encoded(data)
    elif kind == "SOA":
        data = encoded("ns.test") + encoded("root.test") + struct.pack(">5I", 1, 3600, 600, 86400, data)
    return encoded(owner) + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(data)) + data


class Question:
    def __init__(self, octets):
        self.octets = octets
        self.end = octets.index(b"\0", 12) + 5
        labels, at = [], 12
        while octets[at]:
            labels.append(octets[at + 1:at + 1 + octets[at]].decode("latin1"))
            at += 1 + octets[at]
        self.spelling = ".".join(labels)
        self.name = self.spelling.lower()
        self.kind = struct.unpack(">H", octets[self.end - 4:self.end - 2])[0]

    def reply(self, answers=(), authority=(), additional=(), code=0, truncated=False, identifier=None, question=None):
        head = (identifier if identifier is not None else self.octets[:2]) + struct.pack(
            ">HHHHH", 0x8180 | (0x0200 if truncated else 0) | code, 1, len(answers), len(authority), len(additional))
        return head + (question if question is not None else self.octets[12:self.end]) + b"".join((*answers, *authority, *additional))


class Scripted:
    """`script(question, over)` gives the datagrams to send for a query over "udp", or the pieces of a stream over "tcp"; `seen` is every query, `connections` every
    stream."""

    def __init__(self, lab, script, address=RESOLVER, port=PORT):
        self.script, self.seen, self.connections, self.ending = script, [], [], threading.Event()
        with inside(lab.outside):
            self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.datagrams.bind((address, port))
        self.listener.bind((address, port))
        self.listener.listen(64)
        self.threads = [threading.Thread(target=body, daemon=True) for body in (self._datagrams, self._streams)]
        for thread in self.threads:
            thread.start()

    def _datagrams(self):
        self.datagrams.settimeout(0.1)
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError):
                octets, peer = self.datagrams.recvfrom(4096)
                question = Question(octets)
                self.seen.append((question, "udp"))
                for reply in self.script(question, "udp") or ():
                    self.datagrams.sendto(reply, peer)

    def _streams(self):
        self.listener.settimeout(0.1)
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError):
                connection = self.listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections.append(connection)
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection):
        buffer = b""
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                buffer += data
                while len(buffer) >= 2 and len(buffer) >= 2 + struct.unpack(">H", buffer[:2])[0]:
                    size = struct.unpack(">H", buffer[:2])[0]
                    question, buffer = Question(buffer[2:2 + size]), buffer[2 + size:]
                    self.seen.append((question, "tcp"))
                    for piece in self.script(question, "tcp") or ():
                        connection.sendall(piece)

    def names(self):
        return [question.name for question, _ in self.seen]

    def close(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(5)
        for made in (self.datagrams, self.listener, *self.connections):
            made.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def whole(message):
    """A message over TCP, in one piece."""
    return [framed(message)]
