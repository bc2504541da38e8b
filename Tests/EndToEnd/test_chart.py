"""The chart, rendered by Helm itself: against Kubernetes' own schemas, against what is kept in the repository, against the injector."""
import json, pathlib, subprocess, tempfile, unittest, uuid

import manifests
from stage import binary
import kubernetes_validate
from yamllint import config, linter

# 1.34 is what AKS has; MutatingAdmissionPolicy v1 came later.
VERSIONS = ("1.34", "1.35", "1.36", "1.37")
# Of cert-manager, whose definitions Kubernetes does not have.
FOREIGN = {"Certificate", "Issuer"}


class Rendered(unittest.TestCase):
    def test_what_is_kept_is_what_the_chart_gives(self):
        self.assertEqual({path.stem for path in manifests.RENDERED.glob("*.yaml")}, set(manifests.variants()))
        for name in manifests.variants():
            with self.subTest(name):
                self.assertEqual((manifests.RENDERED / f"{name}.yaml").read_text(), manifests.rendered_file(name),
                                 "run: python3 Tests/EndToEnd/manifests.py --write")

    def test_every_object_is_valid_to_the_letter_in_each_version_of_kubernetes(self):
        for name in manifests.variants():
            for document in manifests.objects((manifests.RENDERED / f"{name}.yaml").read_text()):
                if document["kind"] in FOREIGN:
                    self.assertEqual(document["apiVersion"], "cert-manager.io/v1")
                    continue
                for version in VERSIONS:
                    with self.subTest(name, kind=document["kind"], object=document["metadata"]["name"], version=version):
                        kubernetes_validate.validate(document, version, strict=True)

    def test_the_schemas_see_a_misspelt_member(self):
        document = manifests.named(manifests.objects((manifests.RENDERED / "aks-kata.yaml").read_text()), "Deployment")
        document["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(document, "1.34", strict=True)

    def test_yamllint_and_helm_have_nothing_to_say(self):
        rules = config.YamlLintConfig(file=str(manifests.CHART / ".yamllint"))
        files = [*manifests.RENDERED.glob("*.yaml"), *manifests.CHART.glob("*.yaml")]
        for path in files:
            with self.subTest(path.name):
                self.assertEqual([str(problem) for problem in linter.run(path.read_text(), rules)], [])
        for name in manifests.variants():
            self.assertEqual(manifests.lint(manifests.values_of(name)), [])

    def test_values_that_are_wrong_or_missing_are_named(self):
        good = manifests.values_of("aks-kata")
        for change, reason in ((lambda v: v.pop("image"), "image is needed"), (lambda v: v.update(imgae="x"), "imgae"),
                               (lambda v: v["sidecar"]["settings"].update(PATH="/"), "PATH"), (lambda v: v.update(injector={"replicas": 1}), "replicas"),
                               (lambda v: v.update(certificate={"source": "secret"}), "caBundle is needed")):
            values = json.loads(json.dumps(good))
            change(values)
            with self.subTest(reason), self.assertRaisesRegex(Exception, reason):
                manifests.render(values)

    def test_without_cert_manager_the_bundle_goes_into_the_webhook(self):
        values = {**manifests.values_of("aks-kata"), "certificate": {"source": "secret", "caBundle": "PEM"}}
        documents = manifests.objects(manifests.render(values))
        self.assertFalse(FOREIGN & {document["kind"] for document in documents})
        self.assertEqual(manifests.named(documents, "MutatingWebhookConfiguration")["webhooks"][0]["clientConfig"]["caBundle"], "UEVN")

    def test_nothing_of_the_pod_s_author_selects_what_is_judged(self):
        """Whether the webhook and the policies are asked goes by the namespace alone, and both fail closed."""
        documents = manifests.objects((manifests.RENDERED / "aks-kata.yaml").read_text())
        webhook, = manifests.named(documents, "MutatingWebhookConfiguration")["webhooks"]
        self.assertNotIn("objectSelector", webhook)
        self.assertNotIn("matchConditions", webhook)
        self.assertEqual((webhook["failurePolicy"], webhook["reinvocationPolicy"], webhook["sideEffects"]), ("Fail", "IfNeeded", "None"))
        policies = [document for document in documents if document["kind"] == "ValidatingAdmissionPolicy"]
        bindings = {document["spec"]["policyName"]: document["spec"] for document in documents if document["kind"] == "ValidatingAdmissionPolicyBinding"}
        self.assertEqual({policy["metadata"]["name"] for policy in policies}, set(bindings))
        for policy in policies:
            self.assertEqual(policy["spec"]["failurePolicy"], "Fail")
            binding = bindings[policy["metadata"]["name"]]
            self.assertIn("Deny", binding["validationActions"])
            self.assertNotIn("objectSelector", binding.get("matchResources", {}))


class Injector(unittest.TestCase):
    def test_it_takes_the_settings_of_the_chart_and_what_it_makes_is_a_valid_pod(self):
        documents = manifests.objects((manifests.RENDERED / "aks-kata.yaml").read_text())
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"runtimeClassName": "kata-vm-isolation", "containers": [{"name": "a", "image": "a"}]}}
        with tempfile.TemporaryDirectory(prefix="sallyport-chart-") as folder:
            path = pathlib.Path(folder) / "settings.yaml"
            path.write_text(manifests.named(documents, "ConfigMap", "sallyport-injector")["data"]["settings.yaml"])
            result = subprocess.run([binary("sallyport"), "inject", "--settings", path, "--file", "-", "--output", "json"], input=json.dumps(pod), capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stderr)
        kubernetes_validate.validate(json.loads(result.stdout), "1.34", strict=True)

    def test_the_daemon_takes_the_settings_that_the_chart_gives_it(self):
        for name in manifests.variants():
            policy = manifests.named(manifests.objects((manifests.RENDERED / f"{name}.yaml").read_text()), "ValidatingAdmissionPolicy", "sallyport-pods")
            values = json.loads(next(variable["expression"] for variable in policy["spec"]["variables"] if variable["name"] == "values"))
            # What stands in files is there in a pod only.
            env = {key: value for key, value in values.items() if not key.endswith("_FILE")}
            # Azure's workload identity webhook adds these.
            env |= {"AZURE_CLIENT_ID": str(uuid.uuid4()), "AZURE_TENANT_ID": str(uuid.uuid4()), "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/tokens/azure-identity-token"}
            with self.subTest(name):
                self.assertIn("SALLYPORT_RUN_AS", env)
                result = subprocess.run([binary("sallyport"), "run", "--print-configuration"], env=env, capture_output=True, text=True, timeout=30)
                self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
