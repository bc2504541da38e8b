"""What deploy/integrations holds, against the definitions of those it is for: agent-sandbox's structure, OpenSandbox's own server package, Kubernetes' pods."""
import json, pathlib, subprocess, tempfile, unittest

import manifests, packages
from stage import ROOT, binary, run
import jsonschema, kubernetes_validate, yaml
from yamllint import config, linter

FOLDER = ROOT / "deploy" / "integrations"
TENANT, OBJECT = "72f988bf-86f1-41af-91ab-2d7cd011db47", "6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"


def load(name):
    return yaml.safe_load((FOLDER / name).read_text())


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        documents = manifests.objects((manifests.RENDERED / "aks-kata.yaml").read_text())
        cls.policy = manifests.Validating(manifests.named(documents, "ValidatingAdmissionPolicy", "sallyport-pods"))
        cls.temporary = tempfile.TemporaryDirectory(prefix="sallyport-integrations-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.settings = pathlib.Path(cls.temporary.name) / "settings.yaml"
        cls.settings.write_text(manifests.named(documents, "ConfigMap", "sallyport-injector")["data"]["settings.yaml"])

    def assertLetIn(self, pod):
        """The webhook takes it, and the policy takes what the webhook makes."""
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", **pod.get("metadata", {})}, "spec": pod["spec"]}
        kubernetes_validate.validate(pod, "1.34", strict=True)
        result = run(binary("sallyport"), "inject", "--settings", self.settings, "--file", "-", "--output", "json", input=json.dumps(pod), check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        injected = json.loads(result.stdout)
        kubernetes_validate.validate(injected, "1.34", strict=True)
        self.assertEqual(self.policy.refusals({"operation": "CREATE"}, injected), [])

    def test_agent_sandbox_s_objects_have_the_structure_of_its_definitions(self):
        judge = jsonschema.Draft202012Validator(load("agent-sandbox/crds.schema.json"))
        for name in ("template", "warmpool", "claim"):
            document = load(f"agent-sandbox/{name}.yaml")
            with self.subTest(name):
                self.assertEqual([error.message for error in judge.iter_errors(document)], [])
                self.assertFalse(judge.is_valid({**document, "spec": {**document["spec"], "misspelt": 1}}))
        self.assertEqual(load("agent-sandbox/warmpool.yaml")["spec"]["sandboxTemplateRef"]["name"], load("agent-sandbox/template.yaml")["metadata"]["name"])
        self.assertEqual(load("agent-sandbox/claim.yaml")["spec"]["warmPoolRef"]["name"], load("agent-sandbox/warmpool.yaml")["metadata"]["name"])

    def test_pods_of_the_template_are_let_in_and_so_are_plain_ones(self):
        self.assertLetIn(load("agent-sandbox/template.yaml")["spec"]["podTemplate"])
        pod = load("pod/pod.yaml")
        pod["spec"]["runtimeClassName"] = "kata-vm-isolation"
        self.assertLetIn(pod)

    def test_the_plain_pod_is_injected_with_its_own_settings(self):
        result = run(binary("sallyport"), "inject", "--settings", FOLDER / "pod" / "settings.yaml", "--file", FOLDER / "pod" / "pod.yaml")
        kubernetes_validate.validate(yaml.safe_load(result.stdout), "1.34", strict=True)
        self.assertEqual(yaml.safe_load(result.stdout)["spec"]["initContainers"][0]["name"], "sallyport")

    def test_yamllint_has_nothing_to_say(self):
        rules = config.YamlLintConfig(file=str(manifests.CHART / ".yamllint"))
        for path in FOLDER.rglob("*.yaml"):
            with self.subTest(path.name):
                self.assertEqual([str(problem) for problem in linter.run(path.read_text(), rules)], [])


class Binding(unittest.TestCase):
    """deploy/integrations/agent-sandbox/bind with real keys and the real sallyport; its kubectl answers for the cluster and notes what it was asked."""
    POD_UID, CLAIM_UID = "0f7c2c52-3c58-4b52-9d3a-0a2d5a6b7c8d", "1a2b3c4d-0000-4000-8000-00000000000a"
    KUBECTL = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
  *"get sandboxclaim"*metadata.uid*) printf %s "$CLAIM_UID" ;;
  *"get sandboxclaim"*) printf agent-x1 ;;
  *"get sandbox "*) printf %s "$POD_NAME" ;;
  *"get pod "*) printf %s "$POD_UID" ;;
