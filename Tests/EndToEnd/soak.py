"""The soak: a sidecar under traffic, with random faults of the hub, random kills, and changes of policy; then what the hub has, without duplicates, must
be what the workload did. Memory, descriptors and the kernel's sets must be flat.

    python3 -B Tests/EndToEnd/soak.py [--seconds 600] [--seed N]

Needs root and what `deploy/install run test` installs. Everything random is drawn from the seed; exit code 0 when nothing was found."""
import argparse, collections, json, os, random, re, subprocess, sys, time

from stage import Lab, allow, deny_all_but, wait_for
from judge import faults as judged

POLICY = deny_all_but(allow("*.artifacts.example.test"), allow("198.51.100.96/28"))
# Of the time; while these last nothing is killed, so that what grows is seen to grow.
QUIET_PART = 0.35
# Four names a second with a grant and a lease each, for some seconds; and what is remembered of flows that were cut.
ELEMENTS_MAX = 1_500
HUB_FAULTS = ("503:1", "500:2", "401:1", "reset:1", "reset-after-store:1", "503:after-store:1", "truncate:1", "garbage:1", "extra:1", "slow:300ms:3", "retry-after:1s:1",
              "302:1", "chunked:2", "drip:1ms:1")


class Soak:
    def __init__(self, lab, seconds, seed, say=lambda text: None):
        self.lab, self.seconds, self.random, self.say = lab, seconds, random.Random(seed), say
        self.counts = collections.Counter()
        self.samples = []                                   # (seconds, resident KiB, descriptors, elements)
        self.rules = []
        self.found = []

    def run(self):
        """Everything that was found: sentences, none when all is well."""
        self.control = self.lab.folder / "control"
        self.control.write_text("")
        self.start_hub()
        self.start()
        log = open(self.lab.folder / "did.ndjson", "wb")
        workload = self.lab.workload_popen(sys.executable, "-c", WORKLOAD, stdout=log, stderr=subprocess.PIPE)
        begun = time.monotonic()
        next_kill = begun + self.random.uniform(3, 8)
        while (now := time.monotonic()) < begun + self.seconds:
            if workload.poll() is not None:
                self.found.append(f"the workload ended: {workload.stderr.read().decode()[-500:]}")
                break
            if now > next_kill and now < begun + self.seconds * (1 - QUIET_PART):
                next_kill = now + self.random.uniform(4, 25)
                self.interrupt()
            elif self.random.random() < 0.25:
                self.disturb_hub()
            elif self.random.random() < 0.4:
                self.change_policy()
            if now > begun + self.seconds * (1 - QUIET_PART):
                self.sample(now - begun)
            time.sleep(self.random.uniform(0.1, 0.6))
        workload.terminate()
        workload.wait(20)
        log.close()
        self.control.write_text(" ")
        if self.hub.poll() is not None:
            self.start_hub()
        self.settle()
        self.judge()
        return self.found

    # What happens.

    def start_hub(self):
        self.hub = self.lab.start_hub("--control", str(self.control))

    def start(self):
        # Short leases, so that the kernel's sets come to rest within seconds.
        self.sidecar = self.lab.start_sidecar(POLICY, SALLYPORT_LEASE_MIN="1s", SALLYPORT_LEASE_GRACE="2s", SALLYPORT_DNS_NAME_BUDGET="0", SALLYPORT_DNS_CHANNEL_BUDGET="0")

    def interrupt(self):
        if self.random.random() < 0.8:
            self.counts["kills"] += 1
            self.sidecar.kill()
        else:
            self.counts["stops"] += 1
            self.sidecar.terminate()
            if self.random.random() < 0.5:                  # the grace ends early
                time.sleep(self.random.uniform(0, 0.3))
                self.sidecar.kill()
        self.sidecar.wait(30)
        time.sleep(self.random.uniform(0, 1))
        self.start()

    def disturb_hub(self):
        if self.hub.poll() is not None:
            return self.start_hub()
        if self.random.random() < 0.15:
            self.counts["hub kills"] += 1
            self.hub.kill()
            self.hub.wait(10)
            return
        self.counts["hub faults"] += 1
        faults = self.random.sample(HUB_FAULTS, self.random.randint(1, 3))
        self.control.write_text(",".join(faults) + " " * self.random.randint(1, 50))  # a new text, even of the same faults

    def change_policy(self):
        self.counts["changes"] += 1
        if self.rules and self.random.random() < 0.4:
            target = self.rules.pop(self.random.randrange(len(self.rules)))
            status, answer, _ = self.lab.api("DELETE", "/policy", [target])
        else:
            target = f"soak-{self.counts['changes']}.example.test"
            self.rules.append(target)
            status, answer, _ = self.lab.api("PATCH", "/policy", [allow(target)])
        if status != 200:
            self.found.append(f"a change of policy was answered {status}: {answer}")
            return
        shown = {rule["target"] for rule in self.lab.api("GET", "/policy")[1]["policy"]["egress"]}
        if shown != {*self.rules, "*.artifacts.example.test", "198.51.100.96/28"}:
            self.found.append(f"after {self.counts['changes']} changes the policy shows {sorted(shown)}")

    def sample(self, at):
        try:
            with open(f"/proc/{self.sidecar.pid}/status") as status:
                resident = int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
            descriptors = len(os.listdir(f"/proc/{self.sidecar.pid}/fd"))
        except OSError:
            return
        text = self.lab.inside(self.lab.pod, "nft", "-j", "list", "table", "inet", "sallyport").stdout
        elements = sum(len(part["set" if "set" in part else "map"].get("elem", [])) for part in json.loads(text)["nftables"] if "set" in part or "map" in part)
        self.samples.append((at, resident, descriptors, elements))

    def settle(self):
        audit = self.lab.api("GET", "/audit")[1]
        wait_for("everything that was recorded is at the hub", lambda: (self.lab.api("GET", "/audit")[1]["acknowledgedSequence"] or 0) >= audit["sequence"], 120)
        time.sleep(1)                                       # the last flows' closes
        audit = self.lab.api("GET", "/audit")[1]
        wait_for("that too", lambda: (self.lab.api("GET", "/audit")[1]["acknowledgedSequence"] or 0) >= audit["sequence"], 60)

    # What is true of it.

    def judge(self):
        lines = self.lab.record_bytes()
        self.found += judged(lines)
        records = {}
        for line in lines:
            record = json.loads(line)
            records[record["EventOriginalUid"]] = record
        self.counts["records"], self.counts["duplicates"] = len(records), len(lines) - len(records)
        names, flows, closes, denied = (collections.Counter() for _ in range(4))
        changes = 0
        for record in records.values():
            kind = record["SbxRecordKind"]
            if kind in ("DnsAllowed", "DnsDenied"):
                names[(kind, record["DnsQuery"])] += record["EventCount"]
            elif kind == "FlowOpen" and record["DstPortNumber"] == 7000 and record.get("AdditionalFields", {}).get("Origin") != "Adopted":
                flows[(record["DstIpAddr"], record["SrcPortNumber"])] += 1
            elif kind == "FlowClose" and record["DstPortNumber"] == 7000:
                closes[(record["DstIpAddr"], record["SrcPortNumber"])] += 1
            elif kind == "FlowDenied" and record.get("NetworkProtocol") == "UDP":
                denied[record.get("DstPortNumber")] += record["EventCount"]
            elif kind == "PolicyChange" and record["Operation"] in ("PolicyMerge", "PolicyRemove"):
                changes += 1
        did = [json.loads(line) for line in (self.lab.folder / "did.ndjson").read_bytes().split(b"\n")[:-1]]
        made = collections.Counter()
        wrong = collections.defaultdict(list)
        connections = collections.Counter()
        for act in did:
            made[act[0]] += 1
            if act[0] in ("DnsAllowed", "DnsDenied") and names[tuple(act)] != 1:
                wrong[act[0]].append((act[1], names[tuple(act)]))
            elif act[0] == "flow":
                connections[tuple(act[1:])] += 1
            elif act[0] == "udp" and denied[act[1]] != 1:
                wrong["udp"].append((act[1], denied[act[1]]))
        for flow, count in connections.items():
            if flows[flow] != count:
                wrong["FlowOpen"].append((flow, count, flows[flow]))
            if closes[flow] != count:
                wrong["FlowClose"].append((flow, count, closes[flow]))
        self.counts.update({f"did {what}": count for what, count in made.items()})
        for what, those in wrong.items():
            self.found.append(f"{what}: {len(those)} acts of the workload are not on record just once: {those[:5]}")
        if changes != self.counts["changes"]:
            self.found.append(f"{self.counts['changes']} changes of policy were made and {changes} are on record")
        self.judge_samples()

    def judge_samples(self):
        """The second half of what was sampled is not above the first half. Entries of the kernel's sets live for up to two minutes: a shorter look tells only how many they are at most."""
        half = len(self.samples) // 2
        if half < 5:
            self.found.append(f"only {len(self.samples)} samples")
            return
        for column, what, slack in ((1, "KiB resident", 6_144), (2, "descriptors", 8), (3, "elements in the kernel's sets", 60)):
            first, second = (max(sample[column] for sample in part) for part in (self.samples[:half], self.samples[half:]))
            self.counts[f"most {what}, first half"], self.counts[f"most {what}, second half"] = first, second
            if column == 3 and self.samples[-1][0] - self.samples[0][0] < 150:
                first = ELEMENTS_MAX
            if second > first * 1.1 + slack:
                self.found.append(f"{what} grew from {first} to {second}")


