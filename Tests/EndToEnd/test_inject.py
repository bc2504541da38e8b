"""`sallyport inject`: manifests by file, and the webhook as the API server calls it."""
import base64, json, os, pathlib, random, ssl, subprocess, tempfile, unittest, urllib.request

import jsonschema, yaml

from stage import ROOT, binary, run, wait_for

IMAGE = "registry.example.com/sallyport@sha256:0123456789abcdef"
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sandbox", "namespace": "ns"},
       "spec": {"containers": [{"name": "agent", "image": "agent:1", "args": ["--x", "yes", "0400", "a: b", "#c", " d", "e\nf\n", "", "~"]}]}}


def inject(text, *options, settings=f"image: {IMAGE}\n", name="pod.yaml"):
    """The result of a run over a file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "settings.yaml").write_text(settings)
        (folder / name).write_text(text)
        return subprocess.run([binary("sallyport"), "inject", "--settings", folder / "settings.yaml", "--file", folder / name, *options],
                              capture_output=True, text=True, timeout=30)


def injected(pod):
    return json.loads(inject(json.dumps(pod), name="pod.json").stdout)


class Files(unittest.TestCase):
    def test_yaml_in_any_style_is_read_as_the_same_pod(self):
        """PyYAML writes it, we read it: block and flow style, each way to quote, narrow lines."""
        expected = injected(POD)
        for flow in (False, True, None):
            for style in (None, "'", '"', "|", ">"):
                for width in (20, 4096):
                    with self.subTest(flow=flow, style=style, width=width):
                        text = yaml.safe_dump(POD, default_flow_style=flow, default_style=style, width=width, allow_unicode=True)
                        # With a style for every scalar PyYAML marks what is no text by a tag, which we refuse.
                        text = text.replace("!!null ", "").replace("!!bool ", "").replace("!!int ", "")
                        result = inject(text, "--output", "json")
                        self.assertEqual(result.returncode, 0, f"{result.stderr}{text}")
                        self.assertEqual(json.loads(result.stdout), expected, text)

    def test_random_values_survive_reading_and_writing(self):
        """Against PyYAML on both sides. No text like `1e3`: PyYAML writes it bare, and Kubernetes takes it for a number, as we do."""
        chance = random.Random(20261125)
        words = ["", "a", "yes", "No", "null", "~", "1", "-1.5", "0x1f", "0400", "1_0", "a: b", "a #b", "#", " a", "a ", "- a", "a:", ":a", "'", '"', "\\", "\t", "a\nb", "a\n\n b\n", "\n", "{", "[x]",
                 "&a", "*a", "!a", "|", ">", "%", "@", "`", "é", "\u2028", "😀", "a,b", "?", "? a", "-", "--", "---", "...", "=", "<<", "2026-01-01", "1:30", "\x01", "x" * 200, "word " * 60]

        # PyYAML writes longer ones, and those of several lines, as complex keys, which no manifest has.
        keys = [word for word in words if 0 < len(word) < 100 and "\n" not in word and word.isprintable()]

        def value(depth):
            kind = chance.randrange(3 if depth < 4 else 1)
            if kind == 0:
                return chance.choice([chance.choice(words), chance.choice(words), None, True, False, chance.randrange(-9, 2 ** 40), 1.5])
            if kind == 1:
                return [value(depth + 1) for _ in range(chance.randrange(4))]
            return {chance.choice(keys): value(depth + 1) for _ in range(chance.randrange(4))}

        for turn in range(60):
            pod = {"kind": "Pod", "metadata": {"annotations": {"x": value(0)}, "labels": {chance.choice(keys): value(1)}}, "spec": {"containers": [{"name": "a", "x": value(0)}]}}
            text = yaml.safe_dump(pod, default_flow_style=chance.choice([None, False, True]), width=chance.choice([20, 80, 4096]), allow_unicode=chance.choice([True, False]))
            with self.subTest(turn=turn):
                result = inject(text, "--output", "yaml")
                self.assertEqual(result.returncode, 0, f"{result.stderr}{text}")
                expected = injected(pod)
                self.assertEqual(yaml.safe_load(result.stdout), expected, text)

    def test_several_documents_and_lists_are_injected_and_the_rest_is_left(self):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
        result = inject(yaml.safe_dump_all([service, POD, {"kind": "List", "items": [POD, service]}]))
        self.assertEqual(result.returncode, 0, result.stderr)
        documents = list(yaml.safe_load_all(result.stdout))
        self.assertEqual(documents, [service, injected(POD), {"kind": "List", "items": [injected(POD), service]}])

    def test_a_refusal_names_file_place_and_reason_and_writes_nothing(self):
        result = inject(yaml.safe_dump_all([POD, {**POD, "spec": {**POD["spec"], "hostNetwork": True}}]))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"pod\.yaml: document 2: \$\.spec\.hostNetwork: the pod would use the node's network")

    def test_what_cannot_be_read_is_named_with_its_line(self):
        for text, reason in (("a: &x 1\n", "line 1, column 4"), ('{"kind": "Pod", "kind": "Pod"}', "repeated"), ("kind: Service\n", "there is no pod in it"), ("x: 1\n", r"\$\.kind")):
            with self.subTest(text=text):
                result = inject(text)
                self.assertIn(result.returncode, (1, 2))
                self.assertRegex(result.stderr, reason)
        result = inject(json.dumps(POD), settings="imgae: x\n")
        self.assertEqual(result.returncode, 2)
        self.assertIn("$.imgae: is not known", result.stderr)


class Settings(unittest.TestCase):
    """deploy/inject/settings.schema.json beside the reader, which both judge a document."""
    NAMES = ("image", "imagePullPolicy", "sidecarUser", "workloadUser", "resources", "stateSize", "settings", "policyConfigMap", "alwaysConfigMap", "ownerKeysConfigMap",
             "apiTokenSecret", "caConfigMap", "workloadIdentity", "runtimeClasses")
    VALUES = (None, "", "x", "Always", 0, 1, 1.5, 4294967293, 4294967294, -1, True, [], ["a"], [1], {}, {"name": "a"}, {"name": "a", "key": "b"}, {"name": ""}, {"key": "b"}, {"name": 1},
              {"name": "a", "other": 1}, {"clientId": "a", "tenantId": "b"}, {"clientId": "a"}, {"SALLYPORT_MODE": "observe"}, {"SALLYPORT_MODE": 1}, {"SALLYPORT_MODE": []},
              {"SALLYPORT_RUN_AS": "1"}, {"PATH": "/"}, {"SALLYPORT_CA_FILE": "x"})

    def test_the_schema_and_the_reader_agree(self):
        schema = json.loads((ROOT / "deploy" / "inject" / "settings.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        judge = jsonschema.Draft202012Validator(schema)
        self.assertEqual(set(schema["properties"]), set(self.NAMES))
        documents = [{}, {"imgae": "x"}, {"image": "x", "other": 1}] + [{"image": "x", name: value} for name in self.NAMES for value in self.VALUES]
        with tempfile.TemporaryDirectory() as folder:
            pod, settings = pathlib.Path(folder) / "pod.json", pathlib.Path(folder) / "settings.json"
            pod.write_text(json.dumps(POD))
            for document in documents:
                settings.write_text(json.dumps(document))
                code = subprocess.run([binary("sallyport"), "inject", "--settings", settings, "--file", pod], capture_output=True, timeout=30).returncode
                with self.subTest(document=document):
                    # A list of runtime classes is good and refuses this pod.
                    self.assertIn(code, (0, 1, 2))
                    self.assertEqual(code == 2, not judge.is_valid(document))


class Webhook(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="sallyport-inject-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.certificate("one")
        (cls.folder / "settings.yaml").write_text(f"image: {IMAGE}\n")
        cls.port = cls.free_port()
        with open(cls.folder / "log", "wb") as log:
            cls.process = subprocess.Popen([binary("sallyport"), "inject", "--settings", cls.folder / "settings.yaml", "--listen", f"127.0.0.1:{cls.port}",
                                            "--cert", cls.folder / "tls.crt", "--key", cls.folder / "tls.key"], stderr=log)
        cls.addClassCleanup(cls.process.wait)
        cls.addClassCleanup(cls.process.terminate)
        wait_for("the webhook listens", lambda: cls.answers() or cls.process.poll() is not None)

    @classmethod
    def answers(cls):
        try:
            return cls.call("/healthz")[0] == 200
        except OSError:
            return False

    @staticmethod
    def free_port():
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    @classmethod
    def certificate(cls, name):
        """A new pair, put in place as cert-manager's volume has it: all at once."""
        for part in ("crt", "key"):
            (cls.folder / f"new.{part}").unlink(missing_ok=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", cls.folder / "new.key", "-out", cls.folder / "new.crt")
        for part in ("key", "crt"):
            os.replace(cls.folder / f"new.{part}", cls.folder / f"tls.{part}")

    @classmethod
    def call(cls, path, body=None, method=None):
        context = ssl.create_default_context(cafile=cls.folder / "tls.crt")
        request = urllib.request.Request(f"https://127.0.0.1:{cls.port}{path}", data=body, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def review(self, pod, **request):
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "request": {"uid": "705ab4f5", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": "ns", "object": pod, **request}}
        status, answer = self.call("/inject", json.dumps(body).encode())
        self.assertEqual(status, 200)
        answer = json.loads(answer)
        self.assertEqual((answer["apiVersion"], answer["kind"], answer["response"]["uid"]), ("admission.k8s.io/v1", "AdmissionReview", "705ab4f5"))
        return answer["response"]

    def patched(self, pod):
        response = self.review(pod)
        self.assertTrue(response["allowed"])
        value = json.loads(json.dumps(pod))
        for operation in json.loads(base64.b64decode(response.get("patch", "W10="), validate=True)):
            *path, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
            place = value
            for part in path:
                place = place[part]
            if operation["op"] == "remove":
                del place[last]
            else:
                self.assertEqual(last in place, operation["op"] == "replace")
                place[last] = operation["value"]
        return value

    def test_the_patch_makes_of_a_pod_what_injecting_its_file_makes(self):
        self.assertEqual(self.patched(POD), injected(POD))

    def test_the_pod_of_its_own_patch_needs_none(self):
        self.assertNotIn("patch", self.review(self.patched(POD)))

    def test_a_pod_that_cannot_be_made_safe_is_refused_with_every_reason(self):
        response = self.review({**POD, "spec": {**POD["spec"], "hostPID": True, "shareProcessNamespace": True}})
        self.assertFalse(response["allowed"])
        for word in ("hostPID", "shareProcessNamespace"):
            self.assertIn(word, response["status"]["message"])

    def test_debugging_containers_are_refused(self):
        self.assertFalse(self.review(POD, operation="UPDATE", subResource="ephemeralcontainers")["allowed"])

    def test_other_requests_are_answered_by_their_status(self):
        for path, body, method, status in (("/inject", b"{}", "POST", 400), ("/inject", b"\xff" * 100, "POST", 400), ("/inject", None, "GET", 405), ("/other", None, "GET", 404),
                                           ("/healthz", None, "GET", 200)):
            with self.subTest(path=path, method=method, octets=len(body or b"")):
                self.assertEqual(self.call(path, body, method)[0], status)

    def test_a_certificate_that_is_replaced_is_shown_to_the_next_connection(self):
        self.certificate("two")
        shown = lambda: run("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", check=False, input="").stdout
        wait_for("the new certificate is shown", lambda: "CN = two" in shown())
        self.assertTrue(self.review(POD)["allowed"])
        # Half of a pair, or none, changes nothing.
        self.addCleanup(self.certificate, "two")
        (self.folder / "tls.crt").write_text("not a certificate")
        wait_for("it is said", lambda: "the old one stays" in (self.folder / "log").read_text())
        self.assertIn("CN = two", shown())


if __name__ == "__main__":
    unittest.main()
