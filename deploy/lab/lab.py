"""A pod and the world outside it, on one machine: two network namespaces joined by a cable.

    pod      10.77.0.2, fd77::2: the workload (uid 1000, no capabilities) and the sidecar. Nothing else has a way out.
    outside  10.77.0.1, fd77::1 and every address of 198.51.100.0/24, 203.0.113.0/24, 10.53.0.53, 2001:db8::/32:
             a knot DNS server, HTTPS servers, TCP and UDP echo servers, and eventhub-local.

Everything is made with names of its own, and `close()` takes all of it away again. Needs root. The same lab serves
`deploy/try`, the end-to-end tests and the benchmarks.
"""
import contextlib, ctypes, http.client, json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORKLOAD_UID = 1000
OWNER_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OWNER_OBJECT = "6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"
API_TOKEN = "lab-token"
HUB_BEARER = "lab-bearer"
HUB_ADDRESS = "203.0.113.10"
HUB_NAME = "hub.servicebus.test"
RESOLVER = "10.53.0.53"
# How many times longer than on a common machine everything may take: more where the machine is emulated.
SLOWNESS = float(os.environ.get("SALLYPORT_LAB_SLOWNESS", "1"))

ZONE = """$ORIGIN test.
$TTL 60
@ SOA ns.test. root.test. 1 3600 600 86400 60
@ NS ns.test.
ns A 10.53.0.53
registry.example A 198.51.100.10
registry.example AAAA 2001:db8::10
files.example A 198.51.100.20
slow.example A 198.51.100.30
*.artifacts.example 5 A 198.51.100.40
short.example 1 A 198.51.100.41
inside.example A 10.96.0.1
alias.example CNAME registry.example.test.
many.example A 198.51.100.50
denied.example A 198.51.100.60
hub.servicebus A 203.0.113.10
api.example A 198.51.100.70
api.example AAAA 2001:db8::70
"""


def run(*command, check=True, timeout=30, **options):
    """Runs a command to its end and returns it, with text output."""
    options.setdefault("capture_output", True)
    return subprocess.run([str(part) for part in command], check=check, text=True, timeout=timeout * SLOWNESS, **options)


def binary(name, configuration=None):
    """The built executable: `SALLYPORT_BIN_DIR`, else the release build, else the debug build."""
    folder = os.environ.get("SALLYPORT_BIN_DIR")
    candidates = [pathlib.Path(folder)] if folder else [ROOT / ".build" / "release", ROOT / ".build" / "debug"]
    for candidate in candidates:
        if (candidate / name).exists():
            return candidate / name
    raise SystemExit(f"lab: {name} is not built; run `swift build -c release` first")


def wait_for(what, condition, timeout=10.0):
    """Polls `condition` until it is true and returns its value; a TimeoutError says what never came."""
    end = time.monotonic() + timeout * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"after {timeout * SLOWNESS:g} s still not so: {what}")
        time.sleep(0.02)


def whole_lines(path):
    """The lines of a text file that somebody may be appending to: what stands after the last line feed is not a line yet."""
    return pathlib.Path(path).read_text().split("\n")[:-1]


libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(namespace):
    """Sockets made in this block belong to the namespace for all their life."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


class Lab:
    def __init__(self, tag=None, zone=""):
        if os.getuid() != 0:
            raise SystemExit("lab: making network namespaces needs root")
        tag = tag or f"sp{os.getpid()}"
        self.pod, self.outside = f"{tag}-pod", f"{tag}-out"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-lab-"))
        self.folder.chmod(0o755)
        self.processes = []
        self.zone = ZONE + zone
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.folder, True)
        try:
            self._namespaces()
            self._certificates()
            self._servers()
        except BaseException:
            self.close()
            raise

    # Making and unmaking.

    def _namespaces(self):
        for name in (self.pod, self.outside):
            run("ip", "netns", "add", name)
            self.stack.callback(run, "ip", "netns", "del", name, check=False)
        run("ip", "link", "add", "eth0", "netns", self.pod, "type", "veth", "peer", "name", "eth0", "netns", self.outside)
        for namespace, host in ((self.pod, "2"), (self.outside, "1")):
            self.inside(namespace, "sh", "-c", f"""set -e
                ip link set lo up; ip link set eth0 up
                ip addr add 10.77.0.{host}/24 dev eth0; ip -6 addr add fd77::{host}/64 dev eth0 nodad""")
        self.inside(self.pod, "sh", "-c", "ip route add default via 10.77.0.1; ip -6 route add default via fd77::1")
        for block in ("198.51.100.0/24", "203.0.113.0/24", "10.53.0.53/32", "10.96.0.1/32", "169.254.169.254/32", "198.18.0.0/15"):
            self.inside(self.outside, "ip", "route", "add", "local", block, "dev", "lo")
        # Binding to any address of an IPv6 block takes this; IPv4 allows it by the route alone.
        self.inside(self.outside, "sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1")
        self.inside(self.outside, "ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")

    def _certificates(self):
        f = self.folder
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=Sallyport lab CA", "-keyout", f / "ca.key", "-out", f / "ca.pem")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=lab",
            "-keyout", f / "server.key", "-out", f / "server.csr")
        (f / "server.ext").write_text("subjectAltName=DNS:hub.servicebus.test,DNS:*.example.test,DNS:registry.example.test,"
                                      "DNS:*.artifacts.example.test,IP:203.0.113.10,IP:127.0.0.1\n")
        run("openssl", "x509", "-req", "-in", f / "server.csr", "-CA", f / "ca.pem", "-CAkey", f / "ca.key", "-CAcreateserial",
            "-days", "30", "-extfile", f / "server.ext", "-out", f / "server.pem")

    def _servers(self):
        f = self.folder
        (f / "test.zone").write_text(self.zone)
        (f / "knot").mkdir()
        (f / "knot.conf").write_text(f"""server:
    listen: [ 10.53.0.53@53, 2001:db8::53@53 ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    rundir: {f}
    pidfile: {f}/knot.pid
    user: root:root
database:
    storage: {f}/knot
log:
  - target: stderr
    any: warning
zone:
  - domain: test
    file: {f}/test.zone
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
""")
        self.start("knotd", "-c", f / "knot.conf", namespace=self.outside, log="knot.log")
        world = self.start(sys.executable, pathlib.Path(__file__).with_name("world.py"), f, namespace=self.outside, log="world.log")
        def ready():
            if world.poll() is not None:
                raise AssertionError(f"the outside servers ended:\n{(f / 'world.log').read_text()}")
            return (f / "world.ready").exists()

        wait_for("the outside servers listen", ready)
        wait_for("the DNS server answers", lambda: run(
            "ip", "netns", "exec", self.outside, "dig", "+short", "+tries=1", "+time=1", "@10.53.0.53", "registry.example.test",
            check=False).stdout.strip() == "198.51.100.10")

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    # Running things.

    def inside(self, namespace, *command, **options):
        return run("ip", "netns", "exec", namespace, *command, **options)

    def start(self, *command, namespace, log, env=None):
        output = open(self.folder / log, "ab")
        process = subprocess.Popen(["ip", "netns", "exec", namespace, *map(str, command)], stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output, env=env)
        output.close()
        self.processes.append(process)
        return process

    def workload(self, *command, check=False, timeout=30, **options):
        """Runs a command as the workload: uid 1000, no capabilities, no way to gain any."""
        return self.inside(self.pod, "setpriv", f"--reuid={WORKLOAD_UID}", f"--regid={WORKLOAD_UID}", "--clear-groups", "--inh-caps=-all",
                           "--bounding-set=-all", "--no-new-privs", *command, check=check, timeout=timeout, **options)

    def workload_popen(self, *command, **options):
        process = subprocess.Popen(["ip", "netns", "exec", self.pod, "setpriv", f"--reuid={WORKLOAD_UID}", f"--regid={WORKLOAD_UID}",
                                    "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", *map(str, command)], **options)
        self.processes.append(process)
        return process

    def python(self, source, *arguments, **options):
        """Runs Python source as the workload and returns what it printed as JSON."""
        result = self.workload(sys.executable, "-c", source, *arguments, **options)
        if result.returncode != 0:
            raise AssertionError(f"workload failed: {result.stderr}")
        return json.loads(result.stdout)

    # The hub.

    @property
    def ledger(self):
        return self.folder / "ledger.ndjson"

    def start_hub(self, *options, authorization=("--bearer", HUB_BEARER)):
        process = self.start(binary("eventhub-local"), "--listen", f"{HUB_ADDRESS}:443", "--cert", self.folder / "server.pem", "--key",
                             self.folder / "server.key", "--ledger", self.ledger, *authorization, *options,
                             namespace=self.outside, log="hub.log")
        wait_for("eventhub-local listens", lambda: "443" in self.inside(self.outside, "ss", "-Hltn", f"src {HUB_ADDRESS}").stdout or process.poll())
        if process.poll() is not None:
            raise AssertionError((self.folder / "hub.log").read_text())
        return process

    def accepted(self):
        """Every event the hub accepted, in order: where and when it was enqueued, and the record as `body`."""
        index = pathlib.Path(f"{self.ledger}.index")
        if not index.exists():
            return []
        places = [json.loads(line) for line in whole_lines(index)]
        return [{**place, "body": json.loads(text)} for place, text in zip(places, self.record_bytes())]

    def records(self, kind=None, **fields):
        """The records the hub accepted, each once, of one kind and with these fields when given."""
        found = {event["body"]["EventOriginalUid"]: event["body"] for event in self.accepted()}.values()
        return [r for r in found if (kind is None or r["SbxRecordKind"] == kind) and all(r.get(k) == v for k, v in fields.items())]

    def record_bytes(self):
        """Each accepted record's exact bytes, in the order of acceptance."""
        return self.ledger.read_bytes().split(b"\n")[:-1] if self.ledger.exists() else []

    # The sidecar.

    def settings(self, policy=None, **changes):
        """The environment of a sidecar in this lab; a value of None takes a setting away."""
        (self.folder / "hub.token").write_text(HUB_BEARER)
        (self.folder / "hub.token").chmod(0o644)
        values = {
            "PATH": os.environ["PATH"],
            "SALLYPORT_POLICY": json.dumps(policy if policy is not None else {"defaultAction": "deny", "egress": []}),
            "SALLYPORT_DNS_UPSTREAM": RESOLVER,
            "SALLYPORT_API_TOKEN": API_TOKEN,
            "SALLYPORT_OWNER": f"{OWNER_TENANT}/{OWNER_OBJECT}",
            "SALLYPORT_STATE_DIR": str(self.folder / "state"),
            "SALLYPORT_EVENTHUB_URL": f"https://{HUB_NAME}/audit",
            "SALLYPORT_EVENTHUB_AUTH": "token-file",
            "SALLYPORT_EVENTHUB_TOKEN_FILE": str(self.folder / "hub.token"),
            "SALLYPORT_CA_FILE": str(self.folder / "ca.pem"),
            "SALLYPORT_SANDBOX_ID": "sandbox-1",
            "POD_NAME": "sandbox-1-pod", "POD_NAMESPACE": "sandboxes", "POD_UID": "0c4c1b3e-9d0f-4a53-8b7e-0f6f0f3d7a11",
            "POD_IP": "10.77.0.2", "NODE_NAME": "node-1",
        }
        values.update({name: value for name, value in changes.items()})
        return {name: str(value) for name, value in values.items() if value is not None}

    def start_sidecar(self, policy=None, wait=True, **changes):
        env = self.settings(policy, **changes)
        process = self.start(binary("sallyport"), "run", namespace=self.pod, log="sallyport.log", env=env)
        if wait:
            def ready():
                if process.poll() is not None:
                    raise AssertionError(f"sallyport ended with {process.returncode}:\n{self.log()}")
                return self.api("GET", "/healthz", timeout=1)[0] == 200
            wait_for("sallyport enforces", ready)
        return process

    def log(self):
        path = self.folder / "sallyport.log"
        return path.read_text() if path.exists() else ""

    def api(self, method, path, body=None, token=API_TOKEN, timeout=10, headers=None):
        """Calls the control API from outside the pod, as the control plane does: (status, parsed JSON or text, headers)."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("OPENSANDBOX-EGRESS-AUTH", token)
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("10.77.0.2", 18080, timeout=timeout)
        try:
            with inside(self.outside):
                connection.connect()
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            status, text, answer = response.status, response.read().decode(), dict(response.getheaders())
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error), {}
        finally:
            connection.close()
        try:
            return status, json.loads(text), answer
        except ValueError:
            return status, text, answer

    def fetch(self, url, *options, timeout=10):
        """curl as the workload: (exit code, body, seconds, error text)."""
        begun = time.monotonic()
        result = self.workload("curl", "-sS", "--max-time", timeout, "--cacert", self.folder / "ca.pem", *options, url, timeout=timeout + 10)
        return result.returncode, result.stdout, time.monotonic() - begun, result.stderr.strip()

    def lookup(self, name, *options):
        """dig as the workload, through the resolver address that the pod knows."""
        return self.workload("dig", "+tries=1", "+time=3", f"@{RESOLVER}", name, *options).stdout

    def exchange(self, octets, address="10.77.0.2", port=18080, namespace=None, timeout=5):
        """Sends octets over a TCP connection, to the control API unless told otherwise, and returns what came back until the peer closed."""
        source = ("import socket,sys;s=socket.create_connection((sys.argv[1],int(sys.argv[2])),float(sys.argv[3]))\n"
                  "try:\n s.sendall(sys.stdin.buffer.read())\nexcept OSError:\n pass\n"
                  "try:\n while d:=s.recv(65536):\n  sys.stdout.buffer.write(d)\nexcept OSError:\n pass")
        command = ["ip", "netns", "exec", namespace or self.outside, sys.executable, "-c", source, address, str(port), str(timeout)]
        return subprocess.run(command, input=octets, capture_output=True, timeout=timeout + 20, check=True).stdout

    @contextlib.contextmanager
    def capture(self, expression):
        """Everything that passes between pod and outside and matches the tcpdump expression: a function that gives the packets' octets."""
        path = self.folder / f"capture-{len(self.processes)}.pcap"
        process = self.start("tcpdump", "-Z", "root", "-i", "eth0", "-U", "--immediate-mode", "-s", "0", "-w", path, expression, namespace=self.outside, log=f"{path.name}.log")
        wait_for("tcpdump listens", lambda: "listening" in (self.folder / f"{path.name}.log").read_text())

        def octets():
            time.sleep(0.3)                               # tcpdump is a program too: it writes a moment after the kernel has seen
            return path.read_bytes()

        try:
            yield octets
        finally:
            process.terminate()
            process.wait(5)

    def connect(self, address, port, protocol="tcp", payload="x", timeout=3):
        """Tries one connection as the workload: {"result": "connected"|"refused"|"timeout"|…, "milliseconds": …}."""
        return self.python(CONNECT, address, str(port), protocol, payload, str(timeout))


CONNECT = r"""
import json, socket, sys, time
address, port, protocol, payload, timeout = sys.argv[1:6]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
s.settimeout(float(timeout))
begun = time.monotonic()
result, answer = "connected", ""
try:
    s.connect((address, int(port)))
    if payload:
        s.send(payload.encode())
        answer = s.recv(4096).decode("latin1")
except ConnectionRefusedError:
    result = "refused"
except (TimeoutError, socket.timeout):
    result = "timeout"
except OSError as error:
    result = error.strerror or str(error)
print(json.dumps({"result": result, "answer": answer, "milliseconds": (time.monotonic() - begun) * 1000}))
"""
