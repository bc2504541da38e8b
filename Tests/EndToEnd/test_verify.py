"""`sallyport verify` (contract §1, audit.md): beside `prove`, which knows the same rules and shares no code."""
import base64, hashlib, json, pathlib, random, re, subprocess, tempfile, unittest, uuid

from stage import binary, prove
from judge import schema_faults, verify


def stream(boot, count, previous=None, sandbox="sandbox-1", dropped=()):
    """The lines of one start: a SidecarStart, heartbeats, and at the end a RecordsDropped for each range of `dropped`, whose records are left out."""
    link, lines = boot, []
    ranges = list(dropped)
    for sequence in range(1, count + len(ranges) + 1):
        record = {"SbxSeq": sequence, "TimeGenerated": "2026-11-25T10:00:00.000000Z", "EventOriginalUid": str(uuid.UUID(bytes=hashlib.md5(f"{boot} {sequence}".encode()).digest())),
                  "SbxRecordKind": "Heartbeat", "SbxBootId": boot, "SbxSandboxId": sandbox, "EventCount": 1}
        if sequence == 1:
            record["SbxRecordKind"] = "SidecarStart"
            if previous:
                record["SbxPrevBootId"], record["SbxPrevLastSeq"] = previous
        elif sequence > count:
            first, last = ranges[sequence - count - 1]
            record |= {"SbxRecordKind": "RecordsDropped", "SbxDroppedCount": last - first + 1, "SbxDroppedFromSeq": first, "SbxDroppedToSeq": last, "EventOriginalResultDetails": "STORE_FULL"}
        rest = json.dumps(record, separators=(",", ":"))
        link = base64.urlsafe_b64encode(hashlib.sha256((link + rest).encode()).digest()[:16]).decode().rstrip("=")
        lines.append(f'{{"SbxChain":"{link}",{rest[1:]}'.encode())
    gone = {n for first, last in ranges for n in range(first, last + 1)}
    return [line for number, line in enumerate(lines, 1) if number not in gone]


class Verify(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-verify-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_on(self, *arguments, stdin=b""):
        result = subprocess.run([str(binary("sallyport")), "verify", *map(str, arguments)], input=stdin, capture_output=True, timeout=60)
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    def file(self, name, lines):
        path = self.folder / name
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def test_files_and_standard_input_together_are_one_stream(self):
        first, second = stream("a" * 32, 40), stream("b" * 32, 30, previous=("a" * 32, 40))
        other = stream("c" * 32, 5, sandbox="sandbox-2")
        mixed = first + second[:10]
        random.Random(1).shuffle(mixed)
        code, out, err = self.run_on(self.file("one", mixed), "-", self.file("three", other), stdin=b"\n".join(reversed(second)))
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("75 records, 10 duplicates", out)
        self.assertEqual(out.splitlines()[-1], "complete: 75 records of 3 starts, none missing, none altered")
        # A named pipe cannot be read twice either.
        pipes = subprocess.run(["bash", "-c", f"{binary('sallyport')} verify <(cat {self.folder}/one) <(tac {self.folder}/one)"], capture_output=True, text=True)
        self.assertEqual(pipes.returncode, 0, pipes.stdout)
        self.assertIn("50 records, 50 duplicates", pipes.stdout)

    def test_ranges_are_exact_and_a_start_tells_where_the_one_before_it_ended(self):
        first, second = stream("a" * 32, 40), stream("b" * 32, 30, previous=("a" * 32, 40))
        lines = first[:7] + first[9:38] + second[:3] + second[4:]
        lines[0] = lines[0].replace(b'"EventCount":1', b'"EventCount":2')
        code, out, _ = self.run_on(self.file("x", lines))
        self.assertEqual(code, 1)
        for text in ("missing 8–9, 39–40 (4)", "altered 1 (1)", "missing 4 (1)", "not complete: 5 missing, 1 altered, 2 of 2 starts with faults"):
            self.assertIn(text, out)
        code, out, _ = self.run_on("--json", self.file("x", lines))
        report = json.loads(out)
        self.assertEqual((code, report["complete"]), (1, False))
        boots = {boot["boot"][0]: boot for boot in report["sandboxes"][0]["boots"]}
        self.assertEqual((boots["a"]["missing"], boots["a"]["altered"], boots["b"]["missing"]), ([[8, 9], [39, 40]], [[1, 1]], [[4, 4]]))

    def test_broken_lines_are_shown_with_file_line_and_reason_and_the_rest_is_judged(self):
        good = stream("a" * 32, 3)
        path = self.file("x", [good[0], b"", b"{not JSON", good[1], good[2][:80], good[2]])
        code, out, _ = self.run_on(path, self.folder / "missing")
        self.assertEqual(code, 1)
        self.assertIn(f"{path}:3: no JSON: ", out)
        self.assertIn(f"{path}:5: no JSON: the text ends too early", out)
        self.assertRegex(out, re.escape(f"{self.folder}/missing: ") + ".*No such file")
        self.assertIn("numbers 1–3", out)
        self.assertEqual(out.splitlines()[-1], "not complete: 3 lines that are no record")

    def test_wrong_usage_is_refused(self):
        for arguments in ([], ["--jsn", "x"], ["-", "-"]):
            code, out, err = self.run_on(*arguments)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("see sallyport verify --help", err)

    def test_it_agrees_with_another_reading_of_the_rules_on_150_streams(self):
        """The streams end with a record that both must have, since `prove` does not know where a boot ends."""
        verdicts = set()
        for seed in range(150):
            draw = random.Random(seed)
            count = draw.randint(4, 30)
            ranges = [(3, 3 + draw.randint(0, 1))] if count > 8 and draw.random() < 0.4 else []
            lines = stream("d" * 32, count, dropped=ranges)
            for _ in range(draw.choice((0, 0, 1, 2))):
                place = draw.randrange(len(lines) - 1)
                act = draw.choice(("remove", "change", "double", "renumber", "link"))
                if act == "remove" and b"RecordsDropped" not in lines[place]:
                    del lines[place]
                elif act == "change":
                    lines[place] = lines[place].replace(b"10:00:00", b"10:00:01")
                elif act == "double":
                    lines.insert(0, lines[place])
                elif act == "renumber":
                    lines[place] = re.sub(rb'"SbxSeq":(\d+)', lambda m: b'"SbxSeq":%d' % (int(m[1]) + 100), lines[place])
                elif act == "link":
                    lines[place] = lines[place].replace(lines[place][13:17], b"AAAA", 1)
            draw.shuffle(lines)
            expected = prove(lines)
            code, out = verify(lines)
            # A second record under one id is a fault that only `verify` knows.
            if "EventOriginalUid of another record" not in out:
                self.assertEqual(code, 1 if expected else 0, f"seed {seed}\n{expected}\n{out}")
            verdicts.add(code)
        self.assertEqual(verdicts, {0, 1})


class Schema(unittest.TestCase):
    """The schema refuses what audit.md does not allow: else it would prove nothing."""

    def test_what_is_not_a_record_is_refused(self):
        record = json.loads(stream("a" * 32, 1)[0])
        self.assertTrue(schema_faults(record), "a record without most of its members")
        for member in ("Type", "TenantId", "id", "Surprise", "1st"):
            self.assertTrue(any(member in fault for fault in schema_faults({**record, member: "x"})), member)


if __name__ == "__main__":
    unittest.main()
