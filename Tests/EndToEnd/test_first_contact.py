"""deploy/first-contact against eventhub-local, which is strict and documented: its answers are known."""
import json, os, pathlib, re, subprocess, tempfile, unittest

from stage import HUB_BEARER, ROOT, binary, run

SCRIPT = ROOT / "deploy" / "first-contact"


class FirstContact(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="sallyport-first-contact-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", cls.folder / "key.pem", "-out", cls.folder / "cert.pem")
        hub = subprocess.Popen([binary("eventhub-local"), "--listen", "127.0.0.1:0", "--cert", cls.folder / "cert.pem", "--key", cls.folder / "key.pem", "--ledger", cls.folder / "ledger",
                                "--hub", "sandbox-audit-fast", "--bearer", HUB_BEARER, "--max-rate", "4000"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(hub.stdout.close)
        cls.addClassCleanup(hub.wait)
        cls.addClassCleanup(hub.terminate)
        port = re.search(r":(\d+)", hub.stdout.readline())[1]
        (cls.folder / "token").write_text(HUB_BEARER + "\n")
        (cls.folder / "stranger").write_text("somebody-else\n")
        cls.output = cls.folder / "answers.json"
        cls.result = run(SCRIPT, "--url", f"https://localhost:{port}/sandbox-audit-fast", "--token-file", cls.folder / "token", "--ca-file", cls.folder / "cert.pem",
                         "--token-without-role", cls.folder / "stranger", "--burst", "--idle", "1", "--output", cls.output, check=False, timeout=120)
        cls.answers = {answer["question"]: answer for answer in json.loads(cls.output.read_text())["answers"]}

    def test_every_question_gets_the_answer_that_this_hub_gives(self):
        self.assertEqual(self.result.returncode, 0, self.result.stdout + self.result.stderr)
        status = {question: answer["status"] for question, answer in self.answers.items()}
        self.assertEqual({question[0] for question in status}, set("01234567o"))
        for question in status:
            with self.subTest(question):
                if question.startswith("0."):
                    self.assertEqual(status[question], 201)
                if question.startswith("3."):
                    self.assertEqual(status[question], 401)
                if question.startswith("1.") or question.startswith("5. over"):
                    self.assertEqual(status[question], 413)
                if question == "other: malformed JSON" or question == "other: a Body that is an object":
                    self.assertEqual(status[question], 400)
        self.assertEqual(status["2. throttling"], 503)
        self.assertGreater(self.answers["5. over 1 MiB of HTTP body, whose events have a quarter of it"]["octets"], 1 << 20)
        self.assertLess(self.answers["0. a batch of 240,000 octets, as the forwarder sends at most"]["octets"], 240_001)

    def test_what_it_stores_says_what_it_is(self):
        kinds = {json.loads(line).get("SbxRecordKind") for line in (self.folder / "ledger").read_bytes().split(b"\n")[:-1]}
        self.assertEqual(kinds, {"FirstContact"})

    def test_no_secret_is_written(self):
        for text in (self.output.read_text(), self.result.stdout, self.result.stderr):
            self.assertNotIn(HUB_BEARER, text)
            self.assertNotIn("somebody-else", text)

    def test_wrong_usage_and_a_hub_that_is_not_there_are_said(self):
        for arguments, code in (((), 2), (("--url", "https://h/x"), 2), (("--help",), 0)):
            self.assertEqual(run(SCRIPT, *arguments, check=False).returncode, code)
        result = run(SCRIPT, "--url", "https://127.0.0.1:1/x", "--token-file", self.folder / "token", "--output", os.devnull, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("refused", result.stdout)


if __name__ == "__main__":
    unittest.main()