esac
"""

    def bind(self, folder, *arguments, pod_name="agent-x1-pod"):
        tools = folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "kubectl").write_text(self.KUBECTL)
        (tools / "kubectl").chmod(0o755)
        if not (tools / "sallyport").exists():
            (tools / "sallyport").symlink_to(binary("sallyport"))
        env = {"PATH": f"{tools}:/usr/bin:/bin", "LOG": str(folder / "log"), "POD_UID": self.POD_UID, "CLAIM_UID": self.CLAIM_UID, "POD_NAME": pod_name}
        return subprocess.run([FOLDER / "agent-sandbox" / "bind", *arguments], env=env, capture_output=True, text=True, timeout=30)

    def test_the_token_that_is_handed_in_binds_this_pod_s_owner_and_no_other_s(self):
        with tempfile.TemporaryDirectory(prefix="sallyport-bind-") as folder:
            folder = pathlib.Path(folder)
            run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder / "issuer.pem")
            (folder / "jwks.json").write_text(run(binary("sallyport"), "owner", "keys", folder / "issuer.pem").stdout)
            for pod_name, expected in (("agent-x1-pod", "agent-x1-pod"), ("", "agent-x1")):
                (folder / "log").unlink(missing_ok=True)
                result = self.bind(folder, "--namespace", "sandboxes", "--claim", "claim-1", "--key", folder / "issuer.pem", "--issuer", "https://platform.example",
                                   "--subject", f"{TENANT}/{OBJECT}", "--session-id", "s-1", pod_name=pod_name)
                self.assertEqual((result.returncode, result.stdout), (0, f"{expected}: token handed in for {TENANT}/{OBJECT}\n"), result.stderr)
                last = (folder / "log").read_text().splitlines()[-1]
                self.assertIn(f"-n sandboxes annotate --overwrite pod/{expected} sallyport.dev/owner-token=", last)
                (folder / "token").write_text(last.partition("owner-token=")[2])
                verify = [binary("sallyport"), "owner", "verify", "--keys", folder / "jwks.json", "--issuer", "https://platform.example"]
                self.assertIn(self.CLAIM_UID, run(*verify, "--pod-uid", self.POD_UID, folder / "token").stdout)
                self.assertIn("POD_WRONG", run(*verify, "--pod-uid", self.CLAIM_UID, folder / "token", check=False).stdout)

    def test_what_is_missing_is_named(self):
        with tempfile.TemporaryDirectory(prefix="sallyport-bind-") as folder:
            for arguments, reason in ((("--claim", "c"), "--namespace is missing"), (("--clam", "c"), "unknown argument")):
                result = self.bind(pathlib.Path(folder), *arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn(reason, result.stderr)


class OpenSandbox(unittest.TestCase):
    """With the server's own package, in a process of its own."""
    READ = """
import dataclasses, json, sys, tomllib
from opensandbox_server import config
from opensandbox_server.api.schema import NetworkPolicy
from opensandbox_server.services.k8s import egress_helper, workload_provider
import pathlib
example = pathlib.Path(config.__file__).parent / "examples" / sys.argv[1]
merged = tomllib.loads(example.read_text())
for section, members in tomllib.loads(open(sys.argv[2]).read()).items():
    merged.setdefault(section, {}).update(members)
egress = config.AppConfig(**merged).egress
assert set(tomllib.loads(open(sys.argv[2]).read())["egress"]) <= set(config.EgressConfig.model_fields), "a member the server does not know"
containers = []
egress_helper.apply_egress_to_spec(containers, workload_provider.EgressWorkloadSettings(
    network_policy=NetworkPolicy(defaultAction="deny", egress=[{"action": "allow", "target": "registry.example.com"}]), image=egress.image, mode=egress.mode,
    auth_token="secret", credential_proxy_enabled=False, env={}, disable_ipv6=egress.disable_ipv6, resource_requests=egress.requests, resource_limits=egress.limits), sandbox_id="s-1")
print(json.dumps(containers[0]))
"""

    @classmethod
    def setUpClass(cls):
        cls.python = packages.python(packages.FOLDER.with_name("python-opensandbox-server"), packages.OPENSANDBOX)

    def sidecar(self, example, ours):
        result = subprocess.run([self.python, "-c", self.READ, example, FOLDER / "opensandbox" / ours], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        return json.loads(result.stdout)

    def test_the_server_takes_the_settings_and_sallyport_the_environment_that_it_makes(self):
        for example, ours, image in (("example.config.toml", "docker.toml", "sallyport:latest"), ("example.config.k8s.toml", "kubernetes.toml", "registry.example.com/sallyport:1")):
            with self.subTest(ours):
                container = self.sidecar(example, ours)
                self.assertEqual(container["image"], image)
                # The image starts without arguments, and these are what the server knows to ask for.
                self.assertFalse({"command", "args"} & set(container))
                self.assertEqual((container["readinessProbe"]["httpGet"]["path"], container["readinessProbe"]["httpGet"]["port"]), ("/healthz", 18080))
                env = {entry["name"]: entry["value"] for entry in container["env"]}
                result = subprocess.run([binary("sallyport"), "run", "--print-configuration"], env=env, capture_output=True, text=True, timeout=30)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("registry.example.com", result.stdout)
                self.assertIn("s-1", result.stdout)

    def test_a_pod_with_opensandbox_s_own_sidecar_is_refused_where_the_webhook_stands(self):
        container = self.sidecar("example.config.k8s.toml", "kubernetes.toml")
        container.pop("volumeMounts")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "sandbox", "image": "a"}, container]}}
        result = run(binary("sallyport"), "inject", "--settings", FOLDER / "pod" / "settings.yaml", "--file", "-", input=json.dumps(pod), check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("NET_ADMIN", result.stderr)
        self.assertIn("18080", result.stderr)


if __name__ == "__main__":
    unittest.main()
