"""What the end-to-end tests stand on: a lab for each class, and the workload's programs."""
import json, pathlib, select, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "deploy" / "lab"))
from lab import API_TOKEN, HUB_BEARER, OWNER_OBJECT, OWNER_TENANT, RESOLVER, ROOT, WORKLOAD_UID, Lab, binary, inside, run, wait_for, whole_lines  # noqa: F401
from records import prove  # noqa: F401
from judge import faults


def allow(target, *ports, **more):
    rule = {"action": "allow", "target": target, **more}
    return {**rule, "ports": list(ports)} if ports else rule


def deny_all_but(*rules):
    return {"defaultAction": "deny", "egress": list(rules)}


class LabCase(unittest.TestCase):
    """One lab, one hub and one sidecar for all tests of a class."""
    policy = deny_all_but()
    zone = ""
    settings = {}
    hub_options = ()
    hub_authorization = ("--bearer", HUB_BEARER)
    has_hub = True

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(zone=cls.zone)
        cls.addClassCleanup(cls.lab.close)
        cls.prepare()
        if cls.has_hub:
            cls.hub = cls.lab.start_hub(*cls.hub_options, authorization=cls.hub_authorization)
        cls.sidecar = cls.start_sidecar()

    @classmethod
    def prepare(cls):
        """What must be there before the hub and the sidecar start."""

    @classmethod
    def start_sidecar(cls, **changes):
        cls.sidecar = cls.lab.start_sidecar(cls.policy, **{**cls.settings, **changes})
        return cls.sidecar

    def assertFetches(self, url, *options):
        code, body, _, error = self.lab.fetch(url, *options)
        self.assertEqual((code, error), (0, ""), f"{url}\n{self.lab.log()[-2000:]}")
        return body

    def assertUnresolved(self, url, *options):
        """curl's exit code 6: the name has no address."""
        code, _, _, error = self.lab.fetch(url, *options)
        self.assertEqual(code, 6, f"{url}: {error}")

    def assertRefused(self, address, port, protocol="tcp"):
        result = self.lab.connect(address, port, protocol)
        self.assertEqual(result["result"], "refused", f"{address} {port}/{protocol}")
        return result

    def arrived(self, kind, timeout=15, **fields):
        """The records of this kind and with these fields, once there is one at the hub."""
        try:
            return wait_for(f"a record {kind} with {fields} is at the hub", lambda: self.lab.records(kind, **fields), timeout)
        except TimeoutError as error:
            others = [{k: r.get(k) for k in fields} for r in self.lab.records(kind)][-5:]
            raise AssertionError(f"{error}; of this kind there are, for instance: {others}\n{self.lab.log()[-2000:]}") from None

    def metric(self, name):
        status, text, _ = self.lab.api("GET", "/metrics", token=None)
        self.assertEqual(status, 200)
        for line in text.splitlines():
            if line.startswith(f"sallyport_{name} "):
                return int(float(line.split()[1]))
        self.fail(f"no metric sallyport_{name}")

    def leased(self, address):
        """Whether any map of the kernel leads from this learned address to a grant."""
        text = self.lab.inside(self.lab.pod, "nft", "list", "table", "inet", "sallyport").stdout
        return any(f"{address} " in line for line in text.splitlines())

    def assertComplete(self):
        """By every judge: nothing is missing or altered, and every record is as the schema says."""
        self.assertEqual(faults(self.lab.record_bytes()), [])


class Flow:
    """A flow of the workload that lasts: `push` only receives, `send` only sends, `echo` sends and receives in turn, `idle` does nothing after the first word."""

    def __init__(self, lab, host, manner="echo", protocol="tcp", port=7000, seconds=60):
        self.process = lab.workload_popen(sys.executable, "-c", FLOW, host, port, protocol, manner, seconds,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first.startswith("{"):
            raise AssertionError(f"the flow to {host} did not begin: {first}{self.process.stderr.read()}")
        begun = json.loads(first)
        self.port, self.address = begun["port"], begun["address"]

    @property
    def lives(self):
        return self.process.poll() is None

    def end(self, timeout=10):
        """Waits for the flow's own end: {"error": the error's name or None, "bytes": received, "last": when, "ended": when}."""
        output, error = self.process.communicate(timeout=timeout)
        if not output:
            raise AssertionError(f"the flow said nothing: {error}")
        return json.loads(output)

    def stop(self):
        self.process.terminate()
        return self.end()


FLOW = r"""
import json, signal, socket, sys, time
host, port, protocol, manner, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], float(sys.argv[5])
kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
family, _, _, _, place = socket.getaddrinfo(host, port, socket.AF_INET, kind)[0]
end = time.time() + seconds
def stop(*_):
    global end
    end = 0
signal.signal(signal.SIGTERM, stop)
s = socket.socket(family, kind)
s.settimeout(3)
s.connect(place)
s.send(b"push" if manner == "push" else b"ping")
result = {"error": None, "bytes": len(s.recv(65536)), "last": time.time()}
print(json.dumps({"port": s.getsockname()[1], "address": place[0]}), flush=True)
try:
    while time.time() < end:
        if manner == "idle":
            time.sleep(0.05)
            continue
        if manner in ("echo", "send"):
            time.sleep(0.02)
            s.send(b"ping")
        if manner == "send":
            continue
        data = s.recv(65536)
        if not data:
            raise ConnectionAbortedError()
        result["bytes"] += len(data)
        result["last"] = time.time()
    if manner == "idle":
        s.send(b"ping")
        result["bytes"] += len(s.recv(65536))
except OSError as error:
    result["error"] = type(error).__name__
result["ended"] = time.time()
print(json.dumps(result))
"""

# Connects so many times a second until it is told to stop; a reset at the end, so that no port waits.
PROBE = r"""
import json, signal, socket, struct, sys, time
address, port, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
result = {"connected": 0, "refused": 0, "other": 0}
print("ready", flush=True)
begun = time.monotonic()
number = 0
while not stop:
    s = socket.socket()
    s.settimeout(1)
    try:
        s.connect((address, port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        result["connected"] += 1
    except ConnectionRefusedError:
        result["refused"] += 1
    except OSError:
        result["other"] += 1
    s.close()
    number += 1
    time.sleep(max(0, begun + number / rate - time.monotonic()))
print(json.dumps(result))
"""


class Probe:
    """A workload that tries an address a thousand times a second."""

    def __init__(self, lab, address, port=7000, rate=1000):
        self.process = lab.workload_popen(sys.executable, "-c", PROBE, address, port, rate, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def stop(self):
        """How many tries were `connected`, `refused` and ended in some `other` way."""
        self.process.terminate()
        return json.loads(self.process.communicate(timeout=30)[0])
