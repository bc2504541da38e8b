"""What the tests of named faults stand on: the spool read byte by byte, as the head of Sources/Spool/Spool.swift documents it, and the hub's own account."""
import json, os, shutil, struct, time

from stage import LabCase, wait_for


class Record:
    """One record of a segment file, and where it stands."""

    def __init__(self, path, offset, sequence, payload):
        self.path, self.offset, self.sequence, self.payload = path, offset, sequence, payload
        self.end = offset + 16 + len(payload)

    @property
    def body(self):
        return json.loads(self.payload)


def segments(state):
    return sorted((state / "spool").glob("segment-*"))


def records(state):
    """Every whole record of every segment, in order; what stands behind the last whole one is not looked at."""
    found = []
    for path in segments(state):
        try:
            octets = path.read_bytes()
        except FileNotFoundError:                         # acknowledged and deleted between the listing and here
            continue
        if octets[:8] != b"SALLYSEG" or len(octets) < 40:
            continue
        at = 40
        while at + 16 <= len(octets):
            length, _, sequence = struct.unpack_from("<IIQ", octets, at)
            payload = octets[at + 16:at + 16 + length]
            if not 0 < length <= 65536 or len(payload) < length:
                break
            found.append(Record(path, at, sequence, payload))
            at += 16 + length
    return found


class FaultCase(LabCase):
    """A hub and a sidecar that may come and go."""

    @property
    def state(self):
        return self.lab.folder / "state"

    # The hub.

    def stop_hub(self):
        self.hub.kill()
        self.hub.wait(10)

    def begin_hub(self, *options, **more):
        type(self).hub = self.lab.start_hub(*options, **more)

    def restart_hub(self, *options, **more):
        self.stop_hub()
        self.begin_hub(*options, **more)

    def requests(self):
        """What the hub was asked, in order: when (s), what became of it, how many events."""
        path = self.lab.folder / "ledger.ndjson.requests"
        lines = [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []
        for line in lines:
            minute, second = line["at"].rstrip("Z").rsplit(":", 1)
            line["at"] = time.mktime(time.strptime(minute, "%Y-%m-%dT%H:%M")) + float(second)
        return lines

    # The sidecar.

    def kill(self):
        self.sidecar.kill()
        self.sidecar.wait(10)

    def stop(self, timeout=30):
        """TERM, and the exit code."""
        self.sidecar.terminate()
        return self.sidecar.wait(timeout)

    def restart(self, **changes):
        self.kill()
        self.start_sidecar(**changes)

    # The workload.

    def ask(self, tag, count):
        """So many names that are denied, each with a record of its own, asked as fast as they are answered: the names."""
        names = [f"{tag}-{i}.elsewhere.test" for i in range(count)]
        self.lab.python(ASK, json.dumps(names))
        return set(names)

    def stored(self, names, timeout=10):
        """The records of these names, once all of them are in the spool: name → record."""
        def found():
            there = {r.body["DnsQuery"]: r for r in records(self.state) if b'"DnsQuery"' in r.payload}
            return there if names <= there.keys() else None
        there = wait_for("all of it is in the spool", found, timeout)
        return {name: there[name] for name in names}

    def assertDelivered(self, names, timeout=60):
        """Every one of these names has its record at the hub, and the stream is complete."""
        missing = names
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            missing = names - {r["DnsQuery"] for r in self.lab.records("DnsDenied")}
            if not missing:
                break
            time.sleep(0.2)
        self.assertEqual(missing, set(), self.lab.log()[-2000:])
        self.assertComplete()

    def settle(self, timeout=60, pause=0):
        """Every record that there is now is at the hub, or was given up. Looking makes records of its own: they do not count."""
        audit = self.lab.api("GET", "/audit")[1]
        wait_for("everything that was recorded is acknowledged", lambda: time.sleep(pause) or (self.lab.api("GET", "/audit")[1]["acknowledgedSequence"] or 0) >= audit["sequence"], timeout)

    def assertOpen(self, timeout=30):
        wait_for("new flows pass", lambda: self.lab.connect("198.51.100.98", 7000)["result"] == "connected", timeout)

    def assertClosed(self, timeout=30):
        wait_for("new flows are denied", lambda: self.lab.connect("198.51.100.98", 7000)["result"] == "refused", timeout)

    def said(self, *words):
        return [line for line in self.lab.log().splitlines() if all(word in line for word in words)]

    def put_back(self, kept):
        """The spool as it was."""
        shutil.rmtree(self.state / "spool")
        shutil.copytree(kept, self.state / "spool")
        for path in [self.state / "spool", *(self.state / "spool").rglob("*")]:
            os.chown(path, 65532, 65532)


ASK = r"""
import json, socket, struct, sys
names = json.loads(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect(("10.53.0.53", 53))
answered = 0
for i, name in enumerate(names):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    for _ in range(3):
        s.send(struct.pack("!6H", i & 0xffff, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!2H", 1, 1))
        try:
            while struct.unpack("!H", s.recv(4096)[:2])[0] != i & 0xffff:
                pass
            answered += 1
            break
        except OSError:
            pass
if answered != len(names):
    raise SystemExit(f"{answered} of {len(names)} queries were answered")
print(json.dumps(answered))
"""
