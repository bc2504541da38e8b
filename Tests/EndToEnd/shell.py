"""What the tests of the shell stand on: sockets in a namespace, the sidecar's processor time and descriptors, DNS over TCP by hand."""
import os, socket, struct, time

from stage import LabCase, inside

def query(name, number=1, kind=1):
    """A DNS query's octets."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def framed(message):
    return struct.pack(">H", len(message)) + message


def messages(octets):
    """The messages of a TCP stream, without their lengths."""
    found = []
    while len(octets) >= 2:
        length = struct.unpack(">H", octets[:2])[0]
        found.append(octets[2:2 + length])
        octets = octets[2 + length:]
    return found


def read_all(connection):
    octets = b""
    try:
        while data := connection.recv(1 << 16):
            octets += data
    except (ConnectionResetError, TimeoutError):
        pass
    return octets


class ShellCase(LabCase):
    def connect(self, port=18080, address="10.77.0.2", namespace=None, timeout=5, buffer=None):
        """A TCP connection to the control API, from outside the pod."""
        with inside(namespace or self.lab.outside):
            made = socket.socket()
        if buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        made.settimeout(timeout)
        made.connect((address, port))
        self.addCleanup(made.close)
        return made

    def connect_names(self, timeout=5):
        """A TCP connection of the workload to its resolver, which leads to the sidecar."""
        return self.connect(53, "10.53.0.53", self.lab.pod, timeout)

    def processor_time(self, seconds=2.0):
        """What part of one processor the sidecar uses, measured for so long."""
        def used():
            with open(f"/proc/{self.sidecar.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        before = used()
        time.sleep(seconds)
        return (used() - before) / seconds

    def assertRests(self, seconds=2.0):
        self.assertLess(self.processor_time(seconds), 0.1, "the sidecar is busy with nothing")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.sidecar.pid}/fd"))

    def log_lines(self, *words):
        return [line for line in self.lab.log().splitlines() if all(word in line for word in words)]
