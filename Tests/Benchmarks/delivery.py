"""The way of a record from the spool to the hub, measured at both ends: when it was made (`TimeGenerated`), and when the hub took it."""
import json, os, pathlib, re, subprocess, sys, time

from lab import HUB_ADDRESS, RESOLVER, wait_for

# Names that are allowed and do not exist: each has a record of its own, and none a lease.
POLICY = {"defaultAction": "deny", "egress": [{"action": "allow", "target": "*.void.test"}]}
SETTINGS = {"SALLYPORT_DNS_NAME_BUDGET": "0", "SALLYPORT_DNS_CHANNEL_BUDGET": "0", "SALLYPORT_SPOOL_MAX": "2GiB"}
PACE = 5_000                        # records a second with a healthy hub
OUTAGE_PACE, OUTAGE = 2_000, 30     # records a second through an outage of so many seconds
BACKLOG = 1 << 30                   # octets of spool that are drained
NAMES = 1_200_000
CONTENDER = "Sallyport, hub"


class Delivery:
    def __init__(self, bench, note, cpu_seconds, status):
        self.bench, self.lab, self.note, self.cpu_seconds, self.status = bench, bench.lab, note, cpu_seconds, status
        self.queries = self.lab.folder / "void.queries"
        if not self.queries.exists():
            with open(self.queries, "w") as file:
                file.writelines(f"v{index}{'x' * 20}.{'abcdefgh'[index % 8]}.void.test A\n" for index in range(NAMES))

    def metrics(self):
        text = self.lab.api("GET", "/metrics", token=None)[1]
        return {name: int(value) for name, value in re.findall(r"^sallyport_(\w+) (\d+)$", text, re.M)}

    def asking(self, rate, seconds):
        """dnsperf as the workload, in the background."""
        pace = ["-Q", rate] if rate else []
        return self.lab.workload_popen("dnsperf", "-s", RESOLVER, "-d", self.queries, "-c", "8", "-T", "1", "-q", "200", "-t", "2", "-l", seconds, *pace,
                                       "-O", "suppress=timeouts,congestion,sendfailed,sockready,unexpected", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def drained(self, timeout):
        """All that was recorded up to now is at the hub."""
        sequence = self.lab.api("GET", "/audit")[1]["sequence"]

        def taken():
            time.sleep(0.5)
            return (self.lab.api("GET", "/audit")[1]["acknowledgedSequence"] or 0) >= sequence
        wait_for("everything is at the hub", taken, timeout)

    def lateness(self, since):
        """Seconds from record to hub, sorted, of what the hub took after this line of its index; each record the first time."""
        seen, late = set(), []
        with open(f"{self.lab.ledger}.index") as index, open(self.lab.ledger, "rb") as ledger:
            for number, (place, line) in enumerate(zip(index, ledger)):
                if number < since:
                    continue
                uid = line.partition(b'"EventOriginalUid":"')[2][:36]
                if uid in seen:
                    continue
                seen.add(uid)
                made = line.partition(b'"TimeGenerated":"')[2].partition(b'"')[0].decode()
                late.append(seconds(json.loads(place)["enqueued"]) - seconds(made))
        return sorted(late)

    def lines(self):
        path = pathlib.Path(f"{self.lab.ledger}.index")
        return sum(1 for _ in open(path)) if path.exists() else 0

    def stop_hub(self):
        self.bench.hub.kill()
        self.bench.hub.wait()

    def start_hub(self):
        self.bench.hub = self.lab.start_hub()

    def delivery_round(self):
        process = self.bench.start_sallyport(hub=True, policy=POLICY, **SETTINGS)
        try:
            wait_for("the first records are there", lambda: self.bench.delivered() > 0, 20)
            since = self.lines()
            self.asking(PACE, 10).wait()
            self.drained(60)
            late = self.lateness(since)
            self.note(f"{PACE:,} records a second, hub healthy: p50, s", CONTENDER, late[len(late) // 2])
            self.note(f"{PACE:,} records a second, hub healthy: p99, s", CONTENDER, late[len(late) * 99 // 100])
            since = self.lines()
            asking = self.asking(OUTAGE_PACE, OUTAGE + 12)
            time.sleep(3)
            self.stop_hub()
            time.sleep(OUTAGE)
            self.start_hub()
            asking.wait()
            self.drained(60)
            late = self.lateness(since)
            self.note(f"{OUTAGE_PACE:,} records a second through {OUTAGE} s without hub: p99, s", CONTENDER, late[len(late) * 99 // 100])
            self.note(f"{OUTAGE_PACE:,} records a second through {OUTAGE} s without hub: last, s", CONTENDER, late[-1])
        finally:
            self.bench.stop(process)

    def backlog_round(self):
        process = self.bench.start_sallyport(hub=True, policy=POLICY, **SETTINGS)
        try:
            self.stop_hub()
            asking = self.asking(None, 120)
            wait_for("the backlog is there", lambda: self.metrics()["spool_bytes"] >= BACKLOG or time.sleep(1), 110)
            asking.kill()
            asking.wait()
            time.sleep(2)
            before = self.metrics()
            octets, waiting = before["spool_bytes"], before["records_unacknowledged"]
            resident, used, begun = self.status(process.pid, "VmRSS"), self.cpu_seconds(process.pid), time.monotonic()
            most = resident
            self.start_hub()
            marks = []
            while True:
                time.sleep(1)
                left = self.metrics()["records_unacknowledged"]
                most = max(most, self.status(process.pid, "VmRSS"))
                marks.append((time.monotonic(), left))
                if left < waiting * 0.02:
                    break
                if time.monotonic() > begun + 300:
                    raise TimeoutError(f"{left:,} of {waiting:,} records still wait after 300 s")
            taken = waiting - marks[-1][1]
            # The rate from the first mark on at which records moved: what comes before is the wait for the hub.
            first = next(mark for mark in marks if mark[1] < waiting)
            if first is not marks[-1]:
                self.note("backlog: records a second to the hub", CONTENDER, (first[1] - marks[-1][1]) / (marks[-1][0] - first[0]))
            self.note("backlog: CPU seconds per 100,000 records", CONTENDER, (self.cpu_seconds(process.pid) - used) / taken * 1e5)
            self.note("backlog: MiB that waited", CONTENDER, octets / (1 << 20))
            self.note("backlog: RSS before, MiB", CONTENDER, resident)
            self.note("backlog: RSS at most while it drains, MiB", CONTENDER, most)
        finally:
            self.bench.stop(process)


def seconds(stamp):
    """Of a stamp of today or yesterday, since the epoch."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")