# The workload: names that are denied and allowed, each its own; connections that are made, used and closed; datagrams that are denied. What it was told, or
# did itself, it writes down; what failed since the daemon was dead is no claim on the record. It is slow enough for what a start reads again of the spool (4 MiB) to
# cover the two minutes for which the kernel remembers a flow that is over: else nobody could say which of them are on record, and they were counted instead.
WORKLOAD = r"""
import json, signal, socket, struct, sys, time
ends = []
signal.signal(signal.SIGTERM, lambda *_: ends.append(1))
def say(*what):
    print(json.dumps(what), flush=True)
def ask(name, number):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect(("10.53.0.53", 53))
        labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
        s.send(struct.pack("!6H", number & 0xffff, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!2H", 1, 1))
        return struct.unpack("!2H", s.recv(4096)[:4])[1] & 15
n = 0
while not ends:
    n += 1
    due = time.monotonic() + 0.25
    for what, name, code in (("DnsDenied", f"d{n}.elsewhere.test", 3), ("DnsAllowed", f"a{n}.artifacts.example.test", 0)):
        try:
            if ask(name, n) == code:
                say(what, name)
        except OSError:
            pass
    if n % 3 == 0:
        address = f"198.51.100.{97 + n % 14}"
        try:
            with socket.create_connection((address, 7000), 5) as s:
                port = s.getsockname()[1]
                s.sendall(b"x")
                s.recv(10)
            say("flow", address, port)
        except OSError:
            pass
    if n % 5 == 0 and n // 5 < 60_000:
        port = 2000 + n // 5
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("203.0.113.77", port))
            try:
                s.settimeout(1)
                s.send(b"x")
                s.recv(10)
            except ConnectionRefusedError:
                say("udp", port)
            except OSError:
                pass
    time.sleep(max(due - time.monotonic(), 0))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="how long (600)")
    parser.add_argument("--seed", type=int, default=None, help="of what is random (drawn)")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"soak of {options.seconds:g} s with seed {seed}", flush=True)
    with Lab() as lab:
        soak = Soak(lab, options.seconds, seed)
        found = soak.run()
        for what, count in sorted(soak.counts.items()):
            print(f"  {what:48} {count:10,}")
        for problem in found:
            print(f"  FOUND {problem[:2000]}")
    print("nothing was found" if not found else f"{len(found)} problems; again with --seed {seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
